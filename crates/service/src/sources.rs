//! Follows the lists of mints that others keep: asks each source, has the store follow what it lists, and reports what is
//! wrong with one, once. The tokens of a source that fails stay as they were. What was reported is kept beside each source, so
//! that a watch which is started again repeats nothing.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use ttm_kernel::{FencedBy, FencingToken, Incarnation, LeaseError, Runtime, StoreError, StoreErrorKind};
use ttm_market::{FOLLOW_STEP, Followed, Listing, Mint, Origin, TokenSource, TokenSourceError, TokenStore};

use crate::board::Board;
use crate::bounded::{STORE_DEADLINE, bounded, bounded_by, while_awake};
use crate::events::EventLog;
use crate::lease::Lease;
use crate::settings::{LEASE, STORE};
use crate::stores::StoreUse;
use crate::vital::Vital;
use crate::{Ports, StartError, Starting};

/// How long a source may take to answer.
const SOURCE_DEADLINE: Duration = Duration::from_secs(10);

/// A source, and what was reported of it last.
struct Watched {
    source: Arc<dyn TokenSource>,
    reported: Mutex<Reported>,
}

#[derive(Default)]
struct Reported {
    /// What is wrong with it.
    problem: Option<String>,
    /// How many of its entries are not valid mints.
    unusable: u64,
    /// How many tokens it owns, once that is known.
    owned: Option<usize>,
}

/// The sources of a service.
pub(crate) struct Sources {
    watched: Vec<Watched>,
    store: Arc<dyn TokenStore>,
    board: Arc<Board>,
    lease: Arc<Lease>,
}

/// What a look is made with.
#[derive(Clone, Copy)]
pub(crate) struct Look<'a> {
    /// The plane of the caller.
    pub(crate) runtime: &'a dyn Runtime,
    /// What the store is written under.
    pub(crate) under: FencingToken,
    /// Where problems are recorded; `None` during a start.
    pub(crate) events: Option<&'a EventLog>,
}

impl Sources {
    pub(crate) fn new(ports: &Ports, board: &Arc<Board>, lease: &Arc<Lease>) -> Self {
        let store = ports.tokens.clone();
        let mut all = Self { watched: Vec::new(), store, board: board.clone(), lease: lease.clone() };
        all.extend(ports.sources.iter().cloned());
        all
    }

    /// Follows these as well. What is added after the first look is first asked when the service has started, so that it
    /// delays no start.
    pub(crate) fn extend(&mut self, sources: impl IntoIterator<Item = Arc<dyn TokenSource>>) {
        self.watched.extend(sources.into_iter().map(|source| Watched { source, reported: Mutex::default() }));
    }

    /// Records what the first look found wrong.
    pub(crate) fn record(&self, events: &EventLog) {
        for watched in &self.watched {
            let problem = watched.reported.lock().problem.clone();
            if let Some(problem) = problem {
                events.source(watched.source.origin(), Some(&problem));
            }
        }
    }

    /// The first look: every source is asked before anything is stored. One that cannot be read ends the start, while somebody is
    /// looking, unless the tokens that it listed before are stored: then this may be a restart in the night, and those are scored on.
    ///
    /// # Errors
    /// All that is wrong with the sources, at once.
    pub(crate) async fn first_look<E>(
        &self,
        starting: &Starting,
    ) -> Result<Vec<(usize, Listing)>, StartError<E>> {
        let mut listings = Vec::new();
        let mut messages = Vec::new();
        let mut is_config = false;
        for at in 0..self.watched.len() {
            match self.ask(at, starting.runtime()).await {
                Ok(listing) => listings.push((at, listing)),
                Err(error) => {
                    let origin = self.watched[at].source.origin();
                    let owned =
                        starting.store("the tokens", || self.owned(origin, starting.runtime())).await?;
                    if owned.is_empty() {
                        is_config |= matches!(error, TokenSourceError::Unusable { .. });
                        messages.push(error.to_string());
                    } else {
                        self.fails(at, &error, None);
                    }
                }
            }
        }
        if messages.is_empty() {
            return Ok(listings);
        }
        Err(StartError::Sources { messages: messages.join("\n"), is_config })
    }

    /// Follows what the first look found. A store that is away is waited for: following is idempotent.
    ///
    /// # Errors
    /// When another process took the store over, or an operator must mend it.
    pub(crate) async fn begin<E>(
        &self,
        under: FencingToken,
        listings: Vec<(usize, Listing)>,
        starting: &Starting,
    ) -> Result<(), StartError<E>> {
        let look = Look { runtime: starting.runtime(), under, events: None };
        for (at, listing) in listings {
            let follow = || self.follow(at, listing.clone(), look);
            starting.store("the lists of tokens", follow).await.map_err(|error| match error.kind() {
                // Another one took over since the epoch was claimed.
                StoreErrorKind::Fenced { by: FencedBy::Epoch } => {
                    StartError::Held(LeaseError::Lost { holder: None })
                }
                _ => StartError::Store(error),
            })?;
        }
        Ok(())
    }

    /// Looks again and again. A look that is dropped leaves what it did so far; the next one does the rest. The start has just looked; a
    /// watch that replaces another looks at once, and so shows that it gets on.
    pub(crate) async fn watch(&self, every: Duration, look: Look<'_>, vital: &Vital) {
        if self.watched.is_empty() {
            loop {
                vital.got_on();
                look.runtime.sleep_until(look.runtime.now() + every).await;
            }
        }
        let mut has_just_looked = look.under.incarnation() == Incarnation::FIRST;
        loop {
            if std::mem::replace(&mut has_just_looked, true) {
                look.runtime.sleep_until(look.runtime.now() + every).await;
            }
            while !self.lease.holds() {
                vital.waits_for(LEASE);
                look.runtime.sleep_until(look.runtime.now() + Lease::LOOK_AGAIN).await;
            }
            let Err(error) = self.look(look).await else {
                vital.got_on();
                continue;
            };
            vital.waits_for(STORE);
            match error.kind() {
                StoreErrorKind::Transient { .. }
                | StoreErrorKind::Missing
                | StoreErrorKind::Unauthenticated
                | StoreErrorKind::Unexpected
                | StoreErrorKind::Rejected => {}
                StoreErrorKind::Fenced { .. } => return self.lease.fenced(&error),
                // The store is left alone until an operator has looked.
                StoreErrorKind::Corrupt => {
                    vital.leaves_alone(STORE);
                    return std::future::pending().await;
                }
            }
        }
    }

    /// Asks each source and has the store follow it; the first answer of the store that ends the looking, or else its last
    /// failure.
    async fn look(&self, look: Look<'_>) -> Result<(), StoreError> {
        let runtime = look.runtime;
        let mut looked = Ok(());
        for at in 0..self.watched.len() {
            match self.ask(at, runtime).await {
                Ok(listing) => match self.follow_if_whole(at, listing, look).await {
                    Ok(()) => self.board.stores.answered(StoreUse::Listings, runtime.now()),
                    Err(error) => {
                        let (now, wall) = (runtime.now(), runtime.wall());
                        self.board.stores.failed(StoreUse::Listings, &error, now, wall);
                        let ends =
                            matches!(error.kind(), StoreErrorKind::Fenced { .. } | StoreErrorKind::Corrupt);
                        looked = Err(error);
                        if ends {
                            break;
                        }
                    }
                },
                Err(error) => self.fails(at, &error, look.events),
            }
        }
        looked
    }

    async fn follow_if_whole(&self, at: usize, listing: Listing, look: Look<'_>) -> Result<(), StoreError> {
        self.board.stores.may_ask(StoreUse::Listings, look.runtime.now(), look.runtime.wall())?;
        self.follow(at, listing, look).await
    }

    async fn ask(&self, at: usize, runtime: &dyn Runtime) -> Result<Listing, TokenSourceError> {
        let source = &self.watched[at].source;
        let deadline = runtime.now() + SOURCE_DEADLINE;
        while_awake(runtime, deadline, source.list()).await.unwrap_or_else(|_| {
            let message =
                format!("{} tokens: no answer within {} s", source.origin(), SOURCE_DEADLINE.as_secs());
            Err(TokenSourceError::Transient { message })
        })
    }

    async fn owned(&self, origin: Origin, runtime: &dyn Runtime) -> Result<Vec<Mint>, StoreError> {
        bounded("listing the tokens of a source", runtime, self.store.owned(origin)).await
    }

    async fn follow(
        &self,
        at: usize,
        listing: Listing,
        Look { runtime, under, events }: Look<'_>,
    ) -> Result<(), StoreError> {
        self.is_well(at, &listing, events);
        let origin = self.watched[at].source.origin();
        let mints: Vec<Mint> = listing.mints.into_iter().collect();
        let known = self.watched[at].reported.lock().owned.take();
        let owned = match known {
            Some(owned) => owned,
            None => self.owned(origin, runtime).await?.len(),
        };
        // The store works in steps: all that is listed may be due to come, and all that is owned to go.
        let steps = mints.len().div_ceil(FOLLOW_STEP) + owned.div_ceil(FOLLOW_STEP);
        let patience = STORE_DEADLINE.saturating_mul(u32::try_from(steps).unwrap_or(u32::MAX).max(1));
        let following = self.store.follow(under, origin, &mints, runtime.wall());
        let followed = bounded_by(patience, "following a token list", runtime, following).await?;
        let Followed { added, removed, kept, others } = followed;
        // After an error it is looked up again: some of the steps are done.
        self.watched[at].reported.lock().owned = usize::try_from(added + kept).ok();
        if added + removed > 0 {
            tracing::info!(%origin, added, removed, kept, others, "followed a list of tokens that changed");
        }
        Ok(())
    }

    fn is_well(&self, at: usize, listing: &Listing, events: Option<&EventLog>) {
        let watched = &self.watched[at];
        let origin = watched.source.origin();
        let unusable = listing.unusable.count();
        let (had_problem, differs) = {
            let mut reported = watched.reported.lock();
            let unusable_before = std::mem::replace(&mut reported.unusable, unusable);
            (reported.problem.take().is_some(), unusable != unusable_before)
        };
        if had_problem {
            tracing::info!(%origin, tokens = listing.mints.len(), "the list of tokens is usable again");
            if let Some(events) = events {
                events.source(origin, None);
            }
        }
        if differs {
            let first: Vec<String> = listing.unusable.shown().iter().map(ToString::to_string).collect();
            tracing::warn!(%origin, unusable, first = first.join("; "), "entries of the list are not valid mints; they are left out");
        }
        metrics::gauge!("ttm_source_up", "origin" => origin.as_str()).set(1.0);
        metrics::gauge!("ttm_source_tokens", "origin" => origin.as_str()).set(listing.mints.len() as f64);
        metrics::gauge!("ttm_source_unusable_entries", "origin" => origin.as_str()).set(unusable as f64);
        self.board.post_source(origin, Ok(listing.mints.len() as u64));
    }

    /// Counts every failure, and reports each distinct one once.
    fn fails(&self, at: usize, error: &TokenSourceError, events: Option<&EventLog>) {
        let watched = &self.watched[at];
        let origin = watched.source.origin();
        let problem = error.to_string();
        metrics::counter!("ttm_source_failures_total", "origin" => origin.as_str()).increment(1);
        metrics::gauge!("ttm_source_up", "origin" => origin.as_str()).set(0.0);
        let before = watched.reported.lock().problem.replace(problem.clone());
        if before.as_ref() == Some(&problem) {
            return;
        }
        tracing::error!(%origin, problem, "the list of tokens is not usable; the last one stays");
        if let Some(events) = events {
            events.source(origin, Some(&problem));
        }
        self.board.post_source(origin, Err(problem));
    }
}

#[cfg(test)]
mod tests;
