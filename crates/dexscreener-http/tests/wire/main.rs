//! The adapter from the outside: bodies made by hand, answers and connections of every kind, and the recorded bodies.

mod answers;
mod bodies;
mod connections;
mod damaged;
mod decoding;
mod lenience;
mod recordings;
mod unreadable;
