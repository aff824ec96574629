//! What a request of the webhook must be: signed as Standard Webhooks says, and one message with exactly the fields of the contract.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use serde_json::{Map, Value};
use sha2::Sha256;

/// The key that requests are signed with.
pub(crate) const KEY: &[u8] = b"correct-horse-battery-staple";

/// The fields about one alert, each of which is also a field of the message, about the worst of its alerts.
const OF_ALERT: [&str; 17] = [
    "id",
    "episode",
    "rule",
    "severity",
    "state",
    "news",
    "labels",
    "summary",
    "value",
    "limit",
    "started_at",
    "ended_at",
    "ended_by",
    "acknowledged_by",
    "tried",
    "next",
    "runbook",
];
/// The fields about the message alone.
const OF_MESSAGE: [&str; 8] = [
    "idempotency_key",
    "group_key",
    "description",
    "was_down",
    "affected",
    "more_affected",
    "alerts",
    "more_alerts",
];
/// Those that say of a message something else than of its worst alert.
const OF_BOTH: [&str; 3] = ["severity", "state", "summary"];

/// How many seconds the clock of a sender may be off.
const TOLERANCE: u64 = 60;

/// What is wrong with a signature.
pub(crate) fn check_signature(
    header: impl Fn(&str) -> Option<String>,
    body: &[u8],
    now: Timestamp,
) -> Result<(), String> {
    let of = |name: &str| header(name).ok_or(format!("there is no header {name}"));
    let (id, sent, signature) = (of("webhook-id")?, of("webhook-timestamp")?, of("webhook-signature")?);
    if of("idempotency-key")? != id {
        return Err(format!("its idempotency key is not {id}"));
    }
    let seconds: i64 = sent.parse().map_err(|_| format!("{sent} is no time"))?;
    if now.as_second().abs_diff(seconds) > TOLERANCE {
        return Err(format!("it was signed at {seconds}, and now it is {}", now.as_second()));
    }
    let given = signature.strip_prefix("v1,").and_then(|given| STANDARD.decode(given).ok());
    let given = given.ok_or(format!("{signature} is no signature"))?;
    let mut mac = Hmac::<Sha256>::new_from_slice(KEY).map_err(|error| error.to_string())?;
    mac.update(format!("{id}.{sent}.").as_bytes());
    mac.update(body);
    mac.verify_slice(&given).map_err(|_| "the signature is another one".to_owned())
}

/// What is wrong with a body.
pub(crate) fn check_body(body: &Value, id: &str) -> Result<(), String> {
    let all: Vec<&str> = OF_ALERT.into_iter().chain(OF_MESSAGE).collect();
    let message = fields(body, &all)?;
    let alerts = message["alerts"].as_array().map_or(&[][..], Vec::as_slice);
    for alert in alerts {
        fields(alert, &OF_ALERT)?;
    }
    let worst = alerts.first().ok_or("it is about no alert")?;
    for field in OF_ALERT.iter().filter(|field| !OF_BOTH.contains(field)) {
        if message[*field] != worst[field] {
            return Err(format!("{field} is not that of its first alert"));
        }
    }
    let key = text(&message["idempotency_key"]);
    let lead = format!("{}-{}-", text(&message["id"]), text(&message["episode"]));
    let rest = key.strip_prefix(&lead).and_then(|rest| rest.split_once('-'));
    let is_whole = rest.is_some_and(|(step, channel)| step.parse::<u32>().is_ok() && !channel.is_empty());
    if key != id || !is_whole {
        return Err(format!("its key is {key}, with {id} in its headers, and it is about {lead}"));
    }
    if message["group_key"] != message["rule"] {
        return Err(format!("its group is {}", message["group_key"]));
    }
    let fires = alerts.iter().any(|alert| alert["state"] == "firing");
    if fires != (message["state"] == "firing") {
        return Err(format!("{} is not the state of its alerts", message["state"]));
    }
    Ok(())
}

/// The object, which has these fields and no others, each of its type.
fn fields<'a>(value: &'a Value, known: &[&str]) -> Result<&'a Map<String, Value>, String> {
    let object = value.as_object().ok_or("it is no object")?;
    if let Some(unknown) = object.keys().find(|field| !known.contains(&field.as_str())) {
        return Err(format!("{unknown} is no field"));
    }
    for field in known {
        let value = object.get(*field).ok_or(format!("there is no {field}"))?;
        if !fits(field, value) {
            return Err(format!("{field} is {value}"));
        }
    }
    let is_over = object["state"] == "resolved";
    let ended = known.len() == OF_ALERT.len() && (object["ended_at"].is_null() == is_over);
    if ended || object["ended_at"].is_null() != object["ended_by"].is_null() {
        return Err(format!("it is {}, and ended at {}", object["state"], object["ended_at"]));
    }
    Ok(object)
}

fn fits(field: &str, value: &Value) -> bool {
    match field {
        "severity" => ["INFO", "WARNING", "ERROR", "CRITICAL"].contains(&text(value)),
        "state" => ["firing", "resolved"].contains(&text(value)),
        "news" => [
            "new",
            "more_severe",
            "less_severe",
            "escalated",
            "reminder",
            "flapping",
            "settled",
            "resolved",
            "passed",
        ]
        .contains(&text(value)),
        "labels" => value.as_object().is_some_and(|labels| labels.values().all(Value::is_string)),
        "value" | "limit" => value.is_null() || value.is_number(),
        "started_at" => is_time(value),
        "ended_at" => value.is_null() || is_time(value),
        "ended_by" | "acknowledged_by" | "next" | "runbook" => value.is_null() || !text(value).is_empty(),
        "tried" | "affected" => value.as_array().is_some_and(|list| list.iter().all(Value::is_string)),
        "more_affected" | "more_alerts" => value.is_u64(),
        "was_down" => {
            let is_span = |span: &Map<String, Value>| {
                span.len() == 2 && ["from", "to"].iter().all(|end| span.get(*end).is_some_and(is_time))
            };
            value.is_null() || value.as_object().is_some_and(is_span)
        }
        "alerts" => value.is_array(),
        _ => !text(value).is_empty(),
    }
}

fn is_time(value: &Value) -> bool {
    text(value).parse::<Timestamp>().is_ok()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
