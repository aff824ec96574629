//! What stands beside what, and how much faster ours is meant to be. It measures nothing.

use crate::Subject;

/// One line of the table.
#[must_use]
pub struct Row {
    /// Its name.
    pub name: &'static str,
    /// On how many threads it is measured.
    pub threads: usize,
    /// None where ours cannot be asked yet.
    pub ours: Option<Subject>,
    /// What nobody gets below.
    pub floor: Option<Subject>,
    /// What ours is compared with.
    pub peers: Vec<Subject>,
    /// What ours is meant to reach.
    pub targets: Vec<Target>,
    /// Whether allocations are counted; ours are meant to be none.
    pub allocations: bool,
}

/// The most that ours may take, as a share of another subject.
pub struct Target {
    /// The share.
    pub most: f64,
    /// The other subject.
    pub of: &'static str,
}

impl Row {
    /// A row whose first subject is ours.
    pub fn new(name: &'static str, threads: usize, ours: impl Into<Option<Subject>>) -> Self {
        Self {
            name,
            threads,
            ours: ours.into(),
            floor: None,
            peers: Vec::new(),
            targets: Vec::new(),
            allocations: false,
        }
    }

    /// With what nobody gets below.
    pub fn floor(self, floor: Subject) -> Self {
        Self { floor: Some(floor), ..self }
    }

    /// With what it is compared with.
    pub fn peers(self, peers: impl IntoIterator<Item = Subject>) -> Self {
        Self { peers: peers.into_iter().collect(), ..self }
    }

    /// With a target: at most this share of another subject.
    pub fn target(mut self, most: f64, of: &'static str) -> Self {
        self.targets.push(Target { most, of });
        self
    }

    /// With its allocations counted.
    pub fn without_allocations(self) -> Self {
        Self { allocations: true, ..self }
    }
}
