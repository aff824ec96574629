//! What a receiver said, as far as it may be repeated.

/// So many characters in a row of a secret are a part of it. Fewer are found in any text.
const FRAGMENT: usize = 6;
/// What is shorter is guessed, not kept.
const SHORTEST: usize = 4;
/// Whoever has a link with this may acknowledge: a receiver may quote what it was sent.
const SIGNED: &str = "signature=";
/// How much is repeated, in characters.
const SHOWN: usize = 160;

/// The beginning of words from outside for a reason of an [`Outcome`](crate::Outcome), in one line; something else if they repeat a part
/// of one of these secrets, in whatever case: six characters in a row, or all of one that is shorter. Error pages do so with
/// what they were asked for. Secrets of less than four characters are not looked for. The signature of a link is one, whoever asks.
///
/// ```
/// # use ttm_alert::repeated;
/// assert_eq!(repeated("no such\nhook", ["T0/B0/xyzzy42"]), "no suchhook");
/// assert_eq!(repeated("no hook at /XYZZY42", ["T0/B0/xyzzy42"]), "words that repeat a part of a secret");
/// ```
pub fn repeated<'a>(said: &str, secrets: impl IntoIterator<Item = &'a str>) -> String {
    let lower: String = said.to_lowercase().chars().filter(|c| !c.is_control()).collect();
    let tells = |secret: &str| {
        let secret: Vec<char> = secret.to_lowercase().chars().filter(|c| !c.is_control()).collect();
        let is_kept = secret.len() >= SHORTEST;
        let parts = secret.windows(FRAGMENT.min(secret.len().max(1)));
        is_kept && parts.into_iter().any(|part| lower.contains(&part.iter().collect::<String>()))
    };
    if lower.contains(SIGNED) || secrets.into_iter().any(tells) {
        return "words that repeat a part of a secret".to_owned();
    }
    said.trim().chars().filter(|c| !c.is_control()).take(SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_that_tell_nothing_are_shown_in_one_short_line() {
        assert_eq!(repeated(" no\nsuch\x1b[31m channel ", ["hunter2-and-more", ""]), "nosuch[31m channel");
        assert_eq!(repeated(&"ü".repeat(500), []).chars().count(), SHOWN);
        let quoted = "no such field: Acknowledge: https://ttm.example/alerts/ack?id=1&Signature=x";
        assert_eq!(repeated(quoted, []), "words that repeat a part of a secret");
        assert_eq!(repeated("a cat", ["cat"]), "a cat");
        assert_ne!(repeated("a cat4", ["cat4"]), "a cat4");
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
            let shown = repeated(&format!("{before}{told}{after}"), [&*secret]);
            prop_assert!(!shown.to_lowercase().contains(&part.to_lowercase()[..FRAGMENT]), "{shown}");
        }
    }
}
