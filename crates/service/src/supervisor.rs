//! Starts the parts, waits for one to end, and stops them in order: the one owner of a service's life, in production and in
//! the simulator alike.
//!
//! Nothing is started but from the table, and nothing is left running: whatever ends [`Supervisor::run`] goes through the
//! stages of a stop, and what does not end by its deadline is aborted and named. Dropping the supervisor orders every part to
//! stop at once.

mod crew;
mod healing;
mod log;
mod time;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::SetOnce;
use ttm_health::HealthView as _;
use ttm_kernel::{Moment, Runtime, StoreLease, within};

use crate::board::Board;
use crate::ended::{Ended, Exit, Failure, StartError, Stopped};
use crate::io::{Owned, lease_on};
use crate::lease::Lease;
use crate::life::Author;
use crate::parts::{Early, PARTS, Part, Stage};
use crate::ports::{Controls, Planes, Surface};
use crate::resident::{Figures, Resident};
use crate::start::{Open, Starting};
use crate::vigil::Vigil;
use crate::{ServiceSettings, opening};
use crew::{Crew, Interrupted, Replaced};
use healing::Healing;

/// What is stored by then is not worth a line.
const STORED_SOON: Duration = Duration::from_secs(1);
/// Closing is given this long, of long stops, also when all was stored late: it writes nothing new.
const CLOSE_WITHIN: Duration = Duration::from_secs(1);
/// And of short ones this long: the next process waits for a lease that was not given up. So is the surface. A stop may be
/// later than its deadline by both of them, and by nothing else.
const AT_LEAST: Duration = Duration::from_millis(250);
/// A start that is given up waits for its lease to be released for this long.
const RELEASE_WITHIN: Duration = Duration::from_millis(500);
/// The last answers of a long stop are given this long.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// What a start comes to.
type Opened = (Arc<Resident>, Healing, Controls);

/// A service that has not started yet.
pub struct Supervisor {
    settings: ServiceSettings,
    planes: Arc<dyn Planes>,
    supervision: Arc<dyn Runtime>,
    io: Arc<dyn Runtime>,
    early: Early,
    parts: Vec<Part>,
    figures: Figures,
    vigil: Vigil,
}

impl Supervisor {
    /// The service on the store of this lease, shown by this surface.
    pub fn new(
        settings: ServiceSettings,
        planes: Arc<dyn Planes>,
        board: Arc<Board>,
        lease: Arc<dyn StoreLease>,
        surface: Arc<dyn Surface>,
    ) -> Self {
        let (supervision, io) = (planes.supervision(), planes.io());
        let lease = Arc::new(Lease::new(lease_on(lease, &io), &supervision));
        let early = Early { board, lease, surface };
        let figures = Figures(Arc::new(SetOnce::new()));
        let vigil = Vigil::new(&supervision);
        Self { settings, planes, supervision, io, early, parts: PARTS.to_vec(), figures, vigil }
    }

    /// With another table, for tests.
    #[must_use]
    pub fn with_parts(self, parts: Vec<Part>) -> Self {
        Self { parts, ..self }
    }

    /// Figures that can be read before, during and after the life of the service.
    pub fn figures(&self) -> Figures {
        self.figures.clone()
    }

    /// Whether the process counts as alive, for a watchdog.
    pub fn vigil(&self) -> Vigil {
        self.vigil.clone()
    }

    /// Takes the store's lease, opens the ports under it, restores what was stored, starts all parts, and works until `stop`
    /// completes with the deadline of a stop, or until a part ends that never should. Either way it then stops in order; a
    /// stop that the service orders itself has [`ServiceSettings::stop_within`]. What does not end in time is aborted, so that a
    /// stop is over within half a second of its deadline, whatever hangs. Dropping this future aborts every part.
    pub async fn run<E>(self, open: Open<E>, stop: impl Future<Output = Moment>) -> Exit<E> {
        let mut crew = match Crew::new(
            self.parts.clone(),
            self.early.clone(),
            self.planes.clone(),
            self.supervision.clone(),
        ) {
            Ok(crew) => crew,
            Err(error) => {
                let message = format!("threads cannot be started: {error}");
                return Exit::NotStarted(StartError::Process(message));
            }
        };
        crew.start_early(Stage::Surface);
        let vigil = self.vigil.clone();
        // A task of that plane: that this future is polled says nothing about it.
        let _beat = Owned(self.supervision.spawn("vigil", Box::pin(async move { vigil.beat().await })));
        let (exit, deadline) = self.live(&mut crew, open, stop).await;
        // The endpoints answer until the end, so that one can see it stopping.
        let now = crew.clock.now();
        crew.stop(Stage::Surface, deadline.min(now + LAST_ANSWERS).max(now + AT_LEAST)).await;
        self.early.surface.ended();
        exit
    }

    /// All of a life but the end of the surface, which has until the moment that is returned.
    async fn live<E>(
        &self,
        crew: &mut Crew,
        open: Open<E>,
        stop: impl Future<Output = Moment>,
    ) -> (Exit<E>, Moment) {
        let mut stop = std::pin::pin!(stop);
        let starting = Starting::new(&self.early.board, &self.settings, &self.supervision);
        let resident = match crew.unless(stop.as_mut(), starting.acquire(&self.early.lease)).await {
            Err(interrupted) => Err(interrupted),
            Ok(Err(error)) => return (Exit::NotStarted(error.into()), Moment::MAX),
            Ok(Ok(())) => {
                // Kept from here on: a start may take longer than the lease lasts.
                crew.start_early(Stage::Lease);
                crew.unless(stop.as_mut(), Box::pin(self.open(open, &starting))).await
            }
        };
        let (resident, mut healing, controls) = match resident {
            Ok(Ok(opened)) => opened,
            Ok(Err(error)) => {
                self.let_go(crew, Moment::MAX).await;
                return (Exit::NotStarted(error), Moment::MAX);
            }
            Err(Interrupted::ByOrder(deadline)) => {
                let report = self.early.board.report();
                let waited_for = report.reasons().first().copied().unwrap_or_default();
                tracing::info!(waited_for, "stopped before the start was over");
                self.let_go(crew, deadline).await;
                return (Exit::Abandoned, deadline);
            }
            Err(Interrupted::ByFailure(failure)) => {
                self.let_go(crew, Moment::MAX).await;
                // Nothing else ends a start.
                return (Exit::NotStarted(StartError::Superseded(failure.cause())), Moment::MAX);
            }
        };
        crew.start_rest(&resident);
        // Nothing else sets it.
        drop(self.figures.0.set(resident.clone()));
        self.early.surface.started(controls);
        let ended = tokio::select! {
            biased;
            deadline = stop.as_mut() => Err(Interrupted::ByOrder(deadline)),
            failure = healing.watch(crew) => Err::<Infallible, _>(Interrupted::ByFailure(failure)),
        };
        let (failure, deadline) = match ended {
            Ok(never) => match never {},
            Err(Interrupted::ByOrder(deadline)) => (None, deadline),
            Err(Interrupted::ByFailure(failure)) => {
                let failure = self.as_it_is(failure);
                tracing::error!(%failure, "stopping in order");
                self.early.board.ends_because(&failure.cause());
                // Nothing can be written any more, so there is nothing to wait for.
                let patience = match failure {
                    Failure::Superseded(_) => CLOSE_WITHIN,
                    Failure::Recovery(_) => self.settings.stop_within,
                };
                (Some(failure), self.supervision.now() + patience)
            }
        };
        let clock = crew.clock.clone();
        let stopped = clock.watch(self.stop(crew, &mut healing, &resident, deadline)).await;
        // The lease may have been lost during the stop as well.
        let lost = || self.early.lease.lost().map(|reason| Failure::Superseded(reason.to_owned()));
        (Exit::Ended(Ended { failure: failure.or_else(lost), stopped }), deadline)
    }

    /// The start under the lease.
    async fn open<E>(&self, open: Open<E>, starting: &Starting) -> Result<Opened, StartError<E>> {
        let ports = open(starting).await.map_err(StartError::Open)?.on(&self.io);
        self.early.surface.opened(&ports);
        let Early { board, lease, .. } = &self.early;
        let restored = opening::restore(ports, &self.settings, &self.io, board, lease, starting);
        let (resident, stored) = restored.await?;
        let resident = Arc::new(resident);
        let (healing, controls) =
            Healing::begin(&self.parts, &resident, &self.supervision, &self.vigil).await;
        // Last, and before anything says that the service started: what was stored is served from the first answer on.
        board.post_tokens(Author::RESIDENT, stored.into_iter().map(Arc::new).collect());
        Ok((resident, healing, controls))
    }

    /// Gives up a start. The next process need not wait for the lease; one that another holds is left as it is.
    async fn let_go(&self, crew: &mut Crew, deadline: Moment) {
        let now = self.supervision.now();
        let by = deadline.min(now + RELEASE_WITHIN).max(now + AT_LEAST);
        crew.stop(Stage::Lease, by).await;
        drop(within(&*self.supervision, by, self.early.lease.release()).await);
    }

    /// A part that ended because the store was lost is not why the service ends.
    fn as_it_is(&self, failure: Failure) -> Failure {
        let lost = self.early.lease.lost();
        lost.map_or(failure, |reason| Failure::Superseded(reason.to_owned()))
    }

    /// Stops: no run starts, what is in flight ends, then everything is written, all by `deadline`. Requests that wait for
    /// another attempt are given up in time for the writing. A pause of the process takes no time from any stage.
    async fn stop(
        &self,
        crew: &mut Crew,
        healing: &mut Healing,
        resident: &Resident,
        deadline: Moment,
    ) -> Stopped {
        let clock = crew.clock.clone();
        let begun = clock.now();
        self.early.board.enter_stopping();
        healing.stop();
        // What was being restarted would not be there: whoever asks is answered until the end, by a report that is made until then, under
        // a lease that is kept. What the surface before still answers has until the stores are closed, too.
        let _replaced = start_missing(crew, healing, Stage::Surface);
        if self.early.lease.lost().is_none() {
            // Without a lease nothing is stored. One that has run out was not renewed by whoever keeps it, stuck or not so far.
            let has_lapsed = self.early.lease.lapsed_since().is_some();
            let is_stuck = |id| has_lapsed || healing.is_stuck(id);
            drop(crew.start_missing(Stage::Lease, is_stuck, |id| healing.incarnation(id).next()));
        }
        let lasts = deadline - begun;
        crew.order(Stage::Work, begun + lasts / 2);
        // Part of the time is for closing: a store that hangs keeps its writers until they are given up. And part of it for
        // storing: work that hangs takes no time from what it has done.
        let answering = LAST_ANSWERS.min(lasts / 8);
        let closing = CLOSE_WITHIN.min(lasts / 8);
        let stored_by = deadline.saturating_sub(closing + answering);
        let mut in_time = crew.ended(Stage::Work, begun + lasts * 5 / 8).await;
        // No call is under way any more: this is what the next process should know.
        resident.breakers.put();
        resident.events.stopped(self.early.board.uptime(), in_time);
        // What is put in later has no writer any more: the monitor goes on until all is stored.
        resident.close();
        // A writer that waits to be started again would leave what it should store.
        // Dropping the one before aborts it; its outbox keeps what it had taken.
        drop(start_missing(crew, healing, Stage::Store));
        crew.order(Stage::Store, stored_by);
        let soon = clock.now() + STORED_SOON;
        if soon < stored_by
            && let Err(_) = clock.within(soon, crew.has_ended(Stage::Store)).await
        {
            let (tokens, samples) = (resident.tokens.counts().left(), resident.samples.counts().left());
            let events = resident.events.counts().left();
            let for_s = (stored_by - clock.now()).as_secs();
            if self.early.lease.lapsed_since().is_some() {
                tracing::info!(tokens, samples, events, for_s, "the stop waits for the lease on the store");
            } else {
                tracing::info!(tokens, samples, events, for_s, "the stop waits for the store");
            }
        }
        in_time &= crew.ended(Stage::Store, stored_by).await;
        let by = stored_by.max(clock.now() + AT_LEAST);
        if clock.within(by, healing.close(by - clock.now())).await.is_err() {
            tracing::warn!("what the ledger does not have was given up at the deadline of the stop");
        }
        // Kept up to here: a writer that tries again until it is given up needs it.
        let by = deadline.saturating_sub(answering).max(clock.now() + AT_LEAST);
        in_time &= crew.stop(Stage::Lease, by).await;
        // Closing merges what a database keeps beside its file, and the next process need not wait for the lease.
        let is_apart = self.early.board.stores.are_two();
        let close = async {
            resident.ports.tokens.close().await;
            if !is_apart {
                resident.ports.history.close().await;
            }
            if let Err(error) = self.early.lease.release().await {
                tracing::warn!(%error, "the lease was not released; it runs out by itself");
            }
            // The lease is on the state's database: one that hangs elsewhere keeps nobody from starting.
            if is_apart {
                resident.ports.history.close().await;
            }
        };
        if clock.within(by, close).await.is_err() {
            tracing::warn!("the store was not closed in time");
        }
        let orders = resident.breakers.orders.unstored();
        for breaker in &orders {
            tracing::error!(
                breaker,
                "an operator's order was not stored: the next process does not know of it"
            );
        }
        let stopped = Stopped {
            tokens_left: resident.tokens.counts().left(),
            samples_left: resident.samples.counts().left(),
            events_left: resident.events.counts().left(),
            orders_left: orders.len() as u64,
            in_time: in_time && clock.now() <= by,
        };
        let Stopped { tokens_left, samples_left, events_left, orders_left, in_time } = stopped;
        tracing::info!(tokens_left, samples_left, events_left, orders_left, in_time, "stopped");
        stopped
    }
}

/// Starts what was being restarted when the stop came, since nothing else is decided any more.
fn start_missing(crew: &mut Crew, healing: &Healing, stage: Stage) -> Replaced {
    crew.start_missing(stage, |id| healing.is_stuck(id), |id| healing.incarnation(id).next())
}

#[cfg(test)]
mod tests;
