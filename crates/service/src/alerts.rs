//! Tells people what is wrong: measures, has the desk decide, stores what it decides, and sends what is stored.
//!
//! The desk outlives every incarnation of the part that works it, since it knows of messages that no store may have. The part
//! owns it for as long as it lives, and hands it on when it is dropped, wherever it stands; what was under way then counts as
//! failed, and is stored or sent once more under the same key. It runs on the supervision plane, so that a work plane that
//! hangs is told of, and does a bounded piece of work at a time.
//!
//! A message goes out under the lease alone: a process that was paused for long may have been replaced by another one, which
//! tells the same.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::OwnedMutexGuard;
use ttm_alert::{Attempt, ChannelId, Loaded, Now, Outcome, RowKey};
use ttm_guard::Turn;
use ttm_kernel::{BoxFuture, Entropy, FencingToken, Moment, Runtime, StoreError};

use crate::alerting::{Order, Seat};
use crate::events::EventLog;
use crate::life::Life;
use crate::resident::Resident;
use crate::stop::Stop;
use crate::vital::Vital;

mod briefing;
mod control;
mod evaluate;
mod feeds;
mod heart;
mod measure;
mod store;

pub use briefing::{AcknowledgeLink, Briefing, Links};
pub(crate) use control::OfAlerts;

/// How many pieces of work are done before others on this plane get their turn: about a millisecond at most.
const AT_ONCE: usize = 50;
/// How often the observed time of alerts is stored, which is what a kill loses of it.
const CHECKPOINT: Duration = Duration::from_secs(10);
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

/// What became of a message: which one, the answer of its channel, or for how long it cannot be sent, if that is known; and how long
/// that took.
type Answer = (RowKey, Result<Outcome, Option<Duration>>, Duration);

/// That a channel may be told something now, or for how long it may not, if that is known.
type MayTell = (ChannelId, Result<Turn, Option<Duration>>);

/// What the store has, or why that is not known, and whether the journal keeps nobody waiting.
type Read = (Result<Loaded, StoreError>, bool);

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
    load: Option<BoxFuture<'static, Read>>,
    /// What was read, until nothing is under way any more that a desk which has read it would not know.
    loaded: Option<Loaded>,
    /// When the store may be asked again.
    retry_at: Moment,
    /// Channels for which there is something to send, each until it may be told: what that is is decided then.
    queued: BTreeSet<ChannelId>,
    turns: FuturesUnordered<BoxFuture<'static, MayTell>>,
    next: Vec<MayTell>,
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
    Read(Read),
    Answered(Answer),
    MayTell(MayTell),
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
            feeds: feeds::Feeds::new(&resident.ports, &resident.alerting, now),
            heart: heart::Heart::new(
                &resident.ports,
                &resident.alerting,
                resident.settings.alerts.heartbeat,
                now,
            ),
            under,
            entropy,
            stop,
            vital,
            seat,
            commit: None,
            load: None,
            loaded: None,
            retry_at: now,
            queued: BTreeSet::new(),
            turns: FuturesUnordered::new(),
            next: Vec::new(),
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
            self.evaluate().await;
            self.tell_feeds();
            self.beat();
            let wake = self.step(Moment::MAX).await;
            self.handle(wake);
        }
        let patience = self.runtime.now() + LAST_WORDS;
        let by = self.stop.deadline().map_or(patience, |deadline| deadline.min(patience));
        let is_done = |this: &Self| {
            let sends = !(this.sends.is_empty() && this.queued.is_empty());
            !sends && this.commit.is_none() && this.seat.desk.is_saved()
        };
        while self.runtime.now() < by && !self.is_over() {
            self.vital.got_on();
            let wake = self.step(by).await;
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
    async fn step(&mut self, by: Moment) -> Wake {
        let now = self.now();
        self.seat.desk.handle_timeout(now);
        if now.moment >= self.next_checkpoint {
            self.next_checkpoint = now.moment + CHECKPOINT;
            self.seat.desk.checkpoint();
        }
        loop {
            let is_more = self.seat.desk.poll(AT_ONCE, now);
            // Before there are so many that the desk forgets some.
            while let Some(transition) = self.seat.desk.poll_transition() {
                self.events.alert(&transition);
                self.feeds.changed();
            }
            step_aside().await;
            if !is_more {
                break;
            }
        }
        self.seat.show_what_is_given_up();
        let holds = self.resident.lease.holds();
        if !self.seat.is_read {
            self.go_on_reading(now);
        } else if holds && now.moment >= self.retry_at && self.commit.is_none() {
            self.commit = self.seat.desk.poll_commit(now).map(|commit| self.store(commit));
            step_aside().await;
        }
        self.tell(now, holds && self.loaded.is_none());
        let is_stopping = self.stop.deadline().is_some();
        let mut until = self.seat.desk.poll_timeout(now).min(by).max(now.moment);
        if self.commit.is_none() && self.load.is_none() && !(self.seat.is_read && self.seat.desk.is_saved()) {
            until = until.min(self.retry_at.max(now.moment + Duration::from_millis(100)));
        }
        if !is_stopping {
            until = self.next_due(until, now.moment);
        }
        let timer = self.runtime.sleep_until(until.max(now.moment + Duration::from_millis(1)));
        let Self { stop, seat, commit, load, turns, sends, feeds, heart, .. } = self;
        tokio::select! {
            biased;
            _ = stop.ordered(), if !is_stopping => Wake::Stop,
            stored = async { commit.as_mut().expect("only polled when there is one").await }, if commit.is_some() => {
                Wake::Stored(stored)
            }
            read = async { load.as_mut().expect("only polled when there is one").await }, if load.is_some() => {
                Wake::Read(read)
            }
            Some(answer) = sends.next() => Wake::Answered(answer),
            Some(turn) = turns.next() => Wake::MayTell(turn),
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
            Wake::Answered((key, answer, latency)) => {
                self.seat.under_way.remove(&key);
                match answer {
                    Ok(outcome) => self.seat.desk.handle_outcome(&key, &outcome, latency, now),
                    Err(after) => self.seat.desk.handle_not_sent(&key, after, now),
                }
            }
            Wake::MayTell(turn) => self.next.push(turn),
            Wake::Ordered(order) => self.seat.order(order, now),
            Wake::Read(read) => {
                self.load = None;
                self.loaded(read, now);
            }
            Wake::Stop | Wake::Told | Wake::Timeout => {}
        }
        self.seat.confirm(now.moment);
    }

    /// Sends on channels whose turn has come, the worst first, and asks for a turn on those for which there is more.
    fn tell(&mut self, now: Now, may_send: bool) {
        for (id, turn) in std::mem::take(&mut self.next) {
            self.queued.remove(&id);
            match turn {
                // A turn is lost if there is nothing to say any more, or the right to say it.
                Ok(turn) if may_send => {
                    if let Some(attempt) = self.seat.desk.poll_send(&id, now) {
                        self.send(attempt, turn, now.moment);
                    }
                }
                Ok(_) => {}
                Err(after) => self.seat.desk.put_off(&id, after, now),
            }
        }
        let waiting = if may_send { self.seat.desk.poll_channels(now) } else { BTreeSet::new() };
        for id in waiting.difference(&self.queued).cloned().collect::<Vec<_>>() {
            let Some(channel) = self.resident.alerting.channels.get(&id).cloned() else {
                let why = format!("no channel with the name {id} is configured");
                self.refuse(&id, &Outcome::Refused { why }, now);
                continue;
            };
            self.queued.insert(id.clone());
            let clock = self.resident.clock.clone();
            self.turns.push(Box::pin(async move { (id, channel.turn(&*clock).await) }));
        }
    }

    /// Nothing is ever sent on a channel, whatever there is.
    fn refuse(&mut self, id: &ChannelId, refused: &Outcome, now: Now) {
        let desk = &mut self.seat.desk;
        while let Some(attempt) = desk.poll_send(id, now) {
            desk.handle_outcome(&attempt.row.key, refused, Duration::ZERO, now);
        }
    }

    fn send(&mut self, attempt: Attempt, turn: Turn, now: Moment) {
        let key = attempt.row.key.clone();
        let Some(channel) = self.resident.alerting.channels.get(&key.channel).cloned() else { return };
        self.seat.under_way.insert(key.clone(), now);
        let (clock, resident) = (self.resident.clock.clone(), self.resident.clone());
        self.sends.push(Box::pin(async move {
            let begun = clock.now();
            let (lease, journal) = (&resident.lease, &resident.alerting.journal);
            let outcome = channel.send(turn, &attempt, lease, journal, &*clock).await;
            (key, outcome, clock.now() - begun)
        }));
    }
}

#[cfg(test)]
mod tests;
