//! The problem document. It knows no status but the one that it is given.

use serde::Serialize;

/// An error (RFC 9457).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProblemDto {
    /// `about:blank`: the status says what kind it is.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The status in words.
    pub title: &'static str,
    /// The status.
    pub status: u16,
    /// One sentence: what is wrong, where, and what was expected.
    pub detail: String,
}
