//! One incarnation of a part: what it runs on, how it hears the stop, and how what it writes is distinguished from what the
//! incarnations before it still write.

use std::sync::Arc;

use ttm_kernel::{Incarnation, Runtime};

use crate::{Stop, Vital};

/// What a part is started with, beside the resident state.
pub(crate) struct Life {
    /// Whose name is under what it puts into outboxes.
    pub(crate) author: Author,
    /// Its plane.
    pub(crate) runtime: Arc<dyn Runtime>,
    /// Hears the order to stop.
    pub(crate) stop: Stop,
    /// Takes its signs of life.
    pub(crate) vital: Vital,
}

/// Who puts something into an outbox: a part, and which of its incarnations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Author {
    pub(crate) part: &'static str,
    pub(crate) incarnation: Incarnation,
}

impl Author {
    /// What is said once, whichever incarnation sees it first: the start, the stop, and what a breaker changed.
    pub(crate) const RESIDENT: Self = Self { part: "resident", incarnation: Incarnation::FIRST };
}
