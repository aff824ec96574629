//! The API behind its guard: what requests go through. Translates the port's errors into what breaker and retry understand,
//! counts every attempt and logs what matters, once.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use ttm_guard::{Disposition, Guard, GuardError, Rate, Turn};
use ttm_kernel::{CorrelationId, Entropy, Moment, Runtime};
use ttm_market::{Mint, PairBatch, PairSource, PairSourceError};

use super::board::Board;
use super::breakers::{BreakerOutbox, tell_transitions};

/// The API as requests see it.
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

    /// Waits for a turn; what is asked on it is decided when it is there.
    pub(super) async fn turn(&self) -> Result<Turn, GuardError<Infallible>> {
        self.guard.turn(Moment::MAX).await
    }

    /// How fast turns come now.
    pub(super) fn rate(&self) -> Rate {
        self.guard.rate().unwrap_or(Rate { share: 1.0, paused_until: None })
    }

    /// Attempts may take this long from now on.
    pub(super) fn set_attempt_timeout(&self, timeout: Duration) {
        self.guard.set_attempt_timeout(timeout);
    }

    /// The primary pools of up to a batch of mints; without a turn it waits for one.
    pub(super) async fn primary_pairs(
        &self,
        turn: Option<Turn>,
        mints: &[Mint],
    ) -> Result<PairBatch, CallError> {
        self.call(turn, "tokens", || self.source.primary_pairs(mints)).await
    }

    /// All pools of one mint; without a turn it waits for one.
    pub(super) async fn all_pairs(&self, turn: Option<Turn>, mint: Mint) -> Result<PairBatch, CallError> {
        self.call(turn, "token-pairs", || self.source.all_pairs(mint)).await
    }

    async fn call<F>(
        &self,
        turn: Option<Turn>,
        endpoint: &'static str,
        mut request: impl FnMut() -> F,
    ) -> Result<PairBatch, CallError>
    where
        F: Future<Output = Result<PairBatch, PairSourceError>>,
    {
        let call = CorrelationId::draw(&*self.ids);
        let operation = |attempt: ttm_guard::Attempt| {
            let request = request();
            async move {
                let attempt = Attempt {
                    client: self,
                    started: self.runtime.now(),
                    over: false,
                    number: attempt.number,
                };
                attempt.observe(call, endpoint, request).await
            }
        };
        let mut guarded = pin!(async {
            match turn {
                Some(turn) => self.guard.call_on(turn, Moment::MAX, disposition, operation).await,
                None => self.guard.call(Moment::MAX, disposition, operation).await,
            }
        });
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
                tracing::debug!(%call, endpoint, %error, "the call brought nothing");
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
        call: CorrelationId,
        endpoint: &'static str,
        request: impl Future<Output = Result<PairBatch, PairSourceError>>,
    ) -> Result<PairBatch, PairSourceError> {
        let result = request.await;
        self.finish(result.is_ok());
        if let Err(error) = &result {
            tracing::debug!(%call, endpoint, attempt = self.number, %error, "an attempt failed");
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
