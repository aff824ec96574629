//! What became of an attempt: a word, and what belongs to that word.

use serde::{Deserialize, Serialize};
use ttm_alert::Outcome;

use crate::form::{Json, Misfit, micros, period, required};

/// The form of an [`Outcome`]. A store may have a column for each field.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct OutcomeForm {
    /// `delivered`, `retry` or `refused`.
    pub outcome: String,
    /// What the channel calls what it took, if it says so.
    #[serde(deserialize_with = "required")]
    pub remote_id: Option<String>,
    /// Not before so many microseconds; of `retry` alone.
    #[serde(deserialize_with = "required")]
    pub retry_after_us: Option<i64>,
    /// What went wrong; of everything but `delivered`.
    #[serde(deserialize_with = "required")]
    pub why: Option<String>,
}

impl Json for Outcome {
    type Form = OutcomeForm;

    fn form(&self) -> Result<OutcomeForm, Misfit> {
        let form = |outcome: &str| OutcomeForm {
            outcome: outcome.to_owned(),
            remote_id: None,
            retry_after_us: None,
            why: None,
        };
        Ok(match self {
            Self::Delivered { remote_id } => {
                OutcomeForm { remote_id: remote_id.as_deref().map(str::to_owned), ..form("delivered") }
            }
            Self::Retry { after, why } => {
                OutcomeForm { retry_after_us: after.map(micros), why: Some(why.clone()), ..form("retry") }
            }
            Self::Refused { why } => OutcomeForm { why: Some(why.clone()), ..form("refused") },
        })
    }

    fn of(form: OutcomeForm) -> Result<Self, Misfit> {
        match (&*form.outcome, form.remote_id, form.retry_after_us, form.why) {
            ("delivered", id, None, None) => Ok(Self::Delivered { remote_id: id.map(Into::into) }),
            ("retry", None, after, Some(why)) => {
                Ok(Self::Retry { after: after.map(period).transpose()?, why })
            }
            ("refused", None, None, Some(why)) => Ok(Self::Refused { why }),
            (word @ ("delivered" | "retry" | "refused"), ..) => {
                Err(Misfit::new(format!("what is not of the outcome {word:?}, or lacks its reason")))
            }
            (word, ..) => Err(Misfit::new(format!("the unknown outcome {word:?}"))),
        }
    }
}
