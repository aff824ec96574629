//! The process of the service, as a service manager sees it: it boots, runs, is ordered to stop, and exits.
//! Everything in it is a task of its place on the executor, so a kill drops all of it at once.

use std::convert::Infallible;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

use parking_lot::Mutex;
use ttm_breaker::State;
use ttm_kernel::{Clock, Moment, Runtime, StoreLease, TaskEnd};
use ttm_service::{
    Board, Ended, Figures, Open, OutboxCounts, Part, Ports, ServiceSettings, Stopped, Supervisor, Vigil,
};

use crate::{NoReaders, Plane, SimPlanes, SimRuntime};

/// One process of the service.
pub(crate) struct Process {
    number: u32,
    life: Arc<Mutex<Life>>,
    board: Arc<Board>,
    figures: Figures,
    vigil: Vigil,
}

#[derive(Default)]
struct Life {
    /// The stop was ordered, with this long to it.
    stop_within: Option<Duration>,
    waiting: Option<Waker>,
    exit: Option<(Moment, Exit)>,
}

/// Why a process exited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It failed to start.
    NotStarted(String),
    /// It was ordered to stop before its start was over.
    Abandoned,
    /// It failed, and stopped in order.
    Failed(String, Stopped),
    /// It was ordered to stop.
    Stopped(Stopped),
    /// It ended in another way, such as by a panic on the main thread.
    Crashed(TaskEnd),
}

/// What a process gets from outside.
pub(crate) struct Outside {
    pub(crate) ports: Ports,
    pub(crate) lease: Arc<dyn StoreLease>,
    pub(crate) parts: Vec<Part>,
}

impl Process {
    /// Boots, as the process with this number.
    pub(crate) fn boot(world: &SimRuntime, number: u32, outside: Outside, settings: ServiceSettings) -> Self {
        let runtime = world.boot(number);
        let planes = Arc::new(SimPlanes::new(&runtime));
        let board = Board::starting(&settings, &*planes);
        let life = Arc::<Mutex<Life>>::default();
        let Outside { ports, lease, parts } = outside;
        let supervisor = Supervisor::new(settings, planes, board.clone(), lease, Arc::new(NoReaders));
        let supervisor = supervisor.with_parts(parts);
        let (figures, vigil) = (supervisor.figures(), supervisor.vigil());
        let open: Open<Infallible> = Box::new(|_| Box::pin(std::future::ready(Ok(ports))));
        let (order, ends, clock) = (life.clone(), life.clone(), world.clone());
        let own = runtime.clone();
        let body = async move {
            let exit = supervisor.run(open, stop_of(&order, &own)).await.into();
            clock.trace(format_args!("process exits: {exit:?}"));
            ends.lock().exit = Some((clock.now(), exit));
        };
        // Its timers are those of the supervision plane, and stall with it.
        let main = runtime.on(Plane::Supervision).spawn("process", Box::pin(body));
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
        Self { number, life, board, figures, vigil }
    }

    /// Its number among all processes.
    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    /// SIGTERM, with this long to stop.
    pub(crate) fn terminate(&self, within: Duration) {
        let waiting = {
            let mut life = self.life.lock();
            life.stop_within = Some(within);
            life.waiting.take()
        };
        waiting.into_iter().for_each(Waker::wake);
    }

    /// When it exited, by the world's clock, and why; `None` while it runs.
    pub(crate) fn exit(&self) -> Option<(Moment, Exit)> {
        self.life.lock().exit.clone()
    }

    /// Whether the thread that feeds the watchdog would do so now.
    pub(crate) fn is_alive(&self) -> bool {
        self.vigil.is_alive()
    }

    /// The board that its readers see.
    pub(crate) fn board(&self) -> &Board {
        &self.board
    }

    /// The state of the breaker that scoring depends on; `None` while it boots.
    pub(crate) fn breaker(&self) -> Option<State> {
        self.figures.breaker().map(|breaker| breaker.state)
    }

    /// The counts of its sample outbox; `None` while it boots.
    pub(crate) fn samples(&self) -> Option<OutboxCounts> {
        self.figures.samples()
    }

    /// The counts of its event outbox; `None` while it boots.
    pub(crate) fn events(&self) -> Option<OutboxCounts> {
        self.figures.events()
    }
}

impl From<ttm_service::Exit<Infallible>> for Exit {
    fn from(exit: ttm_service::Exit<Infallible>) -> Self {
        match exit {
            ttm_service::Exit::NotStarted(error) => Self::NotStarted(error.to_string()),
            ttm_service::Exit::Abandoned => Self::Abandoned,
            ttm_service::Exit::Ended(Ended { failure: Some(failure), stopped }) => {
                Self::Failed(failure.to_string(), stopped)
            }
            ttm_service::Exit::Ended(Ended { failure: None, stopped }) => Self::Stopped(stopped),
        }
    }
}

/// Waits for the order to stop. A process that is frozen hears it when it goes on. The deadline is by the clock of the process.
async fn stop_of(life: &Mutex<Life>, own: &SimRuntime) -> Moment {
    poll_fn(|cx| {
        let mut life = life.lock();
        let Some(within) = life.stop_within else {
            life.waiting = Some(cx.waker().clone());
            return Poll::Pending;
        };
        Poll::Ready(own.now() + within)
    })
    .await
}
