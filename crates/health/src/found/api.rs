//! What can be wrong with the API that scoring depends on.

use std::time::Duration;

use super::words::spoken;
use crate::{
    BreakerState, Commands, Finding, Kind, Limit, SilenceFacts,
    Status::{self, Critical, Degraded, Unknown},
    Unit, UnreadableFacts,
};

/// The API that scoring depends on.
#[derive(Clone, Copy)]
pub(crate) struct Api<'a> {
    /// What operators call its breaker.
    pub(crate) breaker: &'static str,
    /// The last error.
    pub(crate) error: Option<&'a str>,
}

/// What the API is called in sentences.
const API: &str = "DexScreener";

impl Api<'_> {
    fn found(self, kind: Kind, status: Status, sentence: String) -> Finding {
        Finding::new(kind, status, sentence).about(self.breaker)
    }

    fn why(self) -> String {
        self.error.map_or_else(String::new, |error| format!(" ({error})"))
    }

    /// Its breaker withholds calls.
    pub(crate) fn breaker_open(self, state: BreakerState, commands: &Commands) -> Finding {
        let state_and_why = match state {
            BreakerState::Closed => format!("closed{}", self.why()),
            BreakerState::Open => format!("open{}", self.why()),
            BreakerState::HalfOpen => format!("half open{}", self.why()),
            // Whatever went wrong before: it is not why there are no calls.
            BreakerState::ForcedOpen => {
                format!("held open by an operator; {}", commands.ends(self.breaker))
            }
            BreakerState::Disabled => format!("disabled{}", self.why()),
        };
        self.found(Kind::BreakerOpen, Critical, format!("{API}: the circuit breaker is {state_and_why}"))
    }

    /// Every call fails, for so long.
    pub(crate) fn down(self, failing: Duration) -> Finding {
        let sentence = format!("{API}: nothing but errors for {}{}", spoken(failing), self.why());
        self.found(Kind::ApiDown, Critical, sentence).seconds(failing)
    }

    /// Too many of the calls fail.
    pub(crate) fn errors(
        self,
        [errors, calls]: [u64; 2],
        few: bool,
        status: Status,
        cleared: Cleared,
    ) -> Finding {
        let percent = percent(errors, calls);
        let few = if few { ", too few to judge" } else { "" };
        let limit = cleared.spelled(|percent| format!("{percent} %"));
        let why = self.why();
        let sentence = format!("{API}: {errors} of {calls} calls failed ({percent:.1} %){few}; {limit}{why}");
        self.found(Kind::ApiErrors, status, sentence).percent(percent).beyond(cleared.limit)
    }

    /// It was not called lately.
    pub(crate) fn unused(self) -> Finding {
        self.found(Kind::ApiUnused, Unknown, format!("{API}: no call in the last five minutes"))
    }

    /// It takes too long.
    pub(crate) fn slow(self, p95: Duration, status: Status, cleared: Cleared) -> Finding {
        let of_seconds = |seconds| spoken(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX));
        let (took, limit) = (spoken(p95), cleared.spelled(of_seconds));
        let sentence = format!("{API}: 95 % of calls took up to {took}; {limit}");
        self.found(Kind::ApiSlow, status, sentence).seconds(p95).beyond(cleared.limit)
    }

    /// It answers, and lists none of the tokens.
    pub(crate) fn silent(self, SilenceFacts { tokens, lasts }: SilenceFacts) -> Finding {
        let lasts = spoken(lasts);
        let sentence =
            format!("{API} responds, and listed none of the {tokens} tokens requested in the last {lasts}");
        self.found(Kind::ApiSilent, Degraded, sentence).count(tokens, Unit::Tokens)
    }

    /// What it says of some of the tokens cannot be read.
    pub(crate) fn unreadable(self, unreadable: &UnreadableFacts, known: u64) -> Finding {
        let UnreadableFacts { tokens, example } = unreadable;
        let sentence =
            format!("{API}: the data of {tokens} of {known} tokens cannot be read, e.g. {example}");
        self.found(Kind::ApiUnreadable, Degraded, sentence).count(*tokens, Unit::Tokens)
    }
}

/// A limit that is cleared once the figure was below its exit for so long.
#[derive(Clone, Copy)]
pub(crate) struct Cleared {
    pub(crate) limit: Limit,
    pub(crate) after: Duration,
}

impl Cleared {
    /// In words, the same and true whether the value is above the entry, not below the exit yet or below it not for long enough, so that one
    /// that hovers does not change the sentence.
    fn spelled(self, figure: impl Fn(f64) -> String) -> String {
        let (enter, exit) = (figure(self.limit.enter), figure(self.limit.exit));
        let after = spoken(self.after);
        format!("the limit of {enter} was reached, clears once below {exit} for {after}")
    }
}

/// So many of so many, which are not none.
pub(crate) fn percent(part: u64, whole: u64) -> f64 {
    100.0 * part.min(whole) as f64 / whole as f64
}
