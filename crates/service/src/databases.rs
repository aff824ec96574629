//! Which databases the stores are in: what is wrong with one of them concerns the uses in it, and no others.

/// The databases, as people know them, without secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Databases {
    /// One has everything, and what damages it concerns every use.
    #[default]
    One,
    /// The history has one of its own: nothing that befalls it concerns the state.
    Two {
        /// That of the state.
        state: String,
        /// That of samples and events.
        history: String,
    },
}

impl Databases {
    /// That of the history, or else that of the state, unless one has everything.
    pub(crate) fn of(&self, history: bool) -> Option<&str> {
        match self {
            Self::One => None,
            Self::Two { history: of_history, .. } if history => Some(of_history),
            Self::Two { state, .. } => Some(state),
        }
    }

    /// Whether the history has one of its own.
    pub(crate) fn are_two(&self) -> bool {
        *self != Self::One
    }
}
