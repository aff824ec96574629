//! The laws of [`Clock`] as a suite. That `wall` may go back is a law for its readers, and nothing of it can be checked. All laws are
//! checked before those that do not hold are reported.
//!
//! ```
//! use std::cell::Cell;
//! use std::time::Duration;
//!
//! use jiff::Timestamp;
//! use ttm_kernel::testing::clock_conformance;
//! use ttm_kernel::{Clock, Moment};
//!
//! #[derive(Default)]
//! struct Hand(std::sync::atomic::AtomicU64);
//!
//! impl Clock for Hand {
//!     fn now(&self) -> Moment {
//!         Moment::from_nanos(self.0.load(std::sync::atomic::Ordering::Relaxed))
//!     }
//!
//!     fn wall(&self) -> Timestamp {
//!         Timestamp::UNIX_EPOCH
//!     }
//! }
//!
//! # async fn suite() {
//! let hand = Hand::default();
//! let pass = async |time: Duration| {
//!     let nanos = u64::try_from(time.as_nanos()).expect("a few milliseconds");
//!     hand.0.fetch_add(nanos, std::sync::atomic::Ordering::Relaxed);
//! };
//! clock_conformance::check(&hand, pass).await;
//! # }
//! ```

use std::time::Duration;

use super::Laws;
use crate::{Clock, check_laws};

/// What reading two clocks may take, on a machine that does much else.
const READING: Duration = Duration::from_millis(500);

/// Checks every law, and panics with those that do not hold. `pass` lets so much time pass, or more; a few milliseconds in all.
pub async fn check(clock: &dyn Clock, pass: impl AsyncFn(Duration)) {
    judge(clock, pass).await.assert_hold();
}

/// Checks every law, and says which do not hold.
pub async fn judge(clock: &dyn Clock, pass: impl AsyncFn(Duration)) -> Laws {
    let mut laws = Laws::of("Clock");
    check_laws!(laws:
        now_never_goes_back(clock, &pass),
        now_goes_on_with_the_time(clock, &pass),
        time_that_passes_is_not_suspended(clock, &pass),
    );
    laws
}

/// Law 1.
async fn now_never_goes_back(clock: &dyn Clock, pass: impl AsyncFn(Duration)) {
    let mut last = clock.now();
    for reading in 0..10_000 {
        if reading % 2_500 == 0 {
            pass(Duration::from_millis(1)).await;
        }
        let now = clock.now();
        assert!(now >= last, "reading {reading}: expected {last:?} or later, got {now:?}");
        last = now;
    }
}

/// Law 1.
async fn now_goes_on_with_the_time(clock: &dyn Clock, pass: impl AsyncFn(Duration)) {
    for millis in [1, 5] {
        let time = Duration::from_millis(millis);
        let before = clock.now();
        pass(time).await;
        let passed = clock.now() - before;
        assert!(passed >= time, "what has passed: expected {time:?} or more, got {passed:?}");
    }
}

/// Law 3.
async fn time_that_passes_is_not_suspended(clock: &dyn Clock, pass: impl AsyncFn(Duration)) {
    let before = clock.suspended();
    for _ in 0..5 {
        pass(Duration::from_millis(1)).await;
        let suspended = clock.suspended();
        assert!(
            suspended.abs_diff(before) < READING,
            "while the machine is awake: expected {before:?}, got {suspended:?}"
        );
    }
}
