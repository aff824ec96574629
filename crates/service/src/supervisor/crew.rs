//! The tasks of the parts: each start is an incarnation with an order to stop and signs of life of its own. It decides nothing.

use std::collections::BTreeMap;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{join_all, select_all};
use ttm_kernel::{Incarnation, Lane, Moment, Runtime, TaskEnd};
use ttm_recovery::PartId;

use super::time::StopClock;
use crate::ended::{Failure, ending};
use crate::groups::{Mode, Wanted};
use crate::io::Owned;
use crate::life::{Author, Life};
use crate::parts::{Early, OnStop, Part, Runs, Stage, Start};
use crate::ports::{Plane, Planes};
use crate::resident::Resident;
use crate::stop::StopOrder;
use crate::vital::{Signs, Vital};

/// A part that ends during the start is started again after this time,
const FIRST_BACKOFF: Duration = Duration::from_secs(1);
/// and each time after twice as long, but no longer than this.
const LONGEST_BACKOFF: Duration = Duration::from_mins(1);

/// Everything that was started, and what is needed to start it again. What still runs when it is dropped is aborted.
pub(super) struct Crew {
    parts: Vec<Part>,
    early: Early,
    resident: Option<Arc<Resident>>,
    planes: Arc<dyn Planes>,
    work: Arc<dyn Runtime>,
    supervision: Arc<dyn Runtime>,
    /// Deadlines of a stop are by this clock.
    pub(super) clock: StopClock,
    running: BTreeMap<PartId, Running>,
}

struct Running {
    part: Part,
    incarnation: Incarnation,
    task: Owned,
    order: StopOrder,
    vital: Vital,
}

/// Parts that others do the work of now.
pub(super) struct Replaced(#[expect(dead_code, reason = "it is there to be dropped")] Vec<Running>);

/// Why a step was not finished.
pub(super) enum Interrupted {
    /// The stop was ordered, with this deadline.
    ByOrder(Moment),
    /// Something failed that ends the process.
    ByFailure(Failure),
}

impl Crew {
    /// Nothing runs yet.
    ///
    /// # Errors
    /// When the threads of the work plane cannot be started.
    pub(super) fn new(
        parts: Vec<Part>,
        early: Early,
        planes: Arc<dyn Planes>,
        supervision: Arc<dyn Runtime>,
    ) -> io::Result<Self> {
        let work = planes.build_work()?;
        let running = BTreeMap::new();
        let clock = StopClock::new(&supervision);
        Ok(Self { parts, early, resident: None, planes, work, supervision, clock, running })
    }

    /// Starts the parts of a stage that need no store.
    pub(super) fn start_early(&mut self, stage: Stage) {
        self.start_all(|part| part.stage == stage && matches!(part.runs, Runs::Task(Start::Early(_))));
    }

    /// Starts the parts that need the resident state.
    pub(super) fn start_rest(&mut self, resident: &Arc<Resident>) {
        self.resident = Some(resident.clone());
        self.start_all(|part| matches!(part.runs, Runs::Task(Start::Resident(_)) | Runs::Group(_)));
    }

    fn start_all(&mut self, these: impl Fn(&Part) -> bool) {
        let ids = (0..self.parts.len()).map(PartId).filter(|id| these(&self.parts[id.0]));
        for id in ids.collect::<Vec<_>>() {
            self.start(id, Incarnation::FIRST);
        }
    }

    /// Starts those parts of a stage that do not run, or do not get on. Those that they replace are returned: dropping one aborts it.
    pub(super) fn start_missing(
        &mut self,
        stage: Stage,
        is_stuck: impl Fn(PartId) -> bool,
        incarnation: impl Fn(PartId) -> Incarnation,
    ) -> Replaced {
        // One that has ended since anybody looked does not run either, and one that was told to stop before has less time than it
        // could have.
        let is_replaced = |id: &PartId, running: &mut Running| {
            let is_told = running.order.listener().deadline().is_some();
            running.part.stage == stage
                && (is_told || is_stuck(*id) || (&mut running.task).now_or_never().is_some())
        };
        let replaced = self.running.extract_if(.., is_replaced).map(|(_, running)| running).collect();
        let is_missing = |id: &PartId| {
            let part = &self.parts[id.0];
            part.stage == stage && !self.running.contains_key(id) && matches!(part.runs, Runs::Task(_))
        };
        let missing: Vec<PartId> = (0..self.parts.len()).map(PartId).filter(is_missing).collect();
        for id in missing {
            self.start(id, incarnation(id));
        }
        Replaced(replaced)
    }

    /// Starts an incarnation of a part. The one before has ended, or was left behind.
    pub(super) fn start(&mut self, id: PartId, incarnation: Incarnation) {
        let part = self.parts[id.0];
        let start = match part.runs {
            Runs::Task(start) => start,
            Runs::Group(lane) => return self.want(lane, incarnation, Mode::Run),
        };
        let runtime = match part.plane {
            Plane::Work => self.work.clone(),
            Plane::Supervision => self.supervision.clone(),
        };
        let (order, vital) = (StopOrder::new(), Vital::new(&runtime));
        let author = Author { part: part.name, incarnation };
        let life = Life { author, runtime: runtime.clone(), stop: order.listener(), vital: vital.clone() };
        let body = match (start, &self.resident) {
            (Start::Early(start), _) => start(&self.early, life),
            (Start::Resident(start), Some(resident)) => {
                resident.admit(author);
                start(resident, life)
            }
            (Start::Resident(_), None) => {
                unreachable!("a part that needs the resident state is started with it")
            }
        };
        #[cfg(feature = "test-faults")]
        let body = crate::faults::of_part(part.name, body);
        let task = Owned(runtime.spawn(part.name, body));
        self.running.insert(id, Running { part, incarnation, task, order, vital });
    }

    fn want(&self, lane: Lane, incarnation: Incarnation, mode: Mode) {
        if let Some(resident) = &self.resident {
            resident.groups.want(lane, Wanted { incarnation, mode });
        }
    }

    /// Has a part stop by then.
    pub(super) fn stop_one(&self, id: PartId, incarnation: Incarnation, deadline: Moment) {
        if let Runs::Group(lane) = self.parts[id.0].runs {
            return self.want(lane, incarnation, Mode::Drain);
        }
        if let Some(running) = self.running.get(&id) {
            running.order.give(deadline);
            if running.part.on_stop == OnStop::Abort {
                running.task.0.abort();
            }
        }
    }

    /// Aborts a part.
    pub(super) fn abort_one(&self, id: PartId, incarnation: Incarnation) {
        if let Runs::Group(lane) = self.parts[id.0].runs {
            return self.want(lane, incarnation, Mode::Abort);
        }
        if let Some(running) = self.running.get(&id) {
            running.task.0.abort();
        }
    }

    /// Builds the work plane anew. What runs on the one before is left behind.
    ///
    /// # Errors
    /// When its threads cannot be started; then everything is as it was.
    pub(super) fn rebuild(&mut self) -> io::Result<()> {
        self.work = self.planes.build_work()?;
        // Dropping them aborts what yields there.
        self.running.retain(|_, running| running.part.plane != Plane::Work);
        if let Some(resident) = &self.resident {
            resident.flights.forget();
        }
        Ok(())
    }

    /// Completes when a task has ended, which is no part of the crew any more then. Dropping it loses nothing: a task gives its end as
    /// often as it is asked.
    pub(super) async fn has_ended_one(&mut self) -> (PartId, Incarnation, TaskEnd) {
        if self.running.is_empty() {
            return std::future::pending().await;
        }
        let ids: Vec<PartId> = self.running.keys().copied().collect();
        let tasks = self.running.values_mut().map(|running| &mut running.task);
        let (end, at, _) = select_all(tasks).await;
        let id = ids[at];
        let incarnation = self.running.remove(&id).map_or(Incarnation::FIRST, |running| running.incarnation);
        (id, incarnation, end)
    }

    /// The signs of life of the tasks that run.
    pub(super) fn signs(&self) -> impl Iterator<Item = (PartId, Incarnation, Signs)> {
        self.running.iter().map(|(id, running)| (*id, running.incarnation, running.vital.signs()))
    }

    /// Groups that have ended as these incarnations.
    pub(super) fn groups(&self) -> impl Iterator<Item = (PartId, Lane)> {
        let group = |(at, part): (usize, &Part)| match part.runs {
            Runs::Group(lane) => Some((PartId(at), lane)),
            Runs::Task(_) => None,
        };
        self.parts.iter().enumerate().filter_map(group)
    }

    /// Does this work of a start, unless the stop is ordered or the lease is lost. A part that ends meanwhile is started again after a
    /// time that grows: nothing counts yet how often, and a process that ended for it would come back to the same.
    pub(super) async fn unless<T>(
        &mut self,
        mut stop: Pin<&mut impl Future<Output = Moment>>,
        work: impl Future<Output = T>,
    ) -> Result<T, Interrupted> {
        let mut work = pin!(work);
        let mut backoff = FIRST_BACKOFF;
        loop {
            let (id, end) = tokio::select! {
                biased;
                deadline = stop.as_mut() => return Err(Interrupted::ByOrder(deadline)),
                (id, _, end) = self.has_ended_one() => (id, end),
                done = work.as_mut() => return Ok(done),
            };
            if let Some(reason) = self.early.lease.lost() {
                return Err(Interrupted::ByFailure(Failure::Superseded(reason.to_owned())));
            }
            let (part, end, again_in_s) = (self.parts[id.0].name, ending(&end), backoff.as_secs());
            tracing::error!(part, end, again_in_s, "a part ended during the start; it is started again");
            let again = self.supervision.sleep_until(self.supervision.now() + backoff);
            let done = tokio::select! {
                biased;
                deadline = stop.as_mut() => return Err(Interrupted::ByOrder(deadline)),
                done = work.as_mut() => Some(done),
                () = again => None,
            };
            self.start(id, Incarnation::FIRST);
            if let Some(done) = done {
                return Ok(done);
            }
            backoff = (2 * backoff).min(LONGEST_BACKOFF);
        }
    }

    /// Orders the parts of a stage to stop.
    pub(super) fn order(&mut self, stage: Stage, deadline: Moment) {
        let deadline = self.clock.outside(deadline);
        for running in self.of(stage) {
            running.order.give(deadline);
            if running.part.on_stop == OnStop::Abort {
                running.task.0.abort();
            }
        }
    }

    /// Completes when all parts of a stage have ended.
    pub(super) async fn has_ended(&mut self, stage: Stage) {
        join_all(self.of(stage).map(|running| &mut running.task)).await;
    }

    /// Waits for the parts of a stage until the deadline, and gives up what has not ended then. Whether all ended as they were
    /// ordered to.
    pub(super) async fn ended(&mut self, stage: Stage, deadline: Moment) -> bool {
        let clock = self.clock.clone();
        let mut in_time = true;
        for Running { part, task, .. } in self.of(stage) {
            in_time &= match clock.within(deadline, &mut *task).await {
                Ok(TaskEnd::Finished) => true,
                Ok(TaskEnd::Aborted) if part.on_stop == OnStop::Abort => true,
                Ok(end) => {
                    tracing::error!(part = part.name, end = ending(&end), "a part ended badly");
                    false
                }
                Err(_) => {
                    tracing::warn!(part = part.name, "given up at the deadline of the stop");
                    task.0.abort();
                    false
                }
            };
        }
        in_time
    }

    /// Orders the parts of a stage to stop, and waits for them until the deadline.
    pub(super) async fn stop(&mut self, stage: Stage, deadline: Moment) -> bool {
        self.order(stage, deadline);
        self.ended(stage, deadline).await
    }

    fn of(&mut self, stage: Stage) -> impl Iterator<Item = &mut Running> {
        self.running.values_mut().filter(move |running| running.part.stage == stage)
    }
}
