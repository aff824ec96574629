//! `ttm alerts silence`, `silences`, `unsilence` and `maintenance`: when nobody is told.

use clap::{ArgGroup, Args, Subcommand};
use serde_json::{Map, Value, json};

use super::find::labels;
use super::order::author;
use super::{Asked, Json, QuietArguments, severities};
use crate::cli::client::SENTENCE;
use crate::cli::failure::Failure;
use crate::cli::output::{OutputError, print_json, printable, tell_unless_stored, wrapped};
use crate::cli::values::{moment, word};

const SILENCES: &str = "/api/v1/silences";
const WINDOWS: &str = "/api/v1/maintenance";
const LABEL: usize = 12;
/// On several lines, as a shell takes it, so that it can be copied from a terminal.
pub(super) const MAINTENANCE_EXAMPLE: &str = "\
Example:
  ttm alerts maintenance add --zone Europe/Berlin --days mon,tue \\
    --from 22:00 --to 23:00 --first 2026-12-01 --last 2027-02-28 \\
    --rule disk --reason backups";

/// Which alerts.
#[derive(Debug, Args)]
pub(super) struct Match {
    /// Those of this rule
    #[arg(long)]
    rule: Option<String>,

    /// Those with this label; may be given several times
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = pair)]
    labels: Vec<(String, String)>,

    /// Those of this severity
    #[arg(long, value_parser = severities(), ignore_case = true)]
    severity: Option<String>,

    /// All of them
    #[arg(long, conflicts_with_all = ["rule", "labels", "severity"])]
    all: bool,
}

/// One of these must be given: something that was forgotten must not mean all alerts.
fn which() -> ArgGroup {
    ArgGroup::new("which").args(["rule", "labels", "severity", "all"]).multiple(true).required(true)
}

/// A silence to begin.
#[derive(Debug, Args)]
#[command(group = which())]
#[command(group = ArgGroup::new("end").args(["lasts", "until"]).required(true))]
pub(in crate::cli) struct SilenceArguments {
    #[command(flatten)]
    matching: Match,

    /// For how long, as 30m, 2h or 1d
    #[arg(long = "for", value_name = "TIME")]
    lasts: Option<String>,

    /// Until when, as 2026-11-29T16:00:00Z
    #[arg(long, value_name = "TIME")]
    until: Option<String>,

    #[command(flatten)]
    why: Why,
}

/// Whose it is, and why.
#[derive(Debug, Args)]
pub(super) struct Why {
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: String,

    /// Whose it is; by default, $USER
    #[arg(long, value_name = "NAME")]
    author: Option<String>,

    #[command(flatten)]
    json: Json,
}

/// Windows that come back each week.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Maintenance {
    /// Begin a window
    #[command(
        override_usage = "ttm alerts maintenance add <WHICH> --zone <ZONE> --days <mon,tue,…>\n       \
                          --from <HH:MM> --to <HH:MM> --first <DATE> --last <DATE> --reason <TEXT>\n\n  \
                          <WHICH>: --rule, --label or --severity, or --all",
        after_help = MAINTENANCE_EXAMPLE
    )]
    Add(Box<WindowArguments>),
    /// List the windows
    #[command(after_help = "Example:\n  ttm alerts maintenance list")]
    List(Json),
    /// End a window
    #[command(after_help = "Example:\n  ttm alerts maintenance end 4")]
    End(QuietArguments),
}

/// A window to begin.
#[derive(Debug, Args)]
#[command(group = which())]
pub(in crate::cli) struct WindowArguments {
    /// The time zone of all times and days, as Europe/Berlin
    #[arg(long)]
    zone: String,

    /// On which days it begins
    #[arg(long, required = true, value_delimiter = ',', value_name = "mon,tue,…")]
    days: Vec<String>,

    /// When it begins, as 22:00
    #[arg(long, value_name = "HH:MM")]
    from: String,

    /// When it ends; on the next day if that is not later
    #[arg(long, value_name = "HH:MM")]
    to: String,

    /// The first day on which it may begin, as 2026-12-01
    #[arg(long, value_name = "DATE")]
    first: String,

    /// The last one
    #[arg(long, value_name = "DATE")]
    last: String,

    #[command(flatten)]
    matching: Match,

    #[command(flatten)]
    why: Why,
}

/// A label as it is written.
fn pair(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(key, value)| !key.is_empty() && !value.is_empty());
    pair.map(|(key, value)| (key.to_owned(), value.to_owned()))
        .ok_or_else(|| "expected KEY=VALUE, as lane=cold".to_owned())
}

impl Match {
    /// # Errors
    /// A label that is given twice.
    fn body(&self) -> Result<Value, Failure> {
        let mut labels = Map::new();
        for (key, value) in &self.labels {
            if labels.insert(key.clone(), value.clone().into()).is_some() {
                return Err(Failure::Arguments(format!("--label {} is given twice", printable(key, 32))));
            }
        }
        if self.all {
            return Ok(json!({"all": true}));
        }
        Ok(json!({"rule": self.rule, "severity": self.severity, "labels": labels}))
    }
}

pub(super) fn silence(arguments: &SilenceArguments, asked: &Asked) -> Result<(), Failure> {
    let SilenceArguments { matching, lasts, until, why } = arguments;
    let body = json!({
        "match": matching.body()?, "for": lasts, "until": until, "reason": why.reason,
        "author": author(why.author.as_deref(), "--author")?,
    });
    let answer = asked.post(SILENCES, &body)?;
    if why.json.json {
        return Ok(print_json(&answer)?);
    }
    show_silence(&answer)?;
    tell_unless_stored(&answer)?;
    Ok(asked.service.next(&format!("alerts unsilence {}", word(&answer["id"])))?)
}

pub(super) fn silences(json: &Json, asked: &Asked) -> Result<(), Failure> {
    let answer = asked.get(SILENCES)?;
    let silences = asked.listed(&answer, "silences")?;
    if json.json {
        return Ok(print_json(&answer)?);
    }
    for silence in silences {
        show_silence(silence)?;
    }
    let none = "there is no silence; `ttm alerts maintenance list` lists what comes back each week";
    next(silences, "alerts unsilence", none, asked)
}

pub(super) fn end_silence(arguments: &QuietArguments, asked: &Asked) -> Result<(), Failure> {
    end(arguments, SILENCES, "silence", asked)
}

pub(super) fn maintenance(command: &Maintenance, asked: &Asked) -> Result<(), Failure> {
    match command {
        Maintenance::Add(arguments) => add(arguments, asked),
        Maintenance::List(json) => list(json, asked),
        Maintenance::End(arguments) => end(arguments, WINDOWS, "maintenance window", asked),
    }
}

fn add(arguments: &WindowArguments, asked: &Asked) -> Result<(), Failure> {
    let WindowArguments { zone, days, from, to, first, last, matching, why } = arguments;
    let body = json!({
        "match": matching.body()?, "zone": zone, "days": days, "from": from, "to": to, "first": first, "last": last,
        "reason": why.reason, "author": author(why.author.as_deref(), "--author")?,
    });
    let answer = asked.post(WINDOWS, &body)?;
    if why.json.json {
        return Ok(print_json(&answer)?);
    }
    show_window(&answer)?;
    tell_unless_stored(&answer)?;
    Ok(asked.service.next(&format!("alerts maintenance end {}", word(&answer["id"])))?)
}

fn list(json: &Json, asked: &Asked) -> Result<(), Failure> {
    let answer = asked.get(WINDOWS)?;
    let windows = asked.listed(&answer, "maintenance")?;
    if json.json {
        return Ok(print_json(&answer)?);
    }
    for window in windows {
        show_window(window)?;
    }
    let none = "there is no maintenance window; `ttm alerts silences` lists what is quiet once";
    next(windows, "alerts maintenance end", none, asked)
}

/// The command that ends the first, or a sentence that there is none.
fn next(quiets: &[Value], ends: &str, none: &str, asked: &Asked) -> Result<(), Failure> {
    let Some(first) = quiets.first() else {
        wrapped("", none)?;
        return Ok(asked.service.next("alerts list")?);
    };
    Ok(asked.service.next(&format!("{ends} {}", word(&first["id"])))?)
}

fn end(arguments: &QuietArguments, path: &str, what: &str, asked: &Asked) -> Result<(), Failure> {
    let answer = asked.delete(&format!("{path}/{}", arguments.id))?;
    if arguments.json.json {
        return Ok(print_json(&answer)?);
    }
    wrapped(
        "",
        &format!(
            "the {what} {} has ended: what it kept from being told is told if it still fires",
            arguments.id
        ),
    )?;
    tell_unless_stored(&answer)?;
    Ok(asked.service.next("alerts list")?)
}

fn show_silence(silence: &Value) -> Result<(), OutputError> {
    show(silence, &format!("until {}", moment(&silence["until"])))
}

fn show_window(window: &Value) -> Result<(), OutputError> {
    let days = window["days"].as_array().map(Vec::as_slice).unwrap_or_default();
    let days: Vec<String> = days.iter().map(word).collect();
    let of = |key: &str| word(&window[key]);
    let when = format!(
        "{} {} to {} {}, from {} to {}",
        days.join(","),
        of("from"),
        of("to"),
        of("zone"),
        of("first"),
        of("last")
    );
    show(window, &when)
}

/// Which alerts, when, whose and why.
fn show(quiet: &Value, when: &str) -> Result<(), OutputError> {
    let of = &quiet["match"];
    let named = ["rule", "severity"].into_iter().filter(|key| !of[*key].is_null());
    let mut which: Vec<String> = named.map(|key| format!("{key}={}", word(&of[key]))).collect();
    which.extend(labels(&of["labels"]));
    let which = if which.is_empty() { "all alerts".to_owned() } else { which.join(" ") };
    let on = if quiet["active"] == true { "in force" } else { "not now" };
    let text = |key: &str| printable(quiet[key].as_str().unwrap_or("-"), SENTENCE);
    wrapped(
        &format!("{:LABEL$}", word(&quiet["id"])),
        &format!("{which}, {when}, {on}; by {}: {}", text("author"), text("reason")),
    )
}
