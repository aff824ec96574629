//! Every channel against a stand-in for its service on loopback, which is as strict as the service documents itself to be.

mod alertmanager;
mod conformance;
mod connections;
mod discord;
mod example;
mod heartbeat;
mod ntfy;
mod pagerduty;
mod secrets;
mod slack;
mod stand_in;
mod telegram;
mod webhook;
