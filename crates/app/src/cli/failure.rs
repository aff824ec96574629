//! Why a command failed, and the exit code that says so.

use super::output::OutputError;
use crate::compose::ComposeError;
use crate::config::ConfigErrors;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    /// The parts could not be put together.
    #[error(transparent)]
    Compose(#[from] ComposeError),
    /// The arguments cannot be used.
    #[error("{0}")]
    Arguments(String),
    /// The answer cannot be printed.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// Anything else, as the one line that a person reads.
    #[error("{0}")]
    Told(String),
}

impl Failure {
    /// 78 is `EX_CONFIG`: systemd must not restart a service that cannot start.
    const CONFIG: u8 = 78;
    /// `EX_TEMPFAIL`: another process has the store.
    const HELD: u8 = 75;
    pub(super) const ARGUMENTS: u8 = 2;

    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) => Self::CONFIG,
            Self::Compose(error) if error.is_config() => Self::CONFIG,
            Self::Compose(ComposeError::Held(_)) => Self::HELD,
            Self::Arguments(_) => Self::ARGUMENTS,
            Self::Compose(_) | Self::Output(_) | Self::Told(_) => 1,
        }
    }
}
