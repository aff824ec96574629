//! The driver of the work: gives the [`Machine`] its facts, makes the requests that it asks for, and hands what it wants
//! done to the board, the outboxes, the metrics and the log. It decides nothing: one task owns the machine, and readers
//! see the tokens through the board.

use std::convert::Infallible;
use std::sync::Arc;

use ttm_guard::{GuardError, Turn};
use ttm_kernel::{BoxFuture, CorrelationId, Entropy, Lane, Moment, PerLane, Runtime};
use ttm_market::DataQuality;
use ttm_schedule::RunOutcome;

use crate::caller::Caller;
use crate::client::Client;
use crate::edits::{Edit, EditReader};
use crate::events::EventLog;
use crate::groups::{GroupReader, Mode, Wanted};
use crate::life::{Author, Life};
use crate::resident::Resident;
use crate::series::{self, ScoreSeries};
use crate::stop::Stop;
use crate::vital::Vital;

mod log;
mod request;
mod requests;

use crate::machine::{Answer, Effect, Machine, Notice, Now, RequestId};
use requests::Requests;

/// The one task of the work plane.
pub(crate) struct Work {
    machine: Machine,
    resident: Arc<Resident>,
    author: Author,
    runtime: Arc<dyn Runtime>,
    stop: Stop,
    vital: Vital,
    groups: GroupReader,
    client: Arc<Client>,
    events: EventLog,
    edits: EditReader,
    ids: Arc<dyn Entropy>,
    score_series: ScoreSeries,
    /// What was counted of the data so far.
    quality: DataQuality,
    /// The ids of the runs under way, for the log.
    runs: PerLane<Option<CorrelationId>>,
    /// When the last run of each group began, and what it has refreshed if it has ended.
    began: PerLane<Option<Moment>>,
    processed: PerLane<u64>,
    requests: Requests,
    turn: Option<BoxFuture<'static, Result<Turn, GuardError<Infallible>>>>,
}

/// What woke the loop.
enum Wake {
    Stop(Moment),
    Ended(RequestId, Answer),
    Turn(Result<Turn, GuardError<Infallible>>),
    Edit(Edit),
    Groups,
    Timeout,
}

impl Work {
    /// The work on the tokens of the board, which goes on where the one before it was lost.
    pub(crate) fn boot(resident: &Arc<Resident>, life: Life) -> Self {
        let Life { author, runtime, stop, vital } = life;
        let Resident { board, guard, breakers, lease, ports, .. } = &**resident;
        let caller = Caller::new(guard.clone(), &runtime, "calls", board, breakers.clone());
        let edits = resident.edits.reader(author.incarnation);
        let now = Now { moment: runtime.now(), wall: runtime.wall() };
        resident.flights.abort_before(author.incarnation, now.moment);
        let mut work = Self {
            machine: Machine::boot(resident.settings.work(), board.places.boot(board.tokens()), now),
            client: Arc::new(Client::new(ports.pairs.clone(), caller, lease.clone())),
            events: resident.events.by(author),
            edits,
            ids: runtime.entropy("runs"),
            score_series: ScoreSeries::default(),
            quality: DataQuality::default(),
            runs: PerLane::default(),
            began: PerLane::default(),
            processed: PerLane::default(),
            requests: Requests::new(
                author.incarnation,
                resident.settings.request_hangs_after(),
                &resident.flights,
            ),
            turn: None,
            resident: resident.clone(),
            author,
            runtime,
            stop,
            vital,
            groups: resident.groups.reader(),
        };
        work.carry_out();
        work
    }

    /// Works until the stop is ordered, then finishes what is in flight, at most until the deadline.
    pub(crate) async fn run(mut self) {
        loop {
            let now = self.look();
            self.vital.got_on();
            let wanted = self.follow_groups(now);
            self.machine.handle_timeout(now);
            self.note_idle_groups(wanted, now);
            if let Some(over) = self.machine.wants_calls(now) {
                self.machine.handle_calls(&self.resident.board.calls(over), now);
            }
            self.carry_out();
            if self.machine.is_finished(now) {
                break;
            }
            if self.machine.wants_turn(now) {
                let client = self.client.clone();
                self.turn = Some(Box::pin(async move { client.turn().await }));
            }
            let timer = self.runtime.sleep_until(self.machine.poll_timeout(now));
            let wake = self.next(timer).await;
            let now = self.look();
            match wake {
                Wake::Stop(deadline) => self.stop(deadline),
                Wake::Ended(id, answer) => self.machine.handle_answer(id, answer, now),
                Wake::Turn(turn) => self.use_turn(turn, now),
                Wake::Edit(edit) => self.apply(&edit, now),
                Wake::Groups | Wake::Timeout => {}
            }
        }
        let now = self.look();
        self.machine.finish(now);
        self.carry_out();
    }

    async fn next(&mut self, timer: BoxFuture<'static, ()>) -> Wake {
        let Self { stop, requests, edits, groups, turn, machine, .. } = self;
        tokio::select! {
            biased;
            deadline = stop.ordered(), if !machine.is_stopping() => Wake::Stop(deadline),
            Some((id, answer)) = requests.next() => Wake::Ended(id, answer),
            edit = edits.next() => Wake::Edit(edit),
            () = groups.changed() => Wake::Groups,
            turn = async { turn.as_mut().expect("only polled when there is one").await }, if turn.is_some() => {
                Wake::Turn(turn)
            }
            () = timer => Wake::Timeout,
        }
    }

    /// The time, with what upstream allows at it.
    fn look(&mut self) -> Now {
        self.machine.handle_upstream(self.client.upstream());
        Now { moment: self.runtime.now(), wall: self.runtime.wall() }
    }

    fn stop(&mut self, deadline: Moment) {
        self.turn = None;
        self.client.close();
        self.machine.stop(deadline);
    }

    /// Does with the groups what the supervisor wants. Done as often as one likes, it does the same.
    fn follow_groups(&mut self, now: Now) -> PerLane<Wanted> {
        let wanted = self.groups.wanted();
        for lane in Lane::ALL {
            let Wanted { incarnation, mode } = wanted[lane];
            match mode {
                Mode::Run => self.machine.reset(lane, incarnation, now),
                Mode::Drain => {}
                Mode::Abort => self.machine.reset(lane, incarnation.next(), now),
            }
            self.machine.hold(lane, mode != Mode::Run);
            if mode != Mode::Run && self.machine.is_idle(lane) {
                self.resident.groups.has_ended(lane, incarnation);
            }
        }
        for id in self.machine.lost() {
            self.requests.abort(id, &*self.runtime);
        }
        wanted
    }

    /// Says which groups have started and have nothing to do before their next run. What is due at this moment has begun.
    fn note_idle_groups(&self, wanted: PerLane<Wanted>, now: Now) {
        for lane in Lane::ALL.into_iter().filter(|lane| wanted[*lane].mode == Mode::Run) {
            if self.machine.is_at_rest(lane) {
                self.resident.groups.is_idle(lane, wanted[lane].incarnation, now.moment);
            }
        }
    }

    fn apply(&mut self, edit: &Edit, now: Now) {
        self.machine.handle_set(edit.tokens.to_vec(), now);
        // What the machine made of it is on the board before the edit is let go.
        self.carry_out();
        self.resident.edits.applied(edit.revision, self.author.incarnation);
    }

    fn use_turn(&mut self, turn: Result<Turn, GuardError<Infallible>>, now: Now) {
        self.turn = None;
        let turn = match turn {
            Ok(turn) => turn,
            Err(GuardError::Rejected(rejected)) => {
                return self.machine.handle_no_turn(rejected.retry_at, now);
            }
            Err(error) => {
                tracing::error!(%error, "no rate-limit slot; retrying");
                return self.machine.handle_no_turn(Moment::MAX, now);
            }
        };
        let Some((id, request)) = self.machine.poll_request(now) else { return };
        metrics::counter!("ttm_requests_total", "priority" => request.priority.as_str()).increment(1);
        self.requests.start(&self.runtime, &self.client, turn, id, request);
    }

    /// Does what the machine wants done, and keeps what a work that replaces this one needs.
    fn carry_out(&mut self) {
        let resident = self.resident.clone();
        let Resident { board, tokens: outbox, samples, .. } = &*resident;
        // A work that stops has shut its schedule down: one that goes on needs the schedule from before that.
        if !self.machine.is_stopping() {
            board.places.carry(self.author, self.machine.carried());
        }
        while let Some(effect) = self.machine.poll_effect() {
            match effect {
                Effect::RunStarted { lane, run: _, missed } => {
                    let id = CorrelationId::draw(&*self.ids);
                    log::run_started(lane, id, missed);
                    self.runs[lane] = Some(id);
                    self.record_interval(lane);
                }
                Effect::RunEnded { lane, took, outcome, run: _ } => {
                    let instance = &resident.settings.instance;
                    let at = self.runtime.wall();
                    samples.put(self.author, series::of_run(instance, lane, took, &outcome, at));
                    self.processed[lane] = outcome.processed;
                    self.show_quality();
                    self.end_start(&outcome);
                    if let Some(id) = self.runs[lane].take() {
                        log::run_ended(lane, id, took, &outcome);
                    }
                }
                Effect::Status(lane, status) => board.post_group(self.author, lane, status),
                Effect::Save(tokens) => {
                    outbox.put(self.author, tokens.iter().cloned());
                    board.post_tokens(self.author, tokens);
                }
                Effect::Show(tokens) => board.post_tokens(self.author, tokens),
                Effect::Forget(mints) => {
                    // The keys of removed tokens go; the others are made again when they are needed.
                    self.score_series = ScoreSeries::default();
                    board.places.forget(self.author, &mints);
                    board.forget_tokens(self.author, mints);
                }
                Effect::Sample(mint, score) => {
                    samples.put(self.author, self.score_series.samples(mint, &score).into_iter().flatten());
                }
                Effect::Scored(tokens) => {
                    board.post_scored(tokens);
                    metrics::counter!("ttm_tokens_scored_total").increment(tokens);
                }
                Effect::Market(events) => {
                    log::market(&events);
                    self.events.market(&events);
                }
                Effect::Control(change) => {
                    self.events.control(&change);
                    log::control(&change);
                }
                Effect::AttemptTimeout(timeout) => self.client.set_attempt_timeout(timeout),
                Effect::Plan { facts, asked, cached } => {
                    board.post_plan(facts);
                    board.post_look_ups(asked, cached);
                }
                Effect::Unanswered { silence, unreadable } => {
                    board.answers.post(silence, unreadable, self.runtime.now());
                }
                Effect::Standing(standings) => board.places.post(self.author, standings),
                Effect::Notice(notice) => {
                    if let Notice::Panicked { lane, message } = &notice {
                        log::panicked(
                            *lane,
                            message,
                            board.answers.post_panic(*lane, message, self.runtime.now()),
                        );
                    }
                    log::notice(&notice);
                }
            }
        }
    }

    /// Writes what is known of the run before, now that the next one begins.
    fn record_interval(&mut self, lane: Lane) {
        let now = self.runtime.now();
        let processed = std::mem::take(&mut self.processed[lane]);
        let Some(before) = self.began[lane].replace(now) else { return };
        let Resident { settings, samples, .. } = &*self.resident;
        let (instance, at) = (&settings.instance, self.runtime.wall());
        samples.put(self.author, series::of_interval(instance, lane, now - before, processed, at));
    }

    /// The first run that shows how a lane is doing ends the start.
    fn end_start(&self, outcome: &RunOutcome) {
        if outcome.is_conclusive() {
            self.resident.board.enter_running();
        }
    }

    /// Counts what was found since the last look: each work begins with none, and the counters go on.
    fn show_quality(&mut self) {
        let before = std::mem::replace(&mut self.quality, self.machine.quality().clone());
        let (quality, tally) = (&self.quality, &self.resident.board.tally);
        let missing = quality.missing - before.missing;
        let unusable = quality.unusable_numbers - before.unusable_numbers;
        let suspicious = quality.suspicious_batches - before.suspicious_batches;
        metrics::counter!("ttm_observations_missing_total").increment(missing);
        metrics::counter!("ttm_numbers_unusable_total").increment(unusable);
        metrics::counter!("ttm_batches_suspicious_total").increment(suspicious);
        tally.count("api.tokens_missing", &[], missing);
        tally.count("api.numbers_unusable", &[], unusable);
        tally.count("api.batches_suspicious", &[], suspicious);
        for (reason, count) in quality.skipped.iter() {
            let skipped = count - before.skipped.count(reason);
            metrics::counter!("ttm_pairs_skipped_total", "reason" => reason.as_str()).increment(skipped);
            tally.count("api.pairs_skipped", &[reason.as_str()], skipped);
        }
        metrics::gauge!("ttm_pool_lists_bytes").set(self.machine.list_bytes() as f64);
    }
}

#[cfg(test)]
mod tests;
