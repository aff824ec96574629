//! The guard on a manual runtime: single calls, and laws over many.

mod call;
mod laws;
mod rig;
