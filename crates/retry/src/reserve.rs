//! The part of a budget that time refills: so many tokens per second, with a burst of one second.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use ttm_kernel::Moment;

const SECOND: f64 = 1e9;

/// A bucket of whole tokens, as the generic cell rate algorithm keeps one: all its state is the moment at which it will
/// be full again. Each token taken moves that moment by `spacing`, and it may lie at most `depth` ahead.
///
/// Every access is relaxed: the one number is all there is to agree on, each change of it is one atomic step from the
/// value before, and no other memory is published through it. A token that is taken while the rate changes may be priced
/// by either rate.
#[derive(Debug)]
pub(crate) struct Reserve {
    full_at: AtomicU64,
    spacing: AtomicU64,
    depth: AtomicU64,
}

impl Reserve {
    /// A full reserve. At 0 tokens a second it never has any.
    pub(crate) fn new(per_second: f64) -> Self {
        let (spacing, depth) = shape(per_second);
        Self { full_at: AtomicU64::new(0), spacing: spacing.into(), depth: depth.into() }
    }

    /// Replaces the rate as of `now`. The moment at which it will be full is kept, but not after that of an empty one.
    pub(crate) fn reconfigure(&self, per_second: f64, now: Moment) {
        let (spacing, depth) = shape(per_second);
        self.spacing.store(spacing, Relaxed);
        self.depth.store(depth, Relaxed);
        self.full_at.fetch_min(now.as_nanos().saturating_add(depth), Relaxed);
    }

    /// Takes a token, if one is available at `now`.
    pub(crate) fn take(&self, now: Moment) -> bool {
        let now = now.as_nanos();
        let (spacing, depth) = (self.spacing.load(Relaxed), self.depth.load(Relaxed));
        let taken = self.full_at.try_update(Relaxed, Relaxed, |full_at| {
            // A token that could be refilled only after the end of time is not available. As the moment never moves back but for a
            // token put back, an older `now` finds the reserve emptier, never fuller.
            let next = now.max(full_at).checked_add(spacing)?;
            (next - now <= depth).then_some(next)
        });
        taken.is_ok()
    }

    /// Puts a token back that was taken. A reserve that is full meanwhile stays full.
    pub(crate) fn put_back(&self) {
        // Taking a token moved the moment by as much, unless the rate has changed since: then it is full at zero.
        let spacing = self.spacing.load(Relaxed);
        let _always =
            self.full_at.try_update(Relaxed, Relaxed, |full_at| Some(full_at.saturating_sub(spacing)));
    }
}

/// Nanoseconds from one token to the next, and from empty to full.
fn shape(per_second: f64) -> (u64, u64) {
    let spacing = spacing(per_second);
    (spacing, burst(per_second) * spacing)
}

/// Nanoseconds from one token to the next, rounded up: never faster than it was set to.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "1e3 to 1e12, or infinite")]
fn spacing(per_second: f64) -> u64 {
    // At no tokens a second the distance does not matter, as the depth is 0; but it must not be.
    if per_second > 0.0 { (SECOND / per_second).ceil() as u64 } else { 1 }
}

/// Tokens that a full reserve holds: the whole tokens of one second, at least one.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1e6")]
fn burst(per_second: f64) -> u64 {
    if per_second > 0.0 { per_second.max(1.0) as u64 } else { 0 }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use super::*;

    fn at(millis: u64) -> Moment {
        Moment::from_origin(Duration::from_millis(millis))
    }

    /// How many tokens can be taken at once; one that never empties gives more than any test expects, and hangs none.
    fn drain(reserve: &Reserve, now: Moment) -> usize {
        std::iter::repeat_with(|| reserve.take(now)).take(2_000).take_while(|taken| *taken).count()
    }

    #[test]
    fn a_full_reserve_holds_one_second_and_refills_evenly() {
        let reserve = Reserve::new(3.0);
        assert_eq!(drain(&reserve, at(0)), 3);
        assert_eq!(drain(&reserve, at(333)), 0);
        assert_eq!(drain(&reserve, at(334)), 1);
        assert_eq!(drain(&reserve, at(1001)), 2);
        assert_eq!(drain(&reserve, at(1_000_000)), 3, "more than a second's worth never piles up");
    }

    #[test]
    fn less_than_one_token_a_second_is_still_one_now_and_then() {
        let reserve = Reserve::new(0.5);
        assert_eq!(drain(&reserve, at(0)), 1);
        assert_eq!(drain(&reserve, at(1999)), 0);
        assert_eq!(drain(&reserve, at(2000)), 1);
    }

    #[test]
    fn a_reserve_of_nothing_has_nothing_ever() {
        for nothing in [0.0, -0.0] {
            let reserve = Reserve::new(nothing);
            for now in [at(0), at(1), at(1_000_000), Moment::MAX] {
                assert!(!reserve.take(now), "{nothing} a second");
            }
        }
    }

    #[test]
    fn a_clock_that_goes_back_finds_it_no_fuller() {
        let reserve = Reserve::new(3.0);
        assert_eq!(drain(&reserve, at(10_000)), 3);
        assert_eq!(drain(&reserve, at(0)), 0);
        assert_eq!(drain(&reserve, at(10_334)), 1);
    }

    #[test]
    fn the_end_of_time_gives_nothing_and_breaks_nothing() {
        let reserve = Reserve::new(3.0);
        assert_eq!(drain(&reserve, Moment::MAX), 0);
        assert_eq!(drain(&reserve, at(0)), 3);
        let near = Moment::from_nanos(u64::MAX - reserve.spacing.load(Relaxed));
        assert_eq!(drain(&reserve, near), 1, "the one that can still be refilled");
        assert_eq!(drain(&reserve, Moment::MAX), 0);
    }

    #[test]
    fn what_is_put_back_can_be_taken_again_but_never_overfills() {
        let reserve = Reserve::new(3.0);
        assert_eq!(drain(&reserve, at(0)), 3);
        reserve.put_back();
        assert_eq!(drain(&reserve, at(0)), 1);
        for _ in 0..3 {
            reserve.put_back();
        }
        assert_eq!(drain(&reserve, at(5000)), 3);
    }

    #[test]
    fn threads_that_race_for_it_take_what_it_holds_and_no_more() {
        let reserve = Reserve::new(1000.0);
        let taken: usize = thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| drain(&reserve, at(0)))).collect();
            threads.into_iter().map(|each| each.join().expect("it only takes tokens")).sum()
        });
        assert_eq!(taken, 1000);
    }
}
