//! What no reason may tell, and how it is kept from doing so.

use secrecy::{ExposeSecret, SecretString};

/// So many characters in a row of a secret are a part of it. Fewer are found in any text.
pub(crate) const FRAGMENT: usize = 6;
/// What is shorter is guessed, not kept.
const SHORTEST: usize = 4;
/// How much of a receiver's words is shown, in characters.
const SHOWN: usize = 160;

/// The secrets of one channel. `Debug` does not show them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Secrets(Vec<SecretString>);

impl Secrets {
    pub(crate) fn add(&mut self, secret: &str) {
        if secret.chars().count() >= SHORTEST {
            self.0.push(secret.to_lowercase().into());
        }
    }

    /// The beginning of words from outside, in one line; something else if they repeat any part of a secret, as error pages do
    /// with what they were asked for.
    pub(crate) fn without(&self, text: &str) -> String {
        if self.is_told_by(text) {
            return "words that repeat a part of a secret".to_owned();
        }
        text.trim().chars().filter(|c| !c.is_control()).take(SHOWN).collect()
    }

    fn is_told_by(&self, text: &str) -> bool {
        let text: String = text.to_lowercase().chars().filter(|c| !c.is_control()).collect();
        self.0.iter().any(|secret| {
            let secret: Vec<char> = secret.expose_secret().chars().collect();
            secret
                .windows(FRAGMENT.min(secret.len()))
                .any(|part| text.contains(&part.iter().collect::<String>()))
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn secrets(secret: &str) -> Secrets {
        let mut secrets = Secrets::default();
        secrets.add(secret);
        secrets
    }

    #[test]
    fn words_that_tell_nothing_are_shown_in_one_short_line() {
        let secrets = secrets("hunter2-and-more");
        assert_eq!(secrets.without(" no\nsuch\x1b[31m channel "), "nosuch[31m channel");
        assert_eq!(secrets.without(&"ü".repeat(500)).chars().count(), SHOWN);
        assert!(!format!("{secrets:?}").contains("hunter2"));
    }

    proptest! {
        #[test]
        fn no_part_of_a_secret_is_shown_in_whatever_case_and_place(
            secret in "[A-Za-z0-9_:-]{8,40}",
            (from, more) in (0..3_usize, 0..30_usize),
            before in ".{0,200}",
            after in ".{0,20}",
            upper in any::<bool>(),
        ) {
            let part: String = secret.chars().skip(from).take(FRAGMENT + more).collect();
            prop_assume!(part.chars().count() >= FRAGMENT);
            let told = if upper { part.to_uppercase() } else { part.clone() };
            let shown = secrets(&secret).without(&format!("{before}{told}{after}"));
            prop_assert!(!shown.to_lowercase().contains(&part.to_lowercase()[..FRAGMENT]), "{shown}");
        }
    }
}
