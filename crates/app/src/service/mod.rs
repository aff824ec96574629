//! The service over its ports: the production composition, whoever fills the ports. Nothing below here knows whether
//! time is real, or what is behind a port.
//!
//! One tick, end to end: the [`schedule`](ttm_schedule) says that a group is due, and every token of its line may be asked
//! for → the guard gives a turn → the [`dispatcher`](ttm_dispatch) says what is asked on it → the answer goes back to the
//! work plane, which scores it and puts its tokens back in line → the new states and samples go to the outboxes → the
//! writers store them. Beside it the supervision plane reads the board and makes the report.

mod board;
mod breakers;
mod caller;
mod client;
mod events;
mod monitor;
mod outbox;
mod outcome;
mod place;
mod profiles;
mod request;
mod roster;
pub mod series;
mod settings;
mod shutdown;
mod sources;
mod work;
mod writer;

use std::sync::Arc;

use tokio::sync::mpsc;
use ttm_breaker::{Breaker, Snapshot};
use ttm_guard::Guard;
use ttm_health::{Phase, Status};
use ttm_kernel::{Moment, StoreError, Task, TaskEnd, within};
use ttm_market::TokenSource;

pub use board::Board;
pub use outbox::OutboxCounts;
pub use settings::ServiceSettings;

use crate::ports::{Planes, Ports};
use breakers::{BreakerDrain, BreakerOutbox};
use caller::Caller;
use client::Client;
use events::{EventDrain, EventLog};
use monitor::Monitor;
use outbox::{SampleOutbox, TokenOutbox};
use profiles::Profiles;
use shutdown::ShutdownTrigger;
use sources::Sources;
use work::Work;
use writer::{SampleDrain, TokenDrain};

/// The service could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store does not answer.
    #[error("the tokens cannot be loaded: {0}")]
    Tokens(#[from] StoreError),
    /// Lists of tokens that are kept elsewhere cannot be read, and nothing of them is stored from before.
    #[error("{messages}")]
    Sources {
        /// A line for each thing that is wrong.
        messages: String,
        /// Whether a person must mend one of them.
        is_config: bool,
    },
}

/// A running service.
pub struct Service {
    planes: Planes,
    board: Arc<Board>,
    breaker: Arc<Breaker>,
    breakers: Arc<BreakerOutbox>,
    tokens: Arc<TokenOutbox>,
    samples: Arc<SampleOutbox>,
    events: Arc<EventLog>,
    stop: ShutdownTrigger,
    flush: ShutdownTrigger,
    work: Vec<(&'static str, Task)>,
    writers: Vec<(&'static str, Task)>,
    monitor: (&'static str, Task),
}

/// How a stop went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// Tokens whose newest state was not stored.
    pub tokens_left: u64,
    /// Samples that were not stored.
    pub samples_left: u64,
    /// Events that were not stored.
    pub events_left: u64,
    /// Whether everything ended by itself before the deadline.
    pub in_time: bool,
}

impl Service {
    /// The board of a service that is not started yet: readers see it starting.
    pub fn board_of(settings: &ServiceSettings, planes: &Planes) -> Arc<Board> {
        let report = monitor::first_report(&*planes.supervision, settings);
        Arc::new(Board::new(planes.work.clone(), settings.market.clone(), report))
    }

    /// Claims the store, loads the tokens, restores the breaker, and starts both planes.
    ///
    /// # Errors
    /// When the store does not answer, or a source of tokens: at the start that is told, not waited for.
    pub async fn start(
        ports: Ports,
        settings: ServiceSettings,
        planes: Planes,
        board: Arc<Board>,
    ) -> Result<Self, StartError> {
        let runtime = planes.work.clone();
        let mut sources = Sources::new(&ports, &runtime, &board);
        let listings = sources.first_look().await?;
        let epoch = roster::bounded(&*runtime, ports.tokens.claim()).await?;
        sources.begin(listings).await?;
        let revision = roster::revision(&*ports.tokens, &*runtime).await?;
        let stored = roster::load(&*ports.tokens, &*runtime).await?;
        tracing::info!(%epoch, tokens = stored.len(), "tokens loaded");

        board.post_store_answered();
        let events = EventLog::started(&runtime, epoch, stored.len());
        let breaker_drain =
            BreakerDrain::restore("dexscreener", &settings.breaker, &ports, epoch, &runtime, &board, &events)
                .await;
        let (breaker, breakers) = (breaker_drain.breaker.clone(), breaker_drain.outbox.clone());
        let guard = Guard::new(
            settings.guard.clone(),
            breaker.clone(),
            settings.retry.clone(),
            runtime.clone(),
            "guard",
        );
        let caller = Caller::new(guard, &runtime, "calls", Some(&board), &breakers);
        let client = Client::new(ports.pairs.clone(), caller);
        let profiles = Profiles::new(&ports, &settings, &runtime, &board, &breakers);
        sources.extend(profiles.map(|profiles| Arc::new(profiles) as Arc<dyn TokenSource>));
        let tokens = Arc::new(TokenOutbox::default());
        let samples = Arc::new(SampleOutbox::new(settings.sample_capacity));
        let ((stop, stopping), (flush, flushing)) = (shutdown::channel(), shutdown::channel());

        let (sets, roster) = mpsc::channel(1);
        // Before anybody is told that the service started: what was stored is served from the first answer on.
        let outboxes = (tokens.clone(), samples.clone(), events.clone());
        let work = Work::new(&settings, stored, client, &board, outboxes, stopping.clone(), &runtime);
        let watch = roster::watch(
            ports.tokens.clone(),
            runtime.clone(),
            board.clone(),
            revision,
            sets,
            stopping.clone(),
        );
        let token_drain = TokenDrain {
            outbox: tokens.clone(),
            store: ports.tokens.clone(),
            epoch,
            runtime: runtime.clone(),
            board: board.clone(),
        };
        let sample_drain = SampleDrain {
            outbox: samples.clone(),
            store: ports.history.clone(),
            runtime: runtime.clone(),
            board: board.clone(),
        };
        let event_drain = EventDrain::new(&events, &ports, &runtime, &board);
        let (backoff, poll_interval) = (settings.retry.clone(), settings.source_poll_interval);
        let monitor = Monitor {
            runtime: planes.supervision.clone(),
            settings,
            ports,
            breaker: breaker.clone(),
            board: board.clone(),
            tokens: tokens.clone(),
            samples: samples.clone(),
            events: events.clone(),
            shutdown: flushing.clone(),
            last: (Status::Unknown, false),
        };
        let spawn = |name, task| (name, runtime.spawn(name, task));
        let mut tasks = vec![spawn("work", Box::pin(work.run(roster))), spawn("roster", Box::pin(watch))];
        tasks.extend(sources.start(poll_interval, &stopping, &events));
        Ok(Self {
            work: tasks,
            writers: vec![
                writer::start("token writer", token_drain, &backoff, &runtime, &flushing),
                writer::start("breaker writer", breaker_drain, &backoff, &runtime, &flushing),
                writer::start("sample writer", sample_drain, &backoff, &runtime, &flushing),
                writer::start("event writer", event_drain, &backoff, &runtime, &flushing),
            ],
            monitor: ("monitor", planes.supervision.spawn("monitor", Box::pin(monitor.run()))),
            planes,
            board,
            breaker,
            breakers,
            tokens,
            samples,
            events,
            stop,
            flush,
        })
    }

    /// The API's breaker as it is now.
    pub fn breaker(&self) -> Snapshot {
        self.breaker.snapshot(self.planes.work.now())
    }

    /// Where the samples are.
    pub fn samples(&self) -> OutboxCounts {
        self.samples.counts()
    }

    /// Where the events are.
    pub fn events(&self) -> OutboxCounts {
        self.events.counts()
    }

    /// Completes when a part ended that never should, with its name and end. Cancelling it loses nothing.
    pub async fn failed(&mut self) -> (&'static str, TaskEnd) {
        let parts = self.work.iter_mut().chain(&mut self.writers).chain([&mut self.monitor]);
        let mut parts: Vec<_> = parts.collect();
        std::future::poll_fn(|cx| {
            for (name, task) in &mut parts {
                if let std::task::Poll::Ready(end) = std::pin::Pin::new(task).poll(cx) {
                    return std::task::Poll::Ready((*name, end));
                }
            }
            std::task::Poll::Pending
        })
        .await
    }

    /// Stops: no run starts, what is in flight ends, then everything is written, all by `deadline`. Requests that wait for
    /// another attempt are given up in time for the writing.
    pub async fn stop(self, deadline: Moment) -> Stopped {
        let runtime = self.planes.work.clone();
        let begun = runtime.now();
        self.board.enter(Phase::Stopping);
        let asked_until = begun + (deadline - begun) / 2;
        self.stop.order(asked_until);
        let mut in_time = true;
        for (name, task) in self.work {
            in_time &= ended(&self.planes, name, task, deadline).await;
        }
        // No call is under way any more: this is what the next process should know.
        self.breakers.put();
        self.events.stopped(self.board.uptime(), in_time);
        self.flush.order(deadline);
        for (name, task) in self.writers.into_iter().chain([self.monitor]) {
            in_time &= ended(&self.planes, name, task, deadline).await;
        }
        let (samples, events) = (self.samples.counts(), self.events.counts());
        let stopped = Stopped {
            tokens_left: self.tokens.len() as u64,
            samples_left: samples.waiting + samples.in_flight,
            events_left: events.waiting + events.in_flight,
            in_time: in_time && runtime.now() <= deadline,
        };
        tracing::info!(?stopped, "stopped");
        stopped
    }
}

/// Waits for a part until the deadline, then gives it up. Whether it ended by itself.
async fn ended(planes: &Planes, name: &'static str, mut task: Task, deadline: Moment) -> bool {
    match within(&*planes.work, deadline, &mut task).await {
        Ok(TaskEnd::Finished) => true,
        Ok(end) => {
            tracing::error!(part = name, ?end, "a part ended badly");
            false
        }
        Err(_) => {
            tracing::warn!(part = name, "given up at the deadline of the stop");
            task.abort();
            false
        }
    }
}
