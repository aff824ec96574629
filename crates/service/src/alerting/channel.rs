//! A channel behind its guard: a breaker, so that one that is down is left alone, and a budget, so that it is never flooded.

use std::sync::Arc;
use std::time::Duration;

use ttm_alert::{Attempt, ChannelId, Message, Notifier, Outcome};
use ttm_breaker::{Breaker, BreakerConfig, BreakerSettings};
use ttm_guard::{Disposition, Guard, GuardConfig, GuardError, GuardSettings, Turn};
use ttm_kernel::{Moment, Runtime};
use ttm_retry::{RetryPolicy, RetrySettings};

use super::failing::{Failing, no_answer};
use super::journal::Told;
use crate::lease::Lease;

/// A channel is waited for at least this long until it may be told something.
const TURN: Duration = Duration::from_secs(10);
/// As many as the strictest of the known services takes.
const A_MINUTE: u32 = 60;
/// How many messages are under way at once: one that hangs keeps no other one back.
const AT_ONCE: u32 = 4;
/// A channel that was down is looked at again after this at the latest, so that no escalation passes by it.
const AWAY: Duration = Duration::from_mins(1);

/// How many alerts of a refused message the log names.
const NAMED: usize = 5;

/// A channel.
pub(crate) struct Channel {
    id: ChannelId,
    /// Whether it takes messages.
    pub(crate) failing: Failing,
    notifier: Arc<dyn Notifier>,
    guard: Guard,
}

impl Channel {
    pub(crate) fn new(id: &ChannelId, notifier: Arc<dyn Notifier>, clock: &Arc<dyn Runtime>) -> Self {
        let patience = notifier.patience();
        let usual = BreakerSettings::default();
        let breaker = BreakerSettings {
            // One that is slow is still under way.
            probe_lease: usual.probe_lease.max(patience + TURN),
            recovery_timeout: AWAY / 2,
            max_recovery_timeout: AWAY,
            ..usual
        };
        let breaker = BreakerConfig::try_new(breaker).expect("these are valid");
        let breaker = Arc::new(Breaker::new(id.as_str(), breaker, clock.entropy("channels")));
        let settings = GuardSettings {
            attempt_timeout: patience,
            deadline: patience,
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
        Self { id: id.clone(), failing: Failing::channel(id), notifier, guard }
    }

    /// Waits until it may be told something, which is not decided before that: until what is under way is answered, if need be. Only one
    /// that has asked for patience lets that pass.
    ///
    /// # Errors
    /// For how long it is told nothing, if that is known.
    pub(crate) async fn turn(&self, clock: &dyn Runtime) -> Result<Turn, Option<Duration>> {
        let turn = self.guard.turn(clock.now() + self.notifier.patience().max(TURN)).await;
        turn.map_err(|error| {
            let (after, why) = not_sent(&error, clock.now());
            self.failing.left_alone(why, clock);
            after
        })
    }

    /// Sends a message once, under the lease. What the store does not have is journalled, before and after.
    ///
    /// # Errors
    /// It was not sent, and for how long it will not be, if that is known.
    pub(crate) async fn send(
        &self,
        turn: Turn,
        attempt: &Attempt,
        lease: &Lease,
        journal: &Told,
        clock: &dyn Runtime,
    ) -> Result<Outcome, Option<Duration>> {
        let journal = Some(journal).filter(|_| attempt.is_unsaved);
        if let Some(journal) = journal {
            journal.append(&attempt.row, None).await;
        }
        let sent = self.call(turn, attempt, lease, clock).await;
        if let Some(journal) = journal {
            let not_sent = |after| Outcome::Retry { after, why: "it was not sent".to_owned() };
            journal.append(&attempt.row, Some(&sent.clone().unwrap_or_else(not_sent))).await;
        }
        sent
    }

    /// The fallback may refuse it as well: then this is the one place where it is told.
    fn log_refused(&self, message: &Message, why: &str) {
        let alerts: Vec<String> = message.items.iter().take(NAMED).map(|item| item.key.to_string()).collect();
        let more = message.items.len() + message.more_items - alerts.len();
        tracing::error!(
            channel = self.id.as_str(),
            severity = %message.severity,
            alerts = alerts.join(", "),
            more,
            why,
            "a message was refused for good, and is among the dead letters"
        );
    }

    async fn call(
        &self,
        turn: Turn,
        attempt: &Attempt,
        lease: &Lease,
        clock: &dyn Runtime,
    ) -> Result<Outcome, Option<Duration>> {
        // Another process may have taken over meanwhile. That says nothing about the channel.
        if !lease.holds() {
            return Err(None);
        }
        let call = self.guard.call_on(turn, Moment::MAX, disposition, |_| async {
            match self.notifier.send(attempt).await {
                delivered @ Outcome::Delivered { .. } => Ok(delivered),
                failed => Err(failed),
            }
        });
        let outcome = match call.await {
            Ok(delivered) => delivered,
            Err(GuardError::Failed { error, .. }) => error,
            Err(GuardError::TimedOut { attempts: 1.. }) => no_answer(self.notifier.patience()),
            Err(error) => {
                let (after, why) = not_sent(&error, clock.now());
                self.failing.left_alone(why, clock);
                return Err(after);
            }
        };
        self.failing.sent(&outcome, clock);
        if let Outcome::Refused { why } = &outcome {
            self.log_refused(&attempt.row.message, why);
        }
        Ok(outcome)
    }
}

/// When something may be sent that is not sent now, and why that is.
fn not_sent<E>(error: &GuardError<E>, now: Moment) -> (Option<Duration>, &'static str) {
    match error {
        GuardError::Rejected(rejected) => {
            let after = rejected.retry_at.saturating_since(now).min(AWAY);
            (Some(after), "left alone for a while, since it failed again and again")
        }
        GuardError::Throttled { retry_at } => {
            (Some(retry_at.saturating_since(now)), "it has asked for patience")
        }
        GuardError::TimedOut { .. } | GuardError::Failed { .. } => (None, "no message under way is answered"),
    }
}

/// What is refused for good says nothing about the channel's health: the message may be wrong.
fn disposition(failed: &Outcome) -> Disposition {
    match failed {
        Outcome::Retry { after: Some(after), .. } => Disposition::RateLimited { retry_after: Some(*after) },
        Outcome::Retry { after: None, .. } => Disposition::Transient { retry_after: None },
        Outcome::Refused { .. } | Outcome::Delivered { .. } => Disposition::Invalid,
    }
}
