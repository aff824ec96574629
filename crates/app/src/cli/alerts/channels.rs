//! `ttm alerts channels` and `dead-letters`: who takes messages, and what was refused.

use anstyle::AnsiColor;
use serde_json::Value;

use super::find::name;
use super::{Asked, Json};
use crate::cli::client::SENTENCE;
use crate::cli::failure::Failure;
use crate::cli::output::{print_json, printable, wrapped};
use crate::cli::values::{moment, word};

const LABEL: usize = 12;
/// How many alerts of a message are named.
const NAMED: usize = 3;

pub(super) fn list(json: &Json, asked: &Asked) -> Result<(), Failure> {
    let answer = asked.get("/api/v1/alerts/channels")?;
    let channels = asked.listed(&answer, "channels")?;
    if json.json {
        return Ok(print_json(&answer)?);
    }
    for channel in channels {
        let (name, waiting) = (word(&channel["name"]), channel["waiting"].as_u64().unwrap_or_default());
        let waiting = match waiting {
            0 => String::new(),
            1 => ", 1 message waits".to_owned(),
            many => format!(", {many} messages wait"),
        };
        let failing = &channel["failing"];
        let (style, state) = match failing["why"].as_str() {
            Some(why) => {
                let why = printable(why, SENTENCE);
                (AnsiColor::Red.on_default(), format!("since {}: {why}{waiting}", moment(&failing["since"])))
            }
            None => (AnsiColor::Green.on_default(), format!("takes messages{waiting}")),
        };
        let is = if failing.is_null() { "ok" } else { "failing" };
        let width = LABEL.max(name.len() + 1);
        wrapped(&format!("{name:width$}{style}{is:8}{style:#}"), &state)?;
    }
    let is_failing = channels.iter().any(|channel| !channel["failing"].is_null());
    Ok(asked.service.next(if is_failing { "alerts dead-letters" } else { "alerts list" })?)
}

pub(super) fn dead_letters(limit: u16, json: &Json, asked: &Asked) -> Result<(), Failure> {
    let answer = asked.get(&format!("/api/v1/alerts/dead-letters?limit={limit}"))?;
    let letters = asked.listed(&answer, "dead_letters")?;
    if json.json {
        return Ok(print_json(&answer)?);
    }
    if letters.is_empty() {
        wrapped("", "no channel has refused a message for good")?;
        return Ok(asked.service.next("alerts channels")?);
    }
    for letter in letters {
        let head = format!("{}  {}  ", moment(&letter["at"]), word(&letter["channel"]));
        let why = printable(letter["why"].as_str().unwrap_or("-"), SENTENCE);
        wrapped(&head, &format!("{}, {}: {why}", word(&letter["severity"]), about(letter)))?;
    }
    let newest = &letters[0];
    let id = word(&newest["alerts"][0]["id"]);
    Ok(asked.service.next(&format!("alerts tell-again {id} {}", word(&newest["channel"])))?)
}

/// The alerts of a message.
fn about(letter: &Value) -> String {
    let alerts = letter["alerts"].as_array().map(Vec::as_slice).unwrap_or_default();
    let names: Vec<String> = alerts.iter().take(NAMED).map(name).collect();
    let more = alerts.len() as u64 - names.len() as u64 + letter["more_alerts"].as_u64().unwrap_or_default();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", names.join(", "))
}
