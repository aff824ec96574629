//! Alerts as a table: one a line if that fits the terminal. Else what there is to say of each goes to a line below, and if that is
//! not enough its name does, too.

use anstyle::{AnsiColor, Style};
use jiff::Timestamp;
use serde_json::Value;
use textwrap::core::display_width;

use super::find::{name, short};
use crate::cli::client::SENTENCE;
use crate::cli::output::{laid_out, printable};
use crate::cli::values::word;

const HEAD: [&str; 5] = ["ID", "SEVERITY", "STATE", "SINCE (UTC)", "ALERT"];
const SEVERITY: usize = 1;
const NAME: usize = 4;
/// How far the lines below a row are indented.
const BELOW: &str = "    ";

/// The lines of the table, on a terminal of this width; without one a line is as long as it is. Ids are as short as all alerts, of
/// which these are some, allow.
pub(super) fn table(shown: &[Value], all: &[Value], terminal: Option<usize>) -> Vec<String> {
    let rows: Vec<([String; 5], String)> = shown.iter().map(|one| (cells(one, all), notes(one))).collect();
    let fits = |columns: usize| terminal.is_none_or(|width| columns <= width);
    let widest = |column: usize| {
        let cells = rows.iter().map(|(cells, _)| display_width(&cells[column]));
        cells.chain([HEAD[column].len()]).max().unwrap_or_default()
    };
    let widths: [usize; 5] = std::array::from_fn(widest);
    let whole: usize = widths.iter().map(|width| width + 2).sum();
    let with_notes = rows.iter().all(|(_, notes)| fits(whole + display_width(notes)));
    let with_name = fits(whole - 2);
    let row = |cells: &[String; 5], style: Style| {
        let cells = cells.iter().zip(widths).enumerate().filter(|(column, _)| *column != NAME || with_name);
        cells.fold(String::new(), |line, (column, (cell, width))| {
            let style = if column == SEVERITY { style } else { Style::new() };
            format!("{line}{style}{cell:width$}{style:#}  ")
        })
    };
    let mut lines = vec![row(&HEAD.map(str::to_owned), Style::new()).trim_end().to_owned()];
    for (cells, notes) in &rows {
        let line = row(cells, style(&cells[SEVERITY]));
        if with_notes {
            lines.push(format!("{line}{notes}").trim_end().to_owned());
            continue;
        }
        lines.push(line.trim_end().to_owned());
        let below = if with_name { notes.clone() } else { format!("{}  {notes}", cells[NAME]) };
        if !below.trim().is_empty() {
            lines.push(laid_out(BELOW, BELOW.len(), below.trim(), terminal));
        }
    }
    lines
}

fn cells(one: &Value, all: &[Value]) -> [String; 5] {
    let began = one["started_at"].as_str().and_then(|at| at.parse::<Timestamp>().ok());
    let since = began.filter(|_| one["state"] != "pending");
    let since = since.map_or_else(|| "-".to_owned(), |at| at.strftime("%m-%d %H:%M:%S").to_string());
    [short(&word(&one["id"]), all), word(&one["severity"]), word(&one["state"]), since, name(one)]
}

/// What is known of it beside that it is.
fn notes(one: &Value) -> String {
    let mut notes = Vec::new();
    notes.extend(measured(one));
    if let Some(by) = acknowledged(one) {
        notes.push(format!("acknowledged by {by}"));
    }
    if let Some(why) = one["hidden"]["why"].as_str() {
        notes.push(format!("hidden: {}", printable(why, SENTENCE)));
    }
    let told = one["told"].as_array().into_iter().flatten();
    let refused: Vec<String> =
        told.filter(|told| !told["refused"].is_null()).map(|told| word(&told["channel"])).collect();
    if !refused.is_empty() {
        notes.push(format!("refused by {}", refused.join(", ")));
    }
    notes.join("; ")
}

/// The value and its limit, with their unit, if they say more than that it fires.
pub(super) fn measured(one: &Value) -> Option<String> {
    let unit = match one["unit"].as_str() {
        Some("percent") => " %",
        Some("seconds") => " s",
        Some("flag") => return None,
        _ => "",
    };
    let figure = |value: &Value| value.as_f64().map(|value| format!("{}{unit}", number(value)));
    let value = figure(&one["value"])?;
    Some(match figure(&one["limit"]) {
        Some(limit) => format!("{value}, limit {limit}"),
        None => value,
    })
}

/// With at most two decimals.
fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Who has seen it as severe as it is now.
pub(super) fn acknowledged(one: &Value) -> Option<String> {
    let ack = &one["acknowledged"];
    let is_worse = rank(&one["severity"]) > rank(&ack["severity"]);
    ack["by"].as_str().filter(|_| !is_worse).map(|by| printable(by, 60))
}

/// How severe: the greater the worse.
pub(super) fn rank(severity: &Value) -> usize {
    let known = ["INFO", "WARNING", "ERROR", "CRITICAL"];
    known.iter().position(|known| severity == known).unwrap_or_default()
}

pub(super) fn style(severity: &str) -> Style {
    match severity {
        "CRITICAL" | "ERROR" => AnsiColor::Red.on_default(),
        "WARNING" => AnsiColor::Yellow.on_default(),
        _ => Style::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn alerts() -> [Value; 3] {
        let told = json!([{"channel": "ops", "refused": null}, {"channel": "phone", "refused": "firing"}]);
        [
            json!({
                "id": "67602a9e482c5ca5cfc1d354820f3b93", "severity": "CRITICAL", "state": "firing", "rule": "disk",
                "labels": {}, "started_at": "2026-11-29T16:00:00Z", "value": 91.25, "limit": 90.0, "unit": "percent",
                "acknowledged": null, "hidden": null, "told": told,
            }),
            json!({
                "id": "67602a9e582c5ca5cfc1d354820f3b93", "severity": "WARNING", "state": "recovering",
                "rule": "restart_withheld", "labels": {"part": "listing-profiles"},
                "started_at": "2026-11-29T16:00:00Z", "value": 1.0, "limit": 1.0, "unit": "flag",
                "acknowledged": {"by": "anna", "severity": "WARNING"},
                "hidden": {"why": "it is a consequence of breaker_open{api=dexscreener}, and is listed in that one's message"},
                "told": [],
            }),
            json!({
                "id": "11112a9e582c5ca5cfc1d354820f3b93", "severity": "WARNING", "state": "pending", "rule": "cpu",
                "labels": {}, "started_at": null, "value": 80.0, "limit": 80.0, "unit": "percent",
                "acknowledged": null, "hidden": null, "told": [],
            }),
        ]
    }

    #[test]
    fn without_a_terminal_an_alert_is_a_line() {
        let all = alerts();
        let lines = table(&all, &all, None);
        assert_eq!(lines.len(), 4, "{lines:#?}");
        assert!(
            lines[1].contains("disk") && lines[1].ends_with("91.25 %, limit 90 %; refused by phone"),
            "{lines:#?}"
        );
        assert!(
            lines[2].contains("; hidden: it is a consequence of breaker_open{api=dexscreener}, and"),
            "{lines:#?}"
        );
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let all = alerts();
        for width in [80, 100, 120, 160, 240] {
            let lines = table(&all, &all, Some(width));
            let widest = lines.iter().flat_map(|line| line.lines()).map(display_width).max();
            assert!(widest <= Some(width), "{width}: {lines:#?}");
            assert!(
                lines.join("\n").contains("restart_withheld{part=listing-profiles}"),
                "{width}: {lines:#?}"
            );
        }
        let plain: Vec<String> = table(&all, &all, Some(80))
            .iter()
            .map(|line| anstream::adapter::strip_str(line).to_string())
            .collect();
        assert_eq!(
            plain,
            [
                "ID         SEVERITY  STATE       SINCE (UTC)",
                "67602a9e4  CRITICAL  firing      11-29 16:00:00",
                "    disk  91.25 %, limit 90 %; refused by phone",
                "67602a9e5  WARNING   recovering  11-29 16:00:00",
                "    restart_withheld{part=listing-profiles}  acknowledged by anna; hidden: it is\n    \
                 a consequence of breaker_open{api=dexscreener}, and is listed in that one's\n    message",
                "11112a9e   WARNING   pending     -",
                "    cpu  80 %, limit 80 %",
            ]
        );
    }

    #[test]
    fn one_that_got_worse_since_it_was_seen_counts_as_not_seen() {
        let mut one = alerts()[1].clone();
        assert_eq!(acknowledged(&one).as_deref(), Some("anna"));
        one["severity"] = "ERROR".into();
        assert_eq!(acknowledged(&one), None);
    }
}
