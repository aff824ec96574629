//! What no reason may tell.

use secrecy::{ExposeSecret, SecretString};
use ttm_alert::repeated;

/// The secrets of one channel. `Debug` does not show them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Secrets(Vec<SecretString>);

impl Secrets {
    pub(crate) fn add(&mut self, secret: &str) {
        self.0.push(secret.into());
    }

    /// The beginning of words from outside, in one line, unless they repeat a part of a secret.
    pub(crate) fn without(&self, text: &str) -> String {
        repeated(text, self.0.iter().map(ExposeSecret::expose_secret))
    }
}
