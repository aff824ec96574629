//! The work plane: owns the tokens, the schedule and the dispatcher, makes a request with each turn, and hands what came
//! of it to the outboxes. One task owns all of it and alone changes it; readers see the tokens through the board.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use ttm_dispatch::{Asked, Dispatcher, End, Line, Request};
use ttm_guard::{GuardError, Turn};
use ttm_kernel::{BoxFuture, CorrelationId, Entropy, Moment, Runtime, Task, TaskEnd};
use ttm_market::{Book, Mint, Token};
use ttm_perf::{Control, Controlled};
use ttm_schedule::{Group, RunOutcome, Scheduler};

use super::board::Board;
use super::client::Client;
use super::events::EventLog;
use super::outbox::{SampleOutbox, TokenOutbox};
use super::outcome::keys_of;
use super::place::line_of;
use super::request::{self, Failed, Found};
use super::series::{self, ScoreSeries};
use super::settings::ServiceSettings;
use super::shutdown::Shutdown;

mod runs;
mod silence;
mod unreadable;

use silence::Silence;
use unreadable::Unreadable;

/// The one task of the work plane.
pub(super) struct Work {
    pub(super) runtime: Arc<dyn Runtime>,
    ids: Arc<dyn Entropy>,
    /// Requests that the budget allows in a minute.
    pub(super) budget_per_minute: f64,
    /// The groups' intervals.
    pub(super) intervals: [Duration; 2],
    pub(super) book: Book,
    scheduler: Scheduler,
    pub(super) dispatcher: Dispatcher<Mint>,
    pub(super) control: Control,
    pub(super) client: Arc<Client>,
    pub(super) board: Arc<Board>,
    pub(super) tokens: Arc<TokenOutbox>,
    pub(super) samples: Arc<SampleOutbox>,
    pub(super) events: Arc<EventLog>,
    shutdown: Shutdown,
    pub(super) score_series: ScoreSeries,
    pub(super) state: State,
}

/// What is under way.
#[derive(Default)]
pub(super) struct State {
    runs: [Option<Underway>; 2],
    /// What was done for each group since its last run ended.
    pub(super) done: [RunOutcome; 2],
    /// Tokens of each group that are asked for.
    pub(super) asked: [u64; 2],
    /// Tokens that were not asked, as counted when each group's last run ended.
    fresh: [u64; 2],
    requests: Vec<Requested>,
    turn: Option<BoxFuture<'static, Result<Turn, GuardError<Infallible>>>>,
    /// No turn is asked for before: the breaker is open.
    blocked_until: Moment,
    next_control: Moment,
    /// Whether the API says anything.
    pub(super) silence: Silence,
    /// What of it nobody can read.
    pub(super) unreadable: Unreadable,
    stop: Option<Moment>,
}

/// A run under way.
struct Underway {
    number: u64,
    id: CorrelationId,
    started: Moment,
}

/// A request under way.
struct Requested {
    request: Request<Mint>,
    answer: oneshot::Receiver<Result<Found, Failed>>,
    task: Owned,
}

/// A task that ends with its owner: whichever way the work ends, no request outlives it.
struct Owned(Task);

impl Drop for Owned {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What woke the loop.
enum Wake {
    Stop,
    Ended(usize, TaskEnd),
    Turn(Result<Turn, GuardError<Infallible>>),
    Roster(Vec<Token>),
    Due,
}

/// How often the timeout and the concurrency follow what the API does, by the calls of how long.
const CONTROL_EVERY: Duration = Duration::from_secs(10);
const CONTROL_OVER: Duration = Duration::from_mins(2);
/// An open breaker is asked again after this, at the latest: an operator may have closed it.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

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
        let mut book = Book::new(settings.market.clone());
        for token in stored {
            book.insert(token);
        }
        let mut work = Self {
            ids: runtime.entropy("runs"),
            budget_per_minute: settings.guard.usable_per_minute().unwrap_or(f64::INFINITY),
            intervals: Group::ALL.map(|group| settings.schedule.interval(group)),
            book,
            scheduler: Scheduler::new(&settings.schedule, runtime.now()),
            dispatcher: Dispatcher::new(settings.dispatch.clone()),
            control: Control::new(settings.control.clone()),
            client: Arc::new(client),
            board: board.clone(),
            tokens,
            samples,
            events,
            shutdown,
            score_series: ScoreSeries::default(),
            state: State::default(),
            runtime: runtime.clone(),
        };
        work.put_all();
        work
    }

    /// Works until the stop is ordered, then finishes what is in flight, at most until the deadline.
    pub(super) async fn run(mut self, mut roster: mpsc::Receiver<Vec<Token>>) {
        loop {
            let now = self.runtime.now();
            if let Some(deadline) = self.state.stop {
                if self.state.requests.is_empty() || now >= deadline {
                    break;
                }
            } else {
                self.start_runs(now);
                self.note_outage(now);
                self.follow_the_api(now);
                self.want_turn(now);
            }
            let timer = self.runtime.sleep_until(self.next_timer(now));
            match self.next(&mut roster, timer).await {
                Wake::Stop => {
                    self.state.stop = self.shutdown.deadline();
                    self.state.turn = None;
                    self.client.close();
                    self.scheduler.handle_shutdown();
                    tracing::info!(in_flight = self.state.requests.len(), "stopping: nothing more is asked");
                }
                Wake::Ended(at, end) => self.end_request(at, &end),
                Wake::Turn(turn) => self.use_turn(turn),
                Wake::Roster(tokens) => self.take_roster(tokens),
                Wake::Due => {}
            }
        }
        for requested in &self.state.requests {
            tracing::warn!(
                priority = requested.request.priority.as_str(),
                "given up at the deadline of the stop"
            );
        }
        for group in Group::ALL {
            self.end_run(group, self.runtime.now());
        }
    }

    async fn next(&mut self, roster: &mut mpsc::Receiver<Vec<Token>>, timer: BoxFuture<'static, ()>) -> Wake {
        let Self { shutdown, state, .. } = self;
        let working = state.stop.is_none();
        tokio::select! {
            biased;
            _ = shutdown.ordered(), if working => Wake::Stop,
            (at, end) = first_ended(&mut state.requests) => Wake::Ended(at, end),
            Some(tokens) = roster.recv() => Wake::Roster(tokens),
            turn = async { state.turn.as_mut().expect("only polled when there is one").await }, if state.turn.is_some() => {
                Wake::Turn(turn)
            }
            () = timer => Wake::Due,
        }
    }

    /// When something is to be done that nobody wakes the loop for.
    fn next_timer(&self, now: Moment) -> Moment {
        if let Some(deadline) = self.state.stop {
            return deadline;
        }
        let schedule = self.scheduler.poll_timeout().unwrap_or(Moment::MAX);
        let dispatch = if self.state.turn.is_some() {
            Moment::MAX
        } else if now < self.state.blocked_until {
            self.state.blocked_until
        } else {
            // What is ready already waits for an answer that makes room.
            self.dispatcher.poll_timeout(now).filter(|at| *at > now).unwrap_or(Moment::MAX)
        };
        schedule.min(dispatch).min(self.state.next_control)
    }

    fn follow_the_api(&mut self, now: Moment) {
        if now < self.state.next_control {
            return;
        }
        self.state.next_control = now + CONTROL_EVERY;
        for change in self.control.update(&self.board.calls(CONTROL_OVER)) {
            self.events.control(&change);
            let (from, to, reason) = (change.from, change.to, change.reason);
            match change.what {
                Controlled::AttemptTimeout => {
                    self.client.set_attempt_timeout(self.control.attempt_timeout());
                    tracing::info!(from_ms = from, to_ms = to, %reason, "attempts may take another time");
                }
                Controlled::InFlight => {
                    self.dispatcher.set_max_in_flight(self.control.in_flight());
                    tracing::info!(from, to, %reason, "another number of requests may be under way");
                }
            }
        }
        self.post_plan(now);
    }

    /// Asks for a turn when there is something to use it for.
    fn want_turn(&mut self, now: Moment) {
        if self.state.turn.is_none() && now >= self.state.blocked_until && self.dispatcher.is_ready(now) {
            let client = self.client.clone();
            self.state.turn = Some(Box::pin(async move { client.turn().await }));
        }
    }

    fn use_turn(&mut self, turn: Result<Turn, GuardError<Infallible>>) {
        self.state.turn = None;
        let now = self.runtime.now();
        let turn = match turn {
            Ok(turn) => turn,
            Err(GuardError::Rejected(rejected)) => {
                self.state.blocked_until = rejected.retry_at.min(now + LOOK_AGAIN);
                return;
            }
            Err(error) => {
                tracing::error!(%error, "there was no turn; another is asked for");
                self.state.blocked_until = now + LOOK_AGAIN;
                return;
            }
        };
        self.dispatcher.set_probing(self.client.is_away());
        let Some(request) = self.dispatcher.poll(now) else {
            // All that seemed to wait had been seen just before.
            return self.end_idle_runs();
        };
        for asked in keys_of(&request.ask) {
            self.state.asked[slot(group_of(asked))] += 1;
        }
        metrics::counter!("ttm_requests_total", "priority" => request.priority.as_str()).increment(1);
        let (client, asked) = (self.client.clone(), request.clone());
        let (sender, answer) = oneshot::channel();
        let body = async move {
            // Nobody waits for it any more only after the deadline of a stop.
            drop(sender.send(request::make(&client, turn, &asked).await));
        };
        let task = Owned(self.runtime.spawn("request", Box::pin(body)));
        self.state.requests.push(Requested { request, answer, task });
    }

    fn end_request(&mut self, at: usize, end: &TaskEnd) {
        let Requested { request, mut answer, .. } = self.state.requests.swap_remove(at);
        if let TaskEnd::Panicked(message) = end {
            tracing::error!(message, "a request panicked; its tokens are asked for again");
        }
        let answer = answer.try_recv();
        let ended = match &answer {
            Ok(Ok(_)) => End::Answered,
            Ok(Err(failed)) if failed.may_be_the_tokens => End::Blamed,
            Ok(Err(_)) => End::Failed,
            // It panicked, and may again on the same answer.
            Err(_) => End::Blamed,
        };
        let kept = self.dispatcher.handle_done(&request, ended, self.runtime.now());
        // An answer is news of the breaker, too.
        self.state.blocked_until = Moment::ZERO;
        for asked in keys_of(&request.ask) {
            self.state.asked[slot(group_of(asked))] -= 1;
        }
        match answer {
            Ok(Ok(found)) => self.take(&request.ask, found),
            Ok(Err(failed)) if kept => self.keep(&request.ask, &failed.message),
            Err(_) if kept => self.keep(&request.ask, "the request panicked"),
            Ok(Err(_)) | Err(_) => self.fail(&request.ask),
        }
        self.end_idle_runs();
    }

    /// Posts what became of some tokens of a group.
    pub(super) fn progress(&mut self, group: Group, processed: u64) {
        self.scheduler.handle_progress(group, processed, self.runtime.now());
        self.board.post_group(group, self.scheduler.status(group));
    }
}

/// The group for whose run a token was asked.
pub(super) fn group_of(asked: &Asked<Mint>) -> Group {
    match asked.from {
        ttm_dispatch::Priority::Hot => Group::Hot,
        _ => Group::Cold,
    }
}

/// The first request whose task ended.
async fn first_ended(requests: &mut [Requested]) -> (usize, TaskEnd) {
    std::future::poll_fn(|cx| {
        for (at, requested) in requests.iter_mut().enumerate() {
            if let std::task::Poll::Ready(end) = std::pin::Pin::new(&mut requested.task.0).poll(cx) {
                return std::task::Poll::Ready((at, end));
            }
        }
        std::task::Poll::Pending
    })
    .await
}

pub(super) const fn slot(group: Group) -> usize {
    line_of(group) as usize
}

const _: () = assert!(Line::Hot as usize == 0 && Line::Cold as usize == 1);

#[cfg(test)]
mod tests;
