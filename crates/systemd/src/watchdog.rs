//! The thread that pings systemd for as long as the process is alive.
//!
//! A plain thread: a runtime that hangs, or whose threads all spin, must not be able to stop the answer from being *no*, and
//! one that is merely busy must not keep the ping from being sent. Whether the process is alive is asked right before each
//! ping, so none is sent once it is not.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use ttm_recovery::{Notice, ServiceManager};

/// Pings are sent this often in the time that systemd waits, so that two of them may be late or lost.
const PINGS: u32 = 3;
/// It is asked at least this often whether the process is alive: a ping that was not sent is made up for this soon.
const ASKED_EVERY: Duration = Duration::from_secs(1);

/// The thread. Dropping it ends it.
#[derive(Debug)]
pub struct Watchdog {
    order: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watchdog {
    /// Pings the manager for as long as `is_alive` says so. `None` where it does not wait for pings. `is_alive` must not wait
    /// for anything; if it panics, no further ping is sent.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(
        manager: Arc<dyn ServiceManager>,
        is_alive: impl Fn() -> bool + Send + 'static,
    ) -> io::Result<Option<Self>> {
        let Some(patience) = manager.watchdog() else { return Ok(None) };
        let rhythm = Rhythm::new(patience);
        let (order, ended) = channel::<()>();
        let run = move || {
            let mut rounds = rhythm.every;
            loop {
                rounds += 1;
                if rounds >= rhythm.every && is_alive() {
                    manager.notify(Notice::Alive);
                    rounds = 0;
                }
                // The sender is never used: an error is the end.
                if ended.recv_timeout(rhythm.round) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("watchdog".into()).spawn(run)?;
        Ok(Some(Self { order: Some(order), thread: Some(thread) }))
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.order.take());
        if let Some(thread) = self.thread.take() {
            // A panic in it was reported by the hook.
            drop(thread.join());
        }
    }
}

/// A ping is due in every so many rounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rhythm {
    round: Duration,
    every: u32,
}

impl Rhythm {
    /// systemd counts in microseconds, and a thread that pings in each of them would spin.
    const SHORTEST: Duration = Duration::from_millis(1);
    /// More pings than are waited for do no harm.
    const LONGEST: Duration = Duration::from_hours(1);

    fn new(patience: Duration) -> Self {
        let pause = (patience / PINGS).clamp(Self::SHORTEST, Self::LONGEST);
        let every = pause.as_nanos().div_ceil(ASKED_EVERY.as_nanos());
        let every = u32::try_from(every).expect("an hour has fewer rounds");
        Self { round: pause / every, every }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pings_come_three_times_as_often_as_they_are_waited_for_and_rounds_last_a_second_at_most() {
        for (millis, round, every) in [(60_000, 1_000, 20), (6_000, 1_000, 2), (5_000, 833, 2), (300, 100, 1)]
        {
            let rhythm = Rhythm::new(Duration::from_millis(millis));
            assert_eq!((rhythm.round.as_millis(), rhythm.every), (round, every), "{millis} ms");
            assert!(rhythm.round * rhythm.every <= Duration::from_millis(millis) / PINGS);
        }
        assert_eq!(Rhythm::new(Duration::from_nanos(1)).round, Rhythm::SHORTEST);
        assert_eq!(Rhythm::new(Duration::MAX).round, ASKED_EVERY);
    }
}
