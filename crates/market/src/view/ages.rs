//! The ages of many tokens without a scan: counts by time, and by minute above them.

use std::collections::BTreeMap;

use jiff::Timestamp;

/// So many tokens at each time. The tokens of one request share a time, so there are far fewer times than tokens.
#[derive(Clone, Debug, Default)]
pub(super) struct Ages {
    minutes: BTreeMap<i64, Minute>,
    all: u64,
}

#[derive(Clone, Debug, Default)]
struct Minute {
    times: BTreeMap<Timestamp, u64>,
    all: u64,
}

impl Ages {
    pub(super) const fn len(&self) -> u64 {
        self.all
    }

    pub(super) fn add(&mut self, at: Timestamp) {
        let minute = self.minutes.entry(minute_of(at)).or_default();
        *minute.times.entry(at).or_default() += 1;
        minute.all += 1;
        self.all += 1;
    }

    /// Takes out a time that was put in.
    pub(super) fn remove(&mut self, at: Timestamp) {
        let Some(minute) = self.minutes.get_mut(&minute_of(at)) else { return };
        let Some(count) = minute.times.get_mut(&at) else { return };
        *count -= 1;
        if *count == 0 {
            minute.times.remove(&at);
        }
        minute.all -= 1;
        if minute.all == 0 {
            self.minutes.remove(&minute_of(at));
        }
        self.all -= 1;
    }

    /// How many are before `at`.
    pub(super) fn before(&self, at: Timestamp) -> u64 {
        let of_minute = self.minutes.get(&minute_of(at));
        let whole: u64 = self.minutes.range(..minute_of(at)).map(|(_, minute)| minute.all).sum();
        whole + of_minute.map_or(0, |minute| minute.times.range(..at).map(|(_, count)| count).sum())
    }

    /// The time that so many others come after; `None` if there are not so many.
    pub(super) fn with_later(&self, mut later: u64) -> Option<Timestamp> {
        for minute in self.minutes.values().rev() {
            if later >= minute.all {
                later -= minute.all;
                continue;
            }
            for (at, count) in minute.times.iter().rev() {
                if later < *count {
                    return Some(*at);
                }
                later -= count;
            }
        }
        None
    }
}

fn minute_of(at: Timestamp) -> i64 {
    at.as_second().div_euclid(60)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn counts_agree_with_a_sorted_list(
            // The tokens of one request share a time.
            times in prop::collection::vec(prop_oneof![-300_000..300_000_i64, (-9..9_i64).prop_map(|at| at * 30_000)], 0..60),
            gone in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
            asked in -300_000..300_000_i64,
        ) {
            let at = |milliseconds| Timestamp::from_millisecond(milliseconds).expect("in range");
            let (mut ages, mut model) = (Ages::default(), times.clone());
            for time in &times {
                ages.add(at(*time));
            }
            for index in gone {
                if !model.is_empty() {
                    ages.remove(at(model.swap_remove(index.index(model.len()))));
                }
            }
            model.sort_unstable();
            prop_assert_eq!(ages.len(), model.len() as u64);
            prop_assert_eq!(ages.before(at(asked)), model.iter().filter(|time| **time < asked).count() as u64);
            for (later, time) in model.iter().rev().enumerate() {
                prop_assert_eq!(ages.with_later(later as u64), Some(at(*time)));
            }
            prop_assert_eq!(ages.with_later(model.len() as u64), None);
            prop_assert_eq!(ages.minutes.is_empty(), model.is_empty(), "nothing is left behind");
        }
    }
}
