//! The API as requests see it: pools of tokens, each call on a turn of the budget. It judges no answer.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use ttm_dispatch::Suspicion;
use ttm_guard::{GuardError, Rate, Turn};
use ttm_kernel::Moment;
use ttm_market::{Mint, PairBatch, PairSource};

use super::caller::{CallError, Caller, disposition, of_suspects, on_trial};
use super::lease::Lease;
use crate::machine::Upstream;

/// The pools' source behind its budget.
pub(super) struct Client {
    source: Arc<dyn PairSource>,
    caller: Caller,
    lease: Arc<Lease>,
}

impl Client {
    pub(super) fn new(source: Arc<dyn PairSource>, caller: Caller, lease: Arc<Lease>) -> Self {
        Self { source, caller: caller.under(&lease), lease }
    }

    /// Waits for a turn; what is asked on it is decided when it is there.
    pub(super) async fn turn(&self) -> Result<Turn, GuardError<Infallible>> {
        loop {
            let turn = self.caller.guard().turn(Moment::MAX).await;
            // After a pause of the process renewing comes before any request, and the turn goes to the next.
            if turn.is_err() || self.lease.holds() {
                return turn;
            }
            drop(turn);
            self.lease.held().await;
        }
    }

    /// What upstream allows now.
    pub(super) fn upstream(&self) -> Upstream {
        let rate = self.caller.guard().rate().unwrap_or(Rate { share: 1.0, paused_until: None });
        Upstream {
            is_away: self.caller.is_away(),
            retry_at: self.caller.open_until(),
            share: rate.share,
            paused_until: rate.paused_until,
        }
    }

    /// Whether the breaker keeps calls back, but for its probes.
    pub(super) fn is_away(&self) -> bool {
        self.caller.is_away()
    }

    /// Attempts may take this long from now on.
    pub(super) fn set_attempt_timeout(&self, timeout: Duration) {
        self.caller.guard().set_attempt_timeout(timeout);
    }

    /// No request begins from now on, and those that wait to be tried again end.
    pub(super) fn close(&self) {
        self.caller.close();
    }

    /// The primary pools of up to a batch of mints; without a turn it waits for one.
    pub(super) async fn primary_pairs(
        &self,
        turn: Option<Turn>,
        mints: &[Mint],
        suspicion: Suspicion,
    ) -> Result<PairBatch, CallError> {
        let judge = match suspicion {
            Suspicion::None => disposition,
            // While the breaker is not closed whatever is asked is a probe, and a probe that does not count decides nothing.
            Suspicion::Likely if !self.caller.is_away() => of_suspects,
            Suspicion::Likely | Suspicion::OnTrial => on_trial,
        };
        self.caller.call(turn, "tokens", judge, || self.source.primary_pairs(mints)).await
    }

    /// All pools of one mint; without a turn it waits for one.
    pub(super) async fn all_pairs(&self, turn: Option<Turn>, mint: Mint) -> Result<PairBatch, CallError> {
        self.caller.call(turn, "token-pairs", disposition, || self.source.all_pairs(mint)).await
    }
}
