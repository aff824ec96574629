//! The work plane: owns the tokens and the schedule, starts runs, takes what they found, and hands the results to the
//! outboxes. One task owns all of it, so nothing is locked and nothing is shared.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use ttm_health::Phase;
use ttm_kernel::{BoxFuture, CorrelationId, Entropy, Moment, Runtime, Task, TaskEnd};
use ttm_market::{Book, Lane, MAX_BATCH, MarketEvent, Observation, Token};
use ttm_schedule::{Effect, Group, RunOutcome, Scheduler, plan};

use super::board::Board;
use super::client::Client;
use super::outbox::{SampleOutbox, TokenOutbox};
use super::run::{Found, Run, Seen};
use super::series::{self, ScoreSeries};
use super::settings::WorkSettings;
use super::shutdown::Shutdown;

/// The one task of the work plane.
pub(super) struct Work {
    pub(super) runtime: Arc<dyn Runtime>,
    pub(super) ids: Arc<dyn Entropy>,
    pub(super) settings: WorkSettings,
    pub(super) book: Book,
    pub(super) scheduler: Scheduler,
    pub(super) client: Arc<Client>,
    pub(super) board: Arc<Board>,
    pub(super) tokens: Arc<TokenOutbox>,
    pub(super) samples: Arc<SampleOutbox>,
    pub(super) shutdown: Shutdown,
    pub(super) score_series: ScoreSeries,
    /// When readers were last shown the tokens.
    pub(super) published: Moment,
}

/// A run under way.
struct Underway {
    group: Group,
    number: u64,
    id: CorrelationId,
    started: Moment,
    outcome: RunOutcome,
    task: Task,
}

/// What woke the loop.
enum Wake {
    Stop,
    Found(Found),
    Roster(Vec<Token>),
    Ended(usize, TaskEnd),
    Due,
}

/// Mints of one request.
const BATCH: NonZeroUsize = NonZeroUsize::new(MAX_BATCH).expect("the API answers more than none");
/// Parts of runs that may wait for the loop; a run that is faster than the loop waits.
const RESULTS: usize = 64;
/// Readers see tokens at most this late while a run is under way.
const PUBLISH_EVERY: Duration = Duration::from_secs(1);

impl Work {
    /// Works until the stop is ordered, then finishes what is in flight, at most until the deadline.
    pub(super) async fn run(mut self, mut roster: mpsc::Receiver<Vec<Token>>) {
        let (sender, mut results) = mpsc::channel(RESULTS);
        let mut underway: Vec<Underway> = Vec::new();
        let mut stop: Option<Moment> = None;
        loop {
            while stop.is_none()
                && let Some(Effect::StartRun { group, run, missed }) = self.scheduler.poll(self.runtime.now())
            {
                underway.push(self.start(group, run, missed, sender.clone()));
            }
            if stop.is_some_and(|deadline| underway.is_empty() || self.runtime.now() >= deadline) {
                break;
            }
            let due = match stop {
                Some(deadline) => deadline,
                None => self.scheduler.poll_timeout().unwrap_or(Moment::MAX),
            };
            let timer = self.runtime.sleep_until(due);
            match self.next(&mut results, &mut roster, &mut underway, timer, stop.is_none()).await {
                Wake::Stop => {
                    stop = self.shutdown.deadline();
                    self.scheduler.handle_shutdown();
                    tracing::info!(in_flight = underway.len(), "stopping: no more runs start");
                }
                Wake::Found(found) => {
                    self.take(found, &mut underway);
                }
                Wake::Roster(tokens) => self.take_roster(tokens),
                Wake::Ended(at, end) => {
                    // Everything that the run sent before it ended is still in the channel.
                    while let Ok(found) = results.try_recv() {
                        self.take(found, &mut underway);
                    }
                    self.end(&underway.swap_remove(at), &end);
                }
                Wake::Due => {}
            }
        }
        for run in &underway {
            tracing::warn!(run = %run.id, group = run.group.as_str(), "given up at the deadline of the stop");
            run.task.abort();
        }
        self.publish();
    }

    async fn next(
        &mut self,
        results: &mut mpsc::Receiver<Found>,
        roster: &mut mpsc::Receiver<Vec<Token>>,
        underway: &mut [Underway],
        timer: BoxFuture<'static, ()>,
        working: bool,
    ) -> Wake {
        tokio::select! {
            biased;
            _ = self.shutdown.ordered(), if working => Wake::Stop,
            Some(found) = results.recv() => Wake::Found(found),
            (at, end) = first_ended(underway) => Wake::Ended(at, end),
            Some(tokens) = roster.recv() => Wake::Roster(tokens),
            () = timer => Wake::Due,
        }
    }

    fn start(&mut self, group: Group, number: u64, missed: u64, results: mpsc::Sender<Found>) -> Underway {
        let now = self.runtime.now();
        let wall = self.runtime.wall();
        let id = CorrelationId::draw(&*self.ids);
        let plan = plan(self.book.due(lane_of(group), wall), self.settings.capacity(group), BATCH);
        let lists = self.book.list_candidates(self.settings.lists(group), wall);
        let tokens: usize = plan.batches.iter().map(Vec::len).sum();
        if missed > 0 {
            tracing::warn!(run = %id, group = group.as_str(), missed, "runs were due while the one before was under way");
        }
        tracing::debug!(run = %id, group = group.as_str(), tokens, deferred = plan.deferred.len(), lists = lists.len(), "run starts");
        let outcome = RunOutcome {
            attempted: tokens as u64,
            deferred: plan.deferred.len() as u64,
            ..RunOutcome::default()
        };
        let run = Run {
            id,
            group,
            number,
            batches: plan.batches,
            lists,
            concurrency: WorkSettings::concurrency(group),
        };
        let body = run.execute(self.client.clone(), self.shutdown.clone(), results);
        let task = self.runtime.spawn("run", Box::pin(body));
        self.board.post_group(group, self.scheduler.status(group));
        Underway { group, number, id, started: now, outcome, task }
    }

    fn take(&mut self, found: Found, underway: &mut [Underway]) {
        let Some(run) =
            underway.iter_mut().find(|run| (run.group, run.number) == (found.group, found.number))
        else {
            return;
        };
        let outcome = &mut run.outcome;
        let wall = self.runtime.wall();
        let mut scored = 0;
        let mut processed = 0;
        self.book.count_skipped(&found.skipped);
        for _ in 0..found.suspicious {
            self.book.count_suspicious_batch();
        }
        for (mint, seen) in found.observed {
            let observation = match &seen {
                Seen::Primary(pairs) => Observation::Primary(pairs),
                Seen::All(pairs) => Observation::All(pairs),
                Seen::Missing => Observation::Missing,
            };
            let events = self.book.observe(mint, observation, wall);
            log(&events);
            let Some(token) = self.book.get(&mint) else { continue };
            if let Some(score) = token.score.filter(|score| score.at == wall) {
                self.samples.put(self.score_series.samples(mint, &score).into_iter().flatten());
                scored += 1;
            }
            self.tokens.put(token.clone());
            processed += 1;
        }
        outcome.processed += processed;
        outcome.failed += found.failed;
        outcome.deferred += found.deferred;
        self.board.post_scored(scored);
        metrics::counter!("ttm_tokens_scored_total").increment(scored);
        self.scheduler.handle_progress(found.group, found.number, processed, self.runtime.now());
        self.board.post_group(found.group, self.scheduler.status(found.group));
        if self.runtime.now() - self.published >= PUBLISH_EVERY {
            self.publish();
        }
    }

    fn end(&mut self, run: &Underway, end: &TaskEnd) {
        let now = self.runtime.now();
        let group = run.group.as_str();
        let took = now - run.started;
        let word = match end {
            TaskEnd::Finished => {
                self.scheduler.handle_finished(run.group, run.number, run.outcome, now);
                "finished"
            }
            TaskEnd::Aborted => {
                self.scheduler.handle_aborted(run.group, run.number, now);
                "aborted"
            }
            TaskEnd::Panicked(message) => {
                tracing::error!(run = %run.id, group, message, "a run panicked; the next one starts on time");
                self.scheduler.handle_aborted(run.group, run.number, now);
                "panicked"
            }
        };
        self.samples.put(series::of_run(run.group, took, &run.outcome, self.runtime.wall()));
        metrics::counter!("ttm_runs_total", "group" => group, "end" => word).increment(1);
        metrics::histogram!("ttm_run_seconds", "group" => group).record(took.as_secs_f64());
        self.publish();
        if self.board.phase() == Phase::Starting {
            self.board.enter(Phase::Running);
        }
        self.board.post_group(run.group, self.scheduler.status(run.group));
        // Last, so that whoever reads the line finds the run's results.
        let RunOutcome { attempted, processed, failed, deferred } = run.outcome;
        tracing::info!(run = %run.id, group, took_ms = took.as_millis(), attempted, processed, failed, deferred, "run ended");
    }

    fn take_roster(&mut self, tokens: Vec<Token>) {
        let (added, removed) = self.book.reconcile(tokens);
        // The keys of removed tokens go; the others are made again when they are needed.
        self.score_series = ScoreSeries::default();
        tracing::info!(added, removed, tokens = self.book.len(), "the set of tokens was edited");
        self.publish();
    }

    /// Shows readers the tokens as they are now.
    pub(super) fn publish(&mut self) {
        self.published = self.runtime.now();
        let quality = self.book.quality();
        metrics::counter!("ttm_observations_missing_total").absolute(quality.missing);
        metrics::counter!("ttm_numbers_unusable_total").absolute(quality.unusable_numbers);
        metrics::counter!("ttm_batches_suspicious_total").absolute(quality.suspicious_batches);
        for (reason, count) in quality.skipped.iter() {
            metrics::counter!("ttm_pairs_skipped_total", "reason" => reason.as_str()).absolute(count);
        }
        self.board.post_tokens(self.book.iter().cloned().collect());
    }
}

/// The first run whose task ended.
async fn first_ended(underway: &mut [Underway]) -> (usize, TaskEnd) {
    std::future::poll_fn(|cx| {
        for (at, run) in underway.iter_mut().enumerate() {
            if let std::task::Poll::Ready(end) = std::pin::Pin::new(&mut run.task).poll(cx) {
                return std::task::Poll::Ready((at, end));
            }
        }
        std::task::Poll::Pending
    })
    .await
}

fn log(events: &[MarketEvent]) {
    for event in events {
        tracing::info!(%event, "token");
    }
}

const fn lane_of(group: Group) -> Lane {
    match group {
        Group::Hot => Lane::Hot,
        Group::Cold => Lane::Cold,
    }
}
