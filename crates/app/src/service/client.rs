//! The API behind its guard: what the runs call. Translates the port's errors into what breaker and retry understand,
//! counts every attempt and logs what matters, once.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;

use ttm_guard::{Disposition, Guard, GuardError};
use ttm_kernel::{CorrelationId, Entropy, Moment, Runtime};
use ttm_market::{Mint, PairBatch, PairSource, PairSourceError};

use super::board::Board;
use super::breakers::{BreakerOutbox, tell_transitions};

/// The API as the runs see it.
pub(super) struct Client {
    source: Arc<dyn PairSource>,
    guard: Guard,
    runtime: Arc<dyn Runtime>,
    board: Arc<Board>,
    breakers: Arc<BreakerOutbox>,
    ids: Arc<dyn Entropy>,
}

/// A call that brought nothing.
pub(super) type CallError = GuardError<PairSourceError>;

impl Client {
    pub(super) fn new(
        source: Arc<dyn PairSource>,
        guard: Guard,
        runtime: Arc<dyn Runtime>,
        board: Arc<Board>,
        breakers: Arc<BreakerOutbox>,
    ) -> Self {
        let ids = runtime.entropy("calls");
        Self { source, guard, runtime, board, breakers, ids }
    }

    /// The primary pools of up to a batch of mints.
    pub(super) async fn primary_pairs(
        &self,
        run: CorrelationId,
        mints: &[Mint],
    ) -> Result<PairBatch, CallError> {
        self.call(run, "tokens", || self.source.primary_pairs(mints)).await
    }

    /// All pools of one mint.
    pub(super) async fn all_pairs(&self, run: CorrelationId, mint: Mint) -> Result<PairBatch, CallError> {
        self.call(run, "token-pairs", || self.source.all_pairs(mint)).await
    }

    async fn call<F>(
        &self,
        run: CorrelationId,
        endpoint: &'static str,
        mut request: impl FnMut() -> F,
    ) -> Result<PairBatch, CallError>
    where
        F: Future<Output = Result<PairBatch, PairSourceError>>,
    {
        let call = CorrelationId::draw(&*self.ids);
        let mut guarded = pin!(self.guard.call(Moment::MAX, disposition, |attempt| {
            let request = request();
            async move {
                let attempt = Attempt {
                    client: self,
                    started: self.runtime.now(),
                    over: false,
                    number: attempt.number,
                };
                attempt.observe(run, call, endpoint, request).await
            }
        }));
        // After every step and not at the end: a call that opened the breaker may wait for seconds to try again.
        let answer = poll_fn(|cx| {
            let polled = guarded.as_mut().poll(cx);
            tell_transitions(self.guard.breaker(), &*self.runtime, &self.breakers);
            polled
        })
        .await;
        match answer {
            Ok(answer) => Ok(answer.value),
            Err(error) => {
                tracing::debug!(%run, %call, endpoint, %error, "the call brought nothing");
                Err(error)
            }
        }
    }
}

/// One attempt; counted also when it is dropped at its deadline.
struct Attempt<'a> {
    client: &'a Client,
    started: Moment,
    over: bool,
    number: u32,
}

impl Attempt<'_> {
    async fn observe(
        mut self,
        run: CorrelationId,
        call: CorrelationId,
        endpoint: &'static str,
        request: impl Future<Output = Result<PairBatch, PairSourceError>>,
    ) -> Result<PairBatch, PairSourceError> {
        let result = request.await;
        self.finish(result.is_ok());
        if let Err(error) = &result {
            tracing::debug!(%run, %call, endpoint, attempt = self.number, %error, "an attempt failed");
        }
        result
    }

    fn finish(&mut self, ok: bool) {
        self.over = true;
        let latency = self.client.runtime.now() - self.started;
        self.client.board.post_call(latency, ok);
        let outcome = if ok { "ok" } else { "error" };
        metrics::counter!("ttm_api_requests_total", "outcome" => outcome).increment(1);
        metrics::histogram!("ttm_api_request_seconds", "outcome" => outcome).record(latency.as_secs_f64());
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if !self.over {
            self.finish(false);
        }
    }
}

/// What an error of the API means to its guard. Total: a new variant does not compile until it is classified.
fn disposition(error: &PairSourceError) -> Disposition {
    match error {
        PairSourceError::Transient { retry_after, .. } => {
            Disposition::Transient { retry_after: *retry_after }
        }
        PairSourceError::RateLimited { retry_after } => {
            Disposition::RateLimited { retry_after: *retry_after }
        }
        PairSourceError::Malformed { .. } => Disposition::Transient { retry_after: None },
        PairSourceError::Forbidden { .. } => Disposition::Refused,
        PairSourceError::Rejected { .. } => Disposition::Invalid,
    }
}
