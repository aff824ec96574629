//! The port through which operators see the breakers of a process and overrule them, by name.
//!
//! The laws are numbered; `testing::control_conformance` checks each of them against every implementation.

use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::{Counts, State, TransitionReason, WindowCounts};

/// What operators see of the breakers, and order.
///
/// Laws:
/// 1. `breakers` returns every breaker once, ordered by name.
/// 2. `order` puts the breaker into the state that was ordered at once, and the breaker says that an operator wanted it. It
///    returns the breaker as it was then. Other breakers stay as they are.
/// 3. An order to force open or to disable what is so already changes nothing; a reset always begins anew, with empty counts.
/// 4. An unknown name changes nothing, and is [`Unknown`](OrderRefused::Unknown), which lists the known ones.
/// 5. `order` returns once the order is stored, so that the next process knows of it, however this one ends. If the store does
///    not take it within a few seconds it returns without, and says so; the order goes on being stored.
/// 6. While the process stops an order changes nothing, and is [`NotRunning`](OrderRefused::NotRunning): it might not be stored
///    any more.
#[cfg_attr(feature = "testing", mockall::automock)]
#[async_trait]
pub trait BreakerControl: Send + Sync {
    /// All breakers. Never waits.
    fn breakers(&self) -> Vec<BreakerView>;

    /// Carries out an order.
    ///
    /// # Errors
    /// When there is no such breaker, or the process stops.
    async fn order(&self, name: &str, order: Order) -> Result<Ordered, OrderRefused>;
}

/// What became of an order: it is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ordered {
    /// The breaker.
    pub breaker: BreakerView,
    /// Whether the next process knows of it.
    pub stored: bool,
}

/// What an operator orders. It holds until the next order, and a restart of the process does not end it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Reject every call.
    ForceOpen,
    /// Admit every call, and count nothing.
    Disable,
    /// Begin anew, closed: the breaker decides by itself again.
    Reset,
}

impl Order {
    /// All orders.
    pub const ALL: [Self; 3] = [Self::ForceOpen, Self::Disable, Self::Reset];

    /// The word for the API and the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ForceOpen => "force-open",
            Self::Disable => "disable",
            Self::Reset => "reset",
        }
    }

    /// The order with this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|order| order.as_str() == word)
    }

    /// The state that it leads to.
    pub const fn state(self) -> State {
        match self {
            Self::ForceOpen => State::ForcedOpen,
            Self::Disable => State::Disabled,
            Self::Reset => State::Closed,
        }
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A breaker as operators see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BreakerView {
    /// Its name.
    pub name: String,
    /// Its state.
    pub state: State,
    /// Since when; what was restored, since before the process began.
    pub since: Timestamp,
    /// Why. `None` if it has not changed its state in this process.
    pub reason: Option<TransitionReason>,
    /// The last error of what is called, when it left the closed state.
    pub cause: Option<String>,
    /// When a rejected call may be tried again. `None` if a call would be admitted, or if only an operator can admit one.
    pub retry_at: Option<Timestamp>,
    /// Outcomes counted in this state.
    pub counts: Counts,
    /// The calls in the window, while the breaker is closed and has rates.
    pub window: Option<WindowCounts>,
    /// Probes in flight.
    pub probes_in_flight: u32,
}

/// Why an order is not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderRefused {
    /// There is no such breaker.
    #[error("no breaker is called {name:?}; the breakers are {}", known.join(", "))]
    Unknown {
        /// What was asked for.
        name: String,
        /// The names of all breakers.
        known: Vec<String>,
    },
    /// The service is stopping.
    #[error("the service is {0}")]
    NotRunning(&'static str),
}
