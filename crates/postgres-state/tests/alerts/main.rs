//! The store of alerts on a server.

mod commits;
mod damage;
mod example;
mod storm;
