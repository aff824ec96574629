//! Alerts of the real program, with receivers that are down, slow or wrong, stores that are away, and processes that are stopped,
//! paused and killed: what is wrong is told once, and so is its end.

mod alertmanager;
mod contract;
mod hook;
mod kills;
mod life;
mod mail;
mod place;
mod receiver;
mod store_away;
