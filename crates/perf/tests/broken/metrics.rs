//! A history with one fault: the fake behind a decorator.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::block_on;
use async_trait::async_trait;
use jiff::Timestamp;
use ttm_kernel::StoreError;
use ttm_perf::testing::FakeMetricStore;
use ttm_perf::{Appended, MetricStore, Point, RangeQuery, Sample, SeriesKey};

/// What is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    None,
    // What outlives a process.
    ForgetsOnReopening,
    ForgetsOnReopeningUnlessClosed,
    ForgetsDuplicatesOnReopening,
    TakesTheLastValueAfterReopening,
    LosesOnClosing,
    AcknowledgesAfterClosing,
    StoresWhatItRefusesAfterClosing,
    // Counts and identities.
    CountsDuplicatesAsStored,
    CountsNoDuplicates,
    TakesTheLastValue,
    TakesTheLastValueOfABatch,
    TakesAScoreForOneSample,
    RefusesEmptyBatches,
    CutsKeysAt255Bytes,
    FoldsCase,
    // Batches.
    StoresTheBeginOfALargeBatch,
    KeepsAThousandOfASeries,
    StoresPartOfARefusedBatch,
    RefusesASeriesAfterARefusal,
    StoresHalfOfADroppedBatch,
    StoresOneSeriesOfADroppedBatch,
    StoresChunksOfADroppedBatch,
    LeavesALockWhenDropped,
    // Beside one another.
    ShowsABatchInParts,
    ShowsABatchSeriesBySeries,
    ShowsABatchBackwards,
    RemembersThatThereWasNothing,
    CountsBeforeItInserts,
    FailsOnARace,
    LosesARace,
    TakesOneWriterAtATime,
    // Ranges.
    AnswersForLongerNames,
    TakesUnderscoresForAnything,
    AnswersForWhatEndsSo,
    ReadsAThousandRows,
    LeavesOutTheBegin,
    HoldsTheEnd,
    CutsTheEnd,
    CutsTheBegin,
    RoundsANegativeBeginUp,
    BeginsBucketsWithTheQuestion,
    CutsBucketsTowardsZero,
    FillsGaps,
    AnswersBackwards,
    FailsForAnUnknownSeries,
    RemembersWhatIsAskedFor,
    InterpolatesPercentiles,
    // Times and values.
    CutsTimesToMilliseconds,
    RoundsValues,
    LosesTheSignOfZero,
    FlushesSubnormals,
    // Listings.
    ListsByCollation,
    ListsSeriesTwice,
    ListsWhatContainsThePrefix,
    ListsWithoutCase,
    TakesPercentForAnything,
    TakesUnderscoresForAnythingInListings,
    TakesStarsForAnything,
    IgnoresThePrefix,
    IgnoresTheLimit,
    ListsOneMore,
    TakesNoLimitForAny,
    IgnoresTheCursor,
    ListsTheCursorAgain,
    EndsAtAnUnknownCursor,
    FindsTheCursorByCollation,
    ListsUnlabelledSeriesAlone,
    ForgetsThePrefixAfterTheCursor,
}

/// What outlives a store: its file, say.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    memory: Mutex<FakeMetricStore>,
    was_closed: AtomicBool,
}

impl Disk {
    pub(super) fn memory(&self) -> FakeMetricStore {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn replace(&self, samples: &[Sample]) {
        let new = FakeMetricStore::new();
        block_on(new.append(samples)).expect("the fake works");
        *self.memory.lock().unwrap_or_else(PoisonError::into_inner) = new;
    }
}

pub(crate) struct Broken {
    pub(super) disk: Arc<Disk>,
    pub(super) bug: Bug,
    pub(super) is_closed: AtomicBool,
    pub(super) is_locked: AtomicBool,
    /// What was appended since it was opened.
    pub(super) own: Mutex<BTreeSet<(SeriesKey, Timestamp)>>,
    pub(super) asked: Mutex<BTreeSet<SeriesKey>>,
    /// The labels and times of scores.
    pub(super) rows: Mutex<BTreeSet<(String, Timestamp)>>,
}

impl Broken {
    pub(crate) fn open(disk: &Arc<Disk>, bug: Bug) -> Self {
        let was_closed = disk.was_closed.swap(false, Ordering::Relaxed);
        let forgets = match bug {
            Bug::ForgetsOnReopening => true,
            Bug::ForgetsOnReopeningUnlessClosed => !was_closed,
            _ => false,
        };
        if forgets {
            disk.replace(&[]);
        }
        Self {
            disk: Arc::clone(disk),
            bug,
            is_closed: AtomicBool::default(),
            is_locked: AtomicBool::default(),
            own: Mutex::default(),
            asked: Mutex::default(),
            rows: Mutex::default(),
        }
    }

    /// The key that it takes a key for.
    pub(super) fn key(&self, key: &SeriesKey) -> SeriesKey {
        let text = key.as_str();
        let text = match self.bug {
            Bug::FoldsCase => text.to_lowercase(),
            Bug::CutsKeysAt255Bytes if text.len() > 255 => format!("{}}}", &text[..254]),
            _ => return key.clone(),
        };
        text.parse().expect("it is still a key")
    }

    /// The sample that it takes a sample for.
    fn taken(&self, sample: &Sample) -> Sample {
        let at = match self.bug {
            Bug::CutsTimesToMilliseconds => {
                Timestamp::from_millisecond(sample.at().as_millisecond()).expect("in range")
            }
            _ => sample.at(),
        };
        let value = match self.bug {
            Bug::RoundsValues if sample.value().abs() < 1e6 => (sample.value() * 1e9).round() / 1e9,
            Bug::LosesTheSignOfZero if sample.value() == 0.0 => 0.0,
            Bug::FlushesSubnormals if sample.value().is_subnormal() => 0.0,
            _ => sample.value(),
        };
        Sample::try_new(self.key(sample.series()), at, value).expect("finite")
    }
}

#[async_trait]
impl MetricStore for Broken {
    async fn append(&self, samples: &[Sample]) -> Result<Appended, StoreError> {
        if self.is_closed.load(Ordering::Relaxed) {
            match self.bug {
                Bug::AcknowledgesAfterClosing => {
                    return Ok(Appended { stored: samples.len() as u64, duplicates: 0 });
                }
                Bug::StoresWhatItRefusesAfterClosing => {
                    self.store(samples);
                    return Err(StoreError::transient("closed"));
                }
                _ => {}
            }
        }
        let taken: Vec<Sample> = samples.iter().map(|sample| self.taken(sample)).collect();
        self.appended(&taken).await
    }

    async fn range(&self, query: &RangeQuery) -> Result<Vec<Point>, StoreError> {
        self.points(query)
    }

    async fn series(
        &self,
        prefix: &str,
        after: Option<SeriesKey>,
        limit: usize,
    ) -> Result<Vec<SeriesKey>, StoreError> {
        Ok(self.keys(prefix, after.as_ref(), limit))
    }

    async fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
        self.disk.was_closed.store(true, Ordering::Relaxed);
        if self.bug == Bug::LosesOnClosing {
            self.disk.replace(&[]);
        }
    }
}
