//! Tells people what is wrong: measures, has the desk decide, stores what it decides, and sends what is stored.
//!
//! The desk outlives every incarnation of the part that works it, since it knows of messages that no store may have. The part
//! owns it for as long as it lives, and hands it on when it is dropped, wherever it stands; what was under way then counts as
//! failed, and is stored or sent once more under the same key. It runs on the supervision plane, so that a work plane that
//! hangs is told of, and does a bounded piece of work at a time.
//!
//! A message goes out under the lease alone: a process that was paused for long may have been replaced by another one, which
//! tells the same.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::OwnedMutexGuard;
use ttm_alert::{Attempt, Commit, Journalled, Loaded, Now, Outcome, RowKey};
use ttm_health::{HealthView as _, Phase};
use ttm_kernel::{BoxFuture, Entropy, FencingToken, Moment, Runtime, StoreError, StoreErrorKind};

use crate::bounded::bounded;
use crate::events::EventLog;
use crate::life::Life;
use crate::resident::Resident;
use crate::stop::Stop;
use crate::stores::StoreUse;
use crate::vital::Vital;

mod briefing;
mod channel;
mod control;
mod feeds;
mod heart;
mod journal;
mod measure;
mod seat;

pub use briefing::{Briefing, Links};
pub(crate) use control::OfAlerts;
pub(crate) use measure::Refusals;
pub(crate) use seat::Alerting;
use seat::{Order, Seat};

/// How many pieces of work are done before others on this plane get their turn: about a millisecond at most.
const AT_ONCE: usize = 50;
/// How soon a store that has failed is asked again.
const RETRY: Duration = Duration::from_secs(1);
/// How often the observed time of alerts is stored, which is what a kill loses of it.
const CHECKPOINT: Duration = Duration::from_mins(1);
/// Facts that are older than this and the interval of reports are not measured: whoever gathers them is late or gone.
const FRESH: Duration = Duration::from_secs(5);
/// What could not be done when it was due is looked at again after this.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// What is sent at a stop has this long to arrive; the next process sends again what did not.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Others on this plane have their turn.
async fn step_aside() {
    let mut has_waited = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut has_waited, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// An answer of a channel: to which message, what it was, and how long it took.
type Answer = (RowKey, Outcome, Duration);

/// The part that works the desk.
pub(crate) struct Alerts {
    resident: Arc<Resident>,
    under: FencingToken,
    runtime: Arc<dyn Runtime>,
    entropy: Arc<dyn Entropy>,
    stop: Stop,
    vital: Vital,
    events: EventLog,
    seat: OwnedMutexGuard<Seat>,
    commit: Option<BoxFuture<'static, Result<(), StoreError>>>,
    load: Option<BoxFuture<'static, (Result<Loaded, StoreError>, Vec<Journalled>)>>,
    /// What was read, until nothing is under way any more that a desk which has read it would not know.
    loaded: Option<Loaded>,
    /// When the store may be asked again.
    retry_at: Moment,
    sends: FuturesUnordered<BoxFuture<'static, Answer>>,
    feeds: feeds::Feeds,
    heart: heart::Heart,
    next_checkpoint: Moment,
    /// Whether a newer writer has taken over.
    is_fenced: bool,
}

/// What woke the loop.
enum Wake {
    Stop,
    Stored(Result<(), StoreError>),
    Loaded(Result<Loaded, StoreError>, Vec<Journalled>),
    Answered(Answer),
    Told,
    Ordered(Order),
    Timeout,
}

impl Alerts {
    /// Takes its seat once whoever had it before is gone.
    pub(crate) async fn take_up(resident: Arc<Resident>, life: Life) -> Self {
        let under = resident.token_of(&life);
        let Life { author, runtime, stop, vital } = life;
        let mut seat = resident.alerting.seat.clone().lock_owned().await;
        let entropy = runtime.entropy("alerts");
        let now = runtime.now();
        seat.give_up_what_is_under_way(Now { moment: now, wall: runtime.wall(), jitter: entropy.unit() });
        Self {
            events: resident.events.by(author),
            feeds: feeds::Feeds::new(&resident.ports, now),
            heart: heart::Heart::new(&resident.ports, resident.settings.alerts.heartbeat, now),
            under,
            entropy,
            stop,
            vital,
            seat,
            commit: None,
            load: None,
            loaded: None,
            retry_at: now,
            sends: FuturesUnordered::new(),
            next_checkpoint: now + CHECKPOINT,
            is_fenced: false,
            resident,
            runtime,
        }
    }

    /// Works until the stop is ordered, then stores what there is to store.
    pub(crate) async fn run(mut self) {
        while self.stop.deadline().is_none() && !self.is_over() {
            self.vital.got_on();
            self.evaluate();
            self.tell_feeds();
            self.beat();
            let wake = self.turn(Moment::MAX).await;
            self.handle(wake);
        }
        let patience = self.runtime.now() + LAST_WORDS;
        let by = self.stop.deadline().map_or(patience, |deadline| deadline.min(patience));
        let is_done =
            |this: &Self| this.sends.is_empty() && this.commit.is_none() && this.seat.desk.is_saved();
        while self.runtime.now() < by && !self.is_over() {
            self.vital.got_on();
            let wake = self.turn(by).await;
            self.handle(wake);
            if is_done(&self) {
                return;
            }
        }
    }

    /// Whether another process, or another incarnation of this part, tells from now on.
    fn is_over(&self) -> bool {
        self.is_fenced || self.resident.lease.lost().is_some()
    }

    fn now(&self) -> Now {
        Now { moment: self.runtime.now(), wall: self.runtime.wall(), jitter: self.entropy.unit() }
    }

    /// Does what there is to do, and waits for what comes next, at most until then.
    async fn turn(&mut self, by: Moment) -> Wake {
        let now = self.now();
        self.seat.desk.handle_timeout(now);
        if now.moment >= self.next_checkpoint {
            self.next_checkpoint = now.moment + CHECKPOINT;
            self.seat.desk.checkpoint();
        }
        while self.seat.desk.poll(AT_ONCE, now) {
            step_aside().await;
        }
        while let Some(turn) = self.seat.desk.poll_turn() {
            self.events.alert(&turn);
        }
        let holds = self.resident.lease.holds();
        if !self.seat.is_read {
            self.go_on_reading(now);
        } else if holds && now.moment >= self.retry_at && self.commit.is_none() {
            self.commit = self.seat.desk.poll_commit(now).map(|commit| self.store(commit));
        }
        let sends = holds && self.loaded.is_none();
        while let Some(attempt) = if sends { self.seat.desk.poll_send(now) } else { None } {
            self.send(attempt, now.moment);
        }
        let is_stopping = self.stop.deadline().is_some();
        let mut until = self.seat.desk.poll_timeout(now).min(by).max(now.moment);
        if self.commit.is_none() && self.load.is_none() && !(self.seat.is_read && self.seat.desk.is_saved()) {
            until = until.min(self.retry_at.max(now.moment + Duration::from_millis(100)));
        }
        if !is_stopping {
            until = self.next_due(until, now.moment);
        }
        let timer = self.runtime.sleep_until(until.max(now.moment + Duration::from_millis(1)));
        let Self { stop, seat, commit, load, sends, feeds, heart, .. } = self;
        tokio::select! {
            biased;
            _ = stop.ordered(), if !is_stopping => Wake::Stop,
            stored = async { commit.as_mut().expect("only polled when there is one").await }, if commit.is_some() => {
                Wake::Stored(stored)
            }
            (loaded, journal) = async { load.as_mut().expect("only polled when there is one").await }, if load.is_some() => {
                Wake::Loaded(loaded, journal)
            }
            Some(answer) = sends.next() => Wake::Answered(answer),
            () = feeds.answered() => Wake::Told,
            () = heart.answered() => Wake::Told,
            Some(order) = seat.orders.recv() => Wake::Ordered(order),
            () = timer => Wake::Timeout,
        }
    }

    /// When something is due that is not done by now. What could not be done when it was due is looked at again.
    fn next_due(&self, until: Moment, now: Moment) -> Moment {
        let due = [self.seat.next_evaluation, self.feeds.due(), self.heart.due()];
        due.into_iter().map(|due| if due > now { due } else { now + LOOK_AGAIN }).fold(until, Moment::min)
    }

    fn handle(&mut self, wake: Wake) {
        let now = self.now();
        match wake {
            Wake::Stored(stored) => {
                self.commit = None;
                self.stored(stored);
            }
            Wake::Answered((key, outcome, latency)) => {
                self.seat.under_way.remove(&key);
                self.seat.desk.handle_outcome(&key, &outcome, latency, now);
            }
            Wake::Ordered(order) => self.seat.order(order, now),
            Wake::Loaded(loaded, journal) => {
                self.load = None;
                self.loaded(loaded, journal);
            }
            Wake::Stop | Wake::Told | Wake::Timeout => {}
        }
        self.seat.confirm(now.moment);
    }

    fn store(&self, commit: Arc<Commit>) -> BoxFuture<'static, Result<(), StoreError>> {
        let (resident, runtime, under) = (self.resident.clone(), self.runtime.clone(), self.under);
        Box::pin(async move {
            resident.board.stores.may_ask(StoreUse::Alerts, runtime.now(), runtime.wall())?;
            bounded("storing alerts", &*runtime, resident.ports.alerts.commit(under, &commit)).await
        })
    }

    /// Reads what the store has, and goes on with it once nothing is under way that the desk which has read it would not know of. While
    /// the store does not answer, what is CRITICAL goes out from memory.
    fn go_on_reading(&mut self, now: Now) {
        if let Some(loaded) = self.loaded.take_if(|_| self.sends.is_empty()) {
            self.seat.read(&loaded, now);
            return;
        }
        if self.loaded.is_none() && self.load.is_none() && now.moment >= self.retry_at {
            let (resident, runtime) = (self.resident.clone(), self.runtime.clone());
            self.load = Some(Box::pin(async move {
                let stores = &resident.board.stores;
                let loaded = match stores.may_ask(StoreUse::Alerts, runtime.now(), runtime.wall()) {
                    Ok(()) => bounded("loading alerts", &*runtime, resident.ports.alerts.load()).await,
                    Err(error) => Err(error),
                };
                let journal = resident.alerting.journal.read().await;
                (loaded, journal)
            }));
        }
        if self.seat.goes_unread && self.seat.desk.poll_commit(now).is_some() {
            self.seat.desk.handle_commit_failed();
        }
    }

    fn loaded(&mut self, loaded: Result<Loaded, StoreError>, journal: Vec<Journalled>) {
        let (now, stores) = (self.runtime.now(), &self.resident.board.stores);
        match loaded {
            Ok(loaded) => {
                stores.answered(StoreUse::Alerts, now);
                self.loaded = Some(Loaded { journal, ..loaded });
            }
            Err(error) if error.kind() == StoreErrorKind::Unexpected => {
                // A row that no process can have written. Scores matter more than what was told, and what is wrong now matters more as well.
                tracing::error!(%error, "what was told of alerts cannot be read: what fires is told anew");
                self.loaded = Some(Loaded { journal, ..Loaded::default() });
            }
            Err(error) => {
                stores.failed(StoreUse::Alerts, &error, now, self.runtime.wall());
                self.retry_at = now + RETRY.max(error.retry_after().unwrap_or_default());
                if !std::mem::replace(&mut self.seat.goes_unread, true) {
                    let (at, wall) = (now, self.runtime.wall());
                    let known = Loaded { journal, ..Loaded::default() };
                    self.seat.desk.restore(&known, Now { moment: at, wall, jitter: 0.0 });
                }
            }
        }
    }

    /// Tells somebody that this process lives and does what it is for.
    fn beat(&mut self) {
        if self.resident.lease.holds() && self.resident.board.report().live {
            self.heart.beat(self.runtime.now(), &self.resident.clock);
        }
    }

    fn stored(&mut self, stored: Result<(), StoreError>) {
        let (now, stores) = (self.runtime.now(), &self.resident.board.stores);
        match stored {
            Ok(()) => {
                stores.answered(StoreUse::Alerts, now);
                self.seat.desk.handle_committed();
                self.clear_journal();
            }
            Err(error) => {
                stores.failed(StoreUse::Alerts, &error, now, self.runtime.wall());
                self.seat.desk.handle_commit_failed();
                self.retry_at = now + RETRY.max(error.retry_after().unwrap_or_default());
                if let StoreErrorKind::Fenced { .. } = error.kind() {
                    self.resident.lease.fenced(&error);
                    self.is_fenced = true;
                }
            }
        }
    }

    /// The store has everything that was told from memory.
    fn clear_journal(&self) {
        let journal = &self.resident.alerting.journal;
        if self.seat.under_way.is_empty() && self.seat.desk.is_saved() && !journal.is_empty() {
            let journal = journal.clone();
            let clear = async move { journal.clear().await };
            drop(self.resident.clock.spawn("alert journal", Box::pin(clear)));
        }
    }

    fn send(&mut self, attempt: Attempt, now: Moment) {
        let key = attempt.row.key.clone();
        let Some(channel) = self.resident.alerting.channels.get(&key.channel).cloned() else {
            let why = format!("no channel with the name {} is configured", key.channel);
            let now = self.now();
            return self.seat.desk.handle_outcome(&key, &Outcome::Refused { why }, Duration::ZERO, now);
        };
        self.seat.under_way.insert(key.clone(), now);
        let (clock, resident) = (self.resident.clock.clone(), self.resident.clone());
        self.sends.push(Box::pin(async move {
            let begun = clock.now();
            let outcome = channel.send(&attempt, &resident, &*clock).await;
            (key, outcome, clock.now() - begun)
        }));
    }

    /// Measures what is due.
    fn evaluate(&mut self) {
        let (now, board) = (self.runtime.now(), &self.resident.board);
        self.seat.watch_clock(now, self.runtime.wall());
        let is_reading = !self.seat.is_read && !self.seat.goes_unread;
        if board.phase() != Phase::Running || is_reading || now < self.seat.next_evaluation {
            return;
        }
        self.seat.next_evaluation = now + self.resident.settings.alerts.every;
        let wall = self.runtime.wall();
        if let Some((at, facts)) = board.facts()
            && now - at <= self.resident.settings.report_interval + FRESH
        {
            let beside = self.beside();
            let thresholds = &self.resident.settings.thresholds;
            self.seat.evaluate("health", measure::health(&facts, &beside, thresholds), now);
        }
        let (sampled, sample) = board.sampled();
        if sampled > self.seat.resources_seen {
            // A share of the processors needs two samples.
            let is_first = self.seat.resources_seen.is_none();
            self.seat.resources_seen = sampled;
            self.seat.evaluate("resources", measure::resources(sample.as_ref(), is_first, wall), now);
        }
    }

    fn beside(&self) -> measure::Beside {
        let Resident { board, guards, tokens, events, alerting, .. } = &*self.resident;
        let now = self.resident.clock.now();
        let keeps_back = |guard: &Arc<ttm_guard::Guard>| {
            use ttm_breaker::State::{Closed, Disabled, ForcedOpen, HalfOpen, Open};
            let is_open = match guard.breaker().snapshot(now).state {
                Open | HalfOpen | ForcedOpen => true,
                Closed | Disabled => false,
            };
            (guard.breaker().name().to_owned(), is_open)
        };
        measure::Beside {
            parts: board.parts(),
            breakers: guards.iter().map(keeps_back).collect(),
            refusals: guards.iter().map(|guard| board.refusals(guard.breaker().name())).collect(),
            channels: alerting
                .channels
                .values()
                .map(|it| (it.id.to_string(), it.failing().is_some()))
                .collect(),
            heartbeat_fails: self.heart.fails(),
            lost: measure::Lost { tokens: tokens.counts().dropped, events: events.counts().dropped },
            clock_steps: self.seat.clock_steps,
        }
    }

    fn tell_feeds(&mut self) {
        let now = self.runtime.now();
        if self.resident.lease.holds() && self.seat.desk.engine().has_evaluated() {
            self.feeds.tell(&self.seat.desk, now, self.runtime.wall(), &self.resident.clock);
        }
    }
}
