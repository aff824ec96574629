//! `ttm alerts show`: everything about one alert.

use jiff::Timestamp;
use serde_json::Value;

use super::find::{self, name};
use super::table::{acknowledged, measured, style};
use super::{Asked, OneArguments};
use crate::cli::client::SENTENCE;
use crate::cli::failure::Failure;
use crate::cli::output::{OutputError, print_json, printable, wrapped};
use crate::cli::values::{moment, spoken, word};
use crate::runbooks::page;

const LABEL: usize = 12;
/// How many receipts and refused messages are shown; the JSON has all.
const SHOWN: usize = 10;

pub(super) fn execute(of: &OneArguments, asked: &Asked) -> Result<(), Failure> {
    let id = find::id(asked, &of.alert)?;
    let alert = asked.get(&format!("/api/v1/alerts/{id}"))?;
    if of.json.json {
        return Ok(print_json(&alert)?);
    }
    show(&alert)?;
    Ok(asked.service.next(&next(&alert))?)
}

fn line(label: &str, text: &str) -> Result<(), OutputError> {
    wrapped(&format!("{label:LABEL$}"), text)
}

fn show(alert: &Value) -> Result<(), OutputError> {
    line("alert", &name(alert))?;
    line("id", &word(&alert["id"]))?;
    let severity = word(&alert["severity"]);
    let style = style(&severity);
    line("severity", &format!("{style}{severity}{style:#}"))?;
    line("state", &state(alert))?;
    if let Some(measured) = measured(alert) {
        line("value", &measured)?;
    }
    if fires(alert) || !alert["acknowledged"].is_null() {
        line("seen", &seen(alert))?;
    }
    if let Some(why) = alert["hidden"]["why"].as_str() {
        line("hidden", &printable(why, SENTENCE))?;
    }
    if fires(alert) && list(alert, "told").len() == 0 {
        line("told", "nobody yet")?;
    }
    under("told", list(alert, "told").map(told))?;
    under("past", list(alert, "timeline").rev().map(event))?;
    under("messages", list(alert, "receipts").take(SHOWN).map(|it| receipt(alert, it)))?;
    under("refused", list(alert, "dead_letters").take(SHOWN).map(dead_letter))?;
    for problem in list(alert, "problems") {
        line("!", &format!("not known: {}", printable(problem.as_str().unwrap_or("-"), SENTENCE)))?;
    }
    Ok(())
}

fn list<'a>(alert: &'a Value, name: &str) -> std::slice::Iter<'a, Value> {
    alert[name].as_array().map(Vec::as_slice).unwrap_or_default().iter()
}

/// Lines of which the first has a label.
fn under(label: &str, lines: impl Iterator<Item = String>) -> Result<(), OutputError> {
    for (number, text) in lines.enumerate() {
        line(if number == 0 { label } else { "" }, &text)?;
    }
    Ok(())
}

/// As `firing since 2026-11-29 16:00:00Z, episode 12-3`.
fn state(alert: &Value) -> String {
    let state = word(&alert["state"]);
    let time = |name: &str| alert[name].as_str().and_then(|at| at.parse::<Timestamp>().ok());
    let episode = || format!("episode {}", word(&alert["episode"]));
    match (time("started_at"), time("ended_at")) {
        (Some(from), Some(to)) if state != "pending" => {
            let lasted = to.duration_since(from).as_secs_f64().max(0.0);
            let by = word(&alert["ended_by"]).replace('_', " ");
            format!("{state} {}, {by}, after {}, {}", moment(&alert["ended_at"]), spoken(lasted), episode())
        }
        (Some(_), None) => format!("{state} since {}, {}", moment(&alert["started_at"]), episode()),
        _ if state == "pending" => "pending: it has not lasted for long enough yet".to_owned(),
        _ => state,
    }
}

/// Whether it fires: one that recovers still does.
fn fires(alert: &Value) -> bool {
    ["firing", "recovering"].iter().any(|state| alert["state"] == *state)
}

fn seen(alert: &Value) -> String {
    let ack = &alert["acknowledged"];
    match (acknowledged(alert), ack["by"].as_str()) {
        (Some(by), _) => format!("acknowledged by {by}, {}", moment(&ack["at"])),
        (None, Some(by)) => format!(
            "acknowledged by {}, {}, when it was {}; it has got worse",
            printable(by, 60),
            moment(&ack["at"]),
            word(&ack["severity"])
        ),
        (None, None) => "nobody has acknowledged it".to_owned(),
    }
}

/// What a channel knows.
fn told(told: &Value) -> String {
    let channel = word(&told["channel"]);
    let at = moment(&told["at"]);
    let due = if told["due"] == true { "; a message is due" } else { "" };
    match (told["refused"].as_str(), told["what"].as_str()) {
        (Some(refused), _) => {
            format!("{channel}: refused to be told that it is {}, {at}{due}", printable(refused, 60))
        }
        (None, Some(what)) => {
            format!(
                "{channel}: knows that it is {} ({}), {at}{due}",
                printable(what, 60),
                word(&told["severity"])
            )
        }
        (None, None) => format!("{channel}: knows nothing yet{due}"),
    }
}

/// What happened to it.
fn event(event: &Value) -> String {
    let kind = word(&event["kind"]);
    let payload = &event["payload"];
    let what = match &*kind {
        "alert.fired" => format!("fired, {}", word(&payload["severity"])),
        "alert.severity_changed" => format!("is {}", word(&payload["severity"])),
        "alert.resolved" => format!("resolved: {}", word(&payload["ended"]).replace('_', " ")),
        other => other.to_owned(),
    };
    let of_episode = payload["episode"].as_str().map(|id| format!(", episode {}", printable(id, 60)));
    format!("{}  {what}{}", moment(&event["at"]), of_episode.unwrap_or_default())
}

/// What became of an attempt to send a message.
fn receipt(alert: &Value, receipt: &Value) -> String {
    let (channel, attempt) = (word(&receipt["channel"]), word(&receipt["attempt"]));
    let took = receipt["latency_seconds"]
        .as_f64()
        .map_or_else(|| "-".to_owned(), |took| format!("{:.0} ms", took * 1_000.0));
    let said = receipt["why"].as_str().map(|why| format!(": {}", printable(why, SENTENCE)));
    let remote = receipt["remote_id"].as_str().map(|id| format!(", as {}", printable(id, 60)));
    let of = &receipt["alert"];
    let with = if of["id"] == alert["id"] { String::new() } else { format!(" (with {})", name(of)) };
    let outcome = match receipt["outcome"].as_str() {
        Some("retry") => "not taken".to_owned(),
        Some(word) => printable(word, 60),
        None => "-".to_owned(),
    };
    let again = if attempt == "1" { String::new() } else { format!(", attempt {attempt}") };
    format!(
        "{}  {channel}: {outcome} in {took}{again}{}{}{with}",
        moment(&receipt["at"]),
        remote.unwrap_or_default(),
        said.unwrap_or_default()
    )
}

fn dead_letter(letter: &Value) -> String {
    let why = printable(letter["why"].as_str().unwrap_or("-"), SENTENCE);
    format!("{}  {}: {why}", moment(&letter["at"]), word(&letter["channel"]))
}

/// What an operator may want to do next.
fn next(alert: &Value) -> String {
    let id = word(&alert["id"]);
    let fires = fires(alert);
    if fires && acknowledged(alert).is_none() && alert["hidden"].is_null() {
        return format!("alerts ack {id}");
    }
    let refused = list(alert, "told").find(|told| !told["refused"].is_null() && told["due"] != true);
    if let Some(told) = refused {
        return format!("alerts tell-again {id} {}", word(&told["channel"]));
    }
    // There are runbooks of the default rules alone.
    let rule = word(&alert["rule"]);
    if fires && page(&rule).is_some() { format!("alerts explain {rule}") } else { "alerts list".to_owned() }
}
