//! The way out to the API: one budget of requests behind its guard. Translates the port's errors into what breaker and
//! retry understand, counts every attempt and logs what matters, once. What is asked is its callers' concern.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::task::Poll;

use tokio::sync::watch;
use ttm_breaker::State;
use ttm_guard::{Disposition, Guard, GuardError, Turn};
use ttm_kernel::{CorrelationId, Entropy, Moment, Runtime};
use ttm_market::PairSourceError;

use super::board::Board;
use super::breakers::BreakerLog;
use super::lease::Lease;

/// What calls of one budget go through.
pub(super) struct Caller {
    guard: Arc<Guard>,
    runtime: Arc<dyn Runtime>,
    board: Arc<Board>,
    /// Whether its calls make the API's figures: not those that scoring does not wait for.
    makes_figures: bool,
    breakers: BreakerLog,
    ids: Arc<dyn Entropy>,
    /// Without it no attempt may begin.
    lease: Option<Arc<Lease>>,
    /// Whether no attempt may begin any more.
    closed: watch::Sender<bool>,
    /// The end of the last pause that was reported.
    told_pause: AtomicU64,
}

/// A call that brought nothing.
pub(super) type CallError = GuardError<PairSourceError>;

impl Caller {
    /// The stream of entropy `ids` names the calls.
    pub(super) fn new(
        guard: Arc<Guard>,
        runtime: &Arc<dyn Runtime>,
        ids: &'static str,
        board: &Arc<Board>,
        breakers: BreakerLog,
    ) -> Self {
        Self {
            guard,
            ids: runtime.entropy(ids),
            runtime: runtime.clone(),
            board: board.clone(),
            makes_figures: true,
            breakers,
            lease: None,
            closed: watch::Sender::new(false),
            told_pause: AtomicU64::new(0),
        }
    }

    /// Its calls do not count among those that scoring waits for.
    pub(super) fn without_figures(self) -> Self {
        Self { makes_figures: false, ..self }
    }

    /// After a pause of the process its calls end, until the lease is renewed: those that wait for another attempt, too.
    pub(super) fn under(self, lease: &Arc<Lease>) -> Self {
        Self { lease: Some(lease.clone()), ..self }
    }

    pub(super) fn guard(&self) -> &Guard {
        &self.guard
    }

    /// When the breaker admits a call again. `None` if it does now.
    pub(super) fn open_until(&self) -> Option<Moment> {
        self.guard.breaker().snapshot(self.runtime.now()).retry_at
    }

    /// Whether the breaker keeps calls back, but for its probes.
    pub(super) fn is_away(&self) -> bool {
        match self.guard.breaker().snapshot(self.runtime.now()).state {
            State::Open | State::HalfOpen | State::ForcedOpen => true,
            State::Closed | State::Disabled => false,
        }
    }

    /// Reports what the last step of a call changed, and has it saved.
    fn report(&self) {
        let breaker = self.guard.breaker();
        let cause = || self.board.api_trouble(breaker.name()).map(|trouble| trouble.message);
        self.breakers.report(breaker, &*self.runtime, cause);
        let until = self.guard.paused_until();
        // Looked at before it is written: most steps change nothing, and take no lock to find that out.
        if self.told_pause.load(Ordering::Relaxed) == until.as_nanos()
            || self.told_pause.swap(until.as_nanos(), Ordering::Relaxed) == until.as_nanos()
        {
            return;
        }
        let (api, pause) = (breaker.name(), until - self.runtime.now());
        if !pause.is_zero() {
            tracing::warn!(
                api,
                pause_ms = pause.as_millis(),
                "rate limited upstream; pausing, then sending fewer requests"
            );
            self.board.tally.count("api.rate_limit_pauses", &[api], 1);
            self.breakers.put();
        }
    }

    /// No attempt begins from now on: calls that wait for one end at once, others with their attempt.
    pub(super) fn close(&self) {
        self.closed.send_replace(true);
    }

    /// Makes a call; without a turn it waits for one. `judge` says what its errors mean.
    pub(super) async fn call<T, F>(
        &self,
        turn: Option<Turn>,
        endpoint: &'static str,
        judge: fn(&PairSourceError) -> Disposition,
        mut request: impl FnMut() -> F,
    ) -> Result<T, CallError>
    where
        F: Future<Output = Result<T, PairSourceError>>,
    {
        let call = CorrelationId::draw(&*self.ids);
        let (under_way, attempts) = (AtomicBool::new(false), AtomicU32::new(0));
        let (lapsed, dropped) = (AtomicBool::new(false), AtomicBool::new(false));
        let operation = |attempt: ttm_guard::Attempt| {
            let holds = self.lease.as_ref().is_none_or(|lease| lease.holds());
            let request = holds.then(&mut request);
            let (under_way, dropped) = (&under_way, &dropped);
            under_way.store(holds, Ordering::Relaxed);
            lapsed.store(!holds, Ordering::Relaxed);
            attempts.store(attempt.number, Ordering::Relaxed);
            async move {
                // The call is over, and nothing waits for this attempt.
                let Some(request) = request else { return std::future::pending().await };
                let attempt = Attempt {
                    caller: self,
                    endpoint,
                    started: self.runtime.now(),
                    under_way,
                    dropped,
                    number: attempt.number,
                };
                attempt.observe(call, request).await
            }
        };
        let mut guarded = pin!(async {
            match turn {
                Some(turn) => self.guard.call_on(turn, Moment::MAX, judge, operation).await,
                None => self.guard.call(Moment::MAX, judge, operation).await,
            }
        });
        // Dropped before the call is: what its attempts then see is that nobody waits for them any more.
        let _call = CallGuard(&dropped);
        let mut closing = self.closed.subscribe();
        let mut closing = pin!(async move { drop(closing.wait_for(|closed| *closed).await) });
        let mut is_closed = false;
        let answer = poll_fn(|cx| {
            is_closed = is_closed || closing.as_mut().poll(cx).is_ready();
            let gives_up =
                || (is_closed || lapsed.load(Ordering::Relaxed)) && !under_way.load(Ordering::Relaxed);
            let over =
                || Poll::Ready(Err(GuardError::TimedOut { attempts: attempts.load(Ordering::Relaxed) }));
            if gives_up() {
                return over();
            }
            let polled = guarded.as_mut().poll(cx);
            // After every step and not at the end: a call that opened the breaker may wait for seconds to try again.
            self.report();
            if polled.is_pending() && gives_up() { over() } else { polled }
        })
        .await;
        answer.inspect_err(|error| tracing::debug!(%call, endpoint, %error, "the call brought nothing"))
    }
}

/// Says of a call that it was dropped.
struct CallGuard<'a>(&'a AtomicBool);

impl Drop for CallGuard<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// One attempt; counted also when it is dropped at its deadline, or by a panic in what makes it, which is no failure of the API.
struct Attempt<'a> {
    caller: &'a Caller,
    endpoint: &'static str,
    started: Moment,
    /// Until it is counted.
    under_way: &'a AtomicBool,
    /// Whether its caller dropped the whole call, which says nothing of the API.
    dropped: &'a AtomicBool,
    number: u32,
}

impl Attempt<'_> {
    async fn observe<T>(
        self,
        call: CorrelationId,
        request: impl Future<Output = Result<T, PairSourceError>>,
    ) -> Result<T, PairSourceError> {
        let endpoint = self.endpoint;
        let result = request.await;
        self.finish(result.is_ok());
        let api = self.caller.guard.breaker().name();
        match &result {
            Ok(_) => self.caller.board.post_api_answered(api),
            Err(error) => {
                match error {
                    PairSourceError::RateLimited { .. } => self.caller.board.post_rate_limited(api),
                    PairSourceError::Forbidden { .. } => self.caller.board.post_forbidden(api),
                    _ => {}
                }
                self.caller.board.tally.count("api.endpoint_errors", &[endpoint, word(error)], 1);
                self.caller.board.post_api_error(api, &error.to_string());
            }
        }
        if let Err(error) = &result {
            tracing::debug!(%call, endpoint, attempt = self.number, %error, "an attempt failed");
        }
        result
    }

    fn finish(&self, ok: bool) {
        self.under_way.store(false, Ordering::Relaxed);
        let latency = self.caller.runtime.now() - self.started;
        self.caller.board.tally.time("api.endpoint_calls", &[self.endpoint], latency);
        if self.caller.makes_figures {
            self.caller.board.post_call(latency, ok);
        }
        let labels = self.count(if ok { "ok" } else { "error" });
        metrics::histogram!("ttm_api_request_seconds", &labels).record(latency.as_secs_f64());
    }

    fn count(&self, outcome: &'static str) -> [(&'static str, &'static str); 2] {
        let labels = [("endpoint", self.endpoint), ("outcome", outcome)];
        metrics::counter!("ttm_api_requests_total", &labels).increment(1);
        labels
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if !self.under_way.load(Ordering::Relaxed) {
            return;
        }
        if self.dropped.load(Ordering::Relaxed) {
            self.under_way.store(false, Ordering::Relaxed);
            self.count("cancelled");
            return;
        }
        if std::thread::panicking() {
            self.under_way.store(false, Ordering::Relaxed);
            self.count("panicked");
            return;
        }
        self.finish(false);
        let api = self.caller.guard.breaker().name();
        self.caller.board.tally.count("api.endpoint_errors", &[self.endpoint, "timeout"], 1);
        let waited = self.caller.runtime.now() - self.started;
        // Whole seconds, or each time would be another error.
        let error = format!("no answer within {} s", waited.as_secs().max(1));
        self.caller.board.post_api_error(api, &error);
    }
}

/// An error as a label.
const fn word(error: &PairSourceError) -> &'static str {
    match error {
        PairSourceError::Transient { .. } => "transient",
        PairSourceError::RateLimited { .. } => "rate_limited",
        PairSourceError::Forbidden { .. } => "forbidden",
        PairSourceError::Rejected { .. } => "rejected",
        PairSourceError::Malformed { .. } => "malformed",
    }
}

/// What an error means whose cause may be what was asked: it is not tried again.
pub(super) fn on_trial(error: &PairSourceError) -> Disposition {
    match disposition(error) {
        Disposition::Transient { .. } => Disposition::Refused,
        other => other,
    }
}

/// What an error means whose cause is most likely what was asked: it says nothing about the API, either.
pub(super) fn of_suspects(error: &PairSourceError) -> Disposition {
    match disposition(error) {
        Disposition::Transient { .. } => Disposition::Invalid,
        other => other,
    }
}

/// What an error of the API means to its guard. Total: a new variant does not compile until it is classified.
pub(super) fn disposition(error: &PairSourceError) -> Disposition {
    match error {
        PairSourceError::Transient { retry_after, .. } => {
            Disposition::Transient { retry_after: *retry_after }
        }
        PairSourceError::RateLimited { retry_after, .. } => {
            Disposition::RateLimited { retry_after: *retry_after }
        }
        PairSourceError::Malformed { .. } => Disposition::Transient { retry_after: None },
        PairSourceError::Forbidden { .. } => Disposition::Refused,
        PairSourceError::Rejected { .. } => Disposition::Invalid,
    }
}
