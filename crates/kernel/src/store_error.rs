//! Errors of stores, by what the caller does next. Every port to a store returns them.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::FailureClass;

/// How soon a call is retried when only an operator can fix what is wrong.
pub const OPERATOR_RETRY: Duration = Duration::from_mins(1);

/// What the caller of a store does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreErrorKind {
    /// Unreachable, busy, full, read-only for now, timed out: keep the data and retry.
    Transient {
        /// Wait at least this long where retrying at the usual pace would add to the trouble.
        retry_after: Option<Duration>,
    },
    /// A database, a table or a privilege is missing: keep the data, call an operator, and retry slowly until it is there.
    Missing,
    /// The credentials are refused: keep the data, call an operator, and retry slowly until they are right.
    Unauthenticated,
    /// A newer writer took over: stop writing.
    Fenced {
        /// What stops with it.
        by: FencedBy,
    },
    /// The store refuses this data, and always will: split the batch, or drop the entry and count it.
    Rejected,
    /// An answer that this program cannot interpret: an unknown code, or a row that no version of it can have written. It
    /// does not prove damage, so a writer keeps the data and retries slowly, a reader looks again at its next turn, and other
    /// uses of the store go on. A start is refused: what it would work with is not known.
    Unexpected,
    /// The store is certainly damaged, or is not the one that was opened: stop using it for anything and call an operator.
    Corrupt,
}

/// Which number of a fencing token is too old, and so what has been replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FencedBy {
    /// The epoch: another process took over the store, and this one stops.
    Epoch,
    /// The incarnation: this process has restarted the writer, and only the older one stops.
    Incarnation,
}

/// An error of a store.
///
/// It is one line for a person: what the caller does next, what the store said, the database's own code, and what was being
/// done. It never contains an address or a secret. The error of the driver is kept as its [`source`](Error::source).
#[derive(Debug)]
pub struct StoreError(Box<Details>);

/// Boxed, so that a `Result` with this error stays small.
#[derive(Debug)]
struct Details {
    kind: StoreErrorKind,
    message: Cow<'static, str>,
    code: Option<Cow<'static, str>>,
    advice: Option<&'static str>,
    doing: Option<Cow<'static, str>>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl StoreError {
    /// An error of this kind.
    pub fn new(kind: StoreErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        let message = message.into();
        Self(Box::new(Details { kind, message, code: None, advice: None, doing: None, source: None }))
    }

    /// A failure that passes by itself; retried at the caller's own pace.
    pub fn transient(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StoreErrorKind::Transient { retry_after: None }, message)
    }

    /// Something that only an operator can provide.
    pub fn missing(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StoreErrorKind::Missing, message)
    }

    /// Credentials that are refused.
    pub fn unauthenticated(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StoreErrorKind::Unauthenticated, message)
    }

    /// Data that the store refuses, and always will.
    pub fn rejected(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StoreErrorKind::Rejected, message)
    }

    /// An answer that cannot be interpreted.
    pub fn unexpected(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StoreErrorKind::Unexpected, message)
    }

    /// Content that is certainly damaged.
    pub fn corrupt(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StoreErrorKind::Corrupt, message)
    }

    /// A store that is not what it was: a caller that went by what it holds now would take lost content for an edit.
    pub fn replaced(sign: impl fmt::Display) -> Self {
        Self::corrupt(format!("{sign}: its tables were recreated, or restored from an older copy"))
    }

    /// The same error for a caller that does something else next.
    #[must_use]
    pub fn with_kind(mut self, kind: StoreErrorKind) -> Self {
        self.0.kind = kind;
        self
    }

    /// With the code of the database or the operating system, such as `SQLSTATE 42P01` or `os error 111`.
    #[must_use]
    pub fn with_code(mut self, code: impl Into<Cow<'static, str>>) -> Self {
        self.0.code = Some(code.into());
        self
    }

    /// With what an operator can do about it.
    #[must_use]
    pub fn with_advice(mut self, advice: &'static str) -> Self {
        self.0.advice = Some(advice);
        self
    }

    /// With the error that it was made from.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// With what was being done, as in "saving tokens". The innermost call knows best: what is there already stays.
    #[must_use]
    pub fn while_doing(mut self, what: impl Into<Cow<'static, str>>) -> Self {
        self.0.doing.get_or_insert_with(|| what.into());
        self
    }

    /// What the caller does next.
    pub fn kind(&self) -> StoreErrorKind {
        self.0.kind
    }

    /// The code of the database or the operating system, if there is one.
    pub fn code(&self) -> Option<&str> {
        self.0.code.as_deref()
    }

    /// What was being done, if that is known.
    pub fn doing(&self) -> Option<&str> {
        self.0.doing.as_deref()
    }

    /// What happened, with code and advice; for a sentence that says by itself what does not work.
    pub fn said(&self) -> String {
        let Details { message, code, advice, .. } = &*self.0;
        let code = code.as_ref().map_or_else(String::new, |code| format!(" ({code})"));
        let advice = advice.map_or_else(String::new, |advice| format!("; {advice}"));
        format!("{message}{code}{advice}")
    }

    /// Whether waiting helps while the data is kept, be it for an operator.
    pub fn may_pass(&self) -> bool {
        match self.kind() {
            StoreErrorKind::Transient { .. } | StoreErrorKind::Missing | StoreErrorKind::Unauthenticated => {
                true
            }
            StoreErrorKind::Fenced { .. }
            | StoreErrorKind::Rejected
            | StoreErrorKind::Unexpected
            | StoreErrorKind::Corrupt => false,
        }
    }

    /// Whether it passes only once an operator has acted, though it is retried until then.
    pub fn needs_a_person(&self) -> bool {
        matches!(self.kind(), StoreErrorKind::Missing | StoreErrorKind::Unauthenticated)
    }

    /// What kind of answer it wants.
    pub fn class(&self) -> FailureClass {
        match self.kind() {
            StoreErrorKind::Transient { .. } => FailureClass::Transient,
            // The store answers, but not what is asked. A restart would ask the same: refused data is in an outbox that
            // outlives its writer.
            StoreErrorKind::Missing | StoreErrorKind::Rejected | StoreErrorKind::Unexpected => {
                FailureClass::Persistent
            }
            // Nothing is wrong with the store. What was fenced off is the program's own, and has been replaced already.
            StoreErrorKind::Fenced { by: FencedBy::Epoch | FencedBy::Incarnation } => FailureClass::System,
            // Asking on with refused credentials looks like an attack, and locks accounts.
            StoreErrorKind::Unauthenticated | StoreErrorKind::Corrupt => FailureClass::Critical,
        }
    }

    /// How long to wait at least before a retry.
    pub fn retry_after(&self) -> Option<Duration> {
        match self.kind() {
            StoreErrorKind::Transient { retry_after } => retry_after,
            StoreErrorKind::Missing | StoreErrorKind::Unauthenticated | StoreErrorKind::Unexpected => {
                Some(OPERATOR_RETRY)
            }
            StoreErrorKind::Fenced { .. } | StoreErrorKind::Rejected | StoreErrorKind::Corrupt => None,
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind() {
            StoreErrorKind::Transient { .. } => "the store is unavailable: ",
            StoreErrorKind::Missing => "the store lacks something that an operator must provide: ",
            StoreErrorKind::Unauthenticated => "the store refuses the credentials: ",
            StoreErrorKind::Fenced { .. } => "",
            StoreErrorKind::Rejected => "the store refuses the data: ",
            StoreErrorKind::Unexpected => "the store gave an unexpected answer: ",
            StoreErrorKind::Corrupt => "the store is unusable: ",
        })?;
        f.write_str(&self.said())?;
        self.doing().map_or(Ok(()), |doing| write!(f, ", while {doing}"))
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn a_line_says_what_to_do_next_what_happened_and_what_was_being_done() {
        let error = StoreError::missing("no such table: token")
            .with_code("SQLITE_ERROR, 1")
            .with_advice("restore it from a backup")
            .while_doing("saving tokens");
        assert_eq!(
            error.to_string(),
            "the store lacks something that an operator must provide: no such table: token (SQLITE_ERROR, 1); restore it \
             from a backup, while saving tokens"
        );
        assert_eq!(error.said(), "no such table: token (SQLITE_ERROR, 1); restore it from a backup");
        assert_eq!(error.code(), Some("SQLITE_ERROR, 1"));
    }

    #[test]
    fn the_innermost_call_says_what_was_being_done() {
        let error = StoreError::transient("gone").while_doing("claiming an epoch").while_doing("starting");
        assert_eq!(error.doing(), Some("claiming an epoch"));
    }

    #[test]
    fn the_error_of_the_driver_is_kept() {
        let reset = io::Error::from(io::ErrorKind::ConnectionReset);
        let error = StoreError::transient("the connection was lost").with_source(reset);
        let source = error.source().and_then(|source| source.downcast_ref::<io::Error>());
        assert_eq!(source.map(io::Error::kind), Some(io::ErrorKind::ConnectionReset));
        assert_eq!(error.to_string(), "the store is unavailable: the connection was lost");
    }

    #[test]
    fn each_kind_is_of_a_class() {
        for (kind, class) in [
            (StoreErrorKind::Transient { retry_after: None }, FailureClass::Transient),
            (StoreErrorKind::Transient { retry_after: Some(OPERATOR_RETRY) }, FailureClass::Transient),
            (StoreErrorKind::Missing, FailureClass::Persistent),
            (StoreErrorKind::Unauthenticated, FailureClass::Critical),
            (StoreErrorKind::Fenced { by: FencedBy::Epoch }, FailureClass::System),
            (StoreErrorKind::Fenced { by: FencedBy::Incarnation }, FailureClass::System),
            (StoreErrorKind::Rejected, FailureClass::Persistent),
            (StoreErrorKind::Unexpected, FailureClass::Persistent),
            (StoreErrorKind::Corrupt, FailureClass::Critical),
        ] {
            assert_eq!(StoreError::new(kind, "it failed").class(), class, "{kind:?}");
        }
    }

    #[test]
    fn a_result_with_it_stays_small() {
        assert_eq!(size_of::<Result<(), StoreError>>(), size_of::<usize>());
    }
}
