//! Pauses of the whole process, as SIGSTOP, a frozen cgroup or a debugger makes them: what was late because of one is given
//! its time anew. (While the machine sleeps the monotonic clock stands still, so nothing is late.) It decides nothing about
//! what is late.
//!
//! A plane that is late by itself has paused nobody: the other one worked on, or stalled, meanwhile. So a pause is what both
//! planes missed: the one that finds itself late, and the pulse, which beats in the other.

use std::collections::BTreeMap;
use std::time::Duration;

use parking_lot::Mutex;
use ttm_kernel::{Lane, Moment};

use crate::life::Life;

/// Timers are late by milliseconds; a plane that is later than this did not run.
pub(crate) const LATE: Duration = Duration::from_secs(5);
/// Time between two beats.
const BEAT: Duration = Duration::from_secs(1);

/// When the work plane ran last.
#[derive(Debug)]
pub(crate) struct Pulse(Mutex<Beats>);

#[derive(Debug)]
struct Beats {
    last: Moment,
    /// The last time in which it was late: from the beat before to the one after.
    gap: (Moment, Moment),
}

impl Pulse {
    pub(crate) fn new(now: Moment) -> Self {
        Self(Mutex::new(Beats { last: now, gap: (now, now) }))
    }

    pub(crate) fn beat(&self, now: Moment) {
        let mut beats = self.0.lock();
        if now - beats.last > LATE {
            beats.gap = (beats.last, now);
        }
        beats.last = now;
    }

    /// How long of this time it was silent in one piece. Whichever plane looks at the clock first after a pause.
    fn silent(&self, from: Moment, to: Moment) -> Duration {
        let beats = self.0.lock();
        let within = |begin: Moment, end: Moment| end.min(to) - begin.max(from);
        within(beats.last, to).max(within(beats.gap.0, beats.gap.1))
    }
}

/// Beats for as long as the work plane runs it.
pub(crate) async fn beat(pulse: &Pulse, Life { runtime, vital, .. }: &Life) {
    loop {
        vital.got_on();
        runtime.sleep_until(runtime.now() + BEAT).await;
        pulse.beat(runtime.now());
    }
}

/// What the start and the pauses so far excuse.
#[derive(Debug)]
pub(crate) struct Excuses {
    /// When the groups could begin: what the start waited for is no time of theirs.
    pub(crate) began: Moment,
    pauses: BTreeMap<(Lane, Watched), Excuse>,
}

/// What of a group may be late.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Watched {
    Progress,
    Tick,
}

#[derive(Debug)]
struct Excuse {
    /// What may be late counts from this moment on.
    of: Moment,
    /// Since then it was late because of pauses, and is taken to have happened now.
    counts_from: Moment,
}

impl Excuses {
    /// Of groups that can begin now.
    pub(crate) const fn new(now: Moment) -> Self {
        Self { began: now, pauses: BTreeMap::new() }
    }

    /// Something may be late that last happened `at`, and the process was paused for so long until now. The first pause
    /// gives it all its time anew; any other, before it happens again, only the time of the pause.
    pub(crate) fn paused(&mut self, what: (Lane, Watched), at: Moment, lasted: Duration, now: Moment) {
        let counts_from = match self.pauses.get(&what) {
            Some(excuse) if excuse.of == at => (excuse.counts_from + lasted).min(now),
            _ => now,
        };
        self.pauses.insert(what, Excuse { of: at, counts_from });
    }

    /// For how long something has been late that last happened `at`, but for pauses.
    pub(crate) fn since(&self, what: (Lane, Watched), at: Moment, now: Moment) -> Duration {
        let excuse = self.pauses.get(&what).filter(|excuse| excuse.of == at);
        now - excuse.map_or(at, |excuse| excuse.counts_from.max(at))
    }
}

/// How long the process was paused, if that is why what was due `at` is looked at only now.
pub(crate) fn pause(due: Moment, now: Moment, pulse: &Pulse) -> Option<Duration> {
    let silent = pulse.silent(due, now);
    // A beat may have been due at the begin of the pause, and another came before this plane looked.
    (now - due > LATE && silent + 2 * BEAT >= now - due).then_some(silent)
}

#[cfg(test)]
mod tests;
