//! Where the crate's atomics and locks come from: the standard library, or a model checker that takes its place when the
//! tests are built with `--cfg loom` or `--cfg shuttle`. It holds no logic.

#[cfg(loom)]
pub(crate) use loom::{
    sync::atomic::{AtomicU64, Ordering},
    sync::{Mutex, MutexGuard},
};
#[cfg(shuttle)]
pub(crate) use shuttle::{
    sync::atomic::{AtomicU64, Ordering},
    sync::{Mutex, MutexGuard},
};
#[cfg(not(any(loom, shuttle)))]
pub(crate) use std::{
    sync::atomic::{AtomicU64, Ordering},
    sync::{Mutex, MutexGuard},
};
