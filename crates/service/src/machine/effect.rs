//! The effects that the machine orders. The driver carries them out in the order in which they come.

use std::sync::Arc;
use std::time::Duration;

use ttm_dispatch::Priority;
use ttm_health::{PlanFacts, SilenceFacts, UnreadableFacts};
use ttm_kernel::Lane;
use ttm_market::{MarketEvent, Mint, ScoreState, Token};
use ttm_perf::ControlChange;
use ttm_schedule::{LaneStatus, RunOutcome};

use super::Standing;

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// A run started.
    RunStarted {
        /// Its lane.
        lane: Lane,
        /// Its number, counted from 1.
        run: u64,
        /// Scheduled runs that were missed since the previous one.
        missed: u64,
    },
    /// A run ended.
    RunEnded {
        /// Its lane.
        lane: Lane,
        /// The number that it started with.
        run: u64,
        /// How long it took.
        took: Duration,
        /// What became of its tokens.
        outcome: RunOutcome,
    },
    /// A lane's status changed.
    Status(Lane, LaneStatus),
    /// These tokens changed: store them, and show them to readers.
    Save(Vec<Arc<Token>>),
    /// Show these tokens to readers. They are stored already.
    Show(Vec<Arc<Token>>),
    /// These tokens were removed: stop showing them.
    Forget(Vec<Mint>),
    /// A token has a new score: add it to the history.
    Sample(Mint, ScoreState),
    /// This many tokens got a new score.
    Scored(u64),
    /// Record what happened to a token.
    Market(Vec<MarketEvent>),
    /// Record that adaptive control changed a value.
    Control(ControlChange),
    /// The new attempt timeout.
    AttemptTimeout(Duration),
    /// How the budget of requests is used.
    Plan {
        /// The plan.
        facts: PlanFacts,
        /// Tokens that were asked for so far.
        asked: u64,
        /// Tokens that were due so far and not asked for, because they were still fresh.
        cached: u64,
    },
    /// What upstream does not list, or lists in a way that cannot be parsed.
    Unanswered {
        /// Whether it lists nothing at all.
        silence: Option<SilenceFacts>,
        /// Which tokens cannot be read.
        unreadable: Option<UnreadableFacts>,
    },
    /// Where these tokens stand now: keep it for the machine that replaces this one.
    Standing(Vec<(Mint, Standing)>),
    /// Log this.
    Notice(Notice),
}

/// An event for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Upstream answers, but lists none of the tokens that it is asked for.
    SilenceBegan {
        /// How many tokens it was asked for.
        tokens: usize,
    },
    /// Upstream lists tokens again.
    SilenceEnded,
    /// A token cannot be read, the first for a while.
    UnreadableBegan {
        /// The token.
        mint: Mint,
        /// What is wrong with it.
        why: Box<str>,
    },
    /// All tokens can be read again.
    UnreadableEnded,
    /// A request for this token alone failed, and the token is probably the reason.
    FailedAlone {
        /// The token.
        mint: Mint,
        /// How the request failed.
        message: String,
    },
    /// A request panicked, which is a defect. Its tokens are asked for again.
    Panicked {
        /// The lane whose turn it had.
        lane: Lane,
        /// What it said.
        message: String,
    },
    /// The set of tokens was edited.
    SetEdited {
        /// Tokens that are new or came back.
        added: usize,
        /// Tokens that are gone.
        removed: usize,
        /// Tokens that there are now.
        tokens: usize,
    },
    /// A lane was reset.
    LaneReset {
        /// Which.
        lane: Lane,
        /// Tokens that were in flight and wait again.
        taken_back: usize,
    },
    /// No further request is made.
    Stopping {
        /// Requests in flight.
        in_flight: usize,
    },
    /// A request was still in flight at the deadline of the stop.
    GivenUp {
        /// What it was for.
        priority: Priority,
    },
}
