//! The steps of a start that depend on others: each waits for a store that is away for as long as that lasts, and says
//! meanwhile what for, and whether an operator has to act first. What no waiting mends ends the start at once.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use ttm_health::Waiting;
use ttm_kernel::{BoxFuture, Epoch, LeaseError, Runtime, StoreError, within};
use ttm_market::TokenStore;

use crate::board::Board;
use crate::bounded::bounded;
use crate::first_report::first_report;
use crate::lease::Lease;
use crate::{Ports, ServiceSettings};

/// How soon a store that is away is asked again.
const RETRY: Duration = Duration::from_secs(1);
/// The same where an operator must act first: refused logins at a high pace lock accounts.
const RETRY_SELDOM: Duration = Duration::from_secs(5);
/// A step that takes longer is logged.
const LONG: Duration = Duration::from_secs(1);

/// Opens the ports, with the steps of the start to wait by.
pub type Open<E> = Box<dyn for<'a> FnOnce(&'a Starting) -> BoxFuture<'a, Result<Ports, E>> + Send>;

/// Whether a step that failed is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// What failed it may pass by itself.
    MayPass,
    /// It will not pass before an operator has acted; then the start goes on by itself.
    OnceMended,
    /// The start is over.
    Never,
}

impl Again {
    /// A step that needs the store.
    pub fn after(error: &StoreError) -> Self {
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
    /// What it waits for, as reported last.
    waits_for: Mutex<Option<Waiting>>,
}

impl Starting {
    /// A start that readers of the board can follow.
    pub fn new(board: &Arc<Board>, settings: &ServiceSettings, runtime: &Arc<dyn Runtime>) -> Self {
        let (board, settings, runtime) = (board.clone(), settings.clone(), runtime.clone());
        Self { board, settings, runtime, waits_for: Mutex::default() }
    }

    /// The plane that it runs on.
    pub(crate) fn runtime(&self) -> &dyn Runtime {
        &*self.runtime
    }

    /// What it waits for now. `None` if nothing delays it.
    pub fn waits_for(&self) -> Option<String> {
        self.waits_for.lock().as_ref().map(|waiting| waiting.what.clone())
    }

    /// A step that takes as long as it takes.
    pub async fn at<T>(&self, what: &'static str, step: impl Future<Output = T>) -> T {
        self.waits(what.to_owned(), false);
        self.logged_when_long(what, step, false).await
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
        let mut reported = None;
        // Whatever waits around this step is what is waited for again once it is done.
        let around = self.waits_for.lock().clone();
        self.waits(what.to_owned(), false);
        loop {
            // Once the reason is logged, the duration is not worth a line.
            let is_reported = reported.is_some();
            let outcome = self.logged_when_long(what, step(), is_reported).await;
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
            if reported.as_ref() != Some(&error) {
                self.waits(format!("{what}: {error}"), needs_a_person);
                if needs_a_person {
                    tracing::error!(
                        waiting_for = what,
                        error,
                        "the start waits until an operator has repaired this"
                    );
                } else {
                    tracing::warn!(waiting_for = what, error, "the start waits");
                }
                reported = Some(error);
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
    pub(crate) async fn store<T, F>(
        &self,
        step: &'static str,
        calls: impl FnMut() -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        self.patiently(step, calls, Again::after).await
    }

    /// Takes the lease. One that another process holds is not waited for: that process is alive. Where that is not known, it is
    /// waited whether the lease runs out or is renewed: a process that died on another machine keeps nobody from starting.
    ///
    /// # Errors
    /// When another process holds it, or an operator must mend the store.
    pub(crate) async fn acquire(&self, lease: &Lease) -> Result<(), LeaseError> {
        self.granted(|| lease.acquire()).await
    }

    /// Claims an epoch. Time may have passed unnoticed since the lease was renewed, as when the process is stopped: it is
    /// taken again first.
    pub(crate) async fn claim(&self, lease: &Lease, tokens: &dyn TokenStore) -> Result<Epoch, LeaseError> {
        let claim = || async {
            lease.acquire().await?;
            Ok(bounded("claiming an epoch", &*self.runtime, tokens.claim()).await?)
        };
        self.granted(claim).await
    }

    /// Waits for what is done under the lease.
    async fn granted<T, F>(&self, acquire: impl FnMut() -> F) -> Result<T, LeaseError>
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
        self.patiently("the lease on the store", acquire, again).await
    }

    /// A step, which is logged when there is no outcome for long, unless it was logged already; the report goes on meanwhile.
    /// Boxed: a start is long enough as it is.
    fn logged_when_long<T>(
        &self,
        what: &'static str,
        step: impl Future<Output = T>,
        mut is_logged: bool,
    ) -> impl Future<Output = T> {
        let mut step = Box::pin(step);
        async move {
            loop {
                let long = self.runtime.now() + LONG;
                if let Ok(outcome) = within(&*self.runtime, long, &mut step).await {
                    return outcome;
                }
                if !std::mem::replace(&mut is_logged, true) {
                    tracing::info!(waiting_for = what, "the start takes long: there is no answer yet");
                }
                self.report();
            }
        }
    }

    /// Nothing is waited for any more.
    pub(crate) fn done(&self) {
        self.post(None);
    }

    fn waits(&self, what: String, needs_a_person: bool) {
        self.post(Some(Waiting { what, needs_a_person }));
    }

    fn post(&self, what: Option<Waiting>) {
        *self.waits_for.lock() = what;
        self.report();
    }

    /// Makes the report again: how long the start has taken is part of it.
    fn report(&self) {
        let (uptime, waits_for) = (self.board.uptime(), self.waits_for.lock().clone());
        let report = first_report(&*self.runtime, &self.settings, uptime, waits_for);
        self.board.post_report(report);
    }
}
