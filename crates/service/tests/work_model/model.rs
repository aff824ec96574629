//! The model: where each token is, what that allows, and what was done for each lane. It knows tokens only by the effects
//! that the machine gave, and derives from them where a token has to go.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use ttm_dispatch::{Ask, Asked, Priority, Request, Single, Suspicion};
use ttm_kernel::{Incarnation, Lane, Moment, PerLane};
use ttm_market::{MarketEvent, Mint, Token, TokenStatus};
use ttm_perf::CallSummary;
use ttm_schedule::RunOutcome;
use ttm_service::machine::{
    Answer, Boot, Effect, Failed, Found, Machine, Now, RequestId, Standing, Upstream, WorkSettings,
};

use crate::steps::{Ending, State, Step, TOKENS};
use crate::world::{self, BATCH, Says};

mod answer;
mod changes;
mod runs;

/// Where a token is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum At {
    /// In the line of a lane, and perhaps due.
    Line {
        lane: Lane,
        due: bool,
    },
    /// Left alone until then.
    Rest(Moment),
    /// To be asked for alone, in the run of this lane.
    Alone(Lane),
    /// Asked for in a request whose failure may be its fault: kept apart, or back in its line.
    Suspected,
    InFlight(RequestId),
}

/// A request in flight.
struct InFlight {
    request: Request<Mint>,
    /// Tokens whose lane was reset since.
    late: BTreeSet<Mint>,
    /// Where its tokens were.
    taken_from: BTreeMap<Mint, At>,
}

pub(crate) struct Model {
    settings: WorkSettings,
    machine: Machine,
    time: Duration,
    upstream: Upstream,
    incarnations: PerLane<Incarnation>,
    turn_is_wanted: bool,
    is_stopping: bool,
    /// The tokens as the machine showed them.
    tokens: BTreeMap<Mint, Arc<Token>>,
    at: BTreeMap<Mint, At>,
    requests: BTreeMap<RequestId, InFlight>,
    /// Whether nothing was listed since a batch came back empty, when something last was, and who is in doubt since when.
    is_silent: bool,
    spoke: Option<Moment>,
    doubts: BTreeMap<Mint, Moment>,
    /// What was done since the last run of each lane ended, and how far failures may be off, because only the machine knows
    /// which suspects failed.
    done: PerLane<RunOutcome>,
    unsure: PerLane<u64>,
    /// Tokens whose requests panicked since then, and whether a lane has not got on since one did.
    failed_here: PerLane<BTreeSet<Mint>>,
    is_broken: PerLane<bool>,
    /// Tokens that left each line other than by being asked for: the dispatcher comes across their entries later.
    left: PerLane<u64>,
    /// When each lane last made progress.
    progress: PerLane<Option<Moment>>,
    /// Where tokens stand, as published.
    standings: BTreeMap<Mint, Standing>,
}

impl Model {
    pub(crate) fn new() -> Self {
        let now = world::at(Duration::ZERO);
        let tokens = world::first((0..TOKENS / 2).map(world::token));
        let settings = world::settings(world::dispatch());
        let machine = Machine::boot(settings.clone(), tokens, now);
        let mut model = Self {
            settings,
            machine,
            time: Duration::ZERO,
            upstream: Upstream::default(),
            incarnations: PerLane::default(),
            turn_is_wanted: false,
            is_stopping: false,
            tokens: BTreeMap::new(),
            at: BTreeMap::new(),
            requests: BTreeMap::new(),
            is_silent: false,
            spoke: None,
            doubts: BTreeMap::new(),
            done: PerLane::default(),
            unsure: PerLane::default(),
            failed_here: PerLane::default(),
            is_broken: PerLane::default(),
            left: PerLane::default(),
            progress: PerLane::default(),
            standings: BTreeMap::new(),
        };
        while let Some(effect) = model.machine.poll_effect() {
            let Effect::Show(tokens) = effect else { panic!("{effect:?}") };
            for token in tokens {
                model.at.insert(token.mint, At::Line { lane: Lane::Cold, due: false });
                model.tokens.insert(token.mint, token);
            }
        }
        model
    }

    fn now(&self) -> Now {
        world::at(self.time)
    }

    pub(crate) fn apply(&mut self, step: Step) -> Result<(), TestCaseError> {
        let now = self.now();
        match step {
            Step::Wait(millis) => self.time += Duration::from_millis(millis),
            Step::Upstream(state) => self.upstream = self.as_upstream(state),
            Step::Turn => self.turn()?,
            Step::NoTurn(millis) if self.turn_is_wanted => {
                self.turn_is_wanted = false;
                self.machine.handle_no_turn(now.moment + Duration::from_millis(millis), now);
            }
            Step::Answer(which, ending) if !self.requests.is_empty() => {
                let id = *which.get(&self.requests.keys().copied().collect::<Vec<_>>());
                self.answer(id, &ending)?;
            }
            Step::Edit(bits) => self.edit(bits)?,
            Step::Reset(lane) => self.reset(lane)?,
            Step::Replace => self.replace()?,
            Step::StaleReset(lane) => {
                self.machine.reset(lane, self.incarnations[lane], now);
                prop_assert_eq!(self.machine.poll_effect(), None, "a stale incarnation had an effect");
            }
            Step::Calls(errors) => {
                let calls = CallSummary { calls: 100, errors, ..CallSummary::default() };
                self.machine.handle_calls(&calls, now);
            }
            Step::Reconfigure(settings) => self.reconfigure(*settings)?,
            Step::NoTurn(_) | Step::Answer(..) => {}
        }
        self.effects()?;
        self.look()
    }

    /// What the driver does before it waits.
    fn look(&mut self) -> Result<(), TestCaseError> {
        let now = self.now();
        self.machine.handle_upstream(self.upstream);
        self.machine.handle_timeout(now);
        self.effects()?;
        let wants = self.machine.wants_turn(now);
        prop_assert!(!(wants && self.turn_is_wanted), "two turns at once");
        prop_assert!(!(wants && self.is_stopping), "a turn after the stop");
        self.turn_is_wanted |= wants;
        self.check_runs()
    }

    fn as_upstream(&self, state: State) -> Upstream {
        let later = Some(self.now().moment + Duration::from_secs(30));
        match state {
            State::Up => Upstream::default(),
            State::Away => Upstream { is_away: true, retry_at: later, ..Upstream::default() },
            State::Paused => Upstream { share: 0.5, paused_until: later, ..Upstream::default() },
        }
    }

    fn turn(&mut self) -> Result<(), TestCaseError> {
        if !self.turn_is_wanted {
            return Ok(());
        }
        self.turn_is_wanted = false;
        self.machine.handle_upstream(self.upstream);
        let Some((id, request)) = self.machine.poll_request(self.now()) else {
            return Ok(());
        };
        prop_assert!(!self.is_stopping, "asked after the stop");
        let settings = self.settings.dispatch.settings();
        prop_assert!(self.requests.len() < settings.max_in_flight, "more in flight than may be");
        let mut taken_from = BTreeMap::new();
        match &request.ask {
            Ask::Batch(asked) => {
                prop_assert!((1..=settings.batch).contains(&asked.len()));
                for asked in asked {
                    taken_from.insert(asked.key, self.take(asked, id, false)?);
                }
            }
            Ask::One(asked, Single::Unanswered) => {
                taken_from.insert(asked.key, self.take(asked, id, true)?);
            }
            Ask::One(asked, Single::List) => {
                let again = self.requests.values().any(|other| other.request.ask == request.ask);
                prop_assert!(!again, "the list of {} is asked for twice at once", asked.key);
            }
        }
        let before = self.requests.insert(id, InFlight { request, late: BTreeSet::new(), taken_from });
        prop_assert!(before.is_none(), "two requests have one id");
        Ok(())
    }

    /// A token may be asked for where it is.
    fn take(&mut self, asked: &Asked<Mint>, id: RequestId, alone: bool) -> Result<At, TestCaseError> {
        let before = self.at.insert(asked.key, At::InFlight(id));
        let may = match before {
            Some(At::Line { lane, due }) => {
                due && !alone && lane == lane_of(asked) && asked.from != Priority::Background
            }
            Some(At::Rest(until)) => {
                !alone && asked.from == Priority::Background && until <= self.now().moment
            }
            Some(At::Alone(lane)) => alone && lane == lane_of(asked),
            Some(At::Suspected) => true,
            Some(At::InFlight(_)) | None => false,
        };
        prop_assert!(may, "{asked:?} is asked for, and is {before:?}");
        Ok(before.expect("it may be asked for"))
    }

    /// Takes in what the machine wants done.
    fn effects(&mut self) -> Result<(), TestCaseError> {
        while let Some(effect) = self.machine.poll_effect() {
            self.effect(effect)?;
        }
        Ok(())
    }

    fn effect(&mut self, effect: Effect) -> Result<(), TestCaseError> {
        match effect {
            Effect::RunStarted { lane, .. } => self.run_started(lane),
            Effect::RunEnded { lane, outcome, .. } => self.run_ended(lane, &outcome)?,
            Effect::Show(tokens) => {
                self.tokens.extend(tokens.into_iter().map(|token| (token.mint, token)));
            }
            Effect::Forget(mints) => {
                for mint in mints {
                    self.tokens.remove(&mint);
                    self.standings.remove(&mint);
                }
            }
            Effect::Standing(standings) => {
                prop_assert!(standings.len() <= 30, "{} standings at once", standings.len());
                self.standings.extend(standings);
            }
            Effect::Plan { facts, .. } => {
                prop_assert_eq!(facts.in_flight, self.requests.len() as u64);
                prop_assert!(facts.resting <= self.tokens.len() as u64);
            }
            Effect::Save(_) | Effect::Sample(..) | Effect::Market(_) => {
                prop_assert!(false, "{effect:?} without an answer");
            }
            _ => {}
        }
        Ok(())
    }

    /// The lane of a token that is watched.
    fn lane(&self, mint: &Mint) -> Option<Lane> {
        self.tokens.get(mint)?.lane(self.settings.market.hot_threshold())
    }

    /// Puts a token where what is known of it says.
    fn put(&mut self, mint: Mint, due: bool) {
        let now = self.now();
        let Some(lane) = self.lane(&mint) else {
            self.at.remove(&mint);
            return;
        };
        let at = match self.tokens[&mint].unlisted {
            None => At::Line { lane, due },
            Some(unlisted) => {
                let rest = unlisted.ask_again_at.duration_since(now.wall);
                At::Rest(now.moment + Duration::try_from(rest).unwrap_or(Duration::ZERO))
            }
        };
        self.at.insert(mint, at);
    }

    pub(crate) fn stop(&mut self) -> Result<(), TestCaseError> {
        self.machine.stop(self.now().moment + Duration::from_secs(20));
        (self.is_stopping, self.turn_is_wanted) = (true, false);
        self.effects()
    }

    /// The stop is over.
    pub(crate) fn finish(mut self) -> Result<(), TestCaseError> {
        let now = self.now();
        self.machine.handle_upstream(self.upstream);
        self.machine.finish(now);
        self.effects()?;
        prop_assert!(self.requests.is_empty() == self.machine.is_finished(world::at(Duration::ZERO)));
        for lane in Lane::ALL {
            prop_assert!(!self.machine.status(lane).running, "the {lane} run goes on");
        }
        Ok(())
    }

    /// Everything in flight ends well.
    pub(crate) fn answer_all(&mut self) -> Result<(), TestCaseError> {
        let well = Ending::Found([Says::Cold; BATCH]);
        self.upstream = Upstream::default();
        while let Some(id) = self.requests.keys().next().copied() {
            self.answer(id, &well)?;
            self.look()?;
        }
        Ok(())
    }

    /// Whether tokens are asked for by halves, or failed alone.
    pub(crate) fn has_suspects(&self) -> bool {
        self.at.values().any(|at| *at == At::Suspected)
    }

    /// The machine, its settings, what another one begins with that replaces it, and the time.
    pub(crate) fn into_machine(self) -> (Machine, WorkSettings, Boot, Duration) {
        let boot = self.to_boot();
        (self.machine, self.settings, boot, self.time)
    }

    /// Everything in flight ends well, and every token is then asked for in time.
    pub(crate) fn drain(mut self) -> Result<(), TestCaseError> {
        let well = Ending::Found([Says::Cold; BATCH]);
        self.upstream = Upstream::default();
        self.look()?;
        let mut left: BTreeSet<Mint> = BTreeSet::new();
        for round in 0..400 {
            while let Some(id) = self.requests.keys().next().copied() {
                for asked in keys_of(&self.requests[&id].request.ask) {
                    left.remove(&asked.key);
                }
                self.answer(id, &well)?;
                self.look()?;
            }
            if round == 0 {
                self.time += Duration::from_hours(2);
                left = self.at.keys().copied().collect();
            }
            self.apply(Step::Wait(1_000))?;
            self.apply(Step::Turn)?;
        }
        prop_assert_eq!(left, BTreeSet::new(), "never asked for again");
        Ok(())
    }
}

/// The lane in whose run a token is asked for.
fn lane_of(asked: &Asked<Mint>) -> Lane {
    asked.from.lane()
}

/// The tokens of a request, full lists apart.
fn keys_of(ask: &Ask<Mint>) -> Vec<Asked<Mint>> {
    match ask {
        Ask::Batch(asked) => asked.clone(),
        Ask::One(asked, Single::Unanswered) => vec![*asked],
        Ask::One(_, Single::List) => Vec::new(),
    }
}
