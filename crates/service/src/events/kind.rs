//! The kinds of events: one table, for the code that makes them and for readers that ask for them. What happened
//! is said where each is made.

use strum::{IntoStaticStr, VariantNames};

/// A kind of event that this version makes. The words are stored: renaming a variant must not change them.
#[derive(Clone, Copy, Debug, IntoStaticStr, VariantNames)]
#[strum(const_into_str)]
pub(super) enum Kind {
    #[strum(serialize = "service.started")]
    ServiceStarted,
    #[strum(serialize = "service.stopped")]
    ServiceStopped,
    #[strum(serialize = "token.activated")]
    TokenActivated,
    #[strum(serialize = "token.archived")]
    TokenArchived,
    #[strum(serialize = "token.unlisted")]
    TokenUnlisted,
    #[strum(serialize = "token.relisted")]
    TokenRelisted,
    #[strum(serialize = "breaker.changed")]
    BreakerChanged,
    #[strum(serialize = "source.failed")]
    SourceFailed,
    #[strum(serialize = "source.recovered")]
    SourceRecovered,
    #[strum(serialize = "recovery.began")]
    RecoveryBegan,
    #[strum(serialize = "recovery.step")]
    RecoveryStep,
    #[strum(serialize = "recovery.withheld")]
    RecoveryWithheld,
    #[strum(serialize = "recovery.ended")]
    RecoveryEnded,
    #[strum(serialize = "recovery.ledger_set_aside")]
    LedgerSetAside,
    #[strum(serialize = "process.paused")]
    ProcessPaused,
    #[strum(serialize = "alert.fired")]
    AlertFired,
    #[strum(serialize = "alert.severity_changed")]
    AlertSeverityChanged,
    #[strum(serialize = "alert.resolved")]
    AlertResolved,
    #[strum(serialize = "control.attempt_timeout")]
    ControlAttemptTimeout,
    #[strum(serialize = "control.in_flight")]
    ControlInFlight,
}

/// The kinds of all events that a service makes, as text.
pub const KINDS: &[&str] = Kind::VARIANTS;
