//! The service over its ports: the production composition, whoever fills the ports. Nothing below here knows whether
//! time is real, or what is behind a port.
//!
//! One tick, end to end: the [`schedule`](ttm_schedule) says that a group is due, and every token of its line may be asked
//! for → the guard gives a turn → the [`dispatcher`](ttm_dispatch) says what is asked on it → the answer goes back to the
//! work plane, which scores it and puts its tokens back in line → the new states and samples go to the outboxes → the
//! writers store them. Beside it the supervision plane reads the board and makes the report.

mod answers;
mod board;
mod breakers;
mod caller;
mod client;
mod ended;
mod events;
#[cfg(test)]
mod fakes;
mod gist;
mod lease;
mod monitor;
mod outbox;
mod pause;
mod ports;
mod profiles;
mod roster;
pub mod series;
mod settings;
mod shutdown;
mod sources;
mod start;
mod stores;
mod trouble;
mod work;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use ttm_breaker::{Breaker, Snapshot};
use ttm_health::{Phase, Status};
use ttm_kernel::{FencingToken, Moment, Runtime, StoreLease, Task, TaskEnd, within};
use ttm_market::TokenStore;
use ttm_perf::MetricStore;

pub use board::Board;
pub use ended::{Ended, Failure, Stopped};
pub use events::KINDS as EVENT_KINDS;
pub use outbox::OutboxCounts;
pub use ports::{Planes, Ports};
pub use settings::ServiceSettings;
pub use start::{Again, StartError, Starting};
pub use stores::StoreUse;
pub use trouble::ApiTrouble;
pub use work::machine;

use breakers::{BreakerOutbox, BreakerSink};
use caller::Caller;
use client::Client;
use events::EventLog;
use lease::Lease;
use monitor::Monitor;
use outbox::{SampleOutbox, TokenOutbox};
use pause::{Excuses, Pulse};
use profiles::Profiles;
use shutdown::ShutdownTrigger;
use sources::Sources;
use work::Work;
use writer::{EventSink, SampleSink, TokenSink, Writing};

/// A running service.
pub struct Service {
    planes: Planes,
    board: Arc<Board>,
    breakers: Arc<BreakerOutbox>,
    tokens: Arc<TokenOutbox>,
    counters: Counters,
    lease: Arc<Lease>,
    closing: Closing,
    stop: ShutdownTrigger,
    flush: ShutdownTrigger,
    /// Ends the keeping of the lease, once nothing is written any more.
    let_go: ShutdownTrigger,
    work: Vec<(&'static str, Task)>,
    writers: Vec<(&'static str, Task)>,
    keeper: (&'static str, Task),
}

/// What is closed once nothing works with it any more.
struct Closing {
    tokens: Arc<dyn TokenStore>,
    history: Arc<dyn MetricStore>,
    lease: Arc<dyn StoreLease>,
}

/// The figures of a running service that outlive it.
#[derive(Clone)]
pub struct Counters {
    clock: Arc<dyn Runtime>,
    breaker: Arc<Breaker>,
    samples: Arc<SampleOutbox>,
    events: Arc<EventLog>,
}

impl Counters {
    /// The API's breaker as it is now.
    pub fn breaker(&self) -> Snapshot {
        self.breaker.snapshot(self.clock.now())
    }

    /// Where the samples are.
    pub fn samples(&self) -> OutboxCounts {
        self.samples.counts()
    }

    /// Where the events are.
    pub fn events(&self) -> OutboxCounts {
        self.events.counts()
    }
}

impl Service {
    /// The board of a service that is not started yet: readers see it starting.
    pub fn board_of(settings: &ServiceSettings, planes: &Planes) -> Arc<Board> {
        let report = monitor::first_report(&*planes.supervision, settings, Duration::ZERO, None);
        Arc::new(Board::new(planes.work.clone(), settings.market.clone(), report))
    }

    /// Takes the store's lease, claims an epoch, loads the tokens, restores the breaker, and starts both planes. A store that
    /// is away is waited for; until the last step nothing runs, so dropping this future abandons the start.
    ///
    /// # Errors
    /// When another process has the store, when a person must mend it, or a source of tokens.
    pub async fn start(
        ports: Ports,
        settings: ServiceSettings,
        planes: Planes,
        board: Arc<Board>,
    ) -> Result<Self, StartError> {
        let starting = Starting::new(&board, &settings, &planes.supervision);
        let lease = ports.lease.clone();
        let rest = Box::pin(Self::started(ports, settings, planes, board, &starting));
        starting.leased(&*lease, rest).await?
    }

    /// The start, under the lease.
    async fn started(
        ports: Ports,
        settings: ServiceSettings,
        planes: Planes,
        board: Arc<Board>,
        starting: &Starting,
    ) -> Result<Self, StartError> {
        let runtime = planes.work.clone();
        let lease = Arc::new(Lease::new(ports.lease.clone(), &planes.supervision));
        let mut sources = Sources::new(&ports, &runtime, &board, &lease);
        let listings = starting.at("the sources of tokens", sources.first_look(starting)).await?;
        let tokens = &*ports.tokens;
        let epoch = starting.claim(&*ports.lease, tokens).await?;
        // No part is restarted inside a process yet: every writer has one incarnation.
        let under = FencingToken::first(epoch);
        sources.begin(under, listings, starting).await?;
        let revision = starting.store("the tokens", || roster::revision(tokens, epoch, &*runtime)).await?;
        let stored = starting.store("the tokens", || roster::load(tokens, &*runtime)).await?;
        // Tables that are dropped and made anew meanwhile are empty, and no set of tokens.
        starting.store("the tokens", || roster::revision(tokens, epoch, &*runtime)).await?;
        tracing::info!(%epoch, tokens = stored.len(), "tokens loaded");
        board.stores.answered(StoreUse::TokenReads, runtime.now());
        let events = EventLog::started(&runtime, epoch, stored.len());
        let (breaker, breakers) =
            BreakerSink::restore("dexscreener", &settings, &ports, under, &runtime, &events).await;
        starting.done();

        let guard = breaker.guard.clone();
        let caller = Caller::new(guard.clone(), &runtime, "calls", &board, &breakers);
        let client = Client::new(ports.pairs.clone(), caller, lease.clone());
        let profiles = Profiles::new(&ports, &settings, &runtime, &board, &breakers, &lease);
        sources.extend(profiles.map(|profiles| lease.guards(Arc::new(profiles))));
        let tokens = Arc::new(TokenOutbox::default());
        let samples = Arc::new(SampleOutbox::new(settings.sample_capacity));
        let ((stop, stopping), (flush, flushing)) = (shutdown::channel(), shutdown::channel());
        let (let_go, letting_go) = shutdown::channel();

        let (sets, roster) = mpsc::channel(1);
        // Before anything says that the service started: what was stored is served from the first answer on.
        let outboxes = (tokens.clone(), samples.clone(), events.clone());
        let work = Work::new(&settings, stored, client, &board, outboxes, stopping.clone(), &runtime);
        let watch = roster::watch(
            ports.tokens.clone(),
            runtime.clone(),
            board.clone(),
            (epoch, revision),
            sets,
            stopping.clone(),
        );
        let writing = Writing {
            runtime: runtime.clone(),
            board: board.clone(),
            lease: lease.clone(),
            backoff: settings.retry.clone(),
            shutdown: flushing.clone(),
        };
        let token_sink = TokenSink { store: ports.tokens.clone(), under };
        let (sample_sink, event_sink) = (SampleSink(ports.history.clone()), EventSink(ports.events.clone()));
        let poll_interval = settings.source_poll_interval;
        let counters = Counters {
            clock: runtime.clone(),
            breaker: guard.breaker().clone(),
            samples: samples.clone(),
            events: events.clone(),
        };
        let (pulse, beating) = Pulse::start(&runtime, stopping.clone());
        let closing = Closing {
            tokens: ports.tokens.clone(),
            history: ports.history.clone(),
            lease: ports.lease.clone(),
        };
        let monitor = Monitor {
            runtime: planes.supervision.clone(),
            settings,
            ports,
            breaker: guard.breaker().clone(),
            board: board.clone(),
            tokens: tokens.clone(),
            samples: samples.clone(),
            events: events.clone(),
            shutdown: flushing.clone(),
            last: (Status::Unknown, false, String::new()),
            pulse,
            excuses: Excuses::new(runtime.now()),
        };
        let spawn = |name, task| (name, runtime.spawn(name, task));
        let mut tasks = vec![spawn("work", Box::pin(work.run(roster))), spawn("roster", Box::pin(watch))];
        tasks.extend(sources.start(poll_interval, &stopping, &events).into_iter().chain([beating]));
        let keep = lease.clone().keep(board.clone(), letting_go);
        Ok(Self {
            work: tasks,
            writers: vec![
                writing.start("token writer", tokens.clone(), token_sink),
                writing.start("breaker writer", breakers.clone(), breaker),
                writing.start("sample writer", samples, sample_sink),
                // The record of events has its outbox inside.
                writing.start("event writer", events.outbox.clone(), event_sink),
                ("monitor", planes.supervision.spawn("monitor", Box::pin(monitor.run()))),
            ],
            keeper: ("lease keeper", planes.supervision.spawn("lease keeper", Box::pin(keep))),
            planes,
            board,
            breakers,
            tokens,
            counters,
            lease,
            closing,
            stop,
            flush,
            let_go,
        })
    }

    /// Figures that may be looked at whatever becomes of the service.
    pub fn counters(&self) -> Counters {
        self.counters.clone()
    }

    /// Works until it is told to stop, or until a part ends that never should; either way it then stops in order. `told`
    /// completes with the deadline of the stop; one that the service orders itself may take `patience`.
    pub async fn run(mut self, told: impl Future<Output = Moment>, patience: Duration) -> Ended {
        let (failure, deadline) = tokio::select! {
            biased;
            deadline = told => (None, deadline),
            failure = self.failed() => {
                tracing::error!(%failure, "stopping in order");
                self.board.ends_because(&failure.cause());
                // Nothing can be written any more, so there is nothing to wait for.
                let patience = if let Failure::Superseded(_) = failure { CLOSE_WITHIN } else { patience };
                (Some(failure), self.planes.supervision.now() + patience)
            }
        };
        let lease = self.lease.clone();
        let stopped = self.stop(deadline).await;
        // It may have been lost during the stop as well.
        let lost = || lease.lost().map(|reason| Failure::Superseded(reason.to_owned()));
        Ended { failure: failure.or_else(lost), stopped }
    }

    /// Completes when a part ended that never should. Cancelling it loses nothing: a task gives its end as often as it is
    /// asked.
    async fn failed(&mut self) -> Failure {
        let mut parts: Vec<_> =
            self.work.iter_mut().chain(&mut self.writers).chain([&mut self.keeper]).collect();
        let (part, end) = std::future::poll_fn(|cx| {
            for (name, task) in &mut parts {
                if let std::task::Poll::Ready(end) = std::pin::Pin::new(task).poll(cx) {
                    return std::task::Poll::Ready((*name, end));
                }
            }
            std::task::Poll::Pending
        })
        .await;
        match self.lease.lost() {
            Some(reason) => Failure::Superseded(reason.to_owned()),
            None => Failure::Part { part, end },
        }
    }

    /// Stops: no run starts, what is in flight ends, then everything is written, all by `deadline`. Requests that wait for
    /// another attempt are given up in time for the writing.
    async fn stop(self, deadline: Moment) -> Stopped {
        let runtime = self.planes.supervision.clone();
        let begun = runtime.now();
        self.board.enter(Phase::Stopping);
        let asked_until = begun + (deadline - begun) / 2;
        self.stop.order(asked_until);
        // Part of the time is for closing: a store that hangs keeps its writers until they are given up.
        let closing = CLOSE_WITHIN.min((deadline - begun) / 4);
        let stored_by = deadline.saturating_sub(closing);
        let mut in_time = true;
        for (name, task) in self.work {
            in_time &= ended(&*runtime, name, task, stored_by).await;
        }
        // No call is under way any more: this is what the next process should know.
        self.breakers.put();
        self.counters.events.stopped(self.board.uptime(), in_time);
        self.flush.order(stored_by);
        let tell = runtime.now() + STORED_SOON;
        let mut is_told = false;
        for (name, mut task) in self.writers {
            if !is_told
                && within(&*runtime, tell.min(stored_by), &mut task).await.is_err()
                && tell < stored_by
            {
                is_told = true;
                let (tokens, samples, events) =
                    (self.tokens.len(), self.counters.samples().waiting, self.counters.events().waiting);
                let for_s = (stored_by - runtime.now()).as_secs();
                tracing::info!(part = name, tokens, samples, events, for_s, "the stop waits for the store");
            }
            in_time &= ended(&*runtime, name, task, stored_by).await;
        }
        // Kept up to here: a writer that tries again until it is given up needs it.
        let by = deadline.max(runtime.now() + closing.max(CLOSE_AT_LEAST));
        self.let_go.order(by);
        let (name, keeper) = self.keeper;
        in_time &= ended(&*runtime, name, keeper, by).await;
        // Closing merges what a database keeps beside its file, and the next process need not wait for the lease.
        let Closing { tokens, history, lease } = self.closing;
        let close = async {
            tokens.close().await;
            history.close().await;
            if let Err(error) = lease.release().await {
                tracing::warn!(%error, "the lease was not released; it runs out by itself");
            }
        };
        if within(&*runtime, by, close).await.is_err() {
            tracing::warn!("the store was not closed in time");
        }
        let (samples, events) = (self.counters.samples(), self.counters.events());
        let stopped = Stopped {
            tokens_left: self.tokens.len() as u64,
            samples_left: samples.waiting + samples.in_flight,
            events_left: events.waiting + events.in_flight,
            in_time: in_time && runtime.now() <= by,
        };
        let Stopped { tokens_left, samples_left, events_left, in_time } = stopped;
        tracing::info!(tokens_left, samples_left, events_left, in_time, "stopped");
        stopped
    }
}

/// What is stored by then needs no word.
const STORED_SOON: Duration = Duration::from_secs(1);
/// Closing is given this long, of long stops, also when all was stored late: it writes nothing new.
const CLOSE_WITHIN: Duration = Duration::from_secs(1);
/// And of short ones this long: the next process waits for a lease that was not given up.
const CLOSE_AT_LEAST: Duration = Duration::from_millis(250);

/// Waits for a part until the deadline, then gives it up. Whether it ended by itself.
async fn ended(runtime: &dyn Runtime, name: &'static str, mut task: Task, deadline: Moment) -> bool {
    match within(runtime, deadline, &mut task).await {
        Ok(TaskEnd::Finished) => true,
        Ok(end) => {
            tracing::error!(part = name, end = ended::ending(&end), "a part ended badly");
            false
        }
        Err(_) => {
            tracing::warn!(part = name, "given up at the deadline of the stop");
            task.abort();
            false
        }
    }
}
