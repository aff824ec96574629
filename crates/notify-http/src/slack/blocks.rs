//! A message as Slack's blocks.

use serde_json::{Value, json};
use ttm_alert::Attempt;
use ttm_alert::words::{Markup, Text, Words};

use crate::length::utf16;

/// The most characters of a section's text, by Slack's reference of blocks.
const MOST_OF_SECTION: usize = 3_000;
/// The most blocks of a message, by the same.
const MOST_BLOCKS: usize = 50;
/// The most characters of all blocks. Slack documents no such limit, and refuses messages of about 12,000
/// (`msg_blocks_too_long`).
const MOST_OF_ALL: usize = 9_000;

/// Slack's `mrkdwn`. Escaping `&`, `<` and `>` is all that Slack asks for; no mention, link or date can be made without them.
struct Mrkdwn;

impl Markup for Mrkdwn {
    fn text(&self, text: &str) -> String {
        text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
    }

    fn strong(&self, text: &str) -> String {
        format!("*{}*", self.text(text))
    }

    fn code(&self, text: &str) -> String {
        // A backtick cannot be escaped, and a command must be shown as it is.
        if text.is_empty() || text.contains('`') { self.text(text) } else { format!("`{}`", self.text(text)) }
    }

    fn link(&self, address: &str) -> String {
        format!("<{}>", self.text(address))
    }
}

/// A message, laid out in sections.
pub(super) struct Layout {
    /// What notifications show, and clients without blocks.
    title: String,
    sections: Vec<String>,
    reference: String,
}

impl Layout {
    /// As much as Slack takes.
    pub(super) fn of(attempt: &Attempt, words: &dyn Words) -> Self {
        Text::fit(attempt, words, Self::of_text, Self::fits)
    }

    fn of_text(text: &Text) -> Self {
        let mut first = Mrkdwn.strong(&text.title);
        if !text.summary.is_empty() {
            first = format!("{first}\n{}", Mrkdwn.text(&text.summary));
        }
        let mut sections = vec![first];
        for section in &text.sections {
            sections.push(Mrkdwn.strong(&section.heading));
            for line in &section.lines {
                add(&mut sections, &format!("• {}", line.render(&Mrkdwn)));
            }
        }
        Self { title: Mrkdwn.text(&text.title), sections, reference: Mrkdwn.text(&text.reference()) }
    }

    fn fits(&self) -> bool {
        let lengths: Vec<usize> = self.sections.iter().map(|text| utf16(text)).collect();
        lengths.len() < MOST_BLOCKS
            && lengths.iter().all(|length| *length <= MOST_OF_SECTION)
            && lengths.iter().sum::<usize>() + utf16(&self.title) + utf16(&self.reference) <= MOST_OF_ALL
    }

    /// The arguments that a webhook and a bot have in common.
    pub(super) fn payload(&self) -> Value {
        // Verbatim: names of people and channels are not looked for in words from elsewhere.
        let text = |text: &str| json!({ "type": "mrkdwn", "text": text, "verbatim": true });
        let sections = self.sections.iter().map(|it| json!({ "type": "section", "text": text(it) }));
        let reference = json!({ "type": "context", "elements": [text(&self.reference)] });
        let blocks: Vec<Value> = sections.chain([reference]).collect();
        json!({ "text": self.title, "blocks": blocks, "unfurl_links": false, "unfurl_media": false })
    }
}

/// Adds a line to the last section, or begins another one.
fn add(sections: &mut Vec<String>, line: &str) {
    match sections.last_mut() {
        Some(last) if utf16(last) + 1 + utf16(line) <= MOST_OF_SECTION => {
            last.push('\n');
            last.push_str(line);
        }
        _ => sections.push(line.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ttm_alert::testing::{Saying, any_about, any_attempt};

    use super::*;

    #[test]
    fn nothing_from_elsewhere_is_markup() {
        assert_eq!(Mrkdwn.text("<!channel> & <@U1>"), "&lt;!channel&gt; &amp; &lt;@U1&gt;");
        assert_eq!(Mrkdwn.code("a`b"), "a`b");
        assert_eq!(Mrkdwn.code("a < b"), "`a &lt; b`");
        assert_eq!(Mrkdwn.link("https://h/?a=1&b=2"), "<https://h/?a=1&amp;b=2>");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_message_fits(attempt in any_attempt(), about in any_about()) {
            let layout = Layout::of(&attempt, &Saying(about));
            prop_assert!(layout.fits());
            prop_assert!(layout.sections.iter().all(|section| !section.is_empty()));
        }
    }
}
