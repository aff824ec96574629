//! Why there is no such channel.

use ttm_kernel::InvalidSetting;

/// Why a channel cannot be made. It names no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidChannel {
    /// Settings that cannot be used, all of them.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Settings(Vec<InvalidSetting>),
    /// There is no HTTP client: in practice, the machine has no root certificates.
    #[error("cannot create the HTTP client: {0}")]
    Client(String),
}
