//! The body of a webhook, whose fields are a contract.

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use ttm_alert::words::{Plain, Text, Words};
use ttm_alert::{Attempt, Item};

/// The body about a message: the fields about one alert are those of the worst, `alerts` has them all. Times are RFC 3339 in
/// UTC, values numbers in the unit of their series or `null`.
pub(super) fn of(attempt: &Attempt, words: &dyn Words) -> Value {
    let message = &attempt.row.message;
    let text = Text::of(attempt, words);
    let mut body = message.items.first().map(|worst| about(attempt, worst, words)).unwrap_or_default();
    let alerts: Vec<Value> =
        message.items.iter().map(|item| Value::Object(about(attempt, item, words))).collect();
    let state = if message.fires { "firing" } else { "resolved" };
    let affected: Vec<String> = message.affected.iter().map(ToString::to_string).collect();
    let was_down = attempt.was_down.map(|(from, to)| json!({ "from": time(from), "to": time(to) }));
    for (field, value) in [
        ("idempotency_key", json!(text.idempotency_key)),
        ("group_key", json!(&*message.group)),
        ("severity", json!(message.severity.as_str())),
        ("state", json!(state)),
        ("summary", json!(text.title)),
        ("description", json!(text.body(&Plain))),
        ("was_down", json!(was_down)),
        ("affected", json!(affected)),
        ("more_affected", json!(message.more_affected)),
        ("alerts", json!(alerts)),
        ("more_alerts", json!(message.more_items)),
    ] {
        body.insert(field.to_owned(), value);
    }
    Value::Object(body)
}

fn about(attempt: &Attempt, item: &Item, words: &dyn Words) -> Map<String, Value> {
    let about = words.about(item);
    let labels: Map<String, Value> =
        item.key.labels.iter().map(|(key, value)| (key.to_owned(), json!(value))).collect();
    let state = if item.ended.is_none() { "firing" } else { "resolved" };
    let fields = [
        ("id", json!(item.key.identity().to_string())),
        ("episode", json!(item.episode.id.to_string())),
        ("rule", json!(&*item.key.rule)),
        ("severity", json!(item.severity.as_str())),
        ("state", json!(state)),
        ("news", json!(item.news.as_str())),
        ("labels", Value::Object(labels)),
        ("summary", json!(Text::of(&attempt.alone(item), words).title)),
        ("value", json!(item.value)),
        ("limit", json!(item.limit)),
        ("started_at", json!(time(item.episode.started))),
        ("ended_at", json!(item.ended.map(|(at, _)| time(at)))),
        ("ended_by", json!(item.ended.map(|(_, ending)| ending.as_str()))),
        ("acknowledged_by", json!(item.acknowledged_by)),
        ("tried", json!(about.tried)),
        ("next", json!(about.next)),
        ("runbook", json!(about.runbook)),
    ];
    fields.into_iter().map(|(field, value)| (field.to_owned(), value)).collect()
}

fn time(at: Timestamp) -> String {
    at.to_string()
}
