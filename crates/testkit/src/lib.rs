//! Deterministic time, tasks and entropy for tests: [`ManualClock`], [`SeededEntropy`], [`ManualRuntime`] and [`Recorder`].
//!
//! Depends on the kernel only. The simulator, which explores interleavings and injects faults, has its own executor; the
//! one here is the smallest that lets a test await something.

mod clock;
mod recorder;
mod runtime;

pub use clock::ManualClock;
pub use recorder::Recorder;
pub use runtime::ManualRuntime;
pub use ttm_xoshiro_entropy::SeededEntropy;
