//! The process of the service, as a service manager sees it: it boots, runs, is told to stop, and exits. What it does
//! in between it does not know.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

use parking_lot::Mutex;
use ttm_breaker::State;
use ttm_kernel::{Clock, Moment, Runtime, TaskEnd};
use ttm_service::{Board, Counters, Ended, OutboxCounts, Service, ServiceSettings, Stopped};
use ttm_service::{Planes, Ports};

use crate::{Plane, SimRuntime};

/// One incarnation of the service.
pub(crate) struct Process {
    number: u32,
    life: Arc<Mutex<Life>>,
    board: Arc<Board>,
    /// Its own clock and tasks.
    runtime: SimRuntime,
}

#[derive(Default)]
struct Life {
    counters: Option<Counters>,
    stop_by: Option<Moment>,
    waiting: Option<Waker>,
    exit: Option<(Moment, Exit)>,
}

/// Why a process is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It could not start.
    NotStarted(String),
    /// It was told to stop before its start was over.
    Abandoned,
    /// It ended without being told to, and stopped in order.
    Failed(String, Stopped),
    /// It was told to stop.
    Stopped(Stopped),
    /// It ended otherwise, as a panic on the main thread does.
    Crashed(TaskEnd),
}

impl Process {
    /// Boots, as the process with this number. A stop that the service orders itself may take `patience`.
    pub(crate) fn boot(
        world: &SimRuntime,
        number: u32,
        ports: Ports,
        settings: ServiceSettings,
        patience: Duration,
    ) -> Self {
        let runtime = world.boot(number);
        let planes = Planes {
            work: Arc::new(runtime.on(Plane::Work)),
            supervision: Arc::new(runtime.on(Plane::Supervision)),
        };
        let board = Service::board_of(&settings, &planes);
        let life = Arc::<Mutex<Life>>::default();
        let start = Service::start(ports, settings, planes, board.clone());
        let body = live(life.clone(), world.clone(), start, patience);
        let main = runtime.spawn("process", Box::pin(body));
        let (ends, world) = (life.clone(), world.clone());
        let watch = async move {
            let end = main.await;
            let mut life = ends.lock();
            if life.exit.is_none() {
                world.trace(format_args!("the process ends without an exit: {end:?}"));
                life.exit = Some((world.now(), Exit::Crashed(end)));
            }
        };
        drop(runtime.spawn("process watch", Box::pin(watch)));
        Self { number, life, board, runtime }
    }

    /// Which of all processes it is.
    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    /// SIGTERM: stop within the time.
    pub(crate) fn terminate(&self, within: Duration) {
        let waiting = {
            let mut life = self.life.lock();
            life.stop_by = Some(self.runtime.now() + within);
            life.waiting.take()
        };
        waiting.into_iter().for_each(Waker::wake);
    }

    /// When, by the world's clock, and why it exited, once it has.
    pub(crate) fn exit(&self) -> Option<(Moment, Exit)> {
        self.life.lock().exit.clone()
    }

    /// What its readers see.
    pub(crate) fn board(&self) -> &Board {
        &self.board
    }

    /// The state of the breaker that scoring lives by; none while it boots.
    pub(crate) fn breaker(&self) -> Option<State> {
        self.life.lock().counters.as_ref().map(|counters| counters.breaker().state)
    }

    /// Where its samples are; none while it boots.
    pub(crate) fn samples(&self) -> Option<OutboxCounts> {
        self.life.lock().counters.as_ref().map(Counters::samples)
    }

    /// Where its events are; none while it boots.
    pub(crate) fn events(&self) -> Option<OutboxCounts> {
        self.life.lock().counters.as_ref().map(Counters::events)
    }
}

/// From the boot to the exit.
async fn live<E: std::fmt::Display>(
    life: Arc<Mutex<Life>>,
    world: SimRuntime,
    start: impl Future<Output = Result<Service, E>>,
    patience: Duration,
) {
    let mut start = Box::pin(start);
    let mut told_early = pin!(told(&life));
    let started = poll_fn(|cx| {
        if told_early.as_mut().poll(cx).is_ready() {
            return Poll::Ready(None);
        }
        start.as_mut().poll(cx).map(Some)
    })
    .await;
    // What the start holds goes with it.
    drop(start);
    let exit = match started {
        None => Exit::Abandoned,
        Some(Err(error)) => Exit::NotStarted(error.to_string()),
        Some(Ok(service)) => {
            life.lock().counters = Some(service.counters());
            let Ended { failure, stopped } = service.run(told(&life), patience).await;
            match failure {
                Some(failure) => Exit::Failed(failure.to_string(), stopped),
                None => Exit::Stopped(stopped),
            }
        }
    };
    world.trace(format_args!("process exits: {exit:?}"));
    life.lock().exit = Some((world.now(), exit));
}

/// Waits for the order to stop.
async fn told(life: &Mutex<Life>) -> Moment {
    poll_fn(|cx| {
        let mut life = life.lock();
        let Some(deadline) = life.stop_by else {
            life.waiting = Some(cx.waker().clone());
            return Poll::Pending;
        };
        Poll::Ready(deadline)
    })
    .await
}
