//! The store of alerts on a file.

mod commits;
mod damage;
mod example;
