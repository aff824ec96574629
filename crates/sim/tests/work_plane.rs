//! The requests of the work plane: to an API that fails for one mint, in a process that starts, restarts again and
//! again, or is ordered to stop.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use ttm_breaker::State;
use ttm_kernel::{Clock, FencingToken, Lane, Moment, Runtime};
use ttm_market::{Mint, PairBatch, PairSource, PairSourceError, Token, TokenStore};
use ttm_schedule::LaneStatus;
use ttm_service::{Board, Exit, Open, Ports, Supervisor};
use ttm_sim::oracle::Verdicts;
use ttm_sim::world::World;
use ttm_sim::{Executor, NoReaders, Plan, SimPlanes, SimRuntime};
use ttm_testkit::Recorder;

const WALL_S: i64 = 1_800_000_000;
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);

fn wall() -> Timestamp {
    Timestamp::from_second(WALL_S).expect("in range")
}

fn at(millis: u64) -> Moment {
    Moment::from_origin(Duration::from_millis(millis))
}

/// A world with one process at a time.
struct Stage {
    executor: Executor,
    boots: u64,
    plan: Plan,
    world: World,
    verdicts: Arc<Verdicts>,
    api: Arc<Watched>,
    seen: Arc<Recorder<(State, Vec<LaneStatus>)>>,
}

/// The API, with a record of its requests, and an error for those that contain one mint.
struct Watched {
    api: Arc<dyn PairSource>,
    runtime: SimRuntime,
    requests: Recorder<Moment>,
    poison: Option<(Mint, fn() -> PairSourceError)>,
}

#[async_trait]
impl PairSource for Watched {
    async fn primary_pairs(&self, mints: &[Mint]) -> Result<PairBatch, PairSourceError> {
        self.requests.record(self.runtime.now());
        let answer = self.api.primary_pairs(mints).await;
        match self.poison {
            Some((mint, error)) if mints.contains(&mint) => Err(error()),
            _ => answer,
        }
    }

    async fn all_pairs(&self, mint: Mint) -> Result<PairBatch, PairSourceError> {
        self.requests.record(self.runtime.now());
        let answer = self.api.all_pairs(mint).await;
        match self.poison {
            Some((bad, error)) if mint == bad => Err(error()),
            _ => answer,
        }
    }
}

impl Stage {
    fn new(tokens: usize, faults: &str, wall: Timestamp, poison: Option<fn() -> PairSourceError>) -> Self {
        let executor = Executor::new(1, wall);
        let runtime = executor.runtime().clone();
        let plan = Plan::new(1, Duration::ZERO, faults.parse().expect("a schedule"));
        let verdicts = Arc::new(Verdicts::new(runtime.clone()));
        // An even seed uses a lock file, so a start does not wait for a lease in the store.
        let world = World::new(2, tokens, plan.promised, &runtime, &Arc::new(plan.faults.clone()), &verdicts);
        let bad = world.tokens.durable()[tokens / 3].mint;
        let api = Watched {
            api: world.exchange.clone(),
            runtime,
            requests: Recorder::default(),
            poison: poison.map(|error| (bad, error)),
        };
        Self { executor, boots: 0, plan, world, verdicts, api: Arc::new(api), seen: Arc::default() }
    }

    /// Starts a process, which is ordered to stop after `lives`.
    fn boot(&mut self, lives: Duration) {
        // The previous process is gone.
        self.world.succession.released(self.boots);
        self.boots += 1;
        let runtime = self.executor.runtime().clone();
        let ports = Ports { pairs: self.api.clone(), ..self.world.ports(0, false) };
        let (planes, lease) = (Arc::new(SimPlanes::new(&runtime)), self.world.lease(0, self.boots, &runtime));
        let (settings, clock, seen) = (self.plan.settings.clone(), runtime.clone(), self.seen.clone());
        let life = async move {
            let board = Board::starting(&settings, &*planes);
            let supervisor = Supervisor::new(settings, planes, board.clone(), lease, Arc::new(NoReaders));
            let figures = supervisor.figures();
            let open: Open<Infallible> = Box::new(|_| Box::pin(std::future::ready(Ok(ports))));
            let stopped = async {
                figures.started().await;
                let stop = clock.now() + lives;
                while clock.now() < stop {
                    let groups = Lane::ALL.into_iter().filter_map(|lane| board.group(lane));
                    seen.record((figures.breaker().expect("it has started").state, groups.collect()));
                    clock.sleep_until(stop.min(clock.now() + SECOND)).await;
                }
                stop + MINUTE
            };
            let exit = supervisor.run(open, stopped).await;
            assert!(matches!(exit, Exit::Ended(_)), "{exit:?}");
        };
        drop(runtime.spawn("service", Box::pin(life)));
    }

    fn run_for(&mut self, lasts: Duration) {
        self.executor.run_until(self.executor.now() + lasts);
    }

    fn now(&self) -> Moment {
        self.executor.now()
    }

    fn tokens(&self) -> Vec<Token> {
        self.world.tokens.durable()
    }

    fn assert_kept(&self) {
        assert_eq!(self.verdicts.all().1, Vec::<String>::new(), "broken promises");
    }
}

fn rejected() -> PairSourceError {
    PairSourceError::Rejected { message: "status 400".to_owned() }
}

fn internal() -> PairSourceError {
    PairSourceError::Transient { message: "status 500".to_owned(), retry_after: None, source: None }
}

fn malformed() -> PairSourceError {
    PairSourceError::Malformed { message: "not JSON".to_owned() }
}

#[test]
fn a_mint_that_makes_its_batch_fail_keeps_no_other_from_being_scored() {
    for (tokens, error) in [20, 100].into_iter().flat_map(|tokens| {
        [rejected, internal, malformed].map(|error: fn() -> PairSourceError| (tokens, error))
    }) {
        let mut stage = Stage::new(tokens, "", wall(), Some(error));
        let (bad, _) = stage.api.poison.expect("one is poisoned");
        stage.boot(5 * MINUTE);
        stage.run_for(6 * MINUTE);
        let end = wall() + 5 * MINUTE;
        let stored = stage.tokens();
        let late: Vec<_> = stored
            .iter()
            .filter(|token| token.mint != bad && token.unlisted.is_none())
            .filter(|token| token.score.is_none_or(|score| end.duration_since(score.at).as_secs() > 60))
            .collect();
        assert!(
            late.is_empty(),
            "{} of {tokens} tokens are stale because of {}: {late:?}",
            late.len(),
            error()
        );
        let states = stage.seen.take();
        let opened = states.iter().filter(|(state, _)| *state != State::Closed).count();
        assert_eq!(opened, 0, "the breaker opened because of {}", error());
    }
}

#[test]
fn tokens_that_were_scored_before_the_process_started_are_requested_at_once() {
    let mut first = Stage::new(40, "", wall(), None);
    first.boot(MINUTE);
    first.run_for(2 * MINUTE);
    let stored = first.tokens();
    assert!(stored.iter().any(|token| token.score.is_some()));
    for away in [SECOND, Duration::from_hours(3)] {
        let mut second = Stage::new(40, "", wall() + MINUTE + away, None);
        let (tokens, found) = (second.world.tokens.clone(), stored.clone());
        let save = async move {
            let under = FencingToken::first(tokens.claim().await.expect("claims"));
            tokens.save(under, &found).await.expect("saves");
        };
        drop(second.executor.runtime().spawn("save", Box::pin(save)));
        second.run_for(SECOND);
        let born = second.now();
        second.boot(9 * SECOND);
        second.run_for(8 * SECOND);
        let requests = second.api.requests.take();
        assert!(requests[0] < born + SECOND, "the first request comes after {:?}", requests[0] - born);
        let (_, groups) = second.seen.take().pop().expect("it lives");
        assert!(groups.iter().any(|group| group.last_progress.is_some()), "{groups:?}");
        second.run_for(3 * SECOND);
        let began = wall() + MINUTE + away;
        let fresh =
            second.tokens().iter().filter(|token| token.score.is_some_and(|score| score.at > began)).count();
        assert!(
            fresh >= 30,
            "{fresh} tokens were scored by a process that lived for less than a hot interval"
        );
    }
}

#[test]
fn processes_in_a_crash_loop_share_the_budget_of_one() {
    let mut stage = Stage::new(3_000, "", wall(), None);
    for _ in 0..300 {
        stage.boot(MINUTE);
        stage.run_for(Duration::from_millis(450));
        stage.executor.kill();
    }
    let busiest = stage.world.exchange.counts().busiest_minute;
    assert!((200..=294).contains(&busiest), "{busiest} requests in the busiest minute");
    stage.assert_kept();
}

#[test]
fn a_pause_that_a_429_requested_outlives_the_process() {
    let mut stage = Stage::new(300, "at 5s for 1s api-429=40s", wall(), None);
    stage.boot(MINUTE);
    stage.run_for(10 * SECOND);
    stage.executor.kill();
    stage.api.requests.take();
    for _ in 0..20 {
        stage.boot(MINUTE);
        stage.run_for(3 * SECOND);
        stage.executor.kill();
    }
    let requests = stage.api.requests.take();
    let first = requests.first().expect("the pause is over");
    assert!(*first >= at(45_000), "a request at {first:?}, within the pause");
    stage.assert_kept();
}

#[test]
fn no_request_begins_after_the_order_to_stop_and_the_stop_does_not_wait_for_a_pending_retry() {
    for faults in ["at 0s for 1h api-429=20s", "at 0s for 1h api-503", "at 0s for 1h api-429", ""] {
        for lives in [150, 700, 1_300, 2_100, 3_300, 10_050] {
            let mut stage = Stage::new(600, faults, wall(), None);
            stage.boot(Duration::from_millis(lives));
            stage.run_for(MINUTE);
            // The start takes almost no time: only its port calls do.
            let ordered = at(lives);
            let late: Vec<_> =
                stage.api.requests.take().into_iter().filter(|at| *at > ordered + SECOND / 10).collect();
            assert_eq!(late, [], "requests after {ordered:?} under {faults:?}");
            assert_eq!(stage.executor.runtime().live_tasks(), 0, "it stopped");
        }
    }
}

#[test]
fn every_due_token_is_counted_in_one_class_also_while_the_api_is_down() {
    let mut stage = Stage::new(193, "at 1m for 3m api-503; at 5m for 2m api-hang", wall(), None);
    stage.boot(8 * MINUTE);
    stage.run_for(9 * MINUTE);
    let (mut withheld, mut served_stale) = (0, 0);
    for outcome in
        stage.seen.take().into_iter().flat_map(|(_, groups)| groups).filter_map(|group| group.last_outcome)
    {
        assert_eq!(outcome.stale + outcome.skipped, outcome.failed + outcome.deferred, "{outcome:?}");
        withheld += u64::from(outcome.is_withheld());
        served_stale += outcome.stale;
    }
    assert!(withheld > 0 && served_stale > 0, "{withheld} runs were withheld");
}
