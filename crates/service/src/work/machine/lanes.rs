//! A value for each lane.

use std::ops::{Index, IndexMut};

pub use ttm_schedule::Group as Lane;

/// A value for each lane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PerLane<T> {
    /// Of the hot lane.
    pub hot: T,
    /// Of the cold lane.
    pub cold: T,
}

impl<T> PerLane<T> {
    /// The value that `make` gives for each lane, hot first.
    pub fn from_fn(mut make: impl FnMut(Lane) -> T) -> Self {
        Self { hot: make(Lane::Hot), cold: make(Lane::Cold) }
    }

    /// What `change` makes of each value, hot first.
    pub fn map<U>(self, mut change: impl FnMut(T) -> U) -> PerLane<U> {
        PerLane { hot: change(self.hot), cold: change(self.cold) }
    }
}

impl<T> Index<Lane> for PerLane<T> {
    type Output = T;

    fn index(&self, lane: Lane) -> &T {
        match lane {
            Lane::Hot => &self.hot,
            Lane::Cold => &self.cold,
        }
    }
}

impl<T> IndexMut<Lane> for PerLane<T> {
    fn index_mut(&mut self, lane: Lane) -> &mut T {
        match lane {
            Lane::Hot => &mut self.hot,
            Lane::Cold => &mut self.cold,
        }
    }
}

/// The dispatcher's word for a lane.
pub(super) const fn line_of(lane: Lane) -> ttm_dispatch::Line {
    match lane {
        Lane::Hot => ttm_dispatch::Line::Hot,
        Lane::Cold => ttm_dispatch::Line::Cold,
    }
}

/// The lane by the dispatcher's word.
pub(super) const fn lane_of_line(line: ttm_dispatch::Line) -> Lane {
    match line {
        ttm_dispatch::Line::Hot => Lane::Hot,
        ttm_dispatch::Line::Cold => Lane::Cold,
    }
}
