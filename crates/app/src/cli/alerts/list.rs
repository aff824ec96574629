//! `ttm alerts list`.

use std::cmp::Reverse;

use serde_json::{Value, json};

use super::find::{Found, all, short};
use super::table::{acknowledged, rank, table};
use super::{Asked, ListArguments};
use crate::cli::client::segment;
use crate::cli::failure::Failure;
use crate::cli::output::{print_json, say, width_of_terminal, wrapped};
use crate::cli::values::word;

pub(super) fn execute(arguments: &ListArguments, asked: &Asked) -> Result<(), Failure> {
    let ListArguments { state, severity, limit, json } = arguments;
    let filters = [("state", state), ("severity", severity)];
    let filters = filters.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
    let filters: Vec<String> = filters.map(|(name, value)| format!("&{name}={}", segment(value))).collect();
    let filter = filters.concat();
    let Found { mut alerts, are_more } = all(asked, &filter)?;
    alerts.sort_by_key(|one| Reverse((rank_of_state(one), rank(&one["severity"]))));
    let shown = &alerts[..alerts.len().min(usize::from(*limit))];
    if json.json {
        let next: Option<&str> = None;
        return Ok(print_json(&json!({"alerts": shown, "next": next}))?);
    }
    if shown.is_empty() {
        let nothing = match &*filter {
            "" => "no alerts: nothing is wrong that a rule watches for, and every end was told",
            _ => "no alert matches",
        };
        wrapped("", nothing)?;
        return Ok(asked.service.next(if filter.is_empty() { "status" } else { "alerts list" })?);
    }
    say!("{}", table(shown, &alerts, width_of_terminal()).join("\n"))?;
    let more = alerts.len() - shown.len();
    if more > 0 {
        let or_more = if are_more { " or more" } else { "" };
        wrapped("", &format!("and {more}{or_more} more; `--limit`, `--severity` and `--state` choose"))?;
    }
    let unseen = shown.iter().find(|one| one["hidden"].is_null() && acknowledged(one).is_none());
    let first = unseen.unwrap_or(&shown[0]);
    Ok(asked.service.next(&format!("alerts show {}", short(&word(&first["id"]), &alerts)))?)
}

/// What fires comes first, then what may, then what is over.
fn rank_of_state(one: &Value) -> usize {
    ["resolved", "pending", "recovering", "firing"]
        .iter()
        .position(|state| one["state"] == *state)
        .unwrap_or_default()
        .min(2)
}
