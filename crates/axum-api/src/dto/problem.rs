//! The problem document.

use serde::Serialize;

/// An error (RFC 9457).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProblemDto {
    /// `about:blank`: the status identifies the kind of problem.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The reason phrase of the status.
    pub title: &'static str,
    /// The HTTP status code.
    pub status: u16,
    /// One sentence: what is wrong, where, and what was expected.
    pub detail: String,
}
