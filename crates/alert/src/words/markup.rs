//! How words are marked up. A channel implements this for its own markup, and escapes in it what came from elsewhere.

use super::{Line, Text};

/// The markup of a channel. Each method is given plain words and returns them so that they are shown as they are.
pub trait Markup {
    /// Words.
    fn text(&self, text: &str) -> String;

    /// Words that stand out.
    fn strong(&self, text: &str) -> String {
        self.text(text)
    }

    /// A command, or a name.
    fn code(&self, text: &str) -> String {
        self.text(text)
    }

    /// An address of the web, which begins with `http://` or `https://` and has no spaces, quotes or angle brackets.
    fn link(&self, address: &str) -> String {
        self.text(address)
    }
}

/// No markup at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Plain;

impl Markup for Plain {
    fn text(&self, text: &str) -> String {
        text.to_owned()
    }
}

impl Line {
    /// The line in a markup. What is no usable address is shown as text.
    pub fn render(&self, markup: &dyn Markup) -> String {
        match self {
            Self::Text(text) => markup.text(text),
            Self::Code(code) => markup.code(code),
            Self::Link(text) => {
                self.address().map_or_else(|| markup.text(text), |address| markup.link(address))
            }
        }
    }

    /// The address, if the line is one that a channel can make a link of.
    pub fn address(&self) -> Option<&str> {
        match self {
            Self::Link(address) if is_address(address) => Some(address),
            Self::Text(_) | Self::Code(_) | Self::Link(_) => None,
        }
    }
}

impl Text {
    /// All but the title, as paragraphs with an empty line between them. Lines of a section are bulleted.
    pub fn body(&self, markup: &dyn Markup) -> String {
        let mut paragraphs = Vec::new();
        if !self.summary.is_empty() {
            paragraphs.push(markup.text(&self.summary));
        }
        for section in &self.sections {
            let lines = section.lines.iter().map(|line| format!("\n• {}", line.render(markup)));
            paragraphs.push(markup.strong(&section.heading) + &lines.collect::<String>());
        }
        paragraphs.push(markup.text(&self.reference()));
        paragraphs.join("\n\n")
    }

    /// All of it, the title first.
    pub fn whole(&self, markup: &dyn Markup) -> String {
        format!("{}\n{}", markup.strong(&self.title), self.body(markup))
    }
}

/// Whether a channel can make a link of it.
fn is_address(text: &str) -> bool {
    let is_web = text.starts_with("https://") || text.starts_with("http://");
    is_web && !text.contains(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"' | '\'' | '`' | '|'))
}
