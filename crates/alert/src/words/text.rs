//! What a message says, in parts that a channel lays out.

use super::phrase::{between, clean, length, life, measured, name, news, said, time};
use super::{About, Acknowledge, Words};
use crate::{Attempt, Item, Message};

/// What a message says. No part has line breaks or other control characters, and none but the sections is ever left out by a
/// channel that has the room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// What it is about, in one line: `CRITICAL: memory runs out`, or `CRITICAL on fra1: memory runs out`.
    pub title: String,
    /// What is so, since when, and what users notice: one paragraph. Empty in the shortest version.
    pub summary: String,
    /// What else there is to know, and to do.
    pub sections: Vec<Section>,
    /// What a receiver may know a duplicate by.
    pub idempotency_key: String,
}

/// Lines that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// What they are.
    pub heading: String,
    /// The lines: at least one.
    pub lines: Vec<Line>,
}

/// A line of a section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// Words.
    Text(String),
    /// A command.
    Code(String),
    /// An address.
    Link(String),
}

/// How much is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Detail {
    /// At most so many alerts, and as many consequences.
    Listed(usize),
    /// The worst alert alone, and what is to be done.
    Brief,
    /// The title alone, cut to this many characters.
    Cut(usize),
}

impl Text {
    /// All that there is to say.
    pub fn of(attempt: &Attempt, words: &dyn Words) -> Self {
        Self::with(attempt, &abouts(attempt, words), Detail::Listed(Message::MOST_ITEMS))
    }

    /// What there is to say in this detail, of what was said about each alert.
    pub(super) fn with(attempt: &Attempt, abouts: &[About], detail: Detail) -> Self {
        let message = &attempt.row.message;
        let about = abouts.first().cloned().unwrap_or_default();
        let idempotency_key = attempt.row.key.idempotency_key();
        let title = title(message, &about);
        match detail {
            Detail::Cut(most) => Self {
                title: cut(&title, most),
                summary: String::new(),
                sections: Vec::new(),
                idempotency_key,
            },
            Detail::Brief => {
                let sections = to_do(message, &about);
                Self { title, summary: summary(attempt, &about), sections, idempotency_key }
            }
            Detail::Listed(most) => {
                let mut sections = Vec::new();
                if total(message) > 1 {
                    sections.push(alerts(message, abouts, most));
                }
                sections.extend(affected(message, most));
                sections.extend(healing(&about));
                sections.extend(to_do(message, &about));
                Self { title, summary: summary(attempt, &about), sections, idempotency_key }
            }
        }
    }

    /// What tells the message from every other one, in words.
    pub fn reference(&self) -> String {
        format!("Message {}", self.idempotency_key)
    }
}

/// What is to be said about each alert of a message.
pub(super) fn abouts(attempt: &Attempt, words: &dyn Words) -> Vec<About> {
    attempt.row.message.items.iter().map(|item| words.about(item)).collect()
}

/// What an alert of a message is.
fn state(item: &Item, about: &About, message: &Message) -> Vec<String> {
    let mut said = vec![life(item, message.at)];
    said.extend(measured(item, about.unit));
    said.extend(news(item.news).map(str::to_owned));
    said.extend(item.acknowledged_by.as_deref().map(|by| format!("acknowledged by {}", clean(by))));
    said
}

fn total(message: &Message) -> usize {
    message.items.len() + message.more_items
}

/// As `CRITICAL: memory runs out` or `Resolved on fra1: calls are withheld, since they fail (api=dexscreener)`.
fn title(message: &Message, about: &About) -> String {
    let state = if message.fires { message.severity.as_str() } else { "Resolved" };
    let state = match said(&about.instance).next() {
        Some(instance) => format!("{state} on {instance}"),
        None => state.to_owned(),
    };
    let meaning = said(&about.meaning).next().unwrap_or_else(|| message.group.to_string());
    let which = match (message.items.first(), total(message)) {
        (Some(item), 1) if item.key.labels.as_str().is_empty() => return format!("{state}: {meaning}"),
        (Some(item), 1) => item.key.labels.to_string(),
        (_, total) => format!("{total} alerts"),
    };
    format!("{state}: {meaning} ({which})")
}

fn summary(attempt: &Attempt, about: &About) -> String {
    let message = &attempt.row.message;
    let mut sentences = Vec::new();
    if let Some(worst) = message.items.first() {
        let said = state(worst, about, message).join("; ");
        sentences.push(if total(message) > 1 {
            format!("The worst, {}: {said}.", name(worst))
        } else {
            format!("{}: {said}.", worst.key.rule)
        });
    }
    let effect = said(&about.effect).map(|effect| format!("Effect: {}.", effect.trim_end_matches('.')));
    sentences.extend(effect);
    if let Some((from, to)) = attempt.was_down {
        let down = length(between(from, to));
        sentences.push(format!(
            "This channel did not take this from {} to {} ({down}).",
            time(from),
            time(to)
        ));
    }
    sentences.join(" ")
}

/// The alerts, one a line, the worst first.
fn alerts(message: &Message, abouts: &[About], most: usize) -> Section {
    let line = |(item, about): (&Item, &About)| {
        let said = state(item, about, message).join("; ");
        Line::Text(format!("{} {}: {said}", item.severity, name(item)))
    };
    let mut lines: Vec<Line> = message.items.iter().zip(abouts).take(most).map(line).collect();
    lines.extend(and_more(total(message) - lines.len()));
    Section { heading: "Alerts".to_owned(), lines }
}

/// What is not told by itself.
fn affected(message: &Message, most: usize) -> Option<Section> {
    let total = message.affected.len() + message.more_affected;
    let listed = message.affected.iter().take(most);
    let mut lines: Vec<Line> = listed.map(|key| Line::Text(key.to_string())).collect();
    lines.extend(and_more(total - lines.len()));
    (total > 0).then(|| Section { heading: "Also affected".to_owned(), lines })
}

fn and_more(count: usize) -> Option<Line> {
    (count > 0).then(|| Line::Text(format!("and {count} more")))
}

/// What self-healing did, and does.
fn healing(about: &About) -> Option<Section> {
    let tried = said(&about.tried).map(|it| Line::Text(format!("tried: {it}")));
    let next = said(&about.next).map(|it| Line::Text(format!("next: {it}")));
    let lines: Vec<Line> = tried.chain(next).collect();
    (!lines.is_empty()).then(|| Section { heading: "Self-healing".to_owned(), lines })
}

/// The runbook and, while it fires and nobody has acknowledged it, how to do so.
fn to_do(message: &Message, about: &About) -> Vec<Section> {
    let runbook = said(&about.runbook).map(Line::Link);
    let command = said(&about.command).map(Line::Code);
    let lines: Vec<Line> = runbook.chain(command).collect();
    let runbook = (!lines.is_empty()).then(|| Section { heading: "Runbook".to_owned(), lines });
    let is_open = |item: &&Item| item.ended.is_none() && item.acknowledged_by.is_none();
    let acknowledge =
        about.acknowledge.as_ref().filter(|_| message.items.first().is_some_and(|it| is_open(&it)));
    let acknowledge = acknowledge.map(|how| {
        let line = match how {
            Acknowledge::Link(address) => Line::Link(clean(address)),
            Acknowledge::Command(command) => Line::Code(clean(command)),
        };
        Section { heading: "Acknowledge".to_owned(), lines: vec![line] }
    });
    runbook.into_iter().chain(acknowledge).collect()
}

/// The first characters, with a mark where something is missing.
fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}
