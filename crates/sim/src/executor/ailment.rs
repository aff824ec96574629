//! What a fault makes of a task.

/// What is wrong with a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ailment {
    /// It is not polled any more, as if it waited for something that never comes. An abort ends it.
    Hangs,
    /// It never yields, so no abort ends it, and it keeps one of the threads of its plane.
    Spins,
    /// It panics soon after it starts.
    Panics,
    /// It panics as soon as it runs.
    PanicsAtOnce,
}

impl Ailment {
    /// Whether the task ends by it.
    pub(crate) const fn is_panic(self) -> bool {
        matches!(self, Self::Panics | Self::PanicsAtOnce)
    }
}
