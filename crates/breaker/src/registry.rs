//! Breakers by service and endpoint: created on first use, bounded in number, and evicted when idle.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use ttm_kernel::{Entropy, InvalidSetting, Moment, SettingChecks};

use crate::journal::Journal;
use crate::share::OpenShare;
use crate::{Breaker, BreakerConfig, State};

/// How many evicted names are kept until they are fetched.
const EVICTED_KEPT: usize = 1_000;

/// What [`RegistryConfig::try_new`] checks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RegistrySettings {
    /// The most breakers it holds; each takes about 8 KiB.
    pub max_breakers: usize,
    /// A closed breaker that is not held and was not asked for in this time is evicted.
    pub idle_after: Duration,
    /// The share of breakers that may be open at once, above 0 to 1: when more want to open, the fault is more likely on
    /// our side. What an operator forces open does not count.
    pub max_open_share: f64,
    /// The share does not apply while there are fewer breakers than this: one of three proves nothing.
    pub share_applies_from: usize,
}

impl Default for RegistrySettings {
    fn default() -> Self {
        Self {
            max_breakers: 1_024,
            idle_after: Duration::from_hours(1),
            max_open_share: 0.5,
            share_applies_from: 10,
        }
    }
}

/// Settings that passed their checks, as the defaults do.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RegistryConfig(RegistrySettings);

impl RegistryConfig {
    /// Checks the settings.
    ///
    /// # Errors
    /// Every setting that is out of its bounds.
    pub fn try_new(settings: RegistrySettings) -> Result<Self, Vec<InvalidSetting>> {
        let s = &settings;
        SettingChecks::default()
            .require(
                (1..=1_000_000).contains(&s.max_breakers),
                "max_breakers",
                s.max_breakers,
                "at least 1 and at most 1000000",
            )
            .require(
                !s.idle_after.is_zero(),
                "idle_after",
                s.idle_after,
                "longer than zero, or no breaker would ever count two calls",
            )
            .require(
                s.max_open_share > 0.0 && s.max_open_share <= 1.0,
                "max_open_share",
                s.max_open_share,
                "above 0 and at most 1",
            )
            .finish(())?;
        Ok(Self(settings))
    }

    /// The settings, to read.
    pub const fn settings(&self) -> &RegistrySettings {
        &self.0
    }
}

/// No breaker can be created: all that the limit allows are in use or open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("all {max_breakers} breakers are in use or open")]
pub struct RegistryFull {
    /// How many there may be.
    pub max_breakers: usize,
}

/// The name of an evicted breaker, so that whatever is kept under it elsewhere, such as metrics, can be dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evicted {
    /// The service.
    pub service: Arc<str>,
    /// The endpoint.
    pub endpoint: Arc<str>,
}

/// The breakers of a process; share it by reference.
pub struct Registry {
    entropy: Arc<dyn Entropy>,
    share: Arc<OpenShare>,
    entries: RwLock<Entries>,
}

struct Entries {
    config: RegistryConfig,
    breakers: BreakerConfig,
    services: BTreeMap<Arc<str>, BTreeMap<Arc<str>, Entry>>,
    len: usize,
    made: u64,
    evicted: Journal<Evicted>,
}

struct Entry {
    breaker: Arc<Breaker>,
    /// In the order in which they were made.
    number: u64,
    asked_at: AtomicU64,
}

impl Registry {
    /// An empty registry whose breakers all have the config `breakers`.
    pub fn new(config: RegistryConfig, breakers: BreakerConfig, entropy: Arc<dyn Entropy>) -> Self {
        let RegistrySettings { max_open_share, share_applies_from, .. } = *config.settings();
        let share = Arc::new(OpenShare::new(max_open_share, share_applies_from));
        Self { entropy, share, entries: RwLock::new(Entries::new(config, breakers)) }
    }

    /// Replaces the settings of the registry and of each of its breakers as of `now`; see [`Breaker::reconfigure`].
    ///
    /// Breakers above a lower limit stay until they are evicted, and no new one is created before. Those that are open above a
    /// lower share stay open.
    pub fn reconfigure(&self, config: RegistryConfig, breakers: &BreakerConfig, now: Moment) {
        {
            let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
            self.share.reconfigure(config.settings().max_open_share, config.settings().share_applies_from);
            (entries.config, entries.breakers) = (config, breakers.clone());
        }
        // Breakers created from here on have the new settings already. The lock is released, since a breaker draws entropy
        // from a port that may call back.
        for breaker in self.breakers() {
            breaker.reconfigure(breakers.clone(), now);
        }
    }

    /// The breaker of an endpoint; it is created, closed, when there is none, and evicts the closed ones that were unused the longest
    /// if there is no room. A breaker that is held is never evicted: hold on to it for as long as calls are made.
    ///
    /// # Errors
    /// [`RegistryFull`] if it does not exist and there is no room.
    pub fn breaker(&self, service: &str, endpoint: &str, now: Moment) -> Result<Arc<Breaker>, RegistryFull> {
        if let Some(breaker) = self.get(service, endpoint, now) {
            return Ok(breaker);
        }
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have created it since.
        if let Some(breaker) = entries.get(service, endpoint, now) {
            return Ok(breaker);
        }
        let max_breakers = entries.config.settings().max_breakers;
        if entries.len >= max_breakers {
            self.make_room(&mut entries, now);
            if entries.len >= max_breakers {
                return Err(RegistryFull { max_breakers });
            }
        }
        let breaker = Arc::new(Breaker::with_share(
            format!("{service}/{endpoint}").into(),
            entries.breakers.clone(),
            Arc::clone(&self.entropy),
            Some(Arc::clone(&self.share)),
        ));
        let entry = Entry {
            breaker: Arc::clone(&breaker),
            number: entries.made,
            asked_at: AtomicU64::new(now.as_nanos()),
        };
        entries.services.entry(service.into()).or_default().insert(endpoint.into(), entry);
        entries.len += 1;
        entries.made += 1;
        self.share.set_breakers(entries.len);
        Ok(breaker)
    }

    /// The breaker of an endpoint, if there is one.
    pub fn get(&self, service: &str, endpoint: &str, now: Moment) -> Option<Arc<Breaker>> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner).get(service, endpoint, now)
    }

    /// Evicts the breakers that are closed, not held, and were not asked for within
    /// [`idle_after`](RegistrySettings::idle_after). Returns how many.
    pub fn evict_idle(&self, now: Moment) -> usize {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        let idle_after = entries.config.settings().idle_after;
        self.evict(&mut entries, |entry| now - entry.asked_at() >= idle_after && entry.is_unused(now))
    }

    /// The oldest evicted name that was not fetched yet. The newest thousand are kept.
    pub fn poll_evicted(&self) -> Option<Evicted> {
        self.entries.write().unwrap_or_else(PoisonError::into_inner).evicted.pop()
    }

    /// How many breakers there are.
    pub fn len(&self) -> usize {
        self.entries.read().unwrap_or_else(PoisonError::into_inner).len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many of them opened by themselves, and are open or half-open.
    pub fn open(&self) -> usize {
        self.share.open()
    }

    /// All breakers, by service and endpoint.
    pub fn breakers(&self) -> Vec<Arc<Breaker>> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        entries.services.values().flat_map(BTreeMap::values).map(|entry| Arc::clone(&entry.breaker)).collect()
    }

    /// Evicts an eighth of the breakers, so that a stream of new endpoints does not sort all of them each time, or as many as
    /// exceed the limit.
    fn make_room(&self, entries: &mut Entries, now: Moment) {
        let all = entries.services.values().flat_map(BTreeMap::values);
        let mut unused: Vec<_> =
            all.filter(|entry| entry.is_unused(now)).map(|entry| (entry.asked_at(), entry.number)).collect();
        unused.sort_unstable();
        let too_many = (entries.len + 1).saturating_sub(entries.config.settings().max_breakers);
        unused.truncate(entries.len.div_ceil(8).max(too_many));
        let mut going: Vec<_> = unused.into_iter().map(|(_, number)| number).collect();
        going.sort_unstable();
        self.evict(entries, |entry| going.binary_search(&entry.number).is_ok());
    }

    fn evict(&self, entries: &mut Entries, goes: impl Fn(&Entry) -> bool) -> usize {
        let (before, evicted) = (entries.len, &mut entries.evicted);
        entries.services.retain(|service, endpoints| {
            endpoints.retain(|endpoint, entry| {
                let stays = !goes(entry);
                if !stays {
                    evicted.push(Evicted { service: Arc::clone(service), endpoint: Arc::clone(endpoint) });
                    entries.len -= 1;
                }
                stays
            });
            !endpoints.is_empty()
        });
        self.share.set_breakers(entries.len);
        before - entries.len
    }
}

impl Entries {
    fn new(config: RegistryConfig, breakers: BreakerConfig) -> Self {
        let (services, evicted) = (BTreeMap::new(), Journal::new(EVICTED_KEPT));
        Self { config, breakers, services, len: 0, made: 0, evicted }
    }

    fn get(&self, service: &str, endpoint: &str, now: Moment) -> Option<Arc<Breaker>> {
        let entry = self.services.get(service)?.get(endpoint)?;
        entry.asked_at.fetch_max(now.as_nanos(), Ordering::Relaxed);
        Some(Arc::clone(&entry.breaker))
    }
}

impl Entry {
    fn asked_at(&self) -> Moment {
        Moment::from_nanos(self.asked_at.load(Ordering::Relaxed))
    }

    /// Under the write lock no other thread can obtain it. A breaker that is not closed has a state worth keeping.
    fn is_unused(&self, now: Moment) -> bool {
        Arc::strong_count(&self.breaker) == 1 && self.breaker.snapshot(now).state == State::Closed
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        f.debug_struct("Registry")
            .field("config", &entries.config)
            .field("len", &entries.len)
            .field("open", &self.open())
            .finish_non_exhaustive()
    }
}
