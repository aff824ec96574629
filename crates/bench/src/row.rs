//! The rows of the table: the subjects to compare, and the targets.

use crate::Subject;

/// One line of the table.
#[must_use]
pub struct Row {
    /// Its name.
    pub name: &'static str,
    /// The number of threads.
    pub threads: usize,
    /// `None` if the row has only a floor.
    pub ours: Option<Subject>,
    /// A lower bound for all subjects.
    pub floor: Option<Subject>,
    /// The subjects to compare with.
    pub peers: Vec<Subject>,
    /// The targets of ours.
    pub targets: Vec<Target>,
    /// Whether allocations are counted; the target is none.
    pub allocations: bool,
}

/// The maximum time of ours, as a share of that of another subject.
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

    /// Sets the lower bound.
    pub fn floor(self, floor: Subject) -> Self {
        Self { floor: Some(floor), ..self }
    }

    /// Sets the subjects to compare with.
    pub fn peers(self, peers: impl IntoIterator<Item = Subject>) -> Self {
        Self { peers: peers.into_iter().collect(), ..self }
    }

    /// Adds a target: at most this share of another subject.
    pub fn target(mut self, most: f64, of: &'static str) -> Self {
        self.targets.push(Target { most, of });
        self
    }

    /// Counts allocations, with the target of none.
    pub fn without_allocations(self) -> Self {
        Self { allocations: true, ..self }
    }
}
