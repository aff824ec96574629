//! Where a task runs: in which process, and on which of its planes. It does not know what runs there.

/// A process and one of its planes. Processes are counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The process; 0 is the world, which is none.
    pub process: u32,
    /// Its plane.
    pub plane: Plane,
}

/// A thread, or several, of a process: while one of them is held the others go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Plane {
    /// The thread that starts and stops the others.
    Main,
    /// The groups, the API calls and the writers.
    Work,
    /// The monitor and the endpoints.
    Supervision,
}

impl Plane {
    /// All of a process.
    pub const ALL: [Self; 3] = [Self::Main, Self::Work, Self::Supervision];
}

impl Place {
    /// Outside all processes.
    pub(super) const WORLD: Self = Self { process: 0, plane: Plane::Main };
}
