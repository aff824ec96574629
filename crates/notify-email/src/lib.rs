//! The port [`Notifier`](ttm_alert::Notifier) by e-mail.
#![doc = include_str!("../README.md")]

mod adapter;
mod config;
mod html;
mod mail;
mod session;

pub use adapter::EmailNotifier;
pub use config::{Credentials, EmailConfig, InvalidEmail, Security};
