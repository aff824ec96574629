//! For property-based tests here and elsewhere: a plain reference [`Model`] of the breaker, and strategies for settings
//! and steps. Nothing of it runs in production.

mod model;
mod step;
mod strategy;

pub use model::Model;
pub use step::{Seen, Step};
pub use strategy::{any_settings, any_step};
