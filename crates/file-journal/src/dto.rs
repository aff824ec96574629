//! An entry as JSON. A field that a fact does not have is left out.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use ttm_kernel::Epoch;
use ttm_recovery::{EntryKey, Record};

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Line {
    epoch: u64,
    number: u64,
    began_epoch: u64,
    began_number: u64,
    /// To the nanosecond.
    made_at: String,
    subject: String,
    kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cause: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    class: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    initiator: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    evidence: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    step: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    charged: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dependency: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    outcome: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    took: Option<Duration>,
}

impl From<Record> for Line {
    fn from(record: Record) -> Self {
        Self {
            epoch: record.key.epoch.number(),
            number: record.key.number,
            began_epoch: record.recovery.epoch.number(),
            began_number: record.recovery.number,
            made_at: record.at.to_string(),
            subject: record.subject,
            kind: record.kind,
            cause: record.cause,
            class: record.class,
            initiator: record.by,
            evidence: record.evidence,
            step: record.step,
            charged: record.charged,
            dependency: record.dependency,
            outcome: record.outcome,
            took: record.took,
        }
    }
}

impl TryFrom<Line> for Record {
    type Error = jiff::Error;

    fn try_from(line: Line) -> Result<Self, jiff::Error> {
        Ok(Self {
            key: EntryKey { epoch: Epoch::new(line.epoch), number: line.number },
            recovery: EntryKey { epoch: Epoch::new(line.began_epoch), number: line.began_number },
            at: line.made_at.parse::<Timestamp>()?,
            subject: line.subject,
            kind: line.kind,
            cause: line.cause,
            class: line.class,
            by: line.initiator,
            evidence: line.evidence,
            step: line.step,
            charged: line.charged,
            dependency: line.dependency,
            outcome: line.outcome,
            took: line.took,
        })
    }
}
