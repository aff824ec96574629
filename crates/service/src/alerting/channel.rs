//! A channel behind its guard: a breaker, so that one that is down is left alone, and a budget, so that it is never flooded.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use parking_lot::Mutex;
use ttm_alert::{Attempt, ChannelId, Notifier, Outcome};
use ttm_breaker::{Breaker, BreakerConfig, BreakerSettings};
use ttm_guard::{Disposition, Guard, GuardConfig, GuardError, GuardSettings, Turn};
use ttm_kernel::{Moment, Runtime};
use ttm_retry::{RetryPolicy, RetrySettings};

use super::journal::Told;
use crate::lease::Lease;

/// How long one attempt may take, with all that a channel does for it.
const TIMEOUT: Duration = Duration::from_secs(15);
/// How long a channel is waited for until it may be told something. Only one that has asked for patience, or answers nothing, lets it pass.
const TURN: Duration = Duration::from_secs(10);
/// As many as the strictest of the known services takes.
const A_MINUTE: u32 = 60;
/// How many messages are under way at once: one that hangs keeps no other one back.
const AT_ONCE: u32 = 4;
/// A channel that was down is looked at again after this at the latest, so that no escalation passes by it.
const AWAY: Duration = Duration::from_mins(1);

/// A channel.
pub(crate) struct Channel {
    pub(crate) id: ChannelId,
    notifier: Arc<dyn Notifier>,
    guard: Guard,
    /// Since when it takes nothing, and what it said last.
    failing: Mutex<Option<(Timestamp, String)>>,
}

impl Channel {
    pub(crate) fn new(id: ChannelId, notifier: Arc<dyn Notifier>, clock: &Arc<dyn Runtime>) -> Self {
        let breaker = BreakerSettings {
            recovery_timeout: AWAY / 2,
            max_recovery_timeout: AWAY,
            ..BreakerSettings::default()
        };
        let breaker = BreakerConfig::try_new(breaker).expect("these are valid");
        let breaker = Arc::new(Breaker::new(id.as_str(), breaker, clock.entropy("channels")));
        let settings = GuardSettings {
            attempt_timeout: TIMEOUT,
            deadline: TIMEOUT + TURN,
            requests_per_minute: Some(A_MINUTE),
            max_concurrent: Some(AT_ONCE),
            budget: None,
            ..GuardSettings::default()
        };
        let guard = GuardConfig::try_new(settings).expect("these are valid");
        // What is not taken is tried again by the desk, which knows by then whether it is still true.
        let once = RetryPolicy::try_new(RetrySettings { max_attempts: 1, ..RetrySettings::default() });
        let once = once.expect("these are valid");
        let guard = Guard::new(guard, breaker, once, clock.clone(), "channels");
        Self { id, notifier, guard, failing: Mutex::default() }
    }

    /// Since when it takes no messages, and why; `None` if it took the last one.
    pub(crate) fn failing(&self) -> Option<(Timestamp, String)> {
        self.failing.lock().clone()
    }

    /// Waits until it may be told something, which is not decided before that.
    ///
    /// # Errors
    /// For how long it is told nothing, if that is known.
    pub(crate) async fn turn(&self, clock: &dyn Runtime) -> Result<Turn, Option<Duration>> {
        let turn = self.guard.turn(clock.now() + TURN).await;
        turn.map_err(|error| {
            let failed = failed(error, clock.now(), |never| match never {});
            self.note(&failed, clock.wall());
            match failed {
                Outcome::Retry { after, .. } => after,
                Outcome::Delivered { .. } | Outcome::Refused { .. } => None,
            }
        })
    }

    /// Sends a message once, under the lease. What the store does not have is journalled, before and after.
    pub(crate) async fn send(
        &self,
        turn: Turn,
        attempt: &Attempt,
        lease: &Lease,
        journal: &Told,
        clock: &dyn Runtime,
    ) -> Outcome {
        let journal = Some(journal).filter(|_| attempt.is_unsaved);
        if let Some(journal) = journal {
            journal.append(&attempt.row, None).await;
        }
        let call = self.guard.call_on(turn, Moment::MAX, disposition, |_| async {
            // Another process may have taken over meanwhile.
            if !lease.holds() {
                let why = "this process could not renew its lease on the store".to_owned();
                return Err(Outcome::Retry { after: None, why });
            }
            match self.notifier.send(attempt).await {
                delivered @ Outcome::Delivered { .. } => Ok(delivered),
                failed => Err(failed),
            }
        });
        let outcome = match call.await {
            Ok(delivered) => delivered,
            Err(error) => failed(error, clock.now(), |outcome| outcome),
        };
        self.note(&outcome, clock.wall());
        if let Some(journal) = journal {
            journal.append(&attempt.row, Some(&outcome)).await;
        }
        outcome
    }

    /// What fails is logged when it begins and when it ends.
    fn note(&self, outcome: &Outcome, wall: Timestamp) {
        let mut failing = self.failing.lock();
        let channel = self.id.as_str();
        match outcome {
            Outcome::Delivered { .. } => {
                if let Some((since, _)) = failing.take() {
                    tracing::info!(channel, failed_since = %since, "the channel takes messages again");
                }
            }
            Outcome::Retry { why, .. } | Outcome::Refused { why } => {
                if let Some((_, last)) = &mut *failing {
                    return why.clone_into(last);
                }
                tracing::warn!(channel, error = why, "the channel does not take a message");
                *failing = Some((wall, why.clone()));
            }
        }
    }
}

/// What a call comes to that its guard has given up.
fn failed<E>(error: GuardError<E>, now: Moment, of: impl FnOnce(E) -> Outcome) -> Outcome {
    let (after, why) = match error {
        GuardError::Failed { error, .. } => return of(error),
        GuardError::Rejected(rejected) => {
            let after = rejected.retry_at.saturating_since(now).min(AWAY);
            (Some(after), "left alone for a while, since it failed again and again".to_owned())
        }
        GuardError::Throttled { retry_at } => {
            (Some(retry_at.saturating_since(now)), "it has asked for patience".to_owned())
        }
        GuardError::TimedOut { attempts: 0 } => (None, "no message under way is answered".to_owned()),
        GuardError::TimedOut { .. } => (None, format!("no answer within {} s", TIMEOUT.as_secs())),
    };
    Outcome::Retry { after, why }
}

/// What is refused for good says nothing about the channel's health: the message may be wrong.
fn disposition(failed: &Outcome) -> Disposition {
    match failed {
        Outcome::Retry { after: Some(after), .. } => Disposition::RateLimited { retry_after: Some(*after) },
        Outcome::Retry { after: None, .. } => Disposition::Transient { retry_after: None },
        Outcome::Refused { .. } | Outcome::Delivered { .. } => Disposition::Invalid,
    }
}
