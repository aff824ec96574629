//! The steps of a start that depend on others: each waits for a store that is away for as long as that lasts, and says
//! meanwhile what for, and whether a person has to act first. What no waiting mends ends the start at once.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use ttm_health::Waiting;
use ttm_kernel::{Epoch, LeaseError, Runtime, StoreError, StoreLease, within};
use ttm_market::TokenStore;

use super::board::Board;
use super::monitor;
use super::roster::bounded;
use super::settings::ServiceSettings;
use super::writer::{STORE_DEADLINE, timed_out};

/// How soon a store that is away is asked again.
const RETRY: Duration = Duration::from_secs(1);
/// The same where a person must act first: refused logins at a high pace lock accounts.
const RETRY_SELDOM: Duration = Duration::from_secs(5);
/// A step that takes longer is told: what a start waits for is never a secret.
const LONG: Duration = Duration::from_secs(1);

/// The service could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Another process works on the store.
    #[error("{0}")]
    Held(LeaseError),
    /// A person must mend the store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Lists of tokens that are kept elsewhere cannot be read, and nothing of them is stored from before.
    #[error("{messages}")]
    Sources {
        /// A line for each thing that is wrong.
        messages: String,
        /// Whether a person must mend one of them.
        is_config: bool,
    },
}

/// Whether a step that failed is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// What failed it may pass by itself.
    MayPass,
    /// It will not pass before a person has acted; then it goes on by itself.
    OnceMended,
    /// The start is over.
    Never,
}

impl Again {
    /// A step that needs the store.
    fn after(error: &StoreError) -> Self {
        match error.may_pass() {
            true if error.needs_a_person() => Self::OnceMended,
            true => Self::MayPass,
            false => Self::Never,
        }
    }
}

/// A start under way.
pub struct Starting {
    board: Arc<Board>,
    settings: ServiceSettings,
    runtime: Arc<dyn Runtime>,
    /// What it waits for, as it was told last.
    waits_for: Mutex<Option<Waiting>>,
}

impl Starting {
    /// A start that readers of the board can follow.
    pub fn new(board: &Arc<Board>, settings: &ServiceSettings, runtime: &Arc<dyn Runtime>) -> Self {
        let (board, settings, runtime) = (board.clone(), settings.clone(), runtime.clone());
        Self { board, settings, runtime, waits_for: Mutex::default() }
    }

    /// What it waits for now; none while nothing keeps it.
    pub fn waits_for(&self) -> Option<String> {
        self.waits_for.lock().as_ref().map(|waiting| waiting.what.clone())
    }

    /// A step that takes as long as it takes.
    pub async fn at<T>(&self, what: &'static str, step: impl Future<Output = T>) -> T {
        self.waits(what.to_owned(), false);
        self.told_when_long(what, step, false).await
    }

    /// A step that is tried again for as long as `again` says of its error that this may help.
    ///
    /// # Errors
    /// Any other error.
    pub async fn patiently<T, E, F>(
        &self,
        what: &'static str,
        mut step: impl FnMut() -> F,
        mut again: impl FnMut(&E) -> Again,
    ) -> Result<T, E>
    where
        E: std::fmt::Display,
        F: Future<Output = Result<T, E>>,
    {
        let mut told = None;
        // Whatever waits around this step is what is waited for again once it is done.
        let around = self.waits_for.lock().clone();
        self.waits(what.to_owned(), false);
        loop {
            // Once it was told why it fails, that is the news.
            let is_told = told.is_some();
            let outcome = self.told_when_long(what, step(), is_told).await;
            let (error, needs_a_person) = match outcome {
                Err(error) => match again(&error) {
                    Again::MayPass => (error.to_string(), false),
                    Again::OnceMended => (error.to_string(), true),
                    Again::Never => return Err(error),
                },
                done => {
                    self.post(around);
                    return done;
                }
            };
            if told.as_ref() != Some(&error) {
                self.waits(format!("{what}: {error}"), needs_a_person);
                if needs_a_person {
                    tracing::error!(waiting_for = what, error, "the start waits for a person to mend this");
                } else {
                    tracing::warn!(waiting_for = what, error, "the start waits");
                }
                told = Some(error);
            }
            let pause = if needs_a_person { RETRY_SELDOM } else { RETRY };
            self.pause(pause).await;
        }
    }

    /// Lets time pass; the report goes on meanwhile.
    async fn pause(&self, pause: Duration) {
        let until = self.runtime.now() + pause;
        while self.runtime.now() < until {
            self.runtime.sleep_until(until.min(self.runtime.now() + RETRY)).await;
            self.report();
        }
    }

    /// Calls to the store, each with a deadline of its own: all of them together take as long as they take.
    pub(super) async fn store<T, F>(
        &self,
        step: &'static str,
        calls: impl FnMut() -> F,
    ) -> Result<T, StartError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        Ok(self.patiently(step, calls, Again::after).await?)
    }

    /// Takes the lease, then does the rest of a start under it, and keeps it meanwhile: a start may take longer than the
    /// lease lasts. One that another process holds is not waited for: that process is alive. Where that is not known, it is
    /// waited whether the lease runs out or is renewed: a process that died on another machine keeps nobody from starting.
    ///
    /// # Errors
    /// When another process holds it or takes it over, or a person must mend the store.
    pub async fn leased<T>(
        &self,
        port: &dyn StoreLease,
        rest: impl Future<Output = T>,
    ) -> Result<T, StartError> {
        self.granted(|| self.acquire(port)).await?;
        let mut rest = std::pin::pin!(rest);
        tokio::select! {
            biased;
            lost = self.keep(port) => Err(lost),
            outcome = &mut rest => Ok(outcome),
        }
    }

    /// Claims an epoch. Time may have passed unnoticed since the lease was renewed, as when the process is stopped: it is
    /// taken again first.
    pub(super) async fn claim(
        &self,
        port: &dyn StoreLease,
        tokens: &dyn TokenStore,
    ) -> Result<Epoch, StartError> {
        let claim = || async {
            self.acquire(port).await?;
            Ok(bounded("claiming an epoch", &*self.runtime, tokens.claim()).await?)
        };
        self.granted(claim).await
    }

    /// Waits for what is done under the lease.
    async fn granted<T, F>(&self, acquire: impl FnMut() -> F) -> Result<T, StartError>
    where
        F: Future<Output = Result<T, LeaseError>>,
    {
        let mut runs_out = None;
        let again = |error: &LeaseError| match error {
            LeaseError::Store(error) => Again::after(error),
            LeaseError::Held { until: Some(until), .. } if runs_out.get_or_insert(*until) == until => {
                Again::MayPass
            }
            LeaseError::Held { .. } | LeaseError::Lost { .. } | LeaseError::Gone { .. } => Again::Never,
        };
        self.patiently("the lease on the store", acquire, again).await.map_err(|error| match error {
            LeaseError::Store(error) => StartError::Store(error),
            held => StartError::Held(held),
        })
    }

    async fn acquire(&self, port: &dyn StoreLease) -> Result<(), LeaseError> {
        let deadline = self.runtime.now() + STORE_DEADLINE;
        let acquired = within(&*self.runtime, deadline, port.acquire()).await;
        let acquired = acquired.unwrap_or_else(|_| Err(StoreError::transient(timed_out()).into()));
        acquired.map_err(|error| error.while_doing("taking the lease"))
    }

    /// Renews until the lease is lost, or a person must mend its store. What may pass the start hears from its own steps.
    async fn keep(&self, port: &dyn StoreLease) -> StartError {
        let mut begun = self.runtime.now();
        loop {
            self.runtime.sleep_until(begun + port.renew_every()).await;
            // From here, not from its end: one that hangs delays the next one by nothing.
            begun = self.runtime.now();
            match within(&*self.runtime, begun + STORE_DEADLINE, port.renew()).await {
                Ok(Ok(())) | Err(_) => {}
                Ok(Err(LeaseError::Store(error))) if error.may_pass() => {}
                Ok(Err(LeaseError::Store(error))) => {
                    return StartError::Store(error.while_doing("renewing the lease"));
                }
                Ok(Err(lost)) => return StartError::Held(lost),
            }
        }
    }

    /// A step, which is told when there is no outcome for long, unless it was told already; the report goes on meanwhile.
    /// Boxed: a start is long enough as it is.
    fn told_when_long<T>(
        &self,
        what: &'static str,
        step: impl Future<Output = T>,
        mut is_told: bool,
    ) -> impl Future<Output = T> {
        let mut step = Box::pin(step);
        async move {
            loop {
                let long = self.runtime.now() + LONG;
                if let Ok(outcome) = within(&*self.runtime, long, &mut step).await {
                    return outcome;
                }
                if !std::mem::replace(&mut is_told, true) {
                    tracing::info!(waiting_for = what, "the start takes long: there is no answer yet");
                }
                self.report();
            }
        }
    }

    /// Nothing is waited for any more.
    pub(super) fn done(&self) {
        self.post(None);
    }

    fn waits(&self, what: String, needs_a_person: bool) {
        self.post(Some(Waiting { what, needs_a_person }));
    }

    fn post(&self, what: Option<Waiting>) {
        *self.waits_for.lock() = what;
        self.report();
    }

    /// Makes the report anew: how long the start has taken is part of it.
    fn report(&self) {
        let (uptime, waits_for) = (self.board.uptime(), self.waits_for.lock().clone());
        let report = monitor::first_report(&*self.runtime, &self.settings, uptime, waits_for);
        self.board.post_report(report);
    }
}
