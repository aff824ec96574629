//! Bounded queries for events, and the cursor of a page.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

use crate::event::is_of_kinds;
use crate::{Event, EventId, EventKind, InvalidName, Subject};

/// A question: the events from `from` (inside) to `to` (outside), the newest first, a page at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventQuery {
    first: Timestamp,
    last: Timestamp,
    limit: usize,
    kind: String,
    subject: Option<Subject>,
    after: Option<EventCursor>,
}

/// Why a query is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEventQuery {
    /// Its end is before its start.
    #[error("from ({from}) must be before to ({to})")]
    Order {
        /// Its start.
        from: Timestamp,
        /// Its end.
        to: Timestamp,
    },
    /// The limit of the page is 0 or too high.
    #[error("limit is {limit}, expected 1 to {max}", max = EventQuery::MAX_LIMIT)]
    Limit {
        /// The limit.
        limit: usize,
    },
    /// No kind starts with this prefix.
    #[error("no kind begins like this: {0}")]
    Kind(#[source] InvalidName),
}

impl EventQuery {
    /// The longest page.
    pub const MAX_LIMIT: usize = 1_000;

    /// A question for all events of a time.
    pub fn try_new(from: Timestamp, to: Timestamp, limit: usize) -> Result<Self, InvalidEventQuery> {
        if from >= to {
            return Err(InvalidEventQuery::Order { from, to });
        }
        if !(1..=Self::MAX_LIMIT).contains(&limit) {
            return Err(InvalidEventQuery::Limit { limit });
        }
        // Events happen at whole microseconds: these are the outermost ones inside.
        let (first, last) = (micros_up(from), micros_up(to) - 1);
        let time = |micros, otherwise| Timestamp::from_microsecond(micros).unwrap_or(otherwise);
        let (first, last) = (time(first, from), time(last, to));
        Ok(Self { first, last, limit, kind: String::new(), subject: None, after: None })
    }

    /// Of these, those whose kind starts with `prefix`.
    pub fn of_kind(mut self, prefix: &str) -> Result<Self, InvalidEventQuery> {
        let wrong = prefix.chars().find(|c| !is_of_kinds(*c)).map(InvalidName::Character);
        let max = EventKind::MAX_BYTES;
        let long = (prefix.len() > max).then_some(InvalidName::Length { got: prefix.len(), max });
        if let Some(error) = wrong.or(long) {
            return Err(InvalidEventQuery::Kind(error));
        }
        prefix.clone_into(&mut self.kind);
        Ok(self)
    }

    /// Of these, those that happened to `subject`.
    #[must_use]
    pub fn of_subject(mut self, subject: Subject) -> Self {
        self.subject = Some(subject);
        self
    }

    /// Of these, those that come after the page that ended here.
    #[must_use]
    pub fn after(mut self, cursor: EventCursor) -> Self {
        self.after = Some(cursor);
        self
    }

    /// The first microsecond inside.
    pub const fn first(&self) -> Timestamp {
        self.first
    }

    /// The last microsecond inside; before the first one when there is none between the ends.
    pub const fn last(&self) -> Timestamp {
        self.last
    }

    /// Events of a page, at most.
    pub const fn limit(&self) -> usize {
        self.limit
    }

    /// The prefix of the kind; empty for every kind.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Its subject.
    pub const fn subject(&self) -> Option<&Subject> {
        self.subject.as_ref()
    }

    /// Where the page before ended.
    pub const fn cursor(&self) -> Option<EventCursor> {
        self.after
    }

    /// Whether an event matches, on this page or a later one.
    pub fn matches(&self, event: &Event) -> bool {
        (self.first..=self.last).contains(&event.at())
            && event.kind().as_str().starts_with(&self.kind)
            && self.subject.as_ref().is_none_or(|subject| subject == event.subject())
            && self.after.is_none_or(|cursor| EventCursor::of(event) < cursor)
    }
}

/// The first whole microsecond from `at` on.
fn micros_up(at: Timestamp) -> i64 {
    // Cut towards zero, which is down only after 1970.
    let cut = at.as_microsecond();
    cut + i64::from(at.as_nanosecond() > i128::from(cut) * 1_000)
}

/// The place of an event in the order of pages; printed as `<microseconds>-<id in hexadecimal>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventCursor {
    /// When it happened.
    pub at: Timestamp,
    /// Its id, which decides between events of one microsecond.
    pub id: EventId,
}

impl EventCursor {
    /// The place of this event.
    pub const fn of(event: &Event) -> Self {
        Self { at: event.at(), id: event.id() }
    }
}

impl fmt::Display for EventCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:032x}", self.at.as_microsecond(), self.id.bits())
    }
}

/// A text that is no cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the place where a page ended")]
pub struct InvalidCursor;

impl FromStr for EventCursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let (micros, id) = text.rsplit_once('-').ok_or(InvalidCursor)?;
        let at = micros.parse().ok().and_then(|micros| Timestamp::from_microsecond(micros).ok());
        let id = u128::from_str_radix(id, 16).map_err(|_| InvalidCursor)?;
        Ok(Self { at: at.ok_or(InvalidCursor)?, id: EventId::from_bits(id) })
    }
}

/// The answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventPage {
    /// The events, the newest first; those of one microsecond by descending id.
    pub events: Vec<Event>,
    /// Where the next page starts; `None` at the end.
    pub next: Option<EventCursor>,
}

impl EventPage {
    /// The page out of what a store found: all that match, or one more than the limit of them, in order.
    pub fn cut(mut events: Vec<Event>, limit: usize) -> Self {
        let more = events.len() > limit;
        events.truncate(limit);
        let next = events.last().filter(|_| more).map(EventCursor::of);
        Self { events, next }
    }
}
