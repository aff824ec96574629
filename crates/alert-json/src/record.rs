//! The state of an alert, without its key: a store has columns for that.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use ttm_alert::{AlertKey, AlertRecord, Case, Episode, Phase, SavedAlert};

use crate::form::{Form, Json, Misfit, micros, parse, period, required, text};

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct State {
    #[serde(deserialize_with = "required")]
    life: Option<Life>,
    changes: Form<Vec<Timestamp>>,
    is_flapping: bool,
    cases: Form<Vec<Case>>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Life {
    phase: Form<Phase>,
    held_us: i64,
    worse: Form<Phase>,
    worse_held_us: i64,
    #[serde(deserialize_with = "required")]
    episode: Form<Option<Episode>>,
    #[serde(deserialize_with = "required")]
    value: Form<Option<f64>>,
}

/// The JSON of everything but the key.
///
/// # Errors
/// It has a number that is none.
pub fn state(record: &AlertRecord) -> Result<String, Misfit> {
    let life = |life: &SavedAlert| -> Result<Life, Misfit> {
        Ok(Life {
            phase: life.phase.form()?,
            held_us: micros(life.held),
            worse: life.worse.form()?,
            worse_held_us: micros(life.worse_held),
            episode: life.episode.form()?,
            value: life.value.form()?,
        })
    };
    let state = State {
        life: record.life.as_ref().map(life).transpose()?,
        changes: record.changes.form()?,
        is_flapping: record.is_flapping,
        cases: record.cases.form()?,
    };
    text(&state)
}

/// The record of an alert with this state.
///
/// # Errors
/// No state is written like this.
pub fn record(key: AlertKey, state: &str) -> Result<AlertRecord, Misfit> {
    let state: State = parse(state)?;
    let life = |life: Life| -> Result<SavedAlert, Misfit> {
        Ok(SavedAlert {
            key: key.clone(),
            phase: Json::of(life.phase)?,
            held: period(life.held_us)?,
            worse: Json::of(life.worse)?,
            worse_held: period(life.worse_held_us)?,
            episode: Json::of(life.episode)?,
            value: Json::of(life.value)?,
        })
    };
    Ok(AlertRecord {
        life: state.life.map(life).transpose()?,
        changes: Json::of(state.changes)?,
        is_flapping: state.is_flapping,
        cases: Json::of(state.cases)?,
        key,
    })
}
