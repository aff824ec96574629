//! What the machine publishes, derived from its state.

use std::time::Duration;

use ttm_kernel::Moment;

use super::{Machine, Mode};
use crate::gate::{Published, Traits, Word};
use crate::{Window, rules};

impl Machine {
    /// What answers callers that do not ask the machine: see [`Gate`](crate::gate::Gate).
    pub(crate) fn published(&self) -> Published {
        let (word, until) = self.word_until();
        let slow_calls = self.settings.rates.and_then(|rates| rates.slow_calls);
        let slow_after = slow_calls.map_or(u64::MAX, |slow| nanos(slow.duration));
        Published { word, until, slow_after, transitions: self.journal.len() as u64 }
    }

    pub(super) fn word_until(&self) -> (Word, Moment) {
        let rates = self.settings.rates.as_ref();
        let mut traits = Traits {
            cold: false,
            timed: rates.is_some_and(|rates| rates.slow_calls.is_some()),
            slides: rates.is_some_and(|rates| matches!(rates.window, Window::Time(_))),
        };
        let until = match self.mode {
            Mode::Closed => {
                let (Some(window), Some(rates)) = (&self.window, rates) else {
                    return (self.word(traits), Moment::MAX);
                };
                let seen = window.counts();
                traits.cold = seen.calls < u64::from(rates.minimum_calls)
                    || rules::broken(&self.settings, &self.counts, Some(seen)).is_some();
                window.settled_until()
            }
            Mode::Open { .. } | Mode::HalfOpen => {
                self.rejection(self.newest).map_or(Moment::ZERO, |rejected| rejected.retry_at)
            }
            Mode::ForcedOpen | Mode::Disabled => Moment::MAX,
        };
        (self.word(traits), until)
    }

    fn word(&self, traits: Traits) -> Word {
        Word::new(self.generation, self.mode.state(), traits)
    }

    /// The tag of what is counted in the shards.
    pub(crate) fn tag(&self) -> u64 {
        self.word(Traits::default()).tag()
    }
}

/// Whole nanoseconds, saturating at 584 years.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
