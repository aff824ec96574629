//! When the next attempt has its turn: evenly spaced, slower after a "too many", and not at all during a pause. It reads
//! no clock and wakes nobody.

use std::collections::BTreeMap;
use std::time::Duration;

use ttm_kernel::Moment;

use crate::SavedRate;

/// What is left of the rate after a "too many".
const CUT: f64 = 0.5;
/// However often that happens, this share of the rate is left.
const LEAST: f64 = 0.05;
/// Whoever says "too many, come back now" has said "too many" all the same.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);

/// Turns of one target.
///
/// Laws: (1) turns never come closer together than the spacing, whoever is late; (2) none comes in a pause; (3) a "too
/// many" halves the rate, once for all the attempts that were under way then; (4) from the end of its pause on, the rate grows
/// by the same amount in the same time, until it is whole; (5) a turn that is given back is somebody else's: whoever gave up
/// makes nobody wait.
#[derive(Clone, Debug)]
pub(crate) struct Pace {
    spacing: Duration,
    recovery: Duration,
    /// The longest that an attempt takes.
    attempt: Duration,
    next: Moment,
    /// The latest turn that was taken, or may have been; none before the first.
    last: Option<Moment>,
    /// How often the turns that were taken and are still to come were taken away.
    era: u64,
    /// Turns that were given back and are still to come, each with its end.
    free: BTreeMap<Moment, Moment>,
    paused_until: Moment,
    /// The share of the rate that was left at the last cut.
    left: f64,
    /// Until then an answer may be that of an attempt that was under way at the last cut.
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

    /// Goes on at `now` where another process was so long ago. Its last turn may have been just before: the first one comes
    /// after a spacing, so that lives that follow each other keep the pace together.
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

    /// Goes on from `now` with turns that are `spacing` apart; see [`Pace::new`] for the others.
    ///
    /// A pause is kept, and so is the share of the rate, which grows on at the new speed. A turn that was taken and is still
    /// to come is kept when turns come closer together from now on. When they come further apart it is not: whoever waits
    /// for it takes another.
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

    /// What the next process should know at `now`.
    pub(crate) fn save(&self, now: Moment) -> SavedRate {
        SavedRate { share: self.share(now), paused_for: self.paused_until - now }
    }

    /// The share of the rate that may be used at `now`.
    pub(crate) fn share(&self, now: Moment) -> f64 {
        let regained = (now - self.paused_until).as_secs_f64() / self.recovery.as_secs_f64();
        (self.left + regained).min(1.0)
    }

    /// When the pause ends that is on at `now`.
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
    /// When it would come, if that is not before `deadline`; then nothing is taken.
    pub(crate) fn take(&mut self, now: Moment, deadline: Moment) -> Result<Slot, Moment> {
        let earliest = now.max(self.paused_until);
        // Those that have passed meanwhile are nobody's.
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

    /// Whoever took a turn gave up before it came.
    pub(crate) fn give_back(&mut self, slot: Slot) {
        // One from before a "too many" would come too close to those since.
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

    /// Whether a turn that was taken may still be used. One that comes late would come together with the next, and one in
    /// a pause not at all.
    pub(crate) fn holds(&self, slot: Slot, now: Moment) -> bool {
        slot.era == self.era && now < slot.end && self.pause(now).is_none()
    }

    /// The upstream said "too many" at `now`: no turns before `until`. A pause that is longer already stays.
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
