//! Answers that are kept for a while, by key: served fresh, or marked as stale when the far side gives none. Calls for one
//! key at one time are made once. It knows neither what is asked nor how.

use std::collections::BTreeMap;
use std::future::Future;
use std::hash::{BuildHasherDefault, DefaultHasher, Hash};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_lock::OnceCell;
use quick_cache::sync::{Cache as Store, DefaultLifecycle};
use quick_cache::{OptionsBuilder, Weighter};
use ttm_kernel::{InvalidSetting, Moment, SettingChecks, within};

use crate::{Answer, Attempt, Disposition, Guard, GuardError, Source};

/// What [`CacheConfig::try_new`] checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheSettings {
    /// How much all answers together may weigh.
    pub max_weight: u64,
    /// About how many answers that will be; room for their keys is made at once.
    pub expected_entries: usize,
}

/// Settings that passed their checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheConfig(CacheSettings);

impl CacheConfig {
    /// Checks the settings.
    ///
    /// # Errors
    /// Every setting that is out of its bounds.
    pub fn try_new(settings: CacheSettings) -> Result<Self, Vec<InvalidSetting>> {
        SettingChecks::default()
            .require(settings.max_weight >= 1, "max_weight", settings.max_weight, "at least 1")
            .require(
                (1..=100_000_000).contains(&settings.expected_entries),
                "expected_entries",
                settings.expected_entries,
                "at least 1 and at most 100000000",
            )
            .finish(Self(settings))
    }

    /// The settings, to read.
    pub const fn settings(&self) -> &CacheSettings {
        &self.0
    }
}

/// How old an answer may be, in one call's eyes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// Younger than this, it is as good as a new one.
    pub max_age: Duration,
    /// Younger than this, it is better than none, and marked.
    pub stale_if_error: Duration,
}

/// Kept answers of one kind; share it by reference.
///
/// Laws: (1) a failure is never kept; (2) an answer is fresh only below its `max_age`, stale only below its
/// `stale_if_error`, and says which; (3) of the calls for one key at one time only one asks the far side, and all get
/// what it got; (4) when that one is cancelled, another of them goes on in its place; (5) answers never weigh more than
/// `max_weight` together.
pub struct Cache<K, V, E> {
    kept: Store<K, Kept<V>, ByWeight<K, V>, BuildHasherDefault<DefaultHasher>>,
    flights: Mutex<BTreeMap<K, Flight<V, E>>>,
}

/// An answer, and when it came.
#[derive(Clone)]
struct Kept<V> {
    value: V,
    since: Moment,
}

/// One call to the far side, and everybody who waits for it.
type Flight<V, E> = Arc<OnceCell<Result<Answer<V>, Arc<GuardError<E>>>>>;

#[derive(Clone)]
struct ByWeight<K, V>(fn(&K, &V) -> u64);

impl<K, V> Weighter<K, Kept<V>> for ByWeight<K, V> {
    fn weight(&self, key: &K, kept: &Kept<V>) -> u64 {
        // What weighs nothing would never be let go.
        (self.0)(key, &kept.value).max(1)
    }
}

impl<K: Clone + Eq + Hash + Ord, V: Clone, E> Cache<K, V, E> {
    /// An empty cache. `weigh` says what an answer weighs: its bytes, say, or 1 to bound their number.
    ///
    /// # Panics
    /// Never: the options are those of a validated config.
    pub fn new(config: CacheConfig, weigh: fn(&K, &V) -> u64) -> Self {
        let CacheSettings { max_weight, expected_entries } = *config.settings();
        let options = OptionsBuilder::new()
            // One, so that what is let go does not depend on the machine; the lock is held for a few instructions.
            .shards(1)
            .estimated_items_capacity(expected_entries)
            .weight_capacity(max_weight)
            .build()
            .expect("both capacities are set");
        // A fixed hasher, for the same reason.
        let hasher = BuildHasherDefault::default();
        let kept = Store::with_options(options, ByWeight(weigh), hasher, DefaultLifecycle::default());
        Self { kept, flights: Mutex::default() }
    }

    /// What all kept answers weigh.
    pub fn weight(&self) -> u64 {
        self.kept.weight()
    }

    /// How many answers are kept.
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Forgets the answer of a key.
    pub fn forget(&self, key: &K) {
        self.kept.remove(key);
    }

    /// The kept answer of a key and its age, if it is younger than `age`.
    fn younger_than(&self, key: &K, age: Duration, now: Moment) -> Option<(V, Duration)> {
        let kept = self.kept.get(key)?;
        let is = now - kept.since;
        (is < age).then_some((kept.value, is))
    }

    fn flights(&self) -> MutexGuard<'_, BTreeMap<K, Flight<V, E>>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Guard {
    /// [`Guard::call`] behind a cache: a young answer is served as it is; else the far side is asked, once for all who
    /// want the same; and when it gives no answer, one that is not too old is served, marked as stale.
    ///
    /// Whoever joins another's call waits no longer than until its own `deadline`.
    ///
    /// # Errors
    /// As [`Guard::call`], shared by all who joined.
    pub async fn call_cached<K, V, E, F, Fut>(
        &self,
        cache: &Cache<K, V, E>,
        key: K,
        freshness: Freshness,
        deadline: Moment,
        classify: impl Fn(&E) -> Disposition,
        operation: F,
    ) -> Result<Answer<V>, Arc<GuardError<E>>>
    where
        K: Clone + Eq + Hash + Ord,
        V: Clone,
        F: FnMut(Attempt) -> Fut,
        Fut: Future<Output = Result<V, E>>,
    {
        let now = self.runtime.now();
        if let Some((value, age)) = cache.younger_than(&key, freshness.max_age, now) {
            return Ok(Answer { value, source: Source::Cached { age } });
        }
        let seat = Seat::take(cache, key);
        let deadline = deadline.min(now + self.config.settings().deadline);
        let asked = seat.flight.get_or_init(|| async {
            let answer = self.call(deadline, classify, operation).await.map_err(Arc::new);
            if let Ok(answer) = &answer {
                let kept = Kept { value: answer.value.clone(), since: self.runtime.now() };
                cache.kept.insert(seat.key.clone(), kept);
            }
            // Whoever comes from now on finds what was kept, or asks anew.
            cache.flights().remove(&seat.key);
            answer
        });
        let answer = within(&*self.runtime, deadline, asked)
            .await
            .map_or_else(|_| Err(Arc::new(GuardError::TimedOut { attempts: 0 })), Clone::clone);
        answer.or_else(|error| {
            let kept = cache.younger_than(&seat.key, freshness.stale_if_error, self.runtime.now());
            kept.map(|(value, age)| Answer { value, source: Source::Stale { age } }).ok_or(error)
        })
    }
}

/// A place in a flight; the last one to leave a flight that never landed clears it away.
struct Seat<'a, K: Clone + Eq + Hash + Ord, V: Clone, E> {
    cache: &'a Cache<K, V, E>,
    key: K,
    flight: Flight<V, E>,
}

impl<'a, K: Clone + Eq + Hash + Ord, V: Clone, E> Seat<'a, K, V, E> {
    fn take(cache: &'a Cache<K, V, E>, key: K) -> Self {
        let flight = Arc::clone(cache.flights().entry(key.clone()).or_default());
        Self { cache, key, flight }
    }
}

impl<K: Clone + Eq + Hash + Ord, V: Clone, E> Drop for Seat<'_, K, V, E> {
    fn drop(&mut self) {
        let mut flights = self.cache.flights();
        // Under the lock nobody takes another seat: the map's and this one are all there are.
        let is_last = Arc::strong_count(&self.flight) == 2;
        if is_last && flights.get(&self.key).is_some_and(|flight| Arc::ptr_eq(flight, &self.flight)) {
            flights.remove(&self.key);
        }
    }
}

impl<K: Clone + Eq + Hash + Ord, V: Clone, E> std::fmt::Debug for Cache<K, V, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cache")
            .field("len", &self.len())
            .field("weight", &self.weight())
            .field("flights", &self.flights().len())
            .finish_non_exhaustive()
    }
}
