//! The errors of commands and their exit codes.

use super::output::OutputError;
use crate::compose::ComposeError;
use crate::config::ConfigErrors;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The configuration is invalid.
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    /// The process could not be composed.
    #[error(transparent)]
    Compose(#[from] ComposeError),
    /// The arguments are invalid.
    #[error("{0}")]
    Arguments(String),
    /// The output cannot be written.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// Anything else, as one line for a person.
    #[error("{0}")]
    Told(String),
}

impl Failure {
    /// `EX_CONFIG`: systemd must not restart a service that cannot start.
    const CONFIG: u8 = 78;
    /// `EX_SOFTWARE`: ended by self-healing; systemd starts it again.
    const RECOVERY: u8 = 70;
    /// `EX_TEMPFAIL`: another process holds the store.
    const HELD: u8 = 75;
    pub(super) const ARGUMENTS: u8 = 2;

    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) => Self::CONFIG,
            Self::Compose(error) if error.is_config() => Self::CONFIG,
            Self::Compose(ComposeError::Held(_)) => Self::HELD,
            Self::Compose(ComposeError::Recovery(_)) => Self::RECOVERY,
            Self::Arguments(_) => Self::ARGUMENTS,
            Self::Compose(_) | Self::Output(_) | Self::Told(_) => 1,
        }
    }
}
