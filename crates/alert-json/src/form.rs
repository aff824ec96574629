//! How values become JSON and come back: the trait, and the values that have no parts.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::{Date, Time, Weekday};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use ttm_alert::{AlertKey, ChannelId, Ending, EpisodeId, Labels, News, Phase, Zone};
use ttm_kernel::Severity;

/// What is wrong with a value that has no form, or with a form that no value has. It ends a sentence that begins with whose
/// it is: "the message … has".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Misfit {
    what: String,
}

impl Misfit {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into() }
    }
}

/// A value with a JSON form.
pub trait Json: Sized {
    /// What serde writes and reads.
    type Form: Serialize + DeserializeOwned;

    /// The form of this value.
    ///
    /// # Errors
    /// It has a number that is none.
    fn form(&self) -> Result<Self::Form, Misfit>;

    /// The value of a form.
    ///
    /// # Errors
    /// No value has it.
    fn of(form: Self::Form) -> Result<Self, Misfit>;
}

/// The form of a type.
pub type Form<T> = <T as Json>::Form;

/// The JSON of a value.
///
/// # Errors
/// It has a number that is none.
pub fn write<T: Json>(value: &T) -> Result<String, Misfit> {
    text(&value.form()?)
}

/// The value of a JSON.
///
/// # Errors
/// No value is written like this.
pub fn read<T: Json>(json: &str) -> Result<T, Misfit> {
    T::of(parse(json)?)
}

/// The JSON of a form.
pub(crate) fn text(form: &impl Serialize) -> Result<String, Misfit> {
    serde_json::to_string(form).map_err(|error| Misfit::new(error.to_string()))
}

/// The form that is written like this.
pub(crate) fn parse<T: DeserializeOwned>(json: &str) -> Result<T, Misfit> {
    serde_json::from_str(json).map_err(|error| Misfit::new(format!("JSON of another shape: {error}")))
}

/// Reads a field that is there even if it may be null.
pub(crate) fn required<'de, D: Deserializer<'de>, T: Deserialize<'de>>(field: D) -> Result<T, D::Error> {
    T::deserialize(field)
}

/// The alert with this rule and these labels, spelt as they are written.
///
/// # Errors
/// The labels are none, or are written in another way.
pub fn alert_key(rule: &str, labels: &str) -> Result<AlertKey, Misfit> {
    let parsed =
        Labels::parse(labels).map_err(|error| Misfit::new(format!("labels that are none: {error}")))?;
    if parsed.as_str() != labels {
        let what = format!("the labels {labels:?}, which are written as {:?}", parsed.as_str());
        return Err(Misfit::new(what));
    }
    Ok(AlertKey::new(rule, parsed))
}

/// A period in whole microseconds, at most 292 000 years.
pub fn micros(period: Duration) -> i64 {
    i64::try_from(period.as_micros()).unwrap_or(i64::MAX)
}

/// The period of so many microseconds.
///
/// # Errors
/// They are less than none.
pub fn period(micros: i64) -> Result<Duration, Misfit> {
    let period = u64::try_from(micros).map(Duration::from_micros);
    period.map_err(|_| Misfit::new(format!("the period {micros}")))
}

/// Values that are their own form.
macro_rules! plain {
    ($($type:ty),*) => { $(
        impl Json for $type {
            type Form = Self;
            fn form(&self) -> Result<Self, Misfit> {
                Ok(self.clone())
            }
            fn of(form: Self) -> Result<Self, Misfit> {
                Ok(form)
            }
        }
    )* };
}

plain!(bool, u8, u32, usize, String);

/// Values that are texts: what each is called, how it is written, and how it is read. One that is not written like this is
/// refused.
macro_rules! texts {
    ($($what:literal $type:ty: $write:expr, $read:expr;)*) => { $(
        impl Json for $type {
            type Form = String;
            fn form(&self) -> Result<String, Misfit> {
                let write: fn(&Self) -> String = $write;
                Ok(write(self))
            }
            fn of(text: String) -> Result<Self, Misfit> {
                let read: fn(&str) -> Option<Self> = $read;
                let value = read(&text).filter(|value| value.form().as_ref() == Ok(&text));
                value.ok_or_else(|| Misfit::new(format!("the unknown {} {text:?}", $what)))
            }
        }
    )* };
}

texts! {
    "text" Arc<str>: |text| (**text).to_owned(), |text| Some(text.into());
    "channel" ChannelId: |channel| channel.as_str().to_owned(), |text| Some(ChannelId::new(text));
    "severity" Severity: |it| it.as_str().to_owned(), Severity::parse;
    "phase" Phase: |it| it.as_str().to_owned(), Phase::parse;
    "ending" Ending: |it| it.as_str().to_owned(), Ending::parse;
    "news" News: |it| it.as_str().to_owned(), News::parse;
    "episode" EpisodeId: EpisodeId::to_string, EpisodeId::parse;
    "labels" Labels: Labels::to_string, |text| Labels::parse(text).ok();
    "zone" Zone: |zone| zone.name().to_owned(), |text| Zone::parse(text).ok();
    "date" Date: Date::to_string, |text| text.parse().ok();
    "time" Time: Time::to_string, |text| text.parse().ok();
    "weekday" Weekday: |day| DAYS[usize::from(day.to_sunday_zero_offset().unsigned_abs())].to_owned(), weekday;
    "time" Timestamp: Timestamp::to_string, |text| text.parse().ok();
}

const DAYS: [&str; 7] = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];

fn weekday(text: &str) -> Option<Weekday> {
    let place = DAYS.iter().position(|day| *day == text)?;
    Weekday::from_sunday_zero_offset(i8::try_from(place).ok()?).ok()
}

/// As the shortest text that is read back to the bit.
impl Json for f64 {
    type Form = String;

    fn form(&self) -> Result<String, Misfit> {
        let text = self.is_finite().then(|| format!("{self:?}"));
        text.ok_or_else(|| Misfit::new(format!("the number {self}")))
    }

    fn of(text: String) -> Result<Self, Misfit> {
        let number = text.parse().ok().filter(|number: &Self| number.form().as_ref() == Ok(&text));
        number.ok_or_else(|| Misfit::new(format!("the number {text:?}")))
    }
}

/// As whole microseconds.
impl Json for Duration {
    type Form = i64;

    fn form(&self) -> Result<i64, Misfit> {
        Ok(micros(*self))
    }

    fn of(micros: i64) -> Result<Self, Misfit> {
        period(micros)
    }
}

/// As rule and labels.
impl Json for AlertKey {
    type Form = (String, String);

    fn form(&self) -> Result<(String, String), Misfit> {
        Ok(((*self.rule).to_owned(), self.labels.to_string()))
    }

    fn of((rule, labels): (String, String)) -> Result<Self, Misfit> {
        alert_key(&rule, &labels)
    }
}

impl<T: Json> Json for Arc<T> {
    type Form = T::Form;

    fn form(&self) -> Result<Self::Form, Misfit> {
        (**self).form()
    }

    fn of(form: Self::Form) -> Result<Self, Misfit> {
        T::of(form).map(Self::new)
    }
}

impl<T: Json> Json for Option<T> {
    type Form = Option<T::Form>;

    fn form(&self) -> Result<Self::Form, Misfit> {
        self.as_ref().map(T::form).transpose()
    }

    fn of(form: Self::Form) -> Result<Self, Misfit> {
        form.map(T::of).transpose()
    }
}

impl<T: Json> Json for Vec<T> {
    type Form = Vec<T::Form>;

    fn form(&self) -> Result<Self::Form, Misfit> {
        self.iter().map(T::form).collect()
    }

    fn of(form: Self::Form) -> Result<Self, Misfit> {
        form.into_iter().map(T::of).collect()
    }
}

impl<T: Json, U: Json> Json for (T, U) {
    type Form = (T::Form, U::Form);

    fn form(&self) -> Result<Self::Form, Misfit> {
        Ok((self.0.form()?, self.1.form()?))
    }

    fn of((one, other): Self::Form) -> Result<Self, Misfit> {
        Ok((T::of(one)?, U::of(other)?))
    }
}

impl<T: Json, U: Json, V: Json> Json for (T, U, V) {
    type Form = (T::Form, U::Form, V::Form);

    fn form(&self) -> Result<Self::Form, Misfit> {
        Ok((self.0.form()?, self.1.form()?, self.2.form()?))
    }

    fn of((one, other, third): Self::Form) -> Result<Self, Misfit> {
        Ok((T::of(one)?, U::of(other)?, V::of(third)?))
    }
}
