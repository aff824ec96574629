//! The arithmetic of the rate limiter: turns that are evenly spaced, fewer after a 429, and none during a pause. It reads no
//! clock and wakes no task.

use std::collections::BTreeMap;
use std::time::Duration;

use ttm_kernel::Moment;

use crate::SavedRate;

/// What is left of the rate after a 429.
const CUT: f64 = 0.5;
/// The share of the rate that is left however many 429s there are.
const LEAST: f64 = 0.05;
/// A 429 with a `Retry-After` of zero is a 429 all the same.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);

/// The turns of one upstream.
///
/// Laws: (1) turns never come closer together than the spacing, however late a caller is; (2) none comes during a pause;
/// (3) a 429 halves the rate, once for all attempts that were in flight then; (4) from the end of its pause on, the rate
/// recovers linearly (AIMD); (5) a turn that is given back goes to another caller, so callers that give up delay no other.
#[derive(Clone, Debug)]
pub(crate) struct Pace {
    spacing: Duration,
    recovery: Duration,
    /// The longest that an attempt takes.
    attempt: Duration,
    next: Moment,
    /// The latest turn that was taken, or may have been taken by the process before; none before the first.
    last: Option<Moment>,
    /// How often outstanding turns were invalidated.
    era: u64,
    /// Turns that were given back and are still to come, each with its end.
    free: BTreeMap<Moment, Moment>,
    paused_until: Moment,
    /// The share of the rate that was left at the last cut.
    left: f64,
    /// Until then a 429 may belong to an attempt that was in flight at the last cut.
    settled: Moment,
}

/// A turn, and when the next one may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) at: Moment,
    end: Moment,
    era: u64,
}

impl Pace {
    /// Turns that are `spacing` apart; a rate that was cut to nothing would be whole again after `recovery`, and an attempt
    /// takes at most `attempt`.
    pub(crate) const fn new(spacing: Duration, recovery: Duration, attempt: Duration) -> Self {
        let [next, paused_until, settled] = [Moment::ZERO; 3];
        let free = BTreeMap::new();
        Self { spacing, recovery, attempt, next, last: None, era: 0, free, paused_until, left: 1.0, settled }
    }

    /// Continues at `now` the rate of another process, saved `elapsed` ago. Its last turn may have been just before, so the
    /// first one comes after a spacing, and processes that follow each other keep the rate together.
    pub(crate) fn resume(&mut self, saved: SavedRate, elapsed: Duration, now: Moment) {
        let SavedRate { share, paused_for } = saved;
        self.left = if share.is_finite() { share.clamp(LEAST, 1.0) } else { 1.0 };
        self.paused_until = now;
        if let Some(recovers_for) = elapsed.checked_sub(paused_for) {
            self.left = (self.left + recovers_for.as_secs_f64() / self.recovery.as_secs_f64()).min(1.0);
        } else {
            self.paused_until = now + paused_for.saturating_sub(elapsed);
        }
        self.begin(now);
    }

    /// The first turn from `now` on comes after a spacing, since one may have been used just before.
    fn begin(&mut self, now: Moment) {
        self.next = now + self.spacing_at(now);
        self.last = Some(now);
        self.era = self.era.wrapping_add(1);
        self.free.clear();
    }

    /// Replaces the settings as of `now`; see [`Pace::new`].
    ///
    /// A pause is kept, and so is the share of the rate, which recovers at the new speed from there. A rate that rises leaves
    /// outstanding turns as they are. One that falls invalidates them, since they are too close together: their callers take
    /// new ones.
    pub(crate) fn reconfigure(
        &mut self,
        spacing: Duration,
        recovery: Duration,
        attempt: Duration,
        now: Moment,
    ) {
        if self.pause(now).is_none() {
            self.left = self.share(now);
            self.paused_until = now;
        }
        let slower = spacing > self.spacing;
        (self.spacing, self.recovery, self.attempt) = (spacing, recovery, attempt);
        match self.last {
            Some(last) if last <= now => self.next = last + self.spacing_at(last),
            Some(_) if slower => self.begin(now),
            Some(_) | None => {}
        }
    }

    /// The rate to save for the next process at `now`.
    pub(crate) fn save(&self, now: Moment) -> SavedRate {
        SavedRate { share: self.share(now), paused_for: self.paused_until - now }
    }

    /// The share of the rate that may be used at `now`.
    pub(crate) fn share(&self, now: Moment) -> f64 {
        let regained = (now - self.paused_until).as_secs_f64() / self.recovery.as_secs_f64();
        (self.left + regained).min(1.0)
    }

    /// The end of the pause, if one is on at `now`.
    pub(crate) fn pause(&self, now: Moment) -> Option<Moment> {
        (now < self.paused_until).then_some(self.paused_until)
    }

    /// The end of the last pause, which may be over.
    pub(crate) const fn paused_until(&self) -> Moment {
        self.paused_until
    }

    /// Takes the next turn, which may be now.
    ///
    /// # Errors
    /// The moment of the turn, if that is not before `deadline`; then none is taken.
    pub(crate) fn take(&mut self, now: Moment, deadline: Moment) -> Result<Slot, Moment> {
        let earliest = now.max(self.paused_until);
        // Those that have passed meanwhile are lost.
        self.free = self.free.split_off(&earliest);
        if let Some((at, end)) = self.free.first_key_value().map(|(at, end)| (*at, *end)) {
            if at >= deadline {
                return Err(at);
            }
            self.free.pop_first();
            return Ok(Slot { at, end, era: self.era });
        }
        let at = self.next.max(earliest);
        if at >= deadline {
            return Err(at);
        }
        self.next = at + self.spacing_at(at);
        self.last = Some(at);
        Ok(Slot { at, end: self.next, era: self.era })
    }

    /// The caller of a turn gave up before it came.
    pub(crate) fn give_back(&mut self, slot: Slot) {
        // One from before a 429 would come too close to those since.
        if slot.era != self.era || slot.end - slot.at < self.spacing_at(slot.at) {
            return;
        }
        self.free.insert(slot.at, slot.end);
        // Those at the end are as if they had never been taken.
        while let Some((at, end)) = self.free.last_key_value()
            && *end == self.next
        {
            self.next = *at;
            self.free.pop_last();
        }
    }

    /// Whether a turn that was taken may still be used: not if its caller is so late that it meets the next turn, nor during
    /// a pause.
    pub(crate) fn holds(&self, slot: Slot, now: Moment) -> bool {
        slot.era == self.era && now < slot.end && self.pause(now).is_none()
    }

    /// The upstream answered 429 at `now`: no turns before `until`. A longer pause is kept.
    pub(crate) fn slow_down(&mut self, now: Moment, until: Moment) {
        if now >= self.settled && self.pause(now).is_none() {
            self.left = (self.share(now) * CUT).max(LEAST);
            self.settled = now + self.attempt;
            // They are too close together now.
            self.free.clear();
        }
        self.paused_until = self.paused_until.max(until).max(now + SHORTEST_PAUSE);
    }

    fn spacing_at(&self, turn: Moment) -> Duration {
        self.spacing.div_f64(self.share(turn))
    }
}

#[cfg(test)]
mod tests;
