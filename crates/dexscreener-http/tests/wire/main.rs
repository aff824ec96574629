//! The adapter from the outside: handmade bodies, all kinds of responses and connections, and the recorded bodies.

mod answers;
mod bodies;
mod conformance;
mod connections;
mod damaged;
mod decoding;
mod lenience;
mod recordings;
mod unreadable;
