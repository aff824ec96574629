//! When the next attempt has its turn: evenly spaced, slower after a "too many", and not at all during a pause. It reads
//! no clock and wakes nobody.

use std::time::Duration;

use ttm_kernel::Moment;

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
/// by the same amount in the same time, until it is whole.
#[derive(Clone, Debug)]
pub(crate) struct Pace {
    spacing: Duration,
    recovery: Duration,
    /// The longest that an attempt takes.
    attempt: Duration,
    next: Moment,
    paused_until: Moment,
    /// The share of the rate that was left at the last cut.
    left: f64,
    /// Until then an answer may be that of an attempt that was under way at the last cut.
    settled: Moment,
}

impl Pace {
    /// Turns that are `spacing` apart; a rate that was cut to nothing would be whole again after `recovery`, and an attempt
    /// takes at most `attempt`.
    pub(crate) const fn new(spacing: Duration, recovery: Duration, attempt: Duration) -> Self {
        let [next, paused_until, settled] = [Moment::ZERO; 3];
        Self { spacing, recovery, attempt, next, paused_until, left: 1.0, settled }
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

    /// Takes the next turn, which may be now.
    ///
    /// # Errors
    /// When it would come, if that is not before `deadline`; then nothing is taken.
    pub(crate) fn take(&mut self, now: Moment, deadline: Moment) -> Result<Moment, Moment> {
        let turn = self.next.max(self.paused_until).max(now);
        if turn >= deadline {
            return Err(turn);
        }
        self.next = turn + self.spacing_at(turn);
        Ok(turn)
    }

    /// Whether a turn that was taken may still be used. One that comes late would come together with the next, and one in
    /// a pause not at all.
    pub(crate) fn holds(&self, turn: Moment, now: Moment) -> bool {
        now < turn + self.spacing_at(turn) && self.pause(now).is_none()
    }

    /// The far side said "too many" at `now`: no turns before `until`. A pause that is longer already stays.
    pub(crate) fn slow_down(&mut self, now: Moment, until: Moment) {
        if now >= self.settled && self.pause(now).is_none() {
            self.left = (self.share(now) * CUT).max(LEAST);
            self.settled = now + self.attempt;
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
        pace.take(now, Moment::MAX).expect("there is no deadline")
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
        let turn = take(&mut pace, at(1_000));
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

    proptest! {
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
