//! The simulated history: keeps the port's laws under every fault, and counts for the oracles. Clones are connections
//! to one database.

use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use ttm_kernel::StoreError;

use async_trait::async_trait;
use jiff::Timestamp;
use ttm_perf::{Appended, Fold, MetricStore, Point, RangeQuery, Sample, SeriesKey};

use super::held::Held;
use super::series_log::{Inserted, SeriesLog};
use super::store::{Ledger, Server};
use crate::oracle::Verdicts;
use crate::{FaultSchedule, SimRuntime, StoreTable};

/// The store.
#[derive(Clone, Debug)]
pub struct SimMetricStore {
    server: Server,
    database: Arc<Mutex<Database>>,
}

#[derive(Debug, Default)]
struct Database {
    log: SeriesLog,
    ledger: SampleLedger,
    /// Per process: the samples in acknowledged batches, and in those that have no answer yet.
    sent: BTreeMap<u32, (u64, u64)>,
    /// Someone's store, which must do as this one does.
    held: Option<Held<dyn MetricStore>>,
}

/// The store's counts of the samples that it was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SampleLedger {
    /// Samples of batches that were acknowledged to their writer.
    pub acknowledged: u64,
    /// Samples of batches that were sent and have no answer yet.
    pub in_flight: u64,
    /// Distinct durable samples.
    pub stored: u64,
    /// Samples that were stored already, with the same value.
    pub again: u64,
    /// Samples whose series and time were stored with another value: lost, because two measurements had one identity.
    pub collided: u64,
}

impl SimMetricStore {
    /// An empty store.
    pub fn new(runtime: &SimRuntime, faults: &Arc<FaultSchedule>) -> Self {
        Self::beside(runtime, faults, &Ledger::default())
    }

    pub(super) fn beside(runtime: &SimRuntime, faults: &Arc<FaultSchedule>, ledger: &Ledger) -> Self {
        let server = Server::new(StoreTable::Samples, runtime, faults, ledger);
        Self { server, database: Arc::default() }
    }

    /// The current counts; those of batches are the counts of this process.
    pub fn ledger(&self, process: u32) -> SampleLedger {
        let database = self.database.lock();
        let (acknowledged, in_flight) = database.sent.get(&process).copied().unwrap_or_default();
        SampleLedger { acknowledged, in_flight, ..database.ledger }
    }

    /// Holds another store against this one, which has nothing yet.
    pub(super) fn hold(&self, store: Arc<dyn MetricStore>, verdicts: &Arc<Verdicts>) {
        self.database.lock().held = Some(Held { store, verdicts: Arc::clone(verdicts) });
    }

    /// Whether the store that is held against it has what it should have.
    pub(super) fn judge_held(&self) {
        let database = self.database.lock();
        let Some(held) = &database.held else { return };
        let keys: Vec<SeriesKey> = database.log.keys("").cloned().collect();
        held.judge_keys(&keys);
        for key in &keys {
            let samples: Vec<_> = database.log.range(key, Timestamp::MIN, Timestamp::MAX).collect();
            held.judge_samples(key, &samples);
        }
    }
}

impl Database {
    fn commit(&mut self, samples: &[Sample]) -> Appended {
        let mut appended = Appended::default();
        for sample in samples {
            match self.log.insert(sample) {
                Inserted::New => appended.stored += 1,
                Inserted::Again => appended.duplicates += 1,
                Inserted::Collided => {
                    appended.duplicates += 1;
                    self.ledger.collided += 1;
                }
            }
        }
        self.ledger.stored += appended.stored;
        self.ledger.again += appended.duplicates;
        if let Some(held) = &self.held {
            held.expect("append of samples", &appended, held.store.append(samples));
        }
        appended
    }
}

#[async_trait]
impl MetricStore for SimMetricStore {
    async fn append(&self, samples: &[Sample]) -> Result<Appended, StoreError> {
        let flight = InFlight::of(self, samples.len() as u64);
        samples.iter().try_for_each(|sample| self.server.accepts(sample.series()))?;
        let appended = self.server.write(|| self.database.lock().commit(samples)).await?;
        let runtime = self.server.runtime();
        runtime.trace(format_args!("history stores {} of {} samples", appended.stored, samples.len()));
        flight.acknowledge();
        Ok(appended)
    }

    async fn range(&self, query: &RangeQuery) -> Result<Vec<Point>, StoreError> {
        self.server.read().await?;
        let mut fold = Fold::new(query);
        for (at, value) in self.database.lock().log.range(query.series(), query.from(), query.to()) {
            fold.push(at, value);
        }
        Ok(fold.finish())
    }

    async fn series(
        &self,
        prefix: &str,
        after: Option<SeriesKey>,
        limit: usize,
    ) -> Result<Vec<SeriesKey>, StoreError> {
        self.server.read().await?;
        Ok(self
            .database
            .lock()
            .log
            .keys(prefix)
            .filter(|key| Some(*key) > after.as_ref())
            .take(limit)
            .cloned()
            .collect())
    }
}

/// Counts a batch as in flight until it is answered or the caller drops it.
struct InFlight<'a> {
    store: &'a SimMetricStore,
    process: u32,
    samples: u64,
}

impl<'a> InFlight<'a> {
    fn of(store: &'a SimMetricStore, samples: u64) -> Self {
        let process = store.server.runtime().process();
        store.database.lock().sent.entry(process).or_default().1 += samples;
        Self { store, process, samples }
    }

    fn acknowledge(&self) {
        self.store.database.lock().sent.entry(self.process).or_default().0 += self.samples;
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.store.database.lock().sent.entry(self.process).or_default().1 -= self.samples;
    }
}
