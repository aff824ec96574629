//! The channel against a mail server on loopback.

mod conversation;
mod example;
mod message;
mod server;
