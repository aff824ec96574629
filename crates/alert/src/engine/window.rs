//! The growth of a counter within a sliding window of observed time.

use std::collections::VecDeque;
use std::time::Duration;

use ttm_kernel::Moment;

/// Into how many slices a window is cut: growth leaves it at most one slice late.
const SLICES: u32 = 60;

/// The last total of a counter, and its growth in the slices of the window.
#[derive(Clone, Debug, Default)]
pub(super) struct Window {
    last: f64,
    /// Since when, and how much; at most one more than [`SLICES`].
    growth: VecDeque<(Moment, f64)>,
    /// Whether the newest evaluation measured it.
    pub(super) is_known: bool,
}

impl Window {
    /// One of a counter that has not been looked at before, and is at this total.
    pub(super) fn from_total(last: f64) -> Self {
        Self { last, ..Self::default() }
    }

    /// The same in another engine, which has it in no queue until it is measured again.
    pub(super) fn unqueued(self) -> Self {
        Self { is_known: false, ..self }
    }

    /// Takes up a new total. Counters begin at zero with their process, so all of a first total is growth, and so is all of
    /// one that is smaller than the last.
    pub(super) fn count(&mut self, total: f64, window: Duration, now: Moment) {
        let growth = if total >= self.last { total - self.last } else { total };
        (self.last, self.is_known) = (total, true);
        if growth > 0.0 {
            match self.growth.back_mut() {
                Some((since, sum)) if now.saturating_since(*since) < window / SLICES => *sum += growth,
                _ => self.growth.push_back((now, growth)),
            }
        }
    }

    /// The growth that is left of the window at `now`.
    pub(super) fn left(&mut self, window: Duration, now: Moment) -> f64 {
        while self.growth.front().is_some_and(|(since, _)| *since + window <= now) {
            self.growth.pop_front();
        }
        // As f64 sums an empty list to -0.0, which no one wants to read.
        self.growth.iter().fold(0.0, |sum, (_, growth)| sum + growth)
    }

    /// When the oldest growth leaves it.
    pub(super) fn due(&self, window: Duration) -> Option<Moment> {
        self.growth.front().filter(|_| self.is_known).map(|(since, _)| *since + window)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_mins(1);

    fn at(seconds: u64) -> Moment {
        Moment::from_origin(Duration::from_secs(seconds))
    }

    #[test]
    fn growth_leaves_the_window_and_a_counter_that_begins_anew_has_grown() {
        let mut window = Window::default();
        window.count(5.0, WINDOW, at(0));
        window.count(7.0, WINDOW, at(30));
        assert_eq!((window.due(WINDOW), window.left(WINDOW, at(59))), (Some(at(60)), 7.0));
        assert_eq!((window.due(WINDOW), window.left(WINDOW, at(60))), (Some(at(60)), 2.0));
        window.count(3.0, WINDOW, at(61));
        assert_eq!((window.due(WINDOW), window.left(WINDOW, at(61))), (Some(at(90)), 5.0));
        assert_eq!((window.left(WINDOW, at(121)), window.due(WINDOW)), (0.0, None));
    }

    #[test]
    fn a_counter_that_grows_all_the_time_needs_bounded_memory() {
        let mut window = Window::default();
        for millis in 0..600_000 {
            let now = Moment::from_origin(Duration::from_millis(millis));
            window.count(millis as f64, WINDOW, now);
            window.left(WINDOW, now);
        }
        assert!(window.growth.len() <= 61, "{}", window.growth.len());
    }
}
