//! The stand-in as a client sees it over a real socket, on a clock that the test moves.

mod endpoints;
mod faults;
mod manual_time;
mod misbehaviour;
mod poison;
