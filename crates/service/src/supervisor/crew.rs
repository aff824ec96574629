//! The parts that run: their tasks, their incarnations, and the orders that stop them.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::future::{join_all, select_all};
use ttm_kernel::{Incarnation, Moment, Runtime, TaskEnd, within};

use crate::ended::{Failure, ending};
use crate::io::Owned;
use crate::life::{Author, Life};
use crate::parts::{Early, OnEnd, OnStop, Part, Stage, Start};
use crate::ports::Plane;
use crate::resident::Resident;
use crate::stop::StopOrder;

/// Everything that was started, and what is needed to start it again. What still runs when it is dropped is aborted.
pub(super) struct Crew {
    parts: Vec<Part>,
    early: Early,
    resident: Option<Arc<Resident>>,
    work: Arc<dyn Runtime>,
    supervision: Arc<dyn Runtime>,
    orders: BTreeMap<Stage, StopOrder>,
    running: Vec<Running>,
}

struct Running {
    part: Part,
    incarnation: Incarnation,
    task: Owned,
}

/// Why a step was not finished.
pub(super) enum Interrupted {
    /// The stop was ordered, with this deadline.
    ByOrder(Moment),
    /// A part ended that never should.
    ByFailure(Failure),
}

impl Crew {
    /// Nothing runs yet.
    pub(super) fn new(
        parts: Vec<Part>,
        early: Early,
        work: Arc<dyn Runtime>,
        supervision: Arc<dyn Runtime>,
    ) -> Self {
        let orders = Stage::ALL.into_iter().map(|stage| (stage, StopOrder::new())).collect();
        Self { parts, early, resident: None, work, supervision, orders, running: Vec::new() }
    }

    /// Starts the parts of a stage that need no store.
    pub(super) fn start_early(&mut self, stage: Stage) {
        let is_early = |part: &Part| part.stage == stage && matches!(part.start, Start::Early(_));
        self.start_all(is_early);
    }

    /// Starts the parts that need the resident state.
    pub(super) fn start_rest(&mut self, resident: &Arc<Resident>) {
        self.resident = Some(resident.clone());
        self.start_all(|part| matches!(part.start, Start::Resident(_)));
    }

    fn start_all(&mut self, these: impl Fn(&Part) -> bool) {
        let parts: Vec<Part> = self.parts.iter().filter(|part| these(part)).copied().collect();
        for part in parts {
            self.start(part, Incarnation::FIRST);
        }
    }

    fn start(&mut self, part: Part, incarnation: Incarnation) {
        let runtime = match part.plane {
            Plane::Work => self.work.clone(),
            Plane::Supervision => self.supervision.clone(),
        };
        let author = Author { part: part.name, incarnation };
        let life = Life { author, runtime: runtime.clone(), stop: self.orders[&part.stage].listener() };
        let body = match (part.start, &self.resident) {
            (Start::Early(start), _) => start(&self.early, life),
            (Start::Resident(start), Some(resident)) => {
                resident.admit(author);
                start(resident, life)
            }
            (Start::Resident(_), None) => {
                unreachable!("a part that needs the resident state is started with it")
            }
        };
        self.running.push(Running { part, incarnation, task: Owned(runtime.spawn(part.name, body)) });
    }

    /// Does this work, unless the stop is ordered or a part ends that never should.
    pub(super) async fn unless<T>(
        &mut self,
        stop: Pin<&mut impl Future<Output = Moment>>,
        work: impl Future<Output = T>,
    ) -> Result<T, Interrupted> {
        tokio::select! {
            biased;
            deadline = stop => Err(Interrupted::ByOrder(deadline)),
            failure = self.failed() => Err(Interrupted::ByFailure(failure)),
            done = work => Ok(done),
        }
    }

    /// Completes when a part ended that never should. Others are started again, at once, or done without, as their rows say.
    /// Dropping it loses nothing: a task gives its end as often as it is asked.
    async fn failed(&mut self) -> Failure {
        while !self.running.is_empty() {
            let (end, at, _) = select_all(self.running.iter_mut().map(|running| &mut running.task)).await;
            let Running { part, incarnation, .. } = self.running[at];
            let (name, how) = (part.name, ending(&end));
            if self.early.lease.lost().is_some() {
                // No start of a part brings the store back.
                return Failure::Part { part: name, end };
            }
            match part.on_end {
                OnEnd::EndProcess => return Failure::Part { part: name, end },
                OnEnd::Degrade => {
                    tracing::error!(part = name, end = how, "a part ended; the service goes on without it");
                    self.running.remove(at);
                }
                OnEnd::Restart => {
                    tracing::warn!(part = name, end = how, %incarnation, "a part ended; starting it again");
                    self.running.remove(at);
                    self.start(part, incarnation.next());
                }
            }
        }
        std::future::pending().await
    }

    /// Orders the parts of a stage to stop.
    pub(super) fn order(&mut self, stage: Stage, deadline: Moment) {
        self.orders[&stage].give(deadline);
        for running in self.of(stage).filter(|running| running.part.on_stop == OnStop::Abort) {
            running.task.0.abort();
        }
    }

    /// Completes when all parts of a stage have ended.
    pub(super) async fn has_ended(&mut self, stage: Stage) {
        join_all(self.of(stage).map(|running| &mut running.task)).await;
    }

    /// Waits for the parts of a stage until the deadline, and gives up what has not ended then. Whether all ended as they were
    /// ordered to.
    pub(super) async fn ended(&mut self, stage: Stage, deadline: Moment) -> bool {
        let runtime = self.supervision.clone();
        let mut in_time = true;
        for Running { part, task, .. } in self.of(stage) {
            in_time &= match within(&*runtime, deadline, &mut *task).await {
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
        self.running.iter_mut().filter(move |running| running.part.stage == stage)
    }
}
