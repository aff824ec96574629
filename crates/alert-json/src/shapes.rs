//! What is written field by field. It knows no store.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use ttm_alert::{
    Ack, AlertKey, Case, ChannelId, DeadLetter, Ending, Episode, EpisodeId, Item, Journalled, Labels,
    Matcher, Message, News, OutboxRow, Outcome, Receipt, RowKey, Said, Told,
};
use ttm_kernel::Severity;

use crate::form::{Form, Json, Misfit, required};

/// Values that are written field by field; one with a unit has it in its name.
macro_rules! forms {
    ($($form:ident of $type:ident { $($field:ident $(as $name:literal)?: $of:ty),* $(,)? })*) => { $(
        #[doc = concat!("The form of [`", stringify!($type), "`].")]
        #[derive(Deserialize, Serialize)]
        #[serde(deny_unknown_fields)]
        pub struct $form {
            $($(#[serde(rename = $name)])? #[serde(deserialize_with = "required")] $field: Form<$of>),*
        }

        impl Json for $type {
            type Form = $form;
            fn form(&self) -> Result<$form, Misfit> {
                Ok($form { $($field: self.$field.form()?),* })
            }
            fn of(form: $form) -> Result<Self, Misfit> {
                Ok(Self { $($field: Json::of(form.$field)?),* })
            }
        }
    )* };
}

forms! {
    EpisodeForm of Episode { id: EpisodeId, started: Timestamp }
    SaidForm of Said { is_over: bool, severity: Severity, is_flapping: bool, step: u8 }
    AckForm of Ack { by: String, at: Timestamp, severity: Severity }
    ToldForm of Told {
        channel: ChannelId,
        said: Option<Said>,
        refused: Option<Said>,
        at: Option<Timestamp>,
        is_delivered: bool,
        is_due: bool,
        is_once: bool,
        messages: u32,
        remote_id: Option<Arc<str>>,
    }
    CaseForm of Case {
        episode: Episode,
        severity: Severity,
        least: Severity,
        value: Option<f64>,
        ended: Option<(Timestamp, Ending)>,
        ack: Option<Ack>,
        opened: Option<Timestamp>,
        step: u8,
        is_notice: bool,
        told: Vec<Told>,
    }
    ItemForm of Item {
        key: AlertKey,
        episode: Episode,
        news: News,
        severity: Severity,
        value: Option<f64>,
        limit: Option<f64>,
        ended: Option<(Timestamp, Ending)>,
        acknowledged_by: Option<String>,
    }
    MessageForm of Message {
        group: Arc<str>,
        severity: Severity,
        fires: bool,
        items: Vec<Item>,
        more_items: usize,
        affected: Vec<AlertKey>,
        more_affected: usize,
        replies_to: Option<Arc<str>>,
        at: Timestamp,
    }
    MatcherForm of Matcher { rule: Option<String>, severity: Option<Severity>, labels: Option<Labels> }
    RowKeyForm of RowKey { channel: ChannelId, alert: AlertKey, episode: EpisodeId, step: u32 }
    OutboxRowForm of OutboxRow {
        key: RowKey,
        message: Message,
        covers: Arc<Vec<(AlertKey, EpisodeId, Said)>>,
        attempts: u32,
        failing_since: Option<Timestamp>,
    }
    ReceiptForm of Receipt {
        key: RowKey,
        attempt: u32,
        outcome: Outcome,
        latency as "latency_us": Duration,
        at: Timestamp,
    }
    DeadLetterForm of DeadLetter { row: OutboxRow, why: String, at: Timestamp }
    JournalledForm of Journalled { row: OutboxRow, outcome: Option<Outcome> }
}
