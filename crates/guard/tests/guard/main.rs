//! The guard on a manual runtime: single calls, and laws over many.

mod budget;
mod cache;
mod call;
mod hedge;
mod laws;
mod layer;
mod rig;
mod turns;
