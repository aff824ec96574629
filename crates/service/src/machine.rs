//! The work as a state machine without I/O: which token is asked for when, and what follows from the answer.
//!
//! Facts go in (`handle_*`), commands change what is to be done ([`Machine::reset`],
//! [`Machine::reconfigure`], [`Machine::stop`]), and what is to be done comes out (`poll_*`). After every fact or command the driver empties
//! [`Machine::poll_effect`], asks [`Machine::wants_turn`] and [`Machine::wants_calls`], and comes back at
//! [`Machine::poll_timeout`] at the latest. Time is an argument; the machine reads no clock, draws no random number, and
//! neither logs nor counts: both are effects.
//!
//! # Which token is asked for when
//!
//! Two lanes, hot and cold, share one budget of requests. The [`Scheduler`] gives each lane a grid of ticks, one interval
//! apart. A **tick** makes every token that waits in its lane's line due, once. The guard paces requests: it gives **turns**, one
//! request each, spread evenly over the minute. The machine asks for a turn when something may be asked for, and decides
//! only when the turn comes ([`Machine::poll_request`]) what it is used for, so that a request always holds what matters most
//! at that time. The docs of [`Dispatcher`] say how it chooses; in short: candidates for activation first with a tenth of
//! the turns, then hot and cold tokens and those whose backoff is over, each with a floor of 5 %, in a line the greatest age weighted by value, and
//! every batch filled up from the other lane. Batches mix the lanes; that is why one machine works both.
//!
//! **Bounds.** With enough turns for all, a token of a lane is asked for within one interval, plus the time that a batch may wait for
//! company. With too few, every due token of a lane is asked for within its *cycle*: its tokens, divided by what a batch holds and
//! by the turns that the lane gets, and at most a quarter more for the least valuable; [`Effect::Plan`] publishes it. A lane
//! gets at least its floor while it can use it, so no lane starves; within a lane age grows until it outweighs any value, so
//! no token starves. A token is in flight at most once.
//!
//! # Runs
//!
//! A **run** is the accounts of one pass over a lane. It starts on a tick, and ends as soon as nothing of the lane is due, waits to be
//! asked for apart, or is in flight; the next tick ends it in any case. What it did not get to is *deferred*: it keeps its place
//! and its age, and belongs to the next run. Of the tokens that were asked for, `attempted = processed + failed`; of those
//! that were due, the others were `cached` (seen so lately that what is known is as good as an answer) or `deferred`.
//! Work that a lane gets done between two runs, riding along in the other lane's batches, counts for its next run.
//!
//! **Progress** is work that was committed (an answer that was processed), or a run that ended and left nothing: nothing failed,
//! and nothing was deferred. A tick is no progress, nor is a failure. Nor is an answer in a run in which more tokens failed in
//! this process so far than were processed. While upstream is away runs are *withheld*: neither progress nor stuck.
//!
//! # Answers
//!
//! - A token with pairs is scored, saved, and put at the end of its line.
//! - **Missing** from a batch says little: the token is asked for alone. Missing there too, it is **unlisted**: it backs off for 1, 2,
//!   4 … 60 minutes and is then asked for along with others. One that is missing after that was asked for alone before: it is
//!   unlisted at once.
//! - **In doubt.** If a batch comes back without a single pair, upstream is more likely to be broken than all tokens to be unlisted.
//!   Until it lists a token again, one that is missing is in doubt and fails instead of becoming unlisted. A doubt ends when the
//!   token is seen, when others were listed since and it is missing again, or after an hour: all that are left may be unlisted. One
//!   token of each such batch is still asked for alone, since perhaps only batches come back empty.
//! - **Unreadable**: upstream lists the token, but no pair of it can be parsed. It is asked for alone; unreadable there too it has
//!   failed, and its last score is still served.
//! - A **failure** says nothing about the tokens: they go to the front of their line, for after the next tick, and what is known of
//!   them is still served, marked with its age.
//! - **Poisoned**: if the failure may be the tokens' fault, the dispatcher asks for the batch again by halves, until the token that
//!   makes every request fail is alone. It backs off for 1 to 10 minutes, and keeps no other token from being seen.
//!
//! **Full lists** are asked for beside whatever else the token waits for: those of candidates for activation first, with a tenth
//! of the turns; with what the budget leaves those of hot tokens, which make the score better, and of cold ones while few wait.
//! A list is wanted again once the last one is half as old as one may be to count.
//!
//! # Failures of the work itself
//!
//! [`Machine::reset`] gives a lane a new incarnation: its run ends as deferred, and its tokens in flight go back to the front of its
//! line. Answers to what the old incarnation asked are ignored **token by token**: of a mixed batch the other lane's tokens still
//! count. So nothing is lost, and nothing is counted, saved or scored twice.
//!
//! If the machine itself is lost, [`Machine::boot`] builds another one from what it published: the tokens, where each of them
//! stands ([`Effect::Standing`]), and what [`Machine::carried`] holds.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use ttm_dispatch::{Ask, Asked, DispatchConfig, Dispatcher, Request, Suspicion};
use ttm_kernel::{Incarnation, Lane, Moment, PerLane};
use ttm_market::{Book, DataQuality, MarketConfig, Mint, Token};
use ttm_perf::{CallSummary, Control, ControlChange, ControlConfig, Controlled};
use ttm_schedule::{LaneStatus, ScheduleConfig, Scheduler};

mod answers;
mod boot;
mod effect;
mod facts;
mod lanes;
mod place;
mod plan;
mod reconfigure;
mod runs;
mod set;
mod silence;
mod standing;
mod unreadable;

pub use boot::{Boot, Carried};
pub use effect::{Effect, Notice};
use facts::Origin;
pub use facts::{Answer, Failed, Found, Now, RequestId, Seen, Upstream};
pub use standing::Standing;

use answers::keys_of;
use boot::LookUps;
use runs::{Accounts, lane_of};
use silence::Silence;
use unreadable::Unreadable;

/// How often adaptive control looks at the last calls.
const CONTROL_EVERY: Duration = Duration::from_secs(10);
/// The calls that it looks at.
const CONTROL_OVER: Duration = Duration::from_mins(2);
/// An open breaker is asked again after this long at the latest: an operator may have closed it.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What the machine needs to know, as validated values of the domains.
#[derive(Clone, Debug)]
pub struct WorkSettings {
    /// The market's rules.
    pub market: MarketConfig,
    /// The lanes' intervals.
    pub schedule: ScheduleConfig,
    /// How the next request is chosen.
    pub dispatch: DispatchConfig,
    /// How timeout and concurrency follow upstream.
    pub control: ControlConfig,
    /// Requests that the budget allows in a minute.
    pub requests_per_minute: f64,
}

/// The work on a set of tokens. The [module](self) says what it guarantees.
#[derive(Debug)]
pub struct Machine {
    settings: WorkSettings,
    /// When the first machine of this process began.
    began: Now,
    book: Book,
    scheduler: Scheduler,
    dispatcher: Dispatcher<Mint>,
    control: Control,
    next_control: Moment,
    upstream: Upstream,
    lanes: PerLane<Accounts>,
    /// Requests in flight.
    requests: BTreeMap<RequestId, InFlight>,
    /// Whether the driver waits for a turn.
    turn_is_wanted: bool,
    /// No turn is wanted before: the breaker is open.
    blocked_until: Moment,
    /// Whether upstream lists anything.
    silence: Silence,
    /// What it lists that cannot be read.
    unreadable: Unreadable,
    /// The deadline of the stop.
    stop: Option<Moment>,
    /// By the machines before this one.
    looked_up_before: LookUps,
    /// How often a token was placed.
    placings: u64,
    /// Where tokens were placed that is not published yet.
    moved: Vec<(Mint, Standing)>,
    effects: VecDeque<Effect>,
}

/// A request in flight.
#[derive(Clone, Debug)]
struct InFlight {
    request: Request<Mint>,
    /// The incarnations that asked.
    asked_by: PerLane<Incarnation>,
}

impl Machine {
    /// How a lane is doing.
    pub fn status(&self, lane: Lane) -> LaneStatus {
        self.scheduler.status(lane)
    }

    /// Whether the stop was ordered.
    pub const fn is_stopping(&self) -> bool {
        self.stop.is_some()
    }

    /// What was wrong with the data so far.
    pub const fn quality(&self) -> &DataQuality {
        self.book.quality()
    }

    /// How many bytes the full lists of pools take, about.
    pub const fn list_bytes(&self) -> usize {
        self.book.list_bytes()
    }

    /// What upstream allows now. Call it before any other fact, whenever it may have changed.
    pub const fn handle_upstream(&mut self, upstream: Upstream) {
        self.upstream = upstream;
    }

    /// Time has passed: runs start and end.
    pub fn handle_timeout(&mut self, now: Now) {
        if self.stop.is_none() {
            self.start_runs(now);
            self.note_outage(now);
        }
    }

    /// How the calls went that [`Machine::wants_calls`] asked about.
    pub fn handle_calls(&mut self, calls: &CallSummary, now: Now) {
        self.next_control = now.moment + CONTROL_EVERY;
        let changes = self.control.update(calls);
        self.apply_control(changes);
        self.show_plan(now.moment);
    }

    fn apply_control(&mut self, changes: impl Iterator<Item = ControlChange>) {
        for change in changes {
            if change.what == Controlled::AttemptTimeout {
                self.effects.push_back(Effect::AttemptTimeout(self.control.attempt_timeout()));
            }
            self.effects.push_back(Effect::Control(change));
        }
        self.dispatcher.set_max_in_flight(self.control.in_flight());
    }

    /// There is no turn, nor will there be one before `retry_at`.
    pub fn handle_no_turn(&mut self, retry_at: Moment, now: Now) {
        self.turn_is_wanted = false;
        self.blocked_until = retry_at.min(now.moment + LOOK_AGAIN);
    }

    /// A request ended. One that is not in flight changes nothing.
    pub fn handle_answer(&mut self, id: RequestId, mut answer: Answer, now: Now) {
        let Some(InFlight { mut request, asked_by }) = self.requests.remove(&id) else { return };
        if let Answer::Panicked(message) = &answer {
            // A token that failed alone before is asked for in the turns of the other lane.
            let lane = keys_of(&request.ask).first().map_or(request.priority.lane(), lane_of);
            let message = message.clone();
            self.notice(Some(Notice::Panicked { lane, message }));
        }
        let kept = self.dispatcher.handle_done(&request, answer.end(), now.moment);
        // An answer is news of the breaker, too.
        self.blocked_until = Moment::ZERO;
        let (asked, late): (Vec<Asked<Mint>>, Vec<Asked<Mint>>) =
            keys_of(&request.ask).iter().copied().partition(|asked| self.still_counts(asked_by, asked));
        for asked in &asked {
            self.lanes[lane_of(asked)].in_flight -= 1;
        }
        if !late.is_empty() {
            if asked.is_empty() {
                return;
            }
            (request.ask, answer) = (Ask::Batch(asked), without(&late, answer));
        }
        let answer = answer.into_found();
        let suspicion = request.suspicion;
        for asked in keys_of(&request.ask) {
            let accounts = &mut self.lanes[lane_of(asked)];
            match &answer {
                Ok(_) => drop(accounts.failed_here.remove(&asked.key)),
                Err((Origin::Here, _)) if suspicion != Suspicion::Likely => {
                    accounts.failed_here.insert(asked.key);
                    accounts.is_broken = true;
                }
                Err(_) => {}
            }
        }
        match answer {
            Ok(found) => self.take(&request.ask, found, now),
            Err((origin, message)) if kept => self.keep(&request.ask, origin, message, now),
            Err((origin, _)) => self.fail(&request.ask, origin, now),
        }
        self.show_unanswered(now);
        self.show_standings();
        self.end_idle_runs(now);
    }

    /// The set of tokens was edited: these are all that are stored.
    pub fn handle_set(&mut self, tokens: Vec<Token>, now: Now) {
        self.edit_set(tokens, now);
        self.show_standings();
    }

    /// Stops asking for tokens. Requests in flight may end until the deadline. A second call can only bring it forward.
    pub fn stop(&mut self, deadline: Moment) {
        let is_first = self.stop.is_none();
        self.stop = Some(self.stop.map_or(deadline, |earlier| earlier.min(deadline)));
        if is_first {
            self.turn_is_wanted = false;
            self.scheduler.handle_shutdown();
            self.notice(Some(Notice::Stopping { in_flight: self.requests.len() }));
        }
    }

    /// Ends both runs, and the requests in flight. The machine must not be used afterwards.
    pub fn finish(&mut self, now: Now) {
        for InFlight { request, .. } in self.requests.values() {
            self.effects.push_back(Effect::Notice(Notice::GivenUp { priority: request.priority }));
        }
        for lane in Lane::ALL {
            self.end_run(lane, now.moment);
        }
    }

    /// Whether the driver should ask for a turn now. Returns true once, until the turn was granted or refused.
    pub fn wants_turn(&mut self, now: Now) -> bool {
        let wants = self.stop.is_none()
            && !self.turn_is_wanted
            && now.moment >= self.blocked_until
            && self.dispatcher.is_ready(now.moment);
        self.turn_is_wanted |= wants;
        wants
    }

    /// The calls of how long adaptive control should look at now, if it should: [`Machine::handle_calls`] takes them.
    pub fn wants_calls(&self, now: Now) -> Option<Duration> {
        (self.stop.is_none() && now.moment >= self.next_control).then_some(CONTROL_OVER)
    }

    /// A turn was granted: the request to use it for. `None` if all tokens that seemed due are still fresh.
    pub fn poll_request(&mut self, now: Now) -> Option<(RequestId, Request<Mint>)> {
        self.turn_is_wanted = false;
        if self.stop.is_some() {
            return None;
        }
        self.dispatcher.set_probing(self.upstream.is_away);
        let Some(request) = self.dispatcher.poll(now.moment) else {
            self.end_idle_runs(now);
            return None;
        };
        for asked in keys_of(&request.ask) {
            self.lanes[lane_of(asked)].in_flight += 1;
        }
        let id = RequestId(request.number);
        let asked_by = PerLane::from_fn(|lane| self.lanes[lane].incarnation);
        self.requests.insert(id, InFlight { request: request.clone(), asked_by });
        Some((id, request))
    }

    /// The next effect; call until there is none.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// When to come back at the latest, if no other fact comes before.
    pub fn poll_timeout(&self, now: Now) -> Moment {
        if let Some(deadline) = self.stop {
            return deadline;
        }
        let schedule = self.scheduler.poll_timeout().unwrap_or(Moment::MAX);
        let dispatch = if self.turn_is_wanted {
            Moment::MAX
        } else if now.moment < self.blocked_until {
            self.blocked_until
        } else {
            // What is ready already waits for a request in flight to end.
            self.dispatcher.poll_timeout(now.moment).filter(|at| *at > now.moment).unwrap_or(Moment::MAX)
        };
        schedule.min(dispatch).min(self.next_control)
    }

    /// Whether the stop is over: nothing is in flight, or its deadline has passed.
    pub fn is_finished(&self, now: Now) -> bool {
        self.stop.is_some_and(|deadline| self.requests.is_empty() || now.moment >= deadline)
    }

    /// The tokens in flight whose answers count.
    fn in_flight(&self) -> impl Iterator<Item = &Asked<Mint>> {
        self.requests.values().flat_map(|InFlight { request, asked_by }| {
            keys_of(&request.ask).iter().filter(|asked| self.still_counts(*asked_by, asked))
        })
    }

    /// Whether the incarnation that asked for a token is still the one that works on its lane.
    fn still_counts(&self, asked_by: PerLane<Incarnation>, asked: &Asked<Mint>) -> bool {
        let lane = lane_of(asked);
        asked_by[lane] == self.lanes[lane].incarnation
    }
}

/// The answer without these tokens.
fn without(late: &[Asked<Mint>], answer: Answer) -> Answer {
    match answer {
        Answer::Found(mut found) => {
            found.seen.retain(|(mint, _)| late.iter().all(|late| late.key != *mint));
            Answer::Found(found)
        }
        other => other,
    }
}
