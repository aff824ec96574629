//! The kinds of events: one table, for the code that makes them and for readers that ask for them. What happened
//! is said where each is made.

/// A kind of event that this version makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    ServiceStarted,
    ServiceStopped,
    TokenActivated,
    TokenArchived,
    TokenUnlisted,
    TokenRelisted,
    BreakerChanged,
    SourceFailed,
    SourceRecovered,
    ControlAttemptTimeout,
    ControlInFlight,
}

impl Kind {
    const ALL: [Self; 11] = [
        Self::ServiceStarted,
        Self::ServiceStopped,
        Self::TokenActivated,
        Self::TokenArchived,
        Self::TokenUnlisted,
        Self::TokenRelisted,
        Self::BreakerChanged,
        Self::SourceFailed,
        Self::SourceRecovered,
        Self::ControlAttemptTimeout,
        Self::ControlInFlight,
    ];

    /// The kind as dotted words.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::ServiceStarted => "service.started",
            Self::ServiceStopped => "service.stopped",
            Self::TokenActivated => "token.activated",
            Self::TokenArchived => "token.archived",
            Self::TokenUnlisted => "token.unlisted",
            Self::TokenRelisted => "token.relisted",
            Self::BreakerChanged => "breaker.changed",
            Self::SourceFailed => "source.failed",
            Self::SourceRecovered => "source.recovered",
            Self::ControlAttemptTimeout => "control.attempt_timeout",
            Self::ControlInFlight => "control.in_flight",
        }
    }
}

/// The kinds of all events that a service makes, as text.
pub const KINDS: [&str; Kind::ALL.len()] = {
    let mut words = [""; Kind::ALL.len()];
    let mut at = 0;
    while at < words.len() {
        words[at] = Kind::ALL[at].as_str();
        at += 1;
    }
    words
};
