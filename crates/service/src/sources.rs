//! Follows the lists of mints that others keep: asks each source, has the store follow what it lists, and tells what is
//! wrong with one, once. The tokens of a source that fails stay as they were. It does not know who reads the store.

use std::sync::Arc;
use std::time::Duration;

use ttm_kernel::{
    Epoch, FencedBy, FencingToken, LeaseError, Runtime, StoreError, StoreErrorKind, Task, within,
};
use ttm_market::{FOLLOW_STEP, Followed, Listing, Mint, Origin, TokenSource, TokenSourceError, TokenStore};

use super::board::Board;
use super::events::EventLog;
use super::lease::Lease;
use super::roster::{bounded, bounded_by};
use super::shutdown::Shutdown;
use super::stores::StoreUse;
use super::writer::STORE_DEADLINE;
use super::{StartError, Starting};
use crate::ports::Ports;

/// How long a source may take to answer.
const SOURCE_DEADLINE: Duration = Duration::from_secs(10);

/// A source, and what was told of it last.
struct Watched {
    source: Arc<dyn TokenSource>,
    /// What is wrong with it, as it was told.
    problem: Option<String>,
    /// How many entries were no mint, as it was told.
    unusable: u64,
    /// How many tokens it owns, once that is known.
    owned: Option<usize>,
}

/// The sources of a service.
pub(super) struct Sources {
    watched: Vec<Watched>,
    store: Arc<dyn TokenStore>,
    /// What the store is written under; no epoch is claimed before the first look.
    under: FencingToken,
    runtime: Arc<dyn Runtime>,
    board: Arc<Board>,
    lease: Arc<Lease>,
    /// Takes down what goes wrong, once the service has started.
    events: Option<Arc<EventLog>>,
}

impl Sources {
    pub(super) fn new(
        ports: &Ports,
        runtime: &Arc<dyn Runtime>,
        board: &Arc<Board>,
        lease: &Arc<Lease>,
    ) -> Self {
        Self::over(&ports.sources, ports.tokens.clone(), runtime.clone(), board.clone(), lease.clone())
    }

    fn over(
        sources: &[Arc<dyn TokenSource>],
        store: Arc<dyn TokenStore>,
        runtime: Arc<dyn Runtime>,
        board: Arc<Board>,
        lease: Arc<Lease>,
    ) -> Self {
        let under = FencingToken::first(Epoch::new(0));
        let mut all = Self { watched: Vec::new(), store, under, runtime, board, lease, events: None };
        all.extend(sources.iter().cloned());
        all
    }

    /// Follows these as well. What is added after the first look is first asked when the service has started, so that it
    /// keeps nobody from starting.
    pub(super) fn extend(&mut self, sources: impl IntoIterator<Item = Arc<dyn TokenSource>>) {
        let watched = |source| Watched { source, problem: None, unusable: 0, owned: None };
        self.watched.extend(sources.into_iter().map(watched));
    }

    /// The first look: every source is asked before anything is stored. One that is away may be away when the tokens that
    /// it listed before are stored; one that a person must mend is told now, while that person is looking.
    ///
    /// # Errors
    /// All that is wrong with the sources, at once.
    pub(super) async fn first_look(
        &mut self,
        starting: &Starting,
    ) -> Result<Vec<(usize, Listing)>, StartError> {
        let mut listings = Vec::new();
        let mut messages = Vec::new();
        let mut is_config = false;
        for at in 0..self.watched.len() {
            match self.ask(at).await {
                Ok(listing) => listings.push((at, listing)),
                Err(TokenSourceError::Unusable { message }) => {
                    is_config = true;
                    messages.push(message);
                }
                Err(error @ TokenSourceError::Transient { .. }) => {
                    let origin = self.watched[at].source.origin();
                    if starting.store("the tokens", || self.owned(origin)).await?.is_empty() {
                        messages.push(error.to_string());
                    } else {
                        self.fails(at, &error);
                    }
                }
            }
        }
        if messages.is_empty() {
            return Ok(listings);
        }
        Err(StartError::Sources { messages: messages.join("\n"), is_config })
    }

    /// Follows what the first look found, and everything later, under this token. A store that is away is waited for:
    /// following is idempotent.
    ///
    /// # Errors
    /// When a person must mend the store.
    pub(super) async fn begin(
        &mut self,
        under: FencingToken,
        listings: Vec<(usize, Listing)>,
        starting: &Starting,
    ) -> Result<(), StartError> {
        self.under = under;
        for (at, listing) in listings {
            // One call at a time, which the type of a step does not say.
            let all = tokio::sync::Mutex::new(&mut *self);
            let follow = || async { all.lock().await.follow(at, listing.clone()).await };
            starting.store("the lists of tokens", follow).await.map_err(|error| match error {
                // Another one took over since the epoch was claimed.
                StartError::Store(error)
                    if error.kind() == (StoreErrorKind::Fenced { by: FencedBy::Epoch }) =>
                {
                    StartError::Held(LeaseError::Lost { holder: None })
                }
                other => other,
            })?;
        }
        Ok(())
    }

    /// Looks again and again in a task of its own; none where nothing is kept elsewhere.
    pub(super) fn start(
        mut self,
        every: Duration,
        stopping: &Shutdown,
        events: &Arc<EventLog>,
    ) -> Option<(&'static str, Task)> {
        for watched in self.watched.iter().filter(|watched| watched.problem.is_some()) {
            events.source(watched.source.origin(), watched.problem.as_deref());
        }
        self.events = Some(events.clone());
        let (runtime, stopping) = (self.runtime.clone(), stopping.clone());
        let is_empty = self.watched.is_empty();
        (!is_empty).then(|| ("sources", runtime.spawn("sources", Box::pin(self.watch(every, stopping)))))
    }

    /// Looks again and again until the stop is ordered.
    async fn watch(mut self, every: Duration, mut shutdown: Shutdown) {
        loop {
            let runtime = self.runtime.clone();
            tokio::select! {
                biased;
                _ = shutdown.ordered() => return,
                () = runtime.sleep_until(runtime.now() + every) => {}
            }
            // A look that is dropped leaves what it did so far; the first one after the next start does the rest.
            let looked = tokio::select! {
                biased;
                _ = shutdown.ordered() => return,
                looked = self.look() => looked,
            };
            let Err(error) = looked else { continue };
            match error.kind() {
                StoreErrorKind::Transient { .. }
                | StoreErrorKind::Missing
                | StoreErrorKind::Unauthenticated
                | StoreErrorKind::Unexpected
                | StoreErrorKind::Rejected => {}
                StoreErrorKind::Fenced { .. } => return self.lease.fenced(&error),
                StoreErrorKind::Corrupt => {
                    // Nobody touches it before a person has looked.
                    shutdown.ordered().await;
                    return;
                }
            }
        }
    }

    /// Asks each source and has the store follow it; the first answer of the store that ends the looking, or else its last
    /// failure.
    async fn look(&mut self) -> Result<(), StoreError> {
        let mut looked = Ok(());
        for at in 0..self.watched.len() {
            match self.ask(at).await {
                Ok(listing) => match self.follow_if_whole(at, listing).await {
                    Ok(()) => self.board.stores.answered(StoreUse::Listings, self.runtime.now()),
                    Err(error) => {
                        let (now, wall) = (self.runtime.now(), self.runtime.wall());
                        self.board.stores.failed(StoreUse::Listings, &error, now, wall);
                        let ends =
                            matches!(error.kind(), StoreErrorKind::Fenced { .. } | StoreErrorKind::Corrupt);
                        looked = Err(error);
                        if ends {
                            break;
                        }
                    }
                },
                Err(error) => self.fails(at, &error),
            }
        }
        looked
    }

    async fn follow_if_whole(&mut self, at: usize, listing: Listing) -> Result<(), StoreError> {
        self.board.stores.may_ask(StoreUse::Listings, self.runtime.now(), self.runtime.wall())?;
        self.follow(at, listing).await
    }

    async fn ask(&self, at: usize) -> Result<Listing, TokenSourceError> {
        let source = &self.watched[at].source;
        let deadline = self.runtime.now() + SOURCE_DEADLINE;
        within(&*self.runtime, deadline, source.list()).await.unwrap_or_else(|_| {
            let message =
                format!("{} tokens: no answer within {} s", source.origin(), SOURCE_DEADLINE.as_secs());
            Err(TokenSourceError::Transient { message })
        })
    }

    async fn owned(&self, origin: Origin) -> Result<Vec<Mint>, StoreError> {
        bounded("listing the tokens of a source", &*self.runtime, self.store.owned(origin)).await
    }

    async fn follow(&mut self, at: usize, listing: Listing) -> Result<(), StoreError> {
        self.is_well(at, &listing);
        let origin = self.watched[at].source.origin();
        let mints: Vec<Mint> = listing.mints.into_iter().collect();
        let owned = match self.watched[at].owned.take() {
            Some(owned) => owned,
            None => self.owned(origin).await?.len(),
        };
        // The store works in steps: all that is listed may be due to come, and all that is owned to go.
        let steps = mints.len().div_ceil(FOLLOW_STEP) + owned.div_ceil(FOLLOW_STEP);
        let patience = STORE_DEADLINE.saturating_mul(u32::try_from(steps).unwrap_or(u32::MAX).max(1));
        let following = self.store.follow(self.under, origin, &mints, self.runtime.wall());
        let followed = bounded_by(patience, "following a token list", &*self.runtime, following).await?;
        let Followed { added, removed, kept, others } = followed;
        // After an error it is looked up anew: some of the steps are done.
        self.watched[at].owned = usize::try_from(added + kept).ok();
        if added + removed > 0 {
            tracing::info!(%origin, added, removed, kept, others, "followed a list of tokens that changed");
        }
        Ok(())
    }

    fn is_well(&mut self, at: usize, listing: &Listing) {
        let watched = &mut self.watched[at];
        let origin = watched.source.origin();
        if watched.problem.take().is_some() {
            tracing::info!(%origin, tokens = listing.mints.len(), "the list of tokens is usable again");
            if let Some(events) = &self.events {
                events.source(origin, None);
            }
        }
        let unusable = listing.unusable.count();
        if unusable != watched.unusable {
            watched.unusable = unusable;
            let first: Vec<String> = listing.unusable.shown().iter().map(ToString::to_string).collect();
            tracing::warn!(%origin, unusable, first = first.join("; "), "entries of the list are no mints and left out");
        }
        metrics::gauge!("ttm_source_up", "origin" => origin.as_str()).set(1.0);
        metrics::gauge!("ttm_source_tokens", "origin" => origin.as_str()).set(listing.mints.len() as f64);
        metrics::gauge!("ttm_source_unusable_entries", "origin" => origin.as_str()).set(unusable as f64);
        self.board.post_source(origin, Ok(listing.mints.len() as u64));
    }

    /// Counts every failure, and tells each distinct one once.
    fn fails(&mut self, at: usize, error: &TokenSourceError) {
        let watched = &mut self.watched[at];
        let origin = watched.source.origin();
        let problem = error.to_string();
        metrics::counter!("ttm_source_failures_total", "origin" => origin.as_str()).increment(1);
        metrics::gauge!("ttm_source_up", "origin" => origin.as_str()).set(0.0);
        if watched.problem.as_ref() == Some(&problem) {
            return;
        }
        tracing::error!(%origin, problem, "the list of tokens is not usable; the last one stays");
        if let Some(events) = &self.events {
            events.source(origin, Some(&problem));
        }
        self.board.post_source(origin, Err(problem.clone()));
        watched.problem = Some(problem);
    }
}

#[cfg(test)]
mod tests;
