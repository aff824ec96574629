//! The life of one level of an alert, as one total function. It knows neither rules nor labels.
//!
//! Durations are counted on the clock of what was *observed*: the time between two evaluations that both saw the level. Time
//! in which nothing was measured, and time in which no process ran, is not on it.

use std::fmt;
use std::time::Duration;

use ttm_kernel::Moment;

/// Where a level of an alert is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Nothing is wrong.
    #[default]
    Inactive,
    /// Entered, and not for long enough yet.
    Pending,
    /// It has been entered for long enough.
    Firing,
    /// It still fires, and has been left, but not for long enough yet.
    Recovering,
}

impl Phase {
    /// Every phase, in the order of a life.
    pub const ALL: [Self; 4] = [Self::Inactive, Self::Pending, Self::Firing, Self::Recovering];

    /// The word for stores and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inactive => "inactive",
            Self::Pending => "pending",
            Self::Firing => "firing",
            Self::Recovering => "recovering",
        }
    }

    /// The phase with this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| phase.as_str() == word)
    }

    /// Whether the alert counts as firing: one that recovers still does.
    pub const fn fires(self) -> bool {
        matches!(self, Self::Firing | Self::Recovering)
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How a level is seen at one evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// At or beyond its enter.
    Bad,
    /// Neither at its enter nor beyond its exit.
    Between,
    /// Beyond its exit.
    Good,
    /// As at the evaluation before.
    Same,
    /// Not measured.
    Unknown,
    /// What is measured does not exist any more.
    Gone,
}

impl Seen {
    /// Every way.
    pub const ALL: [Self; 6] = [Self::Bad, Self::Between, Self::Good, Self::Same, Self::Unknown, Self::Gone];
}

/// What became of a level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was entered.
    Pending,
    /// It was left before it fired.
    Cancelled,
    /// It fires.
    Fired,
    /// It was left, and fires on until that has lasted.
    Recovering,
    /// It was entered again before that had lasted.
    Relapsed,
    /// It fires no more.
    Resolved,
}

/// How long a level is observed before it counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timing {
    /// Before it fires.
    pub hold: Duration,
    /// Before it is resolved.
    pub keep: Duration,
}

/// The life of one level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Track {
    phase: Phase,
    /// Observed in this phase until `since`, as the distance from the origin.
    held: Moment,
    /// From when on it is being observed; [`NOT_OBSERVED`] while nothing is measured. There may be very many of these.
    since: Moment,
}

const NOT_OBSERVED: Moment = Moment::MAX;

impl Default for Track {
    fn default() -> Self {
        Self { phase: Phase::Inactive, held: Moment::ZERO, since: NOT_OBSERVED }
    }
}

impl Track {
    /// One that was saved in this phase, of which so much had been observed. Nothing counts until it is seen again.
    pub fn restored(phase: Phase, held: Duration) -> Self {
        Self { phase, held: Moment::from_origin(held), since: NOT_OBSERVED }
    }

    /// The phase.
    pub const fn phase(self) -> Phase {
        self.phase
    }

    /// How much of `hold` or `keep` has been observed.
    pub fn held(self, now: Moment) -> Duration {
        (self.held + now.saturating_since(self.since)).since_origin()
    }

    /// When it fires or is resolved if nothing else is seen; `None` if time alone changes nothing.
    pub fn due(self, timing: Timing) -> Option<Moment> {
        let needed = match self.phase {
            Phase::Pending => timing.hold,
            Phase::Recovering => timing.keep,
            Phase::Inactive | Phase::Firing => return None,
        };
        (self.since != NOT_OBSERVED).then(|| self.since + needed.saturating_sub(self.held.since_origin()))
    }

    /// What is seen at `now` on the observed clock; for [`Seen::Unknown`] that is the last evaluation at which it was not.
    #[must_use]
    pub fn step(self, seen: Seen, timing: Timing, now: Moment) -> (Self, Option<Change>) {
        match (self.phase, seen) {
            (Phase::Inactive, Seen::Bad) => Self::enter(timing, now),
            (Phase::Inactive | Phase::Firing, Seen::Between | Seen::Same | Seen::Unknown)
            | (Phase::Inactive, Seen::Good | Seen::Gone)
            | (Phase::Firing, Seen::Bad) => (self, None),
            (Phase::Pending, Seen::Between | Seen::Good | Seen::Gone) => {
                (Self::default(), Some(Change::Cancelled))
            }
            (Phase::Pending, Seen::Bad) | (Phase::Recovering, Seen::Good) => {
                self.observed(now).ripened(timing, now)
            }
            (Phase::Pending | Phase::Recovering, Seen::Same) => self.ripened(timing, now),
            (Phase::Pending | Phase::Recovering, Seen::Unknown) => (self.frozen(now), None),
            (Phase::Firing, Seen::Good) => Self::leave(timing, now),
            (Phase::Recovering, Seen::Bad | Seen::Between) => {
                (Self { phase: Phase::Firing, ..Self::default() }, Some(Change::Relapsed))
            }
            (Phase::Firing | Phase::Recovering, Seen::Gone) => (Self::default(), Some(Change::Resolved)),
        }
    }

    fn enter(timing: Timing, now: Moment) -> (Self, Option<Change>) {
        let entered = Self { phase: Phase::Pending, held: Moment::ZERO, since: now };
        let (track, change) = entered.ripened(timing, now);
        (track, change.or(Some(Change::Pending)))
    }

    fn leave(timing: Timing, now: Moment) -> (Self, Option<Change>) {
        let left = Self { phase: Phase::Recovering, held: Moment::ZERO, since: now };
        let (track, change) = left.ripened(timing, now);
        (track, change.or(Some(Change::Recovering)))
    }

    /// The same, except that what was not observed `before` is only from so much later on.
    pub(crate) fn postponed(self, before: Self, by: Duration) -> Self {
        let begins = self.since != before.since && self.since != NOT_OBSERVED;
        if begins { Self { since: self.since + by, ..self } } else { self }
    }

    /// Observed again from here on, if it was not.
    fn observed(self, now: Moment) -> Self {
        if self.since == NOT_OBSERVED { Self { since: now, ..self } } else { self }
    }

    /// Not observed any more.
    fn frozen(self, now: Moment) -> Self {
        Self { held: Moment::from_origin(self.held(now)), since: NOT_OBSERVED, ..self }
    }

    /// Fires or is resolved, if it is due.
    fn ripened(self, timing: Timing, now: Moment) -> (Self, Option<Change>) {
        match self.phase {
            _ if self.due(timing).is_none_or(|due| due > now) => (self, None),
            Phase::Pending => (Self { phase: Phase::Firing, ..Self::default() }, Some(Change::Fired)),
            _ => (Self::default(), Some(Change::Resolved)),
        }
    }
}
