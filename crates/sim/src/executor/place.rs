//! Where a task runs: in which process, and on which of its planes.

/// A process and one of its planes. Processes are counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The process; 0 stands for the world outside all processes.
    pub process: u32,
    /// Its plane.
    pub plane: Plane,
    /// Counts the runtimes that this plane has had; older ones were abandoned with their tasks.
    pub build: u32,
}

/// One or more threads of a process: while one plane is suspended, the others run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Plane {
    /// The thread that starts and stops the others.
    Main,
    /// The groups and the writers.
    Work,
    /// The monitor and the endpoints.
    Supervision,
    /// The adapters: every call to a port.
    Io,
}

impl Plane {
    /// All planes of a process.
    pub const ALL: [Self; 4] = [Self::Main, Self::Work, Self::Supervision, Self::Io];
}

impl Place {
    /// Outside all processes.
    pub(super) const WORLD: Self = Self::new(0, Plane::Main);

    /// The first runtime of a plane.
    pub const fn new(process: u32, plane: Plane) -> Self {
        Self { process, plane, build: 0 }
    }
}
