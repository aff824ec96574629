//! The driver of the work: gives the [`Machine`] its facts, makes the requests that it asks for, and hands what it wants
//! done to the board, the outboxes, the metrics and the log. It decides nothing: one task owns the machine, and readers
//! see the tokens through the board.

use std::convert::Infallible;
use std::sync::Arc;

use tokio::sync::mpsc;
use ttm_guard::{GuardError, Turn};
use ttm_health::Phase;
use ttm_kernel::{BoxFuture, CorrelationId, Entropy, Moment, PerLane, Runtime};
use ttm_market::Token;
use ttm_schedule::RunOutcome;

use super::board::Board;
use super::client::Client;
use super::events::EventLog;
use super::outbox::{SampleOutbox, TokenOutbox};
use super::series::{self, ScoreSeries};
use super::settings::ServiceSettings;
use super::shutdown::Shutdown;

mod log;
pub mod machine;
mod request;
mod requests;

use machine::{Answer, Effect, Machine, Now, RequestId};
use requests::Requests;

/// The one task of the work plane.
pub(super) struct Work {
    machine: Machine,
    runtime: Arc<dyn Runtime>,
    ids: Arc<dyn Entropy>,
    client: Arc<Client>,
    board: Arc<Board>,
    tokens: Arc<TokenOutbox>,
    samples: Arc<SampleOutbox>,
    events: Arc<EventLog>,
    shutdown: Shutdown,
    score_series: ScoreSeries,
    /// The ids of the runs under way, for the log.
    runs: PerLane<Option<CorrelationId>>,
    requests: Requests,
    turn: Option<BoxFuture<'static, Result<Turn, GuardError<Infallible>>>>,
}

/// What woke the loop.
enum Wake {
    Stop,
    Ended(RequestId, Answer),
    Turn(Result<Turn, GuardError<Infallible>>),
    Set(Vec<Token>),
    Timeout,
}

impl Work {
    /// The work on these tokens, which readers see from now on.
    pub(super) fn new(
        settings: &ServiceSettings,
        stored: Vec<Token>,
        client: Client,
        board: &Arc<Board>,
        (tokens, samples, events): (Arc<TokenOutbox>, Arc<SampleOutbox>, Arc<EventLog>),
        shutdown: Shutdown,
        runtime: &Arc<dyn Runtime>,
    ) -> Self {
        let now = Now { moment: runtime.now(), wall: runtime.wall() };
        let mut work = Self {
            machine: Machine::boot(settings.work(), board.places.boot(stored), now),
            ids: runtime.entropy("runs"),
            client: Arc::new(client),
            board: board.clone(),
            tokens,
            samples,
            events,
            shutdown,
            score_series: ScoreSeries::default(),
            runs: PerLane::default(),
            requests: Requests::default(),
            turn: None,
            runtime: runtime.clone(),
        };
        work.carry_out();
        work
    }

    /// Works until the stop is ordered, then finishes what is in flight, at most until the deadline.
    pub(super) async fn run(mut self, mut sets: mpsc::Receiver<Vec<Token>>) {
        loop {
            let now = self.look();
            self.machine.handle_timeout(now);
            if let Some(over) = self.machine.wants_calls(now) {
                self.machine.handle_calls(&self.board.calls(over), now);
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
            let wake = self.next(&mut sets, timer).await;
            let now = self.look();
            match wake {
                Wake::Stop => self.stop(),
                Wake::Ended(id, answer) => self.machine.handle_answer(id, answer, now),
                Wake::Turn(turn) => self.use_turn(turn, now),
                Wake::Set(tokens) => self.machine.handle_set(tokens, now),
                Wake::Timeout => {}
            }
        }
        let now = self.look();
        self.machine.finish(now);
        self.carry_out();
    }

    async fn next(&mut self, sets: &mut mpsc::Receiver<Vec<Token>>, timer: BoxFuture<'static, ()>) -> Wake {
        let Self { shutdown, requests, turn, machine, .. } = self;
        tokio::select! {
            biased;
            _ = shutdown.ordered(), if !machine.is_stopping() => Wake::Stop,
            (id, answer) = requests.ended() => Wake::Ended(id, answer),
            Some(tokens) = sets.recv() => Wake::Set(tokens),
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

    fn stop(&mut self) {
        self.turn = None;
        self.client.close();
        self.machine.stop(self.shutdown.deadline().unwrap_or(Moment::ZERO));
    }

    fn use_turn(&mut self, turn: Result<Turn, GuardError<Infallible>>, now: Now) {
        self.turn = None;
        let turn = match turn {
            Ok(turn) => turn,
            Err(GuardError::Rejected(rejected)) => {
                return self.machine.handle_no_turn(rejected.retry_at, now);
            }
            Err(error) => {
                tracing::error!(%error, "there was no turn; another is asked for");
                return self.machine.handle_no_turn(Moment::MAX, now);
            }
        };
        let Some((id, request)) = self.machine.poll_request(now) else { return };
        metrics::counter!("ttm_requests_total", "priority" => request.priority.as_str()).increment(1);
        self.requests.start(&*self.runtime, &self.client, turn, id, request);
    }

    /// Does what the machine wants done, and keeps what a work that replaces this one needs.
    fn carry_out(&mut self) {
        self.board.places.carry(self.machine.carried());
        while let Some(effect) = self.machine.poll_effect() {
            match effect {
                Effect::RunStarted { lane, run: _, missed } => {
                    let id = CorrelationId::draw(&*self.ids);
                    log::run_started(lane, id, missed);
                    self.runs[lane] = Some(id);
                }
                Effect::RunEnded { lane, took, outcome, run: _ } => {
                    self.samples.put(series::of_run(lane, took, &outcome, self.runtime.wall()));
                    self.show_quality();
                    self.end_start(&outcome);
                    if let Some(id) = self.runs[lane].take() {
                        log::run_ended(lane, id, took, &outcome);
                    }
                }
                Effect::Status(lane, status) => self.board.post_group(lane, status),
                Effect::Save(tokens) => {
                    for token in &tokens {
                        self.tokens.put(token.clone());
                    }
                    self.board.post_tokens(tokens);
                }
                Effect::Show(tokens) => self.board.post_tokens(tokens),
                Effect::Forget(mints) => {
                    // The keys of removed tokens go; the others are made again when they are needed.
                    self.score_series = ScoreSeries::default();
                    self.board.places.forget(&mints);
                    self.board.forget_tokens(mints);
                }
                Effect::Sample(mint, score) => {
                    self.samples.put(self.score_series.samples(mint, &score).into_iter().flatten());
                }
                Effect::Scored(tokens) => {
                    self.board.post_scored(tokens);
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
                    self.board.post_plan(facts);
                    self.board.post_look_ups(asked, cached);
                }
                Effect::Unanswered { silence, unreadable } => {
                    self.board.answers.post(silence, unreadable, self.runtime.now());
                }
                Effect::Standing(standings) => self.board.places.post(standings),
                Effect::Notice(notice) => log::notice(&notice),
            }
        }
    }

    /// The first run that tells how a lane is doing ends the start.
    fn end_start(&self, outcome: &RunOutcome) {
        if self.board.phase() == Phase::Starting && outcome.is_telling() {
            self.board.enter(Phase::Running);
        }
    }

    fn show_quality(&self) {
        let quality = self.machine.quality();
        metrics::counter!("ttm_observations_missing_total").absolute(quality.missing);
        metrics::counter!("ttm_numbers_unusable_total").absolute(quality.unusable_numbers);
        metrics::counter!("ttm_batches_suspicious_total").absolute(quality.suspicious_batches);
        for (reason, count) in quality.skipped.iter() {
            metrics::counter!("ttm_pairs_skipped_total", "reason" => reason.as_str()).absolute(count);
        }
        metrics::gauge!("ttm_pool_lists_bytes").set(self.machine.list_bytes() as f64);
    }
}

#[cfg(test)]
mod tests;
