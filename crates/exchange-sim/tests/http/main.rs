//! The stand-in as a client sees it over a real socket, on a manual clock.

mod endpoints;
mod faults;
mod manual_time;
mod misbehaviour;
mod poison;
