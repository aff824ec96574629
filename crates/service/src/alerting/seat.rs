//! What a part that works the desk takes over from the one before it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Mutex, mpsc, oneshot};
use ttm_alert::{
    AlertKey, AlertView, Changed, ChannelId, DeadLetter, Desk, EpisodeId, Identity, Loaded, Measurement, Now,
    OrderRefused, Ordered, Outcome, Quiet, QuietId, Receipt, RowKey, RuleSpec,
};
use ttm_kernel::{Epoch, Moment, Runtime};

use super::channel::Channel;
use super::failing::Failing;
use super::gauges;
use super::journal::Told;
use crate::local_file::Disk;
use crate::{AlertSettings, Ports, ServiceSettings};

/// Orders that wait for the desk, which looks at once: more than a few people give.
const ORDERS: usize = 32;
/// Who orders something waits this long for the store to have it.
pub(crate) const CONFIRM: Duration = Duration::from_secs(5);
/// The wall clock was set if it went so much otherwise than the monotonic one between two looks.
const STEP: SignedDuration = SignedDuration::from_secs(5);

/// What outlives the parts.
pub(crate) struct Alerting {
    pub(crate) seat: Arc<Mutex<Seat>>,
    pub(crate) orders: mpsc::Sender<Order>,
    pub(crate) channels: BTreeMap<ChannelId, Arc<Channel>>,
    /// Whether those that are told everything that fires take it.
    pub(crate) feeds: BTreeMap<ChannelId, Arc<Failing>>,
    /// Whether the heartbeat arrives.
    pub(crate) heartbeat: Arc<Failing>,
    pub(crate) journal: Arc<Told>,
    pub(crate) rules: Vec<RuleSpec>,
}

/// What the part has to itself while it lives.
pub(crate) struct Seat {
    pub(crate) desk: Desk,
    pub(crate) orders: mpsc::Receiver<Order>,
    /// Messages that have been sent, and not answered.
    pub(crate) under_way: BTreeMap<RowKey, Moment>,
    pub(crate) next_evaluation: Moment,
    /// How many there were.
    pub(crate) evaluations: u64,
    /// Which sample of the resources was evaluated last.
    pub(crate) resources_seen: Option<Moment>,
    /// How often the wall clock was set.
    pub(crate) clock_steps: u64,
    /// Whether the desk knows what the store has. Until then nothing is stored, and what is CRITICAL goes out from memory.
    pub(crate) is_read: bool,
    /// Whether reading it has failed, so that what is wrong is told without it.
    pub(crate) goes_unread: bool,
    settings: AlertSettings,
    epoch: Epoch,
    clocks: (Moment, Timestamp),
    /// Who waits for the store to have what they ordered, and until when.
    unconfirmed: Vec<Unconfirmed>,
    /// Whether a measurement that no rule can have was reported.
    has_refused: bool,
    /// How many episodes of the desk were reported that nobody will be told of.
    given_up: u64,
}

/// An order that the store may not have yet.
struct Unconfirmed {
    /// What it changed.
    changed: Changed,
    until: Moment,
    /// Tells whoever gave it that the store has it, or does not yet.
    confirm: Box<dyn FnOnce(bool) + Send>,
}

/// Takes an answer.
pub(crate) type Reply<T> = oneshot::Sender<Result<T, OrderRefused>>;

/// What somebody wants of the desk.
pub(crate) enum Order {
    List { after: Option<AlertKey>, limit: usize, reply: Reply<Vec<AlertView>> },
    Show { id: Identity, reply: Reply<AlertView> },
    Acknowledge { id: Identity, episode: Option<EpisodeId>, by: String, reply: Reply<Ordered<AlertView>> },
    Silences { reply: Reply<Vec<(QuietId, Quiet)>> },
    Silence { quiet: Quiet, reply: Reply<Ordered<QuietId>> },
    EndSilence { id: QuietId, reply: Reply<Ordered<()>> },
    TellAgain { id: Identity, channel: ChannelId, reply: Reply<Ordered<()>> },
    Waiting { reply: Reply<BTreeMap<ChannelId, usize>> },
    Unstored { limit: usize, reply: Reply<(Vec<Receipt>, Vec<DeadLetter>)> },
}

impl Order {
    /// Whether who gave it has been told that nothing was changed, since there was no answer in time.
    fn is_given_up(&self) -> bool {
        match self {
            Self::List { reply, .. } => reply.is_closed(),
            Self::Show { reply, .. } => reply.is_closed(),
            Self::Acknowledge { reply, .. } => reply.is_closed(),
            Self::Silences { reply } => reply.is_closed(),
            Self::Silence { reply, .. } => reply.is_closed(),
            Self::EndSilence { reply, .. } | Self::TellAgain { reply, .. } => reply.is_closed(),
            Self::Waiting { reply } => reply.is_closed(),
            Self::Unstored { reply, .. } => reply.is_closed(),
        }
    }

    /// The desk does not know yet what the store has, and would forget what is ordered.
    fn refuse(self) {
        fn not_now<T>(reply: Reply<T>) {
            let why = "what the store has of alerts could not be read yet".to_owned();
            answer(reply, Err(OrderRefused::NotNow(why)));
        }
        match self {
            Self::List { reply, .. } => not_now(reply),
            Self::Show { reply, .. } => not_now(reply),
            Self::Acknowledge { reply, .. } => not_now(reply),
            Self::Silences { reply } => not_now(reply),
            Self::Silence { reply, .. } => not_now(reply),
            Self::EndSilence { reply, .. } | Self::TellAgain { reply, .. } => not_now(reply),
            Self::Waiting { reply } => not_now(reply),
            Self::Unstored { reply, .. } => not_now(reply),
        }
    }
}

impl Alerting {
    /// Nothing is read yet.
    pub(crate) fn new(
        ports: &Ports,
        settings: &ServiceSettings,
        epoch: Epoch,
        clock: &Arc<dyn Runtime>,
        local: &Disk,
    ) -> Self {
        let (moment, wall) = (clock.now(), clock.wall());
        let now = Now { moment, wall, jitter: clock.entropy("alerts").unit() };
        let settings = settings.alerts.clone();
        let specs = settings.rules.rules().to_vec();
        let desk = Desk::new(settings.rules.clone(), settings.notify.clone(), epoch, now);
        let (sender, orders) = mpsc::channel(ORDERS);
        let seat = Seat {
            desk,
            orders,
            under_way: BTreeMap::new(),
            next_evaluation: moment,
            evaluations: 0,
            resources_seen: None,
            clock_steps: 0,
            is_read: false,
            goes_unread: false,
            settings,
            epoch,
            clocks: (moment, wall),
            unconfirmed: Vec::new(),
            has_refused: false,
            given_up: 0,
        };
        let channel = |(id, notifier): &(ChannelId, _)| {
            (id.clone(), Arc::new(Channel::new(id, Arc::clone(notifier), clock)))
        };
        let channels = ports.channels.iter().map(channel).collect();
        let feeds = ports.feeds.iter().map(|(id, _)| (id.clone(), Arc::new(Failing::feed(id)))).collect();
        let journal = Arc::new(Told::new(local.file(ports.alert_journal.clone())));
        Self {
            seat: Arc::new(Mutex::new(seat)),
            orders: sender,
            channels,
            feeds,
            heartbeat: Arc::new(Failing::heartbeat()),
            journal,
            rules: specs,
        }
    }
}

impl Seat {
    /// Whoever had the seat before does not hear of the store or of channels any more: nobody knows what became of what was
    /// under way, and all of it is stored and sent again.
    pub(crate) fn give_up_what_is_under_way(&mut self, now: Now) {
        self.desk.handle_commit_failed();
        let why = "nobody waits for its answer any more".to_owned();
        let outcome = Outcome::Retry { after: None, why };
        for (key, since) in std::mem::take(&mut self.under_way) {
            self.desk.handle_outcome(&key, &outcome, now.moment - since, now);
        }
    }

    /// Goes on with what the store and the journal have. What was found out meanwhile is found again by the next evaluation, in the
    /// episodes that were told from memory.
    pub(crate) fn read(&mut self, loaded: &Loaded, now: Now) {
        self.show_what_is_given_up();
        self.given_up = 0;
        let AlertSettings { rules, notify, .. } = &self.settings;
        self.desk = Desk::new(rules.clone(), notify.clone(), self.epoch, now);
        self.desk.restore(loaded, now);
        (self.next_evaluation, self.evaluations) = (now.moment, 0);
        (self.resources_seen, self.is_read) = (None, true);
    }

    /// Says so when nobody will be told of an episode.
    pub(crate) fn show_what_is_given_up(&mut self) {
        let before = std::mem::replace(&mut self.given_up, self.desk.given_up());
        let episodes = self.given_up - before;
        if episodes > 0 {
            metrics::counter!("ttm_alert_episodes_given_up_total").increment(episodes);
            tracing::warn!(
                episodes,
                "nobody will be told of some alerts that are over: too many waited while channels were down"
            );
        }
    }

    /// Notices that the wall clock was set.
    pub(crate) fn watch_clock(&mut self, now: Moment, wall: Timestamp) {
        let (moment_before, wall_before) = std::mem::replace(&mut self.clocks, (now, wall));
        let passed = SignedDuration::try_from(now - moment_before).unwrap_or(SignedDuration::MAX);
        let off = wall.duration_since(wall_before).saturating_sub(passed);
        if off.abs() >= STEP {
            tracing::warn!(by_s = off.as_secs(), "the wall clock was set");
            self.clock_steps += 1;
        }
    }

    /// Gives the desk what was found, as a part of an evaluation.
    pub(crate) fn handle(&mut self, found: &[Measurement]) {
        for measurement in found {
            gauges::show(measurement);
            if let Err(error) = self.desk.handle(measurement)
                && !std::mem::replace(&mut self.has_refused, true)
            {
                let series = measurement.series;
                tracing::error!(series, %error, "a measurement is refused, which is a defect of this program");
            }
        }
    }

    /// Does what somebody ordered. Who changed something hears of it once the store has it.
    pub(crate) fn order(&mut self, order: Order, now: Now) {
        if order.is_given_up() {
            return;
        }
        if !self.is_read {
            return order.refuse();
        }
        match order {
            Order::List { after, limit, reply } => answer(reply, Ok(self.desk.views(after.as_ref(), limit))),
            Order::Show { id, reply } => {
                let view = self.find(id).and_then(|key| self.desk.view(&key).ok_or_else(|| unknown(id)));
                answer(reply, view);
            }
            Order::Acknowledge { id, episode, by, reply } => {
                let done = self.find(id).and_then(|key| {
                    let done = self.desk.acknowledge(&key, episode, &by, now);
                    done.map_err(|error| OrderRefused::Impossible(error.to_string()))?;
                    let view = self.desk.view(&key).ok_or_else(|| unknown(id))?;
                    Ok((view, Changed::Alert(key)))
                });
                self.changed(done, reply, now);
            }
            Order::Silences { reply } => {
                let silences = self.desk.silences().map(|(id, quiet)| (id, quiet.clone()));
                answer(reply, Ok(silences.collect()));
            }
            Order::Silence { quiet, reply } => {
                let id = self.desk.silence(quiet, now);
                let id = id.map_err(|error| OrderRefused::Impossible(error.to_string()));
                self.changed(id.map(|id| (id, Changed::Silences)), reply, now);
            }
            Order::EndSilence { id, reply } => {
                let unknown = || OrderRefused::Unknown { what: format!("silence {}", id.0) };
                let ended = self.desk.end_silence(id, now).then_some(((), Changed::Silences));
                let ended = ended.ok_or_else(unknown);
                self.changed(ended, reply, now);
            }
            Order::TellAgain { id, channel, reply } => {
                let told = self.find(id).and_then(|key| {
                    let nothing = || OrderRefused::Impossible("there is nothing to tell any more".to_owned());
                    let is_due = self.desk.tell_again(&key, &channel);
                    is_due.then_some(((), Changed::Alert(key))).ok_or_else(nothing)
                });
                self.changed(told, reply, now);
            }
            Order::Waiting { reply } => answer(reply, Ok(self.desk.waiting())),
            Order::Unstored { limit, reply } => answer(reply, Ok(self.desk.unstored(limit))),
        }
    }

    fn find(&self, id: Identity) -> Result<AlertKey, OrderRefused> {
        self.desk.find(id).ok_or_else(|| unknown(id))
    }

    fn changed<T: Send + 'static>(
        &mut self,
        done: Result<(T, Changed), OrderRefused>,
        reply: Reply<Ordered<T>>,
        now: Now,
    ) {
        match done {
            Ok((done, changed)) => {
                let confirm = Box::new(move |stored| answer(reply, Ok(Ordered { done, stored })));
                self.unconfirmed.push(Unconfirmed { changed, until: now.moment + CONFIRM, confirm });
            }
            Err(error) => answer(reply, Err(error)),
        }
    }

    /// Tells those who wait that the store has what they ordered, or that their time is over.
    pub(crate) fn confirm(&mut self, now: Moment) {
        for waiting in std::mem::take(&mut self.unconfirmed) {
            let is_stored = self.desk.has_stored(&waiting.changed);
            if is_stored || now >= waiting.until {
                (waiting.confirm)(is_stored);
            } else {
                self.unconfirmed.push(waiting);
            }
        }
    }
}

/// Who asked may have gone.
fn answer<T>(reply: Reply<T>, answer: Result<T, OrderRefused>) {
    drop(reply.send(answer));
}

fn unknown(id: Identity) -> OrderRefused {
    OrderRefused::Unknown { what: format!("alert with the id {id}") }
}
