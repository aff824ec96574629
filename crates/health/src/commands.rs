//! Commands in sentences, written so that they are about this service when they are copied.

use std::sync::Arc;

/// The arguments that every command in a sentence ends with, as ` --config /etc/ttm/ttm.toml`. The default has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commands(Arc<str>);

impl Commands {
    /// Commands that read this config file; its path is quoted for a shell if it has to be.
    #[must_use]
    pub fn with_config(quoted: &str) -> Self {
        Self(format!(" --config {quoted}").into())
    }

    /// A command of `ttm`, as `restart work`, in backticks.
    #[must_use]
    pub fn quoted(&self, command: &str) -> String {
        format!("`ttm {command}{}`", self.0)
    }

    /// Why nothing is asked while an operator holds this breaker open, and what ends that.
    #[must_use]
    pub fn held_open(&self, breaker: &str) -> String {
        format!("an operator holds the circuit breaker open; {}", self.ends(breaker))
    }

    /// What ends that an operator overrules this breaker.
    pub(crate) fn ends(&self, breaker: &str) -> String {
        format!("{} ends that", self.quoted(&format!("breaker {breaker} reset")))
    }
}
