//! What a sentence is about, without its figures: one that differs in those alone is not logged again.

/// What stands before the number of an error.
const NAMES: [&str; 3] = ["code", "error", "SQLSTATE"];

/// The sentence without its figures, and without the durations that are made of them. A figure that is a name stays: the
/// status that a sentence begins with, before a comma, and what follows one of [`NAMES`].
pub(super) fn gist(sentence: &str) -> String {
    let mut about = String::new();
    let mut before: Option<&str> = None;
    for word in sentence.split_whitespace() {
        let is_name = match before {
            None => word == sentence || word.ends_with(','),
            Some(before) => NAMES.contains(&before.trim_start_matches('(')),
        };
        if is_name || !is_figure(word) {
            about.extend([word, " "]);
        }
        before = Some(word);
    }
    about
}

/// Whether a word is a number, with whatever unit and in whatever brackets.
fn is_figure(word: &str) -> bool {
    word.trim_start_matches(|c: char| !c.is_alphanumeric()).starts_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_that_only_counts_on_stays_the_same() {
        for same in [
            &[
                "tokens were not written for 59s",
                "tokens were not written for 1m",
                "tokens were not written for 1m 1s",
            ][..],
            &["old for 9s 999ms, the oldest 1h", "old for 10s, the oldest 1h 2m 3s"],
            &["3 of 10 tokens (12.5%) are stale", "10 of 12 tokens (9%) are stale"],
            &[
                "200, no JSON of this API: EOF at line 1 column 9: the answer cannot be used",
                "200, no JSON of this API: EOF at line 12 column 345: the answer cannot be used",
            ],
            &["no whole answer within 1.5s", "no whole answer within 800ms"],
        ] {
            assert!(same.iter().all(|each| gist(each) == gist(same[0])), "{same:?}");
        }
    }

    #[test]
    fn a_sentence_about_something_else_differs() {
        for [one, other] in [
            ["503, no body", "403, no body"],
            ["403, Cloudflare's error code 1015", "403, Cloudflare's error code 1020"],
            ["refused (SQLSTATE 57P01)", "refused (SQLSTATE 25006)"],
            ["cannot connect: no (os error 111)", "cannot connect: no (os error 113)"],
            ["the hot group is late for 5s", "the cold group is late for 5s"],
        ] {
            assert_ne!(gist(one), gist(other));
        }
    }
}
