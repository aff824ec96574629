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
}

impl Pace {
    /// Turns that are `spacing` apart; a rate that was cut to nothing would be whole again after `recovery`, and an attempt
    /// takes at most `attempt`.
    pub(crate) const fn new(spacing: Duration, recovery: Duration, attempt: Duration) -> Self {
        let [next, paused_until, settled] = [Moment::ZERO; 3];
        let free = BTreeMap::new();
        Self { spacing, recovery, attempt, next, free, paused_until, left: 1.0, settled }
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
        self.next = now + self.spacing_at(now);
        self.free.clear();
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
            return Ok(Slot { at, end });
        }
        let at = self.next.max(earliest);
        if at >= deadline {
            return Err(at);
        }
        self.next = at + self.spacing_at(at);
        Ok(Slot { at, end: self.next })
    }

    /// Whoever took a turn gave up before it came.
    pub(crate) fn give_back(&mut self, slot: Slot) {
        // One from before a "too many" would come too close to those since.
        if slot.end - slot.at < self.spacing_at(slot.at) {
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
        now < slot.end && self.pause(now).is_none()
    }

    /// The far side said "too many" at `now`: no turns before `until`. A pause that is longer already stays.
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
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SPACING: Duration = Duration::from_millis(200);

    fn at(millis: u64) -> Moment {
        Moment::from_origin(Duration::from_millis(millis))
    }

    fn pace() -> Pace {
        Pace::new(SPACING, Duration::from_mins(1), Duration::from_secs(5))
    }

    fn take(pace: &mut Pace, now: Moment) -> Moment {
        pace.take(now, Moment::MAX).expect("there is no deadline").at
    }

    #[test]
    fn turns_are_evenly_spaced_and_none_is_saved_up() {
        let mut pace = pace();
        assert_eq!([0, 0, 10].map(|now| take(&mut pace, at(now))), [at(0), at(200), at(400)]);
        assert_eq!([10_000, 10_000].map(|now| take(&mut pace, at(now))), [at(10_000), at(10_200)]);
        assert_eq!(pace.take(at(10_000), at(10_400)), Err(at(10_400)));
        assert_eq!(take(&mut pace, at(10_000)), at(10_400), "a turn that nobody could use is not lost");
    }

    #[test]
    fn a_turn_that_comes_as_late_as_the_next_one_is_over() {
        let mut pace = pace();
        let turn = pace.take(at(1_000), Moment::MAX).expect("there is no deadline");
        assert!(pace.holds(turn, at(1_199)) && !pace.holds(turn, at(1_200)));
        pace.slow_down(at(1_050), at(1_050));
        assert!(!pace.holds(turn, at(1_199)));
    }

    #[test]
    fn a_429_halves_the_rate_once_for_all_that_was_under_way_and_it_grows_back_evenly() {
        let mut pace = pace();
        for late in [0, 100, 400] {
            pace.slow_down(at(1_000 + late), at(5_000));
        }
        assert_eq!(take(&mut pace, at(2_000)), at(5_000));
        assert_eq!(take(&mut pace, at(5_000)), at(5_400));
        for (seconds, share) in [(5, 0.5), (20, 0.75), (35, 1.0), (90, 1.0)] {
            assert!((pace.share(at(seconds * 1_000)) - share).abs() < 1e-9, "{share} after {seconds} s");
        }
        pace.slow_down(at(20_000), at(20_000));
        assert_eq!(take(&mut pace, at(20_000)), at(21_000), "whatever the far side asks for");
        assert!((pace.share(at(21_000)) - 0.375).abs() < 1e-9);
        for again in 1..50 {
            pace.slow_down(at(20_000 + 5_000 * again), at(20_000 + 5_000 * again));
        }
        assert!(pace.share(at(265_000)) >= LEAST, "never to nothing");
    }

    #[test]
    fn answers_of_attempts_that_outlast_the_pause_are_no_news() {
        let mut pace = pace();
        for late in [0, 1_100, 2_500, 4_999] {
            pace.slow_down(at(10_000 + late), at(11_000 + late));
        }
        assert!((pace.left - CUT).abs() < 1e-9, "{}", pace.left);
        assert_eq!(pace.pause(at(15_500)), Some(at(15_999)), "each of them pauses");
        pace.slow_down(at(16_000), at(17_000));
        assert!(pace.left < CUT, "this one was asked since");
    }

    #[test]
    fn fifty_that_gave_up_make_nobody_wait() {
        let mut pace = pace();
        take(&mut pace, at(0));
        let given_up: Vec<Slot> =
            (0..50).map(|_| pace.take(at(0), Moment::MAX).expect("there is no deadline")).collect();
        // Those in the middle first: one that is left keeps its turn, and the others go between.
        let kept = given_up[30];
        given_up.iter().filter(|slot| **slot != kept).for_each(|slot| pace.give_back(*slot));
        let next: Vec<Moment> = (0..32).map(|_| take(&mut pace, at(50))).collect();
        assert_eq!(next[..30], (1..=30).map(|turn| at(200 * turn)).collect::<Vec<_>>());
        assert_eq!((kept.at, &next[30..]), (at(6_200), &[at(6_400), at(6_600)][..]));
    }

    #[test]
    fn a_turn_from_before_a_429_that_is_given_back_after_it_is_nobody_s() {
        let mut pace = pace();
        let given_up: Vec<Slot> =
            (0..10).map(|_| pace.take(at(0), Moment::MAX).expect("there is no deadline")).collect();
        pace.slow_down(at(10), at(10));
        // Somebody still waits for the last one, and the next comes after that.
        for slot in &given_up[..9] {
            pace.give_back(*slot);
        }
        assert_eq!(take(&mut pace, at(1_500)), at(2_000));
        assert!(take(&mut pace, at(1_500)) >= at(2_000) + SPACING.div_f64(0.6), "at the slower pace");
    }

    #[test]
    fn a_process_goes_on_where_the_one_before_was_and_its_first_turn_comes_after_a_spacing() {
        let mut before = pace();
        before.slow_down(at(1_000), at(21_000));
        let saved = before.save(at(2_000));
        assert_eq!(saved, SavedRate { share: 0.5, paused_for: Duration::from_secs(19) });
        let resumed = |elapsed| {
            let mut pace = pace();
            pace.resume(saved, Duration::from_secs(elapsed), at(3));
            pace
        };
        assert_eq!(take(&mut resumed(4), at(3)), at(15_003), "the pause goes on");
        let mut after = resumed(34);
        assert!((after.share(at(3)) - 0.75).abs() < 1e-9, "it grew back since the pause ended");
        assert_eq!(take(&mut after, at(3)), at(3) + SPACING.div_f64(0.75));
        let mut whole = pace();
        whole.resume(SavedRate::default(), Duration::ZERO, at(3));
        assert_eq!([3, 3].map(|now| take(&mut whole, at(now))), [at(203), at(403)]);
        let mut nonsense = pace();
        nonsense.resume(SavedRate { share: f64::NAN, ..SavedRate::default() }, Duration::MAX, at(3));
        assert_eq!(take(&mut nonsense, at(3)), at(203));
    }

    proptest! {
        #[test]
        fn lives_that_follow_each_other_keep_the_pace_together(lives in prop::collection::vec(1_u64..3_000, 1..60)) {
            let (mut born, mut turns) = (0, Vec::new());
            for lasts in lives {
                let mut pace = pace();
                pace.resume(SavedRate::default(), Duration::ZERO, at(born));
                let dies = at(born + lasts);
                turns.extend(std::iter::from_fn(|| pace.take(at(born), dies).ok().map(|slot| slot.at)));
                born += lasts;
            }
            prop_assert!(turns.windows(2).all(|two| two[1] - two[0] >= SPACING), "{turns:?}");
        }

        #[test]
        fn whoever_gives_up_and_whenever_turns_keep_their_distance_and_none_is_lost(
            steps in prop::collection::vec((0_u64..400, any::<Option<prop::sample::Index>>()), 1..400),
        ) {
            let (mut pace, mut now) = (pace(), 0);
            let mut waiting: Vec<Slot> = Vec::new();
            let mut used: Vec<Moment> = Vec::new();
            for (wait, gives_up) in steps {
                now += wait;
                used.extend(waiting.extract_if(.., |slot| slot.at <= at(now)).map(|slot| slot.at));
                match gives_up {
                    Some(index) if !waiting.is_empty() => {
                        pace.give_back(waiting.swap_remove(index.index(waiting.len())));
                    }
                    _ => {
                        let slot = pace.take(at(now), Moment::MAX).expect("there is no deadline");
                        let ahead = waiting.iter().filter(|other| other.at < slot.at).count();
                        let ahead = u32::try_from(ahead).unwrap_or(u32::MAX);
                        // All that wait are ahead of it, and nobody who is gone.
                        prop_assert!(slot.at <= at(now) + SPACING * (ahead + 1), "{slot:?} behind {ahead}");
                        waiting.push(slot);
                    }
                }
            }
            used.extend(waiting.into_iter().map(|slot| slot.at));
            used.sort();
            prop_assert!(used.windows(2).all(|two| two[1] - two[0] >= SPACING), "{used:?}");
        }

        #[test]
        fn no_minute_holds_more_turns_than_the_rate(
            steps in prop::collection::vec((0_u64..2_000, prop::option::weighted(0.05, 0_u64..30_000)), 1..600),
        ) {
            let (mut pace, mut now) = (pace(), 0);
            let mut turns: Vec<Moment> = Vec::new();
            for (wait, too_many) in steps {
                now += wait / 10;
                if let Some(pause) = too_many {
                    pace.slow_down(at(now), at(now + pause));
                }
                let turn = take(&mut pace, at(now));
                prop_assert!(pace.pause(at(now)).is_none_or(|until| turn >= until));
                prop_assert!(turns.last().is_none_or(|last| turn - *last >= SPACING));
                turns.push(turn);
            }
        }
    }
}
