//! To The Moon.
