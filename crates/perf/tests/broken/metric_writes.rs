//! How a history with one fault appends.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use jiff::Timestamp;
use ttm_kernel::StoreError;
use ttm_kernel::testing::yield_now;
use ttm_perf::{Appended, MetricStore, Sample};

use super::metrics::{Broken, Bug};
use super::{OnDrop, block_on};

impl Broken {
    fn is_known(&self, sample: &Sample) -> bool {
        self.disk.memory().samples_of(sample.series()).iter().any(|(at, _)| *at == sample.at())
    }

    /// Puts samples in place of those of the same identity.
    fn overwrite(&self, new: &[Sample]) {
        let same = |one: &Sample, other: &Sample| one.series() == other.series() && one.at() == other.at();
        let mut all = self.disk.memory().samples();
        for old in &mut all {
            if let Some(new) = new.iter().rev().find(|new| same(new, old)) {
                *old = new.clone();
            }
        }
        self.disk.replace(&all);
    }

    pub(super) fn store(&self, samples: &[Sample]) -> Appended {
        block_on(self.disk.memory().append(samples)).expect("the fake works")
    }

    /// Stores the first part, lets others run, and then stores the rest, also when it is dropped.
    async fn store_in_parts(&self, first: &[Sample], rest: &[Sample]) -> Appended {
        let one = self.store(first);
        let mut on_drop = OnDrop(true, || _ = self.store(rest));
        yield_now().await;
        on_drop.0 = false;
        let other = self.store(rest);
        Appended { stored: one.stored + other.stored, duplicates: one.duplicates + other.duplicates }
    }

    /// Lets others run, and stores then; when it is dropped it stores only this.
    async fn store_unless_dropped(&self, all: &[Sample], dropped: &[Sample]) -> Appended {
        let mut on_drop = OnDrop(true, || _ = self.store(dropped));
        for _ in 0..4 {
            yield_now().await;
        }
        on_drop.0 = false;
        self.store(all)
    }

    #[expect(clippy::too_many_lines, reason = "an arm a fault")]
    pub(super) async fn appended(&self, samples: &[Sample]) -> Result<Appended, StoreError> {
        let of_first = |sample: &&Sample| sample.series() == samples[0].series();
        let all = samples.len() as u64;
        let (half, rest) = samples.split_at(samples.len() / 2);
        let fresh = || samples.iter().filter(|sample| !self.is_known(sample)).count() as u64;
        Ok(match self.bug {
            Bug::RefusesEmptyBatches if samples.is_empty() => return Err(StoreError::rejected("empty")),
            Bug::CountsDuplicatesAsStored => {
                self.store(samples);
                Appended { stored: all, duplicates: 0 }
            }
            Bug::CountsNoDuplicates => Appended { duplicates: 0, ..self.store(samples) },
            Bug::TakesTheLastValue if all < 10 => {
                let appended = self.store(samples);
                let first: BTreeSet<_> =
                    samples.iter().map(|sample| (sample.series(), sample.at())).collect();
                if appended.duplicates > 0 && first.len() == samples.len() {
                    self.overwrite(samples);
                }
                appended
            }
            Bug::TakesTheLastValueOfABatch => {
                let back: Vec<Sample> = samples.iter().rev().cloned().collect();
                self.store(&back)
            }
            Bug::TakesAScoreForOneSample => {
                let row = |sample: &Sample| {
                    let (name, labels) = sample.series().as_str().split_once('{')?;
                    name.starts_with("token.").then(|| (labels.to_owned(), sample.at()))
                };
                let mut rows = self.rows.lock().expect("nothing panics with it");
                let before = rows.clone();
                rows.extend(samples.iter().filter_map(row));
                let fresh: Vec<Sample> = samples
                    .iter()
                    .filter(|sample| row(sample).is_none_or(|row| !before.contains(&row)))
                    .cloned()
                    .collect();
                let Appended { stored, .. } = self.store(&fresh);
                Appended { stored, duplicates: all - stored }
            }
            Bug::StoresTheBeginOfALargeBatch if samples.len() > 10_000 => {
                self.store(&samples[..10_000]);
                Appended { stored: all, duplicates: 0 }
            }
            Bug::KeepsAThousandOfASeries if samples.len() >= 1_000 => {
                let appended = self.store(samples);
                let mut kept = self.disk.memory().samples();
                let (mut series, mut count) = (None, 0);
                kept.retain(|sample| {
                    count = if series.as_ref() == Some(sample.series()) { count + 1 } else { 1 };
                    series = Some(sample.series().clone());
                    count <= 4_999
                });
                self.disk.replace(&kept);
                appended
            }
            Bug::StoresPartOfARefusedBatch | Bug::RefusesASeriesAfterARefusal => {
                let ancient = samples.iter().position(|sample| sample.at() == Timestamp::MIN);
                if self.is_locked.load(Ordering::Relaxed) && all == 2_500 {
                    return Err(StoreError::transient("the transaction is aborted"));
                }
                match ancient {
                    None => self.store(samples),
                    Some(ancient) => {
                        if self.bug == Bug::StoresPartOfARefusedBatch {
                            self.store(&samples[..ancient]);
                        } else {
                            self.is_locked.store(true, Ordering::Relaxed);
                        }
                        return Err(StoreError::rejected("before the first day of its calendar"));
                    }
                }
            }
            Bug::StoresHalfOfADroppedBatch => self.store_unless_dropped(samples, half).await,
            Bug::StoresOneSeriesOfADroppedBatch if all > 0 => {
                let one: Vec<Sample> = samples.iter().filter(of_first).cloned().collect();
                self.store_unless_dropped(samples, &one).await
            }
            Bug::StoresChunksOfADroppedBatch if all > 1_000 => {
                self.store_unless_dropped(samples, &samples[..1_000]).await
            }
            Bug::LeavesALockWhenDropped => {
                if self.is_locked.load(Ordering::Relaxed) {
                    return Err(StoreError::transient("the database is locked"));
                }
                let mut on_drop = OnDrop(true, || self.is_locked.store(true, Ordering::Relaxed));
                yield_now().await;
                on_drop.0 = false;
                self.store(samples)
            }
            Bug::ShowsABatchInParts => self.store_in_parts(half, rest).await,
            Bug::ShowsABatchSeriesBySeries | Bug::ShowsABatchBackwards if all > 0 => {
                let (one, other): (Vec<Sample>, Vec<Sample>) =
                    samples.iter().cloned().partition(|sample| of_first(&sample));
                if self.bug == Bug::ShowsABatchBackwards {
                    self.store_in_parts(&other, &one).await
                } else {
                    self.store_in_parts(&one, &other).await
                }
            }
            Bug::CountsBeforeItInserts | Bug::FailsOnARace | Bug::LosesARace => {
                // Looking each up in thousands takes long, and proves no more.
                let stored = if all > 1_000 { self.store(samples).stored } else { fresh() };
                yield_now().await;
                let really = self.store(samples).stored;
                match self.bug {
                    Bug::FailsOnARace if really < stored && all < 1_000 => {
                        return Err(StoreError::rejected("UNIQUE constraint failed"));
                    }
                    Bug::LosesARace if really < stored && all < 1_000 => {
                        let mut kept = self.disk.memory().samples();
                        kept.retain(|sample| sample.series() != samples[0].series());
                        self.disk.replace(&kept);
                        Appended { stored: really, duplicates: all - really }
                    }
                    _ => Appended { stored, duplicates: all - stored },
                }
            }
            Bug::RemembersThatThereWasNothing => {
                yield_now().await;
                self.store(samples)
            }
            Bug::TakesOneWriterAtATime => {
                if self.is_locked.swap(true, Ordering::Relaxed) {
                    return Err(StoreError::transient("the database is locked"));
                }
                let _unlocks = OnDrop(true, || self.is_locked.store(false, Ordering::Relaxed));
                yield_now().await;
                self.store(samples)
            }
            Bug::ForgetsDuplicatesOnReopening | Bug::TakesTheLastValueAfterReopening => {
                let mut own = self.own.lock().expect("nothing panics with it");
                let is_old = |sample: &Sample| {
                    self.is_known(sample) && !own.contains(&(sample.series().clone(), sample.at()))
                };
                let old: Vec<Sample> =
                    samples.iter().filter(|_| all < 10).filter(|sample| is_old(sample)).cloned().collect();
                own.extend(samples.iter().map(|sample| (sample.series().clone(), sample.at())));
                let mut appended = self.store(samples);
                if self.bug == Bug::TakesTheLastValueAfterReopening {
                    self.overwrite(&old);
                } else {
                    appended.stored += old.len() as u64;
                    appended.duplicates -= old.len() as u64;
                }
                appended
            }
            _ => self.store(samples),
        })
    }
}
