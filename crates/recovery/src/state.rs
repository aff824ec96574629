//! What a supervised part is doing, and the one function by which that changes.

use std::fmt;

/// What a part is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// It was started, and has not got on yet.
    Starting,
    /// It gets on.
    Running,
    /// It does not get on, because what it depends on is away.
    Degraded,
    /// It does not get on, and nothing excuses it.
    Stuck,
    /// It was told to stop.
    Stopping,
    /// It does not run.
    Stopped,
    /// It does not get on, and nothing more is done about it: a person is needed.
    Escalated,
}

/// What changes the state of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Move {
    /// It is started.
    Start,
    /// It got on.
    Progress,
    /// It has not got on for too long.
    Stall,
    /// It has not got on, for want of what it depends on.
    Wait,
    /// It is told to stop, or aborted.
    Stop,
    /// It ended; or its plane was left behind with it.
    End,
    /// Nothing more is done.
    Escalate,
}

/// A move that a part in this state cannot make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a part that is {state} cannot {what}")]
pub struct IllegalMove {
    /// Its state.
    pub state: State,
    /// The move.
    pub what: Move,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Starting,
        Self::Running,
        Self::Degraded,
        Self::Stuck,
        Self::Stopping,
        Self::Stopped,
        Self::Escalated,
    ];

    /// The state after a move.
    ///
    /// # Errors
    /// When a part in this state cannot make that move.
    pub const fn after(self, what: Move) -> Result<Self, IllegalMove> {
        Ok(match (self, what) {
            (Self::Stopped | Self::Degraded | Self::Escalated, Move::Start) => Self::Starting,
            (
                Self::Starting | Self::Running | Self::Degraded | Self::Stuck | Self::Escalated,
                Move::Progress,
            ) => Self::Running,
            (Self::Starting | Self::Running | Self::Degraded, Move::Stall) => Self::Stuck,
            (Self::Starting | Self::Running | Self::Stuck | Self::Stopped, Move::Wait) => Self::Degraded,
            (Self::Starting | Self::Running | Self::Degraded | Self::Stuck | Self::Escalated, Move::Stop) => {
                Self::Stopping
            }
            (Self::Starting | Self::Running | Self::Degraded | Self::Stuck | Self::Stopping, Move::End) => {
                Self::Stopped
            }
            // What has ended is not what a person must look at: that is why it could not be kept running.
            (Self::Escalated, Move::End) => Self::Escalated,
            (Self::Stuck | Self::Stopping | Self::Stopped | Self::Degraded, Move::Escalate) => {
                Self::Escalated
            }
            (state, what) => return Err(IllegalMove { state, what }),
        })
    }

    /// The word for logs and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Degraded => "degraded",
            Self::Stuck => "stuck",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Escalated => "escalated",
        }
    }
}

impl Move {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Start, Self::Progress, Self::Stall, Self::Wait, Self::Stop, Self::End, Self::Escalate];

    /// The word for logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Progress => "get on",
            Self::Stall => "stall",
            Self::Wait => "wait",
            Self::Stop => "stop",
            Self::End => "end",
            Self::Escalate => "be escalated",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for Move {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The moves that each state can make, with where they lead; all others are refused.
    const TABLE: [(State, &[(Move, State)]); 7] = {
        use Move::{End, Escalate, Progress, Stall, Start, Stop, Wait};
        use State::{Degraded, Escalated, Running, Starting, Stopped, Stopping, Stuck};
        [
            (
                Starting,
                &[(Progress, Running), (Stall, Stuck), (Wait, Degraded), (Stop, Stopping), (End, Stopped)],
            ),
            (
                Running,
                &[(Progress, Running), (Stall, Stuck), (Wait, Degraded), (Stop, Stopping), (End, Stopped)],
            ),
            (
                Degraded,
                &[
                    (Start, Starting),
                    (Progress, Running),
                    (Stall, Stuck),
                    (Stop, Stopping),
                    (End, Stopped),
                    (Escalate, Escalated),
                ],
            ),
            (
                Stuck,
                &[
                    (Progress, Running),
                    (Wait, Degraded),
                    (Stop, Stopping),
                    (End, Stopped),
                    (Escalate, Escalated),
                ],
            ),
            (Stopping, &[(End, Stopped), (Escalate, Escalated)]),
            (Stopped, &[(Start, Starting), (Wait, Degraded), (Escalate, Escalated)]),
            (Escalated, &[(Start, Starting), (Progress, Running), (Stop, Stopping), (End, Escalated)]),
        ]
    };

    #[test]
    fn each_state_makes_the_moves_of_its_row_and_refuses_all_others() {
        for (state, moves) in TABLE {
            for what in Move::ALL {
                let leads_to = moves.iter().find(|(known, _)| *known == what).map(|(_, to)| *to);
                assert_eq!(state.after(what), leads_to.ok_or(IllegalMove { state, what }), "{state} {what}");
            }
        }
        assert_eq!(TABLE.map(|(state, _)| state), State::ALL);
        let refused = IllegalMove { state: State::Stopped, what: Move::Progress };
        assert_eq!(refused.to_string(), "a part that is stopped cannot get on");
    }

    #[test]
    fn a_part_can_always_be_brought_back_to_running() {
        for state in State::ALL {
            let stopped = match state.after(Move::Stop).unwrap_or(state) {
                State::Stopping => State::Stopping.after(Move::End).expect("what stops, ends"),
                other => other,
            };
            let running = stopped.after(Move::Start).and_then(|state| state.after(Move::Progress));
            assert_eq!(running, Ok(State::Running), "{state}");
        }
    }
}
