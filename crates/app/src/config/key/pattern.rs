//! Names of keys as patterns: a segment of one may stand for a name of the user's choice, as that of a channel, or for a place
//! in a list of tables.

use super::KEYS;

/// Stands for a name of the user's choice.
pub(crate) const ANY: &str = "*";
/// Stands for a place in a list of tables, counted from 1. Only the file has lists of tables.
pub(crate) const NTH: &str = "#";

/// The longest name of the user's choice.
const LONGEST: usize = 64;

/// Whether the text can be a name of the user's choice. Variables have to be able to say it too, and there two underscores are a
/// dot.
pub(crate) fn is_name(text: &str) -> bool {
    let named = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let is_split = text.starts_with('_') || text.ends_with('_') || text.contains("__");
    (1..=LONGEST).contains(&text.len()) && text.bytes().all(named) && !is_split
}

fn stands_for(pattern: &str, segment: &str) -> bool {
    match pattern {
        ANY => segment == ANY || is_name(segment),
        NTH => segment == NTH || !segment.is_empty() && segment.bytes().all(|byte| byte.is_ascii_digit()),
        _ => pattern == segment,
    }
}

/// Whether this is the name of a key of the pattern.
pub(super) fn is_meant(pattern: &str, name: &str) -> bool {
    pattern.split('.').count() == name.split('.').count() && begins(pattern, name)
}

/// Whether keys of the pattern are in this section.
pub(crate) fn is_below(pattern: &str, section: &str) -> bool {
    pattern.split('.').count() > section.split('.').count() && begins(pattern, section)
}

fn begins(pattern: &str, name: &str) -> bool {
    pattern.split('.').zip(name.split('.')).all(|(pattern, segment)| stands_for(pattern, segment))
}

/// Whether this section has a name of the user's choice, or is one of a list.
pub(crate) fn is_chosen(section: &str) -> bool {
    let last = section.split('.').count() - 1;
    let is_open = |pattern: &str| matches!(pattern.split('.').nth(last), Some(ANY | NTH));
    KEYS.iter().any(|key| is_below(key.name, section) && is_open(key.name))
}

/// The pattern with what a name has in the places of what is open in it.
pub(crate) fn filled(pattern: &str, name: &str) -> String {
    let mut segments = name.split('.');
    let filled = pattern.split('.').map(|pattern| match segments.next() {
        Some(segment) if stands_for(pattern, segment) => segment,
        _ => pattern,
    });
    filled.collect::<Vec<_>>().join(".")
}

/// The section and the segment of a name that stands where a name of the user's choice has to, and is none.
pub(crate) fn not_a_name(name: &str) -> Option<(&str, &str)> {
    let mut start = 0;
    for segment in name.split('.') {
        let before = name[..start].trim_end_matches('.');
        let depth = before.split('.').count();
        let is_open =
            |key: &&super::Key| is_below(key.name, before) && key.name.split('.').nth(depth) == Some(ANY);
        if !before.is_empty() && KEYS.iter().any(|key| is_open(&key)) && !is_name(segment) {
            return Some((before, segment));
        }
        start += segment.len() + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_that_a_variable_can_say() {
        for name in ["ops", "cpu", "a1", "7"] {
            assert!(is_name(name), "{name}");
        }
        for none in ["", "Ops", "on-call", "_a", "a_", "a__b", "a.b", "ü", "*", &"a".repeat(65)] {
            assert!(!is_name(none), "{none}");
        }
    }

    #[test]
    fn a_pattern_is_filled_with_what_was_written() {
        assert_eq!(filled("alerts.channels.*.kind", "alerts.chanels.ops.knd"), "alerts.channels.ops.kind");
        assert_eq!(filled("alerts.channels.*.kind", "alerts.channels"), "alerts.channels.*.kind");
        assert_eq!(filled("alerts.channels.*.kind", "alerts.channels.Ops.kind"), "alerts.channels.*.kind");
    }

    #[test]
    fn what_is_no_name_is_told_with_its_section() {
        assert_eq!(not_a_name("alerts.channels.Ops.kind"), Some(("alerts.channels", "Ops")));
        assert_eq!(not_a_name("alerts.channels.*.kind"), Some(("alerts.channels", "*")));
        assert_eq!(not_a_name("alerts.routes.1.match.labels.A"), Some(("alerts.routes.1.match.labels", "A")));
        for fine in ["alerts.channels.ops.kind", "alerts.chanels.Ops.kind", "store.url"] {
            assert_eq!(not_a_name(fine), None, "{fine}");
        }
    }
}
