//! What happens too often to be a sample each time: it is counted, by series, until the monitor writes what has come together.

use std::collections::BTreeMap;
use std::time::Duration;

use parking_lot::Mutex;

/// What is counted: the name of a series, and the values of its labels in their order. There are as many as labels have values, which
/// are few.
type Counted = (&'static str, Vec<String>);

/// Counts and times since they were last taken. Who counts waits for nothing but another one who does.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    counts: Mutex<BTreeMap<Counted, u64>>,
    times: Mutex<BTreeMap<Counted, Times>>,
}

/// Times that something took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Times {
    count: u32,
    total: Duration,
    max: Duration,
}

impl Times {
    /// The mean, in milliseconds; `None` of nothing.
    pub(crate) fn mean_ms(self) -> Option<f64> {
        (self.count > 0).then(|| self.total.as_secs_f64() * 1e3 / f64::from(self.count))
    }

    /// The longest, in milliseconds; `None` of nothing.
    pub(crate) fn max_ms(self) -> Option<f64> {
        (self.count > 0).then_some(self.max.as_secs_f64() * 1e3)
    }

    /// How many.
    pub(crate) fn count(self) -> f64 {
        f64::from(self.count)
    }
}

impl Tally {
    /// So many more.
    pub(crate) fn count(&self, name: &'static str, labels: &[&str], more: u64) {
        let counted = (name, labels.iter().map(|&value| value.to_owned()).collect());
        let mut counts = self.counts.lock();
        let count = counts.entry(counted).or_default();
        *count = count.saturating_add(more);
    }

    /// One more that took this long. `name` is what its series begin with.
    pub(crate) fn time(&self, name: &'static str, labels: &[&str], took: Duration) {
        let counted = (name, labels.iter().map(|&value| value.to_owned()).collect());
        let mut times = self.times.lock();
        let Times { count, total, max } = times.entry(counted).or_default();
        *count = count.saturating_add(1);
        *total = total.saturating_add(took);
        *max = took.max(*max);
    }

    /// What was counted since this was last asked for. What was ever counted is among it, with zero if it was not since.
    pub(crate) fn take_counts(&self) -> Vec<(Counted, u64)> {
        taken(&self.counts)
    }

    /// The same of times.
    pub(crate) fn take_times(&self) -> Vec<(Counted, Times)> {
        taken(&self.times)
    }
}

fn taken<T: Default>(kept: &Mutex<BTreeMap<Counted, T>>) -> Vec<(Counted, T)> {
    kept.lock().iter_mut().map(|(counted, value)| (counted.clone(), std::mem::take(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_taken_once_and_is_zero_when_nothing_came() {
        let tally = Tally::default();
        assert_eq!(tally.take_counts(), []);
        for (label, more) in [("a", 2), ("b", 1), ("a", 3)] {
            tally.count("x", &[label], more);
        }
        let of = |label: &str| ("x", vec![label.to_owned()]);
        assert_eq!(tally.take_counts(), [(of("a"), 5), (of("b"), 1)]);
        tally.count("x", &["b"], 7);
        assert_eq!(tally.take_counts(), [(of("a"), 0), (of("b"), 7)]);
    }

    #[test]
    fn times_have_a_mean_and_a_longest_unless_there_were_none() {
        let tally = Tally::default();
        for millis in [10, 30, 20] {
            tally.time("x", &[], Duration::from_millis(millis));
        }
        let figures = || {
            let (_, times) = tally.take_times()[0];
            (times.count(), times.mean_ms(), times.max_ms())
        };
        assert_eq!(figures(), (3.0, Some(20.0), Some(30.0)));
        assert_eq!(figures(), (0.0, None, None));
    }
}
