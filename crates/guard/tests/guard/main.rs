//! The guard on a manual runtime: single calls, and laws over many.

mod budget;
mod call;
mod laws;
mod reconfigure;
mod rig;
mod turns;
