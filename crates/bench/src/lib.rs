//! Nothing: this crate exists for its benchmarks alone.
