//! The HTTP surface: health, metrics, tokens and history, from cached snapshots.
