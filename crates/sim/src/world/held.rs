//! Someone's stores, held against the simulated ones: each is given every batch that the simulated one commits, whatever becomes of its
//! acknowledgement, and must say and hold the same.

use std::fmt::{self, Debug};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use jiff::Timestamp;
use ttm_perf::{Aggregate, Event, EventQuery, EventStore, Fold, MetricStore, RangeQuery, SeriesKey};

use crate::oracle::Verdicts;

/// Stores of someone's own for [`Plan::run_with`](crate::Plan::run_with). Nothing of the simulation waits for the world outside, so
/// their calls end when they are polled: a store that has a runtime of its own is wrapped in one that blocks on it.
#[derive(Clone, Default)]
pub struct Stores {
    /// Holds the samples.
    pub history: Option<Arc<dyn MetricStore>>,
    /// Holds the events.
    pub events: Option<Arc<dyn EventStore>>,
}

impl Debug for Stores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stores")
            .field("history", &self.history.is_some())
            .field("events", &self.events.is_some())
            .finish()
    }
}

/// How often a call is polled, at most.
const POLLS: usize = 1_000;

/// Keys and events of a page.
const PAGE: usize = 500;

/// One of the stores, and whom to tell.
#[derive(Clone)]
pub(super) struct Held<S: ?Sized> {
    pub(super) store: Arc<S>,
    pub(super) verdicts: Arc<Verdicts>,
}

impl<S: ?Sized> Debug for Held<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Held")
    }
}

impl<S: ?Sized> Held<S> {
    /// What a call returns; tells of one that fails or does not end.
    fn works<T, E: fmt::Display>(&self, call: &str, future: impl Future<Output = Result<T, E>>) -> Option<T> {
        let mut future = pin!(future);
        for _ in 0..POLLS {
            match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(Ok(value)) => return Some(value),
                Poll::Ready(Err(error)) => {
                    self.verdicts.broken(format_args!("{call}: expected it to work, got {error}"));
                    return None;
                }
                Poll::Pending => {}
            }
        }
        self.verdicts.broken(format_args!("{call}: expected it to end when it is polled, got nothing"));
        None
    }

    /// Tells of an answer that is another than the simulated store's.
    pub(super) fn expect<T: Debug + PartialEq, E: fmt::Display>(
        &self,
        call: &str,
        expected: &T,
        got: impl Future<Output = Result<T, E>>,
    ) {
        let got = self.works(call, got);
        if got.as_ref().is_some_and(|got| got != expected) {
            self.verdicts.broken(format_args!("{call}: expected {expected:?}, got {got:?}"));
        }
    }
}

impl Held<dyn MetricStore> {
    /// Every series that there should be, and no other.
    pub(super) fn judge_keys(&self, keys: &[SeriesKey]) {
        let mut after = None;
        for page in keys.chunks(PAGE) {
            self.expect("series", &page.to_vec(), self.store.series("", after, PAGE));
            after = page.last().cloned();
        }
        self.expect("series", &Vec::new(), self.store.series("", after, PAGE));
    }

    /// The samples of one series, in buckets as narrow as one answer has room for.
    pub(super) fn judge_samples(&self, series: &SeriesKey, samples: &[(Timestamp, f64)]) {
        let (Some((first, _)), Some((last, _))) = (samples.first(), samples.last()) else { return };
        let (from, to) = (*first, *last + Duration::from_secs(1));
        let span = to.as_second().saturating_sub(from.as_second()).unsigned_abs();
        let step = Duration::from_secs(span / (RangeQuery::MAX_POINTS - 1) + 1);
        for aggregate in [Aggregate::Sum, Aggregate::P50] {
            let query = RangeQuery::try_new(series.clone(), from, to, step, aggregate)
                .expect("no more points than an answer has room for");
            let mut fold = Fold::new(&query);
            for (at, value) in samples {
                fold.push(*at, *value);
            }
            self.expect(&format!("range of {series}"), &fold.finish(), self.store.range(&query));
        }
    }
}

impl Held<dyn EventStore> {
    /// Every event that there should be, the newest first, and no other.
    pub(super) fn judge_events(&self, events: &[Event]) {
        let mut query = EventQuery::try_new(Timestamp::MIN, Timestamp::MAX, PAGE).expect("valid");
        let mut found = Vec::new();
        loop {
            let Some(page) = self.works("list", self.store.list(&query)) else { return };
            found.extend(page.events);
            match page.next {
                Some(next) if found.len() <= events.len() => query = query.after(next),
                _ => break,
            }
        }
        if let Some((at, (got, expected))) =
            found.iter().zip(events).enumerate().find(|(_, (got, expected))| got != expected)
        {
            self.verdicts.broken(format_args!("event {at} of the list: expected {expected:?}, got {got:?}"));
        }
        if found.len() != events.len() {
            self.verdicts.broken(format_args!("events: expected {}, got {}", events.len(), found.len()));
        }
    }
}
