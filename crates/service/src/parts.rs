//! The table of parts: everything of the service that runs for as long as the process does, and can be started again from
//! the resident state. ARCHITECTURE has the same table.

use std::sync::Arc;
use std::time::Duration;

use ttm_kernel::{BoxFuture, Lane};
use ttm_recovery::{PartId, PartSpec};

use crate::alerts::Alerts;
use crate::board::Board;
use crate::drain::{Drain, Sink};
use crate::lease::Lease;
use crate::life::Life;
use crate::monitor::Monitor;
use crate::outbox::{Outbox, Shelf};
use crate::ports::{Plane, Surface};
use crate::resident::Resident;
use crate::settings::{METRICS, POOLS, STORE};
use crate::sinks::{BreakerSink, EventSink, SampleSink, TokenSink};
use crate::sources::Look;
use crate::work::Work;
use crate::{ServiceSettings, pause, roster};

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// What it is called in logs, by operators and in the ledger, and its task.
    pub name: &'static str,
    /// Where it runs.
    pub plane: Plane,
    /// Whether the service does not do what it is for while this part does not run.
    pub critical: bool,
    /// What it cannot get on without. While that is away it says so, and is not restarted.
    pub depends_on: &'static [&'static str],
    /// When it is stopped.
    pub stage: Stage,
    /// How it is stopped.
    pub on_stop: OnStop,
    /// What shows that it gets on.
    pub progress: Progress,
    pub(crate) runs: Runs,
}

/// What a part consists of.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Runs {
    /// A task of its own.
    Task(Start),
    /// A group of tokens, which the task of the part before the groups works on.
    Group(Lane),
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
    /// Runs of its group end, having refreshed tokens or found none due.
    Runs,
    /// What waits in its outbox is stored or dropped.
    Drains,
    /// It looks again, whatever it finds.
    Looks,
    /// It renews the lease, or hears that the store is away.
    Renews,
    /// It beats: if it does not, its plane is stuck.
    Beats,
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

/// A critical part that depends on nothing and finishes what it has begun.
const fn part(name: &'static str, plane: Plane, stage: Stage, progress: Progress, runs: Runs) -> Part {
    Part { name, plane, critical: true, depends_on: &[], stage, on_stop: OnStop::Drain, progress, runs }
}

impl Part {
    /// The service still does what it is for without it.
    const fn not_critical(self) -> Self {
        Self { critical: false, ..self }
    }

    /// There is nothing to finish.
    const fn aborted(self) -> Self {
        Self { on_stop: OnStop::Abort, ..self }
    }

    /// It needs this to get on.
    const fn on(self, depends_on: &'static [&'static str]) -> Self {
        Self { depends_on, ..self }
    }

    /// It is stuck after so long without a sign of life.
    pub fn patience(&self, settings: &ServiceSettings) -> Duration {
        match (self.progress, self.runs) {
            (Progress::Runs, Runs::Group(lane)) => {
                let of_turns = slowest_turns(settings).max(slowest_answer(settings));
                stuck_after(settings.schedule.interval(lane)).max(of_turns)
            }
            (Progress::Drains, _) => WRITER_PATIENCE,
            (Progress::Beats, _) => CANARY_PATIENCE,
            (Progress::Renews, _) => LEASE_PATIENCE,
            (Progress::Looks | Progress::Runs, _) if self.name == SOURCES => {
                SOURCES_PATIENCE.max(3 * settings.source_poll_interval)
            }
            (Progress::Looks | Progress::Runs | Progress::Answers, _) => PATIENCE,
        }
    }

    /// How often it has something to do.
    fn interval(&self, settings: &ServiceSettings) -> Duration {
        match self.runs {
            Runs::Group(lane) => settings.schedule.interval(lane),
            Runs::Task(_) => TURN,
        }
    }

    /// What recovery knows of it; `at` is the place of the part that works on the groups.
    pub(crate) fn spec(&self, at: Option<PartId>, settings: &ServiceSettings) -> PartSpec {
        PartSpec {
            name: self.name,
            critical: self.critical,
            on_work_plane: self.plane == Plane::Work,
            within: at.filter(|_| matches!(self.runs, Runs::Group(_))),
            depends_on: self.depends_on,
            patience: self.patience(settings),
            interval: self.interval(settings),
            is_canary: self.progress == Progress::Beats,
        }
    }
}

/// A group is stuck after three intervals, but not within a minute, and not later than the specification allows for any interval. Runs
/// end with the next tick at the latest, so how long they take adds nothing.
fn stuck_after(interval: Duration) -> Duration {
    (3 * interval).max(PATIENCE).min((interval + PATIENCE).max(2 * PATIENCE))
}

/// Two turns of a group that gets no more of the budget than its floor: with few requests a minute that is longer.
fn slowest_turns(settings: &ServiceSettings) -> Duration {
    let floor = settings.dispatch.settings().floor_percent / 100.0;
    let of_group = settings.guard.usable_per_minute().map(|per_minute| per_minute * floor);
    let a_minute = of_group.filter(|turns| *turns > 0.0);
    a_minute.map_or(Duration::ZERO, |turns| Duration::from_secs_f64((120.0 / turns).min(86_400.0)))
}

/// That an API which never answers is away shows after the time of an attempt; with a long one that is longer.
fn slowest_answer(settings: &ServiceSettings) -> Duration {
    2 * settings.guard.settings().attempt_timeout + PATIENCE / 2
}

/// Twice what the longest of one look, one write with its deadline or one connection takes.
const PATIENCE: Duration = Duration::from_mins(1);
/// A writer whose store needs an operator tries once a minute.
const WRITER_PATIENCE: Duration = Duration::from_mins(3);
/// A look at a list may follow many tokens, each step of which has a deadline of its own.
const SOURCES_PATIENCE: Duration = Duration::from_mins(5);
/// The shortest lease lasts 15 s, and is trusted for 14. An attempt to renew it begins every five seconds, and is given up after as many:
/// a keeper that hangs is replaced before nothing can be requested or written for want of it.
const LEASE_PATIENCE: Duration = Duration::from_secs(12);
/// A plane that does not run a task which is due for so long runs none.
const CANARY_PATIENCE: Duration = Duration::from_secs(10);
/// How often parts that are no groups have something to do.
const TURN: Duration = Duration::from_secs(10);

/// The name of the part that follows lists of tokens.
const SOURCES: &str = "sources";

/// All parts, in the order in which they are started; those that need no store come first.
pub const PARTS: [Part; 14] = {
    use Plane::{Supervision, Work as OnWork};
    use Progress::{Answers, Beats, Drains, Looks, Renews, Runs as OfRuns};
    use Stage::{Lease as Holding, Store, Surface as Showing, Work as Working};
    const fn task(start: fn(&Arc<Resident>, Life) -> BoxFuture<'static, ()>) -> Runs {
        Runs::Task(Start::Resident(start))
    }
    let api = Runs::Task(Start::Early(serve));
    let keeper = Runs::Task(Start::Early(keep_lease));
    [
        part("api", Supervision, Showing, Answers, api),
        // It says when the store is away, but is held back with no other part: what waits for the store needs the lease.
        part("lease-keeper", Supervision, Holding, Renews, keeper).aborted(),
        part("work", OnWork, Working, Looks, task(work)),
        part("hot-group", OnWork, Working, OfRuns, Runs::Group(Lane::Hot)).on(&[POOLS]),
        part("cold-group", OnWork, Working, OfRuns, Runs::Group(Lane::Cold)).on(&[POOLS]),
        part("roster", OnWork, Working, Looks, task(watch_roster)).not_critical().aborted().on(&[STORE]),
        part(SOURCES, OnWork, Working, Looks, task(follow_sources)).not_critical().aborted().on(&[STORE]),
        part("pulse", OnWork, Working, Beats, task(beat)).aborted(),
        part("token-writer", OnWork, Store, Drains, task(write_tokens)).on(&[STORE]),
        part("breaker-writer", OnWork, Store, Drains, task(write_breakers)).not_critical().on(&[STORE]),
        part("sample-writer", OnWork, Store, Drains, task(write_samples)).not_critical().on(&[METRICS]),
        part("event-writer", OnWork, Store, Drains, task(write_events)).not_critical().on(&[METRICS]),
        part("monitor", Supervision, Holding, Looks, task(monitor)),
        part("alerts", Supervision, Holding, Looks, task(tell)).not_critical(),
    ]
};

fn serve(early: &Early, life: Life) -> BoxFuture<'static, ()> {
    early.surface.serve(life.stop, life.vital)
}

fn keep_lease(early: &Early, life: Life) -> BoxFuture<'static, ()> {
    Box::pin(early.lease.clone().keep(life, early.board.clone()))
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
        resident.sources.watch(every, look, &life.vital).await;
    })
}

fn beat(resident: &Arc<Resident>, life: Life) -> BoxFuture<'static, ()> {
    let resident = resident.clone();
    Box::pin(async move { pause::beat(&resident.pulse, &life).await })
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
        log: resident.breakers.clone(),
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

fn tell(resident: &Arc<Resident>, life: Life) -> BoxFuture<'static, ()> {
    let resident = resident.clone();
    Box::pin(async move { Alerts::take_up(resident, life).await.run().await })
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
            Self::Runs => "its runs end",
            Self::Drains => "its outbox empties",
            Self::Looks => "it looks again",
            Self::Renews => "it renews the lease",
            Self::Beats => "it beats",
            Self::Answers => "connections are answered",
        }
    }
}
