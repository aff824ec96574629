//! Priorities of requests, and values of keys within a lane.

use ttm_kernel::Lane;

/// What a turn may be used for, the most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Full lists of keys that may be about to become active.
    Activation,
    /// The hot line.
    Hot,
    /// The cold line.
    Cold,
    /// Keys whose backoff is over, and full lists for completeness.
    Background,
}

impl Priority {
    /// All of them, the most urgent first.
    pub const ALL: [Self; 4] = [Self::Activation, Self::Hot, Self::Cold, Self::Background];

    /// The word for logs, metrics and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Activation => "activation",
            Self::Hot => "hot",
            Self::Cold => "cold",
            Self::Background => "background",
        }
    }

    /// The lane in whose runs a key counts that was taken for this priority: one whose backoff is over counts as cold.
    pub const fn lane(self) -> Lane {
        match self {
            Self::Hot => Lane::Hot,
            Self::Activation | Self::Cold | Self::Background => Lane::Cold,
        }
    }

    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}

/// Of so many turns of a lane one goes to a single request, while any waits. A hot key that was not answered matters; a cold
/// one is most likely dead, and would take turns from all others.
pub const fn single_every(lane: Lane) -> u32 {
    match lane {
        Lane::Hot => 2,
        Lane::Cold => 4,
    }
}

impl From<Lane> for Priority {
    fn from(lane: Lane) -> Self {
        match lane {
            Lane::Hot => Self::Hot,
            Lane::Cold => Self::Cold,
        }
    }
}

/// How much a key is worth among those of its lane, in four steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// The most.
    Highest,
    /// More than usual.
    High,
    /// Less than that.
    Low,
    /// The least.
    #[default]
    Lowest,
}

impl Value {
    /// All of them, the highest first.
    pub const ALL: [Self; 4] = [Self::Highest, Self::High, Self::Low, Self::Lowest];

    /// How much more a second of waiting counts. Where there are more keys than turns, ages settle at the inverse of this:
    /// the least valuable key is at most a quarter older than the most valuable one.
    pub const fn weight(self) -> f64 {
        match self {
            Self::Highest => 1.25,
            Self::High => 1.16,
            Self::Low => 1.08,
            Self::Lowest => 1.0,
        }
    }

    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}

/// Where a key waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// In the line of this lane.
    pub lane: Lane,
    /// What it is worth there.
    pub value: Value,
}
