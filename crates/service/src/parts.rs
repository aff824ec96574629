//! The table of parts: everything of the service that runs for as long as the process does, and can be started again from
//! the resident state. ARCHITECTURE has the same table.

use std::sync::Arc;

use ttm_kernel::BoxFuture;

use crate::board::Board;
use crate::drain::{Drain, Sink};
use crate::lease::Lease;
use crate::life::Life;
use crate::monitor::Monitor;
use crate::outbox::{Outbox, Shelf};
use crate::ports::{Plane, Surface};
use crate::resident::Resident;
use crate::sinks::{BreakerSink, EventSink, SampleSink, TokenSink};
use crate::sources::Look;
use crate::work::Work;
use crate::{pause, roster};

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// What it is called in logs, and its task.
    pub name: &'static str,
    /// Where it runs.
    pub plane: Plane,
    /// Whether the service does not do what it is for while this part does not run.
    pub critical: bool,
    /// What happens when it ends by itself.
    pub on_end: OnEnd,
    /// When it is stopped.
    pub stage: Stage,
    /// How it is stopped.
    pub on_stop: OnStop,
    /// What shows that it gets on.
    pub progress: Progress,
    pub(crate) start: Start,
}

/// What happens when a part ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnEnd {
    /// It is started again, as its next incarnation.
    Restart,
    /// The service goes on without it.
    Degrade,
    /// The service stops in order.
    EndProcess,
}

/// The steps of a stop, in their order: each part of one has ended before the next begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// What produces anything.
    Work,
    /// What stores it.
    Store,
    /// What keeps the right to store it, and reports until it is stored.
    Lease,
    /// What shows that the service is stopping.
    Surface,
}

/// How a part is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnStop {
    /// It finishes what it has begun, until the deadline.
    Drain,
    /// It is dropped where it stands, and nothing is lost.
    Abort,
}

/// What shows that a part gets on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Runs of both lanes end, having refreshed tokens or found none due.
    Runs,
    /// What waits in its outbox is stored or dropped, unless the store is away.
    Drains,
    /// It looks again, whatever it finds.
    Looks,
    /// Connections are answered.
    Answers,
}

/// What a part is started from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Start {
    /// From the first moment of a start on, when there is no resident state yet.
    Early(fn(&Early, Life) -> BoxFuture<'static, ()>),
    /// From the resident state.
    Resident(fn(&Arc<Resident>, Life) -> BoxFuture<'static, ()>),
}

/// What there is before the stores are open.
#[derive(Clone)]
pub(crate) struct Early {
    pub(crate) board: Arc<Board>,
    pub(crate) lease: Arc<Lease>,
    pub(crate) surface: Arc<dyn Surface>,
}

/// A part that ends the process when it ends.
const fn part(name: &'static str, plane: Plane, stage: Stage, progress: Progress, start: Start) -> Part {
    let (critical, on_end, on_stop) = (true, OnEnd::EndProcess, OnStop::Drain);
    Part { name, plane, critical, on_end, stage, on_stop, progress, start }
}

impl Part {
    /// The same part, with something else to happen when it ends.
    #[must_use]
    pub const fn with_on_end(self, on_end: OnEnd) -> Self {
        Self { on_end, ..self }
    }

    /// The service still does what it is for without it.
    const fn not_critical(self) -> Self {
        Self { critical: false, ..self }
    }

    /// There is nothing to finish.
    const fn aborted(self) -> Self {
        Self { on_stop: OnStop::Abort, ..self }
    }
}

/// All parts, in the order in which they are started; those that need no store come first.
pub const PARTS: [Part; 11] = {
    use Plane::{Supervision, Work as OnWork};
    use Progress::{Answers, Drains, Looks, Runs};
    use Stage::{Lease as Holding, Store, Surface as Showing, Work as Working};
    [
        part("api", Supervision, Showing, Answers, Start::Early(serve)),
        part("lease keeper", Supervision, Holding, Looks, Start::Early(keep_lease)).aborted(),
        part("work", OnWork, Working, Runs, Start::Resident(work)),
        part("roster", OnWork, Working, Looks, Start::Resident(watch_roster)).not_critical().aborted(),
        part("sources", OnWork, Working, Looks, Start::Resident(follow_sources)).not_critical().aborted(),
        part("pulse", OnWork, Working, Looks, Start::Resident(beat)).aborted(),
        part("token writer", OnWork, Store, Drains, Start::Resident(write_tokens)),
        part("breaker writer", OnWork, Store, Drains, Start::Resident(write_breakers)).not_critical(),
        part("sample writer", OnWork, Store, Drains, Start::Resident(write_samples)).not_critical(),
        part("event writer", OnWork, Store, Drains, Start::Resident(write_events)).not_critical(),
        part("monitor", Supervision, Holding, Looks, Start::Resident(monitor)),
    ]
};

fn serve(early: &Early, life: Life) -> BoxFuture<'static, ()> {
    early.surface.serve(life.stop)
}

fn keep_lease(early: &Early, life: Life) -> BoxFuture<'static, ()> {
    Box::pin(early.lease.clone().keep(life.runtime, early.board.clone()))
}

fn work(resident: &Arc<Resident>, life: Life) -> BoxFuture<'static, ()> {
    let resident = resident.clone();
    Box::pin(async move { Work::boot(&resident, life).run().await })
}

fn watch_roster(resident: &Arc<Resident>, life: Life) -> BoxFuture<'static, ()> {
    let resident = resident.clone();
    Box::pin(async move { roster::watch(&resident, &life).await })
}

fn follow_sources(resident: &Arc<Resident>, life: Life) -> BoxFuture<'static, ()> {
    let (under, events) = (resident.token_of(&life), resident.events.by(life.author));
    let resident = resident.clone();
    Box::pin(async move {
        let every = resident.settings.source_poll_interval;
        let look = Look { runtime: &*life.runtime, under, events: Some(&events) };
        resident.sources.watch(every, look).await;
    })
}

fn beat(resident: &Arc<Resident>, life: Life) -> BoxFuture<'static, ()> {
    let resident = resident.clone();
    Box::pin(async move { pause::beat(&resident.pulse, &*life.runtime).await })
}

fn write_tokens(resident: &Arc<Resident>, life: Life) -> BoxFuture<'static, ()> {
    let sink = TokenSink { store: resident.ports.tokens.clone(), under: resident.token_of(&life) };
    drain(resident, life, resident.tokens.clone(), sink)
}

fn write_breakers(resident: &Arc<Resident>, life: Life) -> BoxFuture<'static, ()> {
    let sink = BreakerSink {
        guards: resident.guards.clone(),
        store: resident.ports.breakers.clone(),
        under: resident.token_of(&life),
        clock: resident.clock.clone(),
    };
    drain(resident, life, resident.breakers.changed.clone(), sink)
}

fn write_samples(resident: &Arc<Resident>, life: Life) -> BoxFuture<'static, ()> {
    drain(resident, life, resident.samples.clone(), SampleSink(resident.ports.history.clone()))
}

fn write_events(resident: &Arc<Resident>, life: Life) -> BoxFuture<'static, ()> {
    drain(resident, life, resident.events.outbox.clone(), EventSink(resident.ports.events.clone()))
}

fn monitor(resident: &Arc<Resident>, life: Life) -> BoxFuture<'static, ()> {
    Box::pin(Monitor::new(resident.clone(), life).run())
}

fn drain<S, K>(resident: &Resident, life: Life, outbox: Arc<Outbox<S>>, sink: K) -> BoxFuture<'static, ()>
where
    S: Shelf + Send + 'static,
    K: Sink<S::Entry> + 'static,
{
    let (board, lease) = (resident.board.clone(), resident.lease.clone());
    let drain = Drain { life, board, lease, backoff: resident.settings.retry.clone() };
    Box::pin(async move { drain.run(&outbox, &sink).await })
}

impl OnEnd {
    /// As the documentation names it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Restart => "restart",
            Self::Degrade => "degrade",
            Self::EndProcess => "end the process",
        }
    }
}

impl Stage {
    /// All of them, in their order.
    pub const ALL: [Self; 4] = [Self::Work, Self::Store, Self::Lease, Self::Surface];

    /// As the documentation names it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Work => "work",
            Self::Store => "store",
            Self::Lease => "lease",
            Self::Surface => "surface",
        }
    }
}

impl OnStop {
    /// As the documentation names it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Drain => "drain",
            Self::Abort => "abort",
        }
    }
}

impl Progress {
    /// As the documentation names it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Runs => "runs end",
            Self::Drains => "its outbox empties",
            Self::Looks => "it looks again",
            Self::Answers => "connections are answered",
        }
    }
}
