//! How often an API has refused a call.

/// Since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Refusals {
    /// Because it was asked too often, with 429.
    pub(crate) rate_limited: u64,
    /// Because of who asked, with 401 or 403.
    pub(crate) forbidden: u64,
}
