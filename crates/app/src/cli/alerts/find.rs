//! Which alert is meant, and all of them.

use serde_json::Value;

use super::Asked;
use crate::cli::client::segment;
use crate::cli::failure::Failure;
use crate::cli::output::printable;
use crate::cli::values::word;

/// The fewest digits of an id that say which.
const FEWEST: usize = 6;
/// The digits of a whole one.
const WHOLE: usize = 32;
/// The most alerts that a page of the API has.
const PAGE: usize = 1_000;
/// The most that are looked through: what fires more often is not read in a terminal.
const MOST: usize = 10_000;
/// How many are named when several are meant.
const NAMED: usize = 4;

/// Alerts, and whether there are more than were looked through.
pub(super) struct Found {
    pub(super) alerts: Vec<Value>,
    pub(super) are_more: bool,
}

/// All that match, page by page.
pub(super) fn all(asked: &Asked, filter: &str) -> Result<Found, Failure> {
    let (mut alerts, mut cursor) = (Vec::new(), String::new());
    // A page with a filter may have fewer, or none; there are not more pages than this all the same.
    for _ in 0..100 {
        let page = asked.get(&format!("/api/v1/alerts?limit={PAGE}{filter}{cursor}"))?;
        alerts.extend_from_slice(asked.listed(&page, "alerts")?);
        match page["next"].as_str() {
            Some(next) if alerts.len() < MOST => cursor = format!("&cursor={}", segment(next)),
            next => return Ok(Found { are_more: next.is_some(), alerts }),
        }
    }
    Ok(Found { alerts, are_more: true })
}

/// The id of the alert that is meant: by its id, the beginning of it, its name, or its rule if that has one alert.
pub(super) fn id(asked: &Asked, text: &str) -> Result<String, Failure> {
    if is_hexadecimal(text) && text.len() == WHOLE {
        return Ok(text.to_owned());
    }
    if text.is_empty() || text.len() > 2_000 || text.chars().any(char::is_control) {
        return Err(Failure::Arguments("ID is empty, too long, or has control characters".to_owned()));
    }
    let Found { alerts, are_more } = all(asked, "")?;
    one_of(&alerts, text).map_err(|why| {
        let looked_at = if are_more { "; there are more alerts than were looked through" } else { "" };
        asked.failed(&format!("{why}{looked_at}"))
    })
}

fn one_of(alerts: &[Value], text: &str) -> Result<String, String> {
    let shown = printable(text, 100);
    let by_id = is_hexadecimal(text) && text.len() >= FEWEST;
    let begin: Vec<&Value> = alerts.iter().filter(|it| by_id && word(&it["id"]).starts_with(text)).collect();
    let called: Vec<&Value> = alerts.iter().filter(|it| name(it) == text).collect();
    let of_rule: Vec<&Value> = alerts.iter().filter(|it| it["rule"] == text).collect();
    let meant = [begin, called, of_rule].into_iter().find(|found| !found.is_empty()).unwrap_or_default();
    match &*meant {
        [one] => Ok(word(&one["id"])),
        [] if is_hexadecimal(text) && text.len() < FEWEST => Err(format!(
            "an id is meant by its first {FEWEST} digits or more, and {shown:?} is no rule with an alert; `ttm alerts list` \
             lists them"
        )),
        [] => {
            let rules = alerts.iter().filter_map(|it| it["rule"].as_str());
            let near = rules.map(|rule| (strsim::jaro_winkler(text, rule), rule));
            let nearest = near.filter(|(near, _)| *near > 0.8).max_by(|one, other| one.0.total_cmp(&other.0));
            let hint = nearest.map(|(_, rule)| format!("; did you mean {rule:?}?")).unwrap_or_default();
            Err(format!("no alert is called {shown:?}{hint}; `ttm alerts list` lists what there is"))
        }
        several => {
            let names = several.iter().take(NAMED);
            let names: Vec<String> =
                names.map(|one| format!("{} ({})", short(&word(&one["id"]), alerts), name(one))).collect();
            let more = several.len() - names.len();
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            Err(format!("{shown:?} may be one of {}: {}{more}", several.len(), names.join(", ")))
        }
    }
}

fn is_hexadecimal(text: &str) -> bool {
    text.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'))
}

/// As many digits of an id as tell it from those of all others: eight at least.
pub(super) fn short(id: &str, all: &[Value]) -> String {
    let is_shared = |digits: usize| {
        let mut others = all.iter().filter_map(|it| it["id"].as_str()).filter(|other| *other != id);
        others.any(|other| other.get(..digits) == id.get(..digits))
    };
    let digits = (8..WHOLE).find(|digits| !is_shared(*digits)).unwrap_or(WHOLE);
    id.get(..digits).unwrap_or(id).to_owned()
}

/// As `store_down{store=state}`.
pub(super) fn name(alert: &Value) -> String {
    let rule = word(&alert["rule"]);
    let labels: Vec<String> = labels(&alert["labels"]);
    if labels.is_empty() { rule } else { format!("{rule}{{{}}}", labels.join(",")) }
}

/// As `store=state`, each.
pub(super) fn labels(labels: &Value) -> Vec<String> {
    let pairs = labels.as_object().into_iter().flatten();
    pairs
        .map(|(key, value)| {
            format!("{}={}", printable(key, 32), printable(value.as_str().unwrap_or("-"), 128))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn alerts() -> Vec<Value> {
        let alert = |id: &str, rule: &str, labels: Value| json!({"id": format!("{id:0<32}"), "rule": rule, "labels": labels});
        vec![
            alert("abcdef12", "store_down", json!({"store": "state"})),
            alert("abcdef1234", "store_down", json!({"store": "metrics"})),
            alert("123456", "cpu", json!({})),
            alert("fedcba", "facade", json!({})),
        ]
    }

    #[test]
    fn an_alert_is_meant_by_a_beginning_its_name_or_its_rule_if_that_has_one() {
        let meant = |text: &str| one_of(&alerts(), text).map(|id| id.trim_end_matches('0').to_owned());
        for (text, id) in [
            ("123456", "123456"),
            ("1234560000", "123456"),
            ("abcdef1234", "abcdef1234"),
            ("cpu", "123456"),
            ("facade", "fedcba"),
            ("store_down{store=metrics}", "abcdef1234"),
        ] {
            assert_eq!(meant(text).as_deref(), Ok(id), "{text}");
        }
        let refused = |text: &str| meant(text).expect_err(text);
        assert_eq!(
            refused("abcdef"),
            "\"abcdef\" may be one of 2: abcdef120 (store_down{store=state}), abcdef123 (store_down{store=metrics})"
        );
        assert!(refused("store_down").starts_with("\"store_down\" may be one of 2: "));
        assert!(refused("12345").starts_with("an id is meant by its first 6 digits or more, and \"12345\""));
        assert_eq!(
            refused("store_dwon"),
            "no alert is called \"store_dwon\"; did you mean \"store_down\"?; `ttm alerts list` lists what there is"
        );
        assert!(refused("999999").starts_with("no alert is called \"999999\"; `ttm"));
        let many: Vec<Value> =
            (0..9).map(|number| json!({"id": format!("{number:032}"), "rule": "cpu"})).collect();
        assert!(one_of(&many, "cpu").expect_err("several").ends_with(" and 5 more"));
    }
}
