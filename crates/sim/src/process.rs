//! The process of the service, as a service manager sees it: it boots, runs, is told to stop, and exits. What it does
//! in between it does not know.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

use ttm_app::service::{Board, OutboxCounts, Service, ServiceSettings, Stopped};
use ttm_app::{Planes, Ports};
use ttm_kernel::{Clock, Moment, Runtime, TaskEnd};

use crate::SimRuntime;
use crate::executor::lock;

/// One incarnation of the service.
pub(crate) struct Process {
    life: Arc<Mutex<Life>>,
    board: Arc<Board>,
}

#[derive(Default)]
struct Life {
    service: Option<Service>,
    stop_by: Option<Moment>,
    waiting: Option<Waker>,
    exit: Option<(Moment, Exit)>,
}

/// Why a process is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It could not start.
    NotStarted(String),
    /// A part ended that never should.
    Failed(&'static str, TaskEnd),
    /// It was told to stop.
    Stopped(Stopped),
}

/// What woke the process.
enum Woken {
    Stop(Service, Moment),
    Failed(&'static str, TaskEnd),
}

impl Process {
    /// Boots.
    pub(crate) fn boot(runtime: &SimRuntime, ports: Ports, settings: ServiceSettings) -> Self {
        let planes = Planes { work: Arc::new(runtime.clone()), supervision: Arc::new(runtime.clone()) };
        let board = Service::board_of(&settings, &planes);
        let life = Arc::<Mutex<Life>>::default();
        let body =
            live(life.clone(), runtime.clone(), Service::start(ports, settings, planes, board.clone()));
        // Its end is told by `exit`; a panic in it is a part of the trace, and no exit.
        drop(runtime.spawn("process", Box::pin(body)));
        Self { life, board }
    }

    /// SIGTERM: stop by `deadline`.
    pub(crate) fn terminate(&self, deadline: Moment) {
        let waiting = {
            let mut life = lock(&self.life);
            life.stop_by = Some(deadline);
            life.waiting.take()
        };
        waiting.into_iter().for_each(Waker::wake);
    }

    /// When and why it exited, once it has.
    pub(crate) fn exit(&self) -> Option<(Moment, Exit)> {
        lock(&self.life).exit.clone()
    }

    /// What its readers see.
    pub(crate) fn board(&self) -> &Board {
        &self.board
    }

    /// Where its samples are; none while it boots or stops.
    pub(crate) fn samples(&self) -> Option<OutboxCounts> {
        lock(&self.life).service.as_ref().map(Service::samples)
    }

    /// Where its events are; none while it boots or stops.
    pub(crate) fn events(&self) -> Option<OutboxCounts> {
        lock(&self.life).service.as_ref().map(Service::events)
    }
}

/// From the boot to the exit.
async fn live<E: std::fmt::Display>(
    life: Arc<Mutex<Life>>,
    runtime: SimRuntime,
    start: impl Future<Output = Result<Service, E>>,
) {
    let exit = match start.await {
        Err(error) => Exit::NotStarted(error.to_string()),
        Ok(service) => {
            lock(&life).service = Some(service);
            match woken(&life).await {
                Woken::Failed(part, end) => Exit::Failed(part, end),
                Woken::Stop(service, deadline) => Exit::Stopped(service.stop(deadline).await),
            }
        }
    };
    runtime.trace(format_args!("process exits: {exit:?}"));
    lock(&life).exit = Some((runtime.now(), exit));
}

/// Waits for the order to stop, or for a part that ends.
async fn woken(life: &Mutex<Life>) -> Woken {
    poll_fn(|cx| {
        let mut life = lock(life);
        if let Some(deadline) = life.stop_by
            && let Some(service) = life.service.take()
        {
            return Poll::Ready(Woken::Stop(service, deadline));
        }
        life.waiting = Some(cx.waker().clone());
        let Some(service) = &mut life.service else { return Poll::Pending };
        // Cancelling it loses nothing, so it may be made anew at each poll.
        pin!(service.failed()).poll(cx).map(|(part, end)| Woken::Failed(part, end))
    })
    .await
}
