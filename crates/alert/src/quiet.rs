//! When nobody wants to be told: silences, which begin and end once, and maintenance windows, which come back each week by the
//! clock on a wall somewhere. Each needs an end, an author and a reason.

use std::fmt;

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase};
use jiff::{Span, Timestamp, ToSpan as _};
use ttm_kernel::Severity;

use crate::{AlertKey, Matcher};

/// A time zone of the IANA database, as it was when this program was built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone(TimeZone);

impl Zone {
    /// The zone with this name, as in `Europe/Berlin`.
    ///
    /// # Errors
    /// There is none.
    pub fn parse(name: &str) -> Result<Self, InvalidQuiet> {
        let unknown = || InvalidQuiet::UnknownZone(name.chars().take(64).collect());
        TimeZoneDatabase::bundled().get(name).map(Self).map_err(|_| unknown())
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// When something begins at this time there: of a time that comes twice the first one, and the next instant after one
    /// that is left out.
    pub fn begins(&self, at: DateTime) -> Timestamp {
        self.instants(at).0
    }

    /// When something ends at this time there: of a time that comes twice the second one, and the next instant after one that is
    /// left out.
    pub fn ends(&self, at: DateTime) -> Timestamp {
        self.instants(at).1
    }

    fn instants(&self, at: DateTime) -> (Timestamp, Timestamp) {
        let far = if at < DateTime::constant(0, 1, 1, 0, 0, 0, 0) { Timestamp::MIN } else { Timestamp::MAX };
        let by = |offset: jiff::tz::Offset| offset.to_timestamp(at).unwrap_or(far);
        match self.0.to_ambiguous_timestamp(at).offset() {
            AmbiguousOffset::Unambiguous { offset } => (by(offset), by(offset)),
            AmbiguousOffset::Fold { before, after } => (by(before), by(after)),
            AmbiguousOffset::Gap { before, .. } => {
                // By the old offset it is at or after the instant at which the clock was put forward.
                let after = by(before);
                let just_after = after.checked_add(Span::new().nanoseconds(1)).unwrap_or(after);
                let gap = self.0.preceding(just_after).next();
                let end = gap.map_or(after, |gap| gap.timestamp());
                (end, end)
            }
        }
    }

    fn date(&self, at: Timestamp) -> Date {
        self.0.to_datetime(at).date()
    }
}

/// When it is quiet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum When {
    /// Once.
    Once {
        /// Since when.
        from: Timestamp,
        /// Until when; it needs one.
        until: Option<Timestamp>,
    },
    /// On some days of each week.
    Weekly {
        /// By the clocks of this zone.
        zone: Zone,
        /// On which days it begins.
        days: Vec<Weekday>,
        /// At what time it begins.
        from: Time,
        /// At what time it ends; on the next day if that is not later.
        to: Time,
        /// The first day on which it may begin.
        first: Date,
        /// The last day on which it may begin; it needs one.
        last: Option<Date>,
    },
}

/// Which of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QuietId(pub u64);

/// A silence or a maintenance window that passed its checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quiet {
    matcher: Matcher,
    when: When,
    author: String,
    reason: String,
}

/// What no silence and no window may be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidQuiet {
    /// It would never end.
    #[error("it has no end: give it one, and a new one if that turns out to be too soon")]
    NoEnd,
    /// It would end before it began.
    #[error("it ends before it begins")]
    Backwards,
    /// It is longer than [`Quiet::LONGEST_DAYS`].
    #[error("it lasts longer than {most} days", most = Quiet::LONGEST_DAYS)]
    TooLong,
    /// A window on no day of the week, or on none of those from its first day to its last one.
    #[error("it is on no day from its first to its last")]
    NoDays,
    /// Nobody says whose it is, or why.
    #[error("it needs {0}")]
    Missing(&'static str),
    /// A text that is too long, or has characters that are none.
    #[error("{0} has control or invisible characters, or more than {most} bytes", most = Quiet::MAX_TEXT)]
    Text(&'static str),
    /// There is no such zone.
    #[error("there is no time zone {0:?}; one is called Europe/Berlin")]
    UnknownZone(String),
}

impl Quiet {
    /// The longest time from beginning to end, in days.
    pub const LONGEST_DAYS: i32 = 366;
    /// The longest author or reason, in bytes.
    pub const MAX_TEXT: usize = 512;

    /// Checks one.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn try_new(matcher: Matcher, when: When, author: &str, reason: &str) -> Result<Self, InvalidQuiet> {
        for (key, text) in [("an author", author), ("a reason", reason)] {
            if text.trim().is_empty() {
                return Err(InvalidQuiet::Missing(key));
            }
            if !Self::is_text(text) {
                return Err(InvalidQuiet::Text(key));
            }
        }
        let days = match &when {
            When::Once { until: None, .. } | When::Weekly { last: None, .. } => {
                return Err(InvalidQuiet::NoEnd);
            }
            When::Once { from, until: Some(until) } if until <= from => return Err(InvalidQuiet::Backwards),
            When::Weekly { first, last: Some(last), .. } if last < first => {
                return Err(InvalidQuiet::Backwards);
            }
            When::Once { from, until: Some(until) } => until.duration_since(*from).as_hours() / 24,
            When::Weekly { first, last: Some(last), .. } => last.duration_since(*first).as_hours() / 24,
        };
        if days > Self::LONGEST_DAYS.into() {
            return Err(InvalidQuiet::TooLong);
        }
        let quiet = Self { matcher, when, author: author.to_owned(), reason: reason.to_owned() };
        if let When::Weekly { first, last: Some(last), .. } = &quiet.when
            && !quiet.comes(*first, *last, Timestamp::MIN)
        {
            return Err(InvalidQuiet::NoDays);
        }
        Ok(quiet)
    }

    /// Whether this can be an author or a reason: every character is seen as what it is, and there are not too many.
    pub fn is_text(text: &str) -> bool {
        let misleads = |c: char| c.is_control() || is_invisible(c);
        !text.trim().is_empty() && text.len() <= Self::MAX_TEXT && !text.chars().any(misleads)
    }

    /// Which alerts it is about.
    pub fn matcher(&self) -> &Matcher {
        &self.matcher
    }

    /// When it is.
    pub fn when(&self) -> &When {
        &self.when
    }

    /// Whose it is.
    pub fn author(&self) -> &str {
        &self.author
    }

    /// Why it is.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Whether it is quiet at this time.
    pub fn is_on(&self, at: Timestamp) -> bool {
        match &self.when {
            // It has begun, whatever a clock that was set back says.
            When::Once { until, .. } => until.is_some_and(|until| at < until),
            When::Weekly { zone, .. } => {
                let today = zone.date(at);
                let yesterday = today.yesterday().unwrap_or(today);
                let before = yesterday.yesterday().unwrap_or(yesterday);
                // Zones may leave out a whole day, so that what began the day before yesterday lasts until today.
                [before, yesterday, today]
                    .into_iter()
                    .filter_map(|day| self.window(day))
                    .any(|(from, to)| from <= at && at < to)
            }
        }
    }

    /// Whether nothing more of it comes.
    pub fn is_over(&self, at: Timestamp) -> bool {
        match &self.when {
            When::Once { until, .. } => until.is_none_or(|until| until <= at),
            When::Weekly { last: None, .. } => true,
            When::Weekly { zone, first, last: Some(last), .. } => {
                let today = zone.date(at);
                let began = today.checked_sub(2.days()).unwrap_or(today).max(*first);
                !self.comes(began, *last, at)
            }
        }
    }

    /// Whether it keeps an alert from being told at this time.
    pub fn silences(&self, key: &AlertKey, severity: Severity, at: Timestamp) -> bool {
        self.matcher.matches(key, severity) && self.is_on(at)
    }

    /// Whether a window that begins on one of these days lasts beyond this time. In two weeks and the days before each day of the week comes
    /// twice, and one of both has all its hours.
    fn comes(&self, from: Date, to: Date, at: Timestamp) -> bool {
        let mut days = from.series(1.day()).take(2 * 7 + 2).take_while(|day| *day <= to);
        days.any(|day| self.window(day).is_some_and(|(begin, end)| begin.max(at) < end))
    }

    /// The window that begins on this day, if one does.
    fn window(&self, day: Date) -> Option<(Timestamp, Timestamp)> {
        let When::Weekly { zone, days, from, to, first, last } = &self.when else { return None };
        if !days.contains(&day.weekday()) || day < *first || last.is_none_or(|last| day > last) {
            return None;
        }
        let end = if to <= from { day.tomorrow().unwrap_or(day) } else { day };
        Some((zone.begins(day.to_datetime(*from)), zone.ends(end.to_datetime(*to))))
    }
}

impl fmt::Display for QuietId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Whether a character takes no room, or turns those after it around, so that a text reads as another one.
const fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
    )
}
