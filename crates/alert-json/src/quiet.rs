//! Silences and maintenance windows. What is read has passed every check of a new one.

use jiff::Timestamp;
use jiff::civil::{Date, Time, Weekday};
use serde::{Deserialize, Serialize};
use ttm_alert::{Matcher, Quiet, When, Zone};

use crate::form::{Form, Json, Misfit, required};

/// The form of a [`Quiet`].
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct QuietForm {
    matcher: Form<Matcher>,
    when: WhenForm,
    author: String,
    reason: String,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum WhenForm {
    Once {
        from: Form<Timestamp>,
        #[serde(deserialize_with = "required")]
        until: Form<Option<Timestamp>>,
    },
    Weekly {
        zone: Form<Zone>,
        days: Form<Vec<Weekday>>,
        from: Form<Time>,
        to: Form<Time>,
        first: Form<Date>,
        #[serde(deserialize_with = "required")]
        last: Form<Option<Date>>,
    },
}

impl Json for Quiet {
    type Form = QuietForm;

    fn form(&self) -> Result<QuietForm, Misfit> {
        let when = match self.when() {
            When::Once { from, until } => WhenForm::Once { from: from.form()?, until: until.form()? },
            When::Weekly { zone, days, from, to, first, last } => WhenForm::Weekly {
                zone: zone.form()?,
                days: days.form()?,
                from: from.form()?,
                to: to.form()?,
                first: first.form()?,
                last: last.form()?,
            },
        };
        let (author, reason) = (self.author().to_owned(), self.reason().to_owned());
        Ok(QuietForm { matcher: self.matcher().form()?, when, author, reason })
    }

    fn of(form: QuietForm) -> Result<Self, Misfit> {
        let when = match form.when {
            WhenForm::Once { from, until } => When::Once { from: Json::of(from)?, until: Json::of(until)? },
            WhenForm::Weekly { zone, days, from, to, first, last } => When::Weekly {
                zone: Json::of(zone)?,
                days: Json::of(days)?,
                from: Json::of(from)?,
                to: Json::of(to)?,
                first: Json::of(first)?,
                last: Json::of(last)?,
            },
        };
        let quiet = Self::try_new(Json::of(form.matcher)?, when, &form.author, &form.reason);
        quiet.map_err(|error| Misfit::new(format!("what none may have: {error}")))
    }
}
