//! Values, times and what is new, as words.

use std::time::Duration;

use jiff::Timestamp;

use crate::{Ending, Item, Labels, News, Unit};

/// Without what would break a line or a terminal.
pub(super) fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>().trim().to_owned()
}

/// The same of what may be missing; what is empty is.
pub(super) fn said<'a>(texts: impl IntoIterator<Item = &'a String>) -> impl Iterator<Item = String> {
    texts.into_iter().map(|text| clean(text)).filter(|text| !text.is_empty())
}

/// As `2026-11-29 23:14:37 UTC`.
pub(super) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// As `2 h 5 min`: the two greatest units, the rest cut.
pub(super) fn length(duration: Duration) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let mut rest = duration.as_secs();
    let mut parts = Vec::new();
    for (size, unit) in UNITS {
        if rest >= size && parts.len() < 2 {
            parts.push(format!("{} {unit}", rest / size));
            rest %= size;
        } else if !parts.is_empty() {
            break;
        }
    }
    if parts.is_empty() { "less than a second".to_owned() } else { parts.join(" ") }
}

/// The time from one timestamp to another, and none if the clock was set back between them.
pub(super) fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

/// As `81.25 %`: at most two decimals.
pub(super) fn value(value: f64, unit: Option<Unit>) -> String {
    let number = if value.abs() < 1e15 {
        let text = format!("{value:.2}");
        let text = text.trim_end_matches('0').trim_end_matches('.');
        if text == "-0" { "0".to_owned() } else { text.to_owned() }
    } else {
        format!("{value:e}")
    };
    match unit {
        Some(Unit::Percent) => format!("{number} %"),
        Some(Unit::Seconds) => format!("{number} s"),
        Some(Unit::Count | Unit::Flag) | None => number,
    }
}

/// The value and its limit, if they say more than that it fires.
pub(super) fn measured(item: &Item, unit: Option<Unit>) -> Option<String> {
    let shown = item.value.filter(|_| unit != Some(Unit::Flag))?;
    let shown = value(shown, unit);
    Some(match item.limit {
        Some(limit) => format!("{shown}, limit {}", value(limit, unit)),
        None => shown,
    })
}

/// What tells it from others of its rule.
pub(super) fn name(item: &Item) -> &str {
    if item.key.labels == Labels::none() { &item.key.rule } else { item.key.labels.as_str() }
}

/// Since when it fires, or how long it did and what ended it.
pub(super) fn life(item: &Item, at: Timestamp) -> String {
    let started = item.episode.started;
    match item.ended {
        None => format!("firing since {} ({})", time(started), length(between(started, at))),
        Some((ended, ending)) => {
            let why = match ending {
                Ending::Recovered => "it is well again",
                Ending::Gone => "what was measured does not exist any more",
                Ending::RuleRemoved => "its rule does not exist any more",
            };
            let lasted = length(between(started, ended));
            format!("over since {} after {lasted}: {why}", time(ended))
        }
    }
}

/// What is new about it, if its life does not say so.
pub(super) fn news(news: News) -> Option<&'static str> {
    Some(match news {
        News::New | News::Resolved => return None,
        News::MoreSevere => "more severe than before",
        News::LessSevere => "less severe than before",
        News::Escalated => "nobody has acknowledged it",
        News::Reminder => "it still fires",
        News::Flapping => "it keeps changing; it is told again once it has been the same for five minutes",
        News::Settled => "it has settled",
        News::Passed => "it was over before this channel could be told",
    })
}
