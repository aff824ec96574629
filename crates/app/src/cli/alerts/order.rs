//! Orders about one alert: `ttm alerts ack` and `tell-again`.

use serde_json::json;

use super::find::{self, name};
use super::{Asked, OneArguments};
use crate::cli::failure::Failure;
use crate::cli::load::user;
use crate::cli::output::{print_json, printable, tell_unless_stored, wrapped};
use crate::cli::values::word;

/// Who gives an order.
pub(super) fn author(given: Option<&str>, option: &str) -> Result<String, Failure> {
    let author = given.map(str::to_owned).or_else(user);
    author.ok_or_else(|| {
        Failure::Arguments(format!("{option} NAME is needed: neither USER nor LOGNAME is set"))
    })
}

pub(super) fn acknowledge(of: &OneArguments, by: Option<&str>, asked: &Asked) -> Result<(), Failure> {
    let by = author(by, "--by")?;
    let id = find::id(asked, &of.alert)?;
    let alert = asked.post(&format!("/api/v1/alerts/{id}/ack"), &json!({"by": by}))?;
    if of.json.json {
        return Ok(print_json(&alert)?);
    }
    let by = word(&alert["acknowledged"]["by"]);
    let what = format!(
        "{}: acknowledged by {by}; it escalates no further unless it gets worse, and its end is told",
        name(&alert)
    );
    wrapped("", &what)?;
    tell_unless_stored(&alert)?;
    Ok(asked.service.next(&format!("alerts show {id}"))?)
}

pub(super) fn tell_again(of: &OneArguments, channel: &str, asked: &Asked) -> Result<(), Failure> {
    let id = find::id(asked, &of.alert)?;
    let answer = asked.post(&format!("/api/v1/alerts/{id}/tell-again"), &json!({"channel": channel}))?;
    if of.json.json {
        return Ok(print_json(&answer)?);
    }
    let channel = printable(channel, 100);
    wrapped("", &format!("{channel} is told once more, as soon as nothing keeps it from being told"))?;
    tell_unless_stored(&answer)?;
    Ok(asked.service.next(&format!("alerts show {id}"))?)
}
