//! Events and questions that the laws of an [`EventStore`] share. Subjects are named after their law.

use std::fmt;

use jiff::Timestamp;
use ttm_kernel::Severity;
use ttm_kernel::testing::{expect, works};

use crate::{Appended, Event, EventCursor, EventId, EventQuery, EventStore, Payload, Subject};

pub(super) fn at(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).expect("the suite's times are in range")
}

pub(super) fn subject(text: &str) -> Subject {
    text.parse().expect("the suite names its subjects well")
}

/// An event, told from others of its subject by its number.
pub(super) fn event(of: &str, micros: i64, number: u64) -> Event {
    with_kind(of, micros, number, "test.happened")
}

pub(super) fn with_kind(of: &str, micros: i64, number: u64, kind: &str) -> Event {
    // Subjects are no part of an identity, so that each has ids of its own.
    let own = of.bytes().fold(0_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    with_id(of, micros, u128::from(own) << 64 | u128::from(number), kind)
}

/// An event whose payload says its id.
pub(super) fn with_id(of: &str, micros: i64, id: u128, kind: &str) -> Event {
    let payload: Payload = format!(r#"{{"number": {id}}}"#).parse().expect("JSON");
    let kind = kind.parse().expect("the suite names its kinds well");
    Event::new(EventId::from_bits(id), at(micros), kind, subject(of), Severity::Info, payload)
}

/// One event a microsecond.
pub(super) fn events(of: &str, count: u16) -> Vec<Event> {
    (0..count).map(|n| event(of, n.into(), n.into())).collect()
}

pub(super) fn between(from: i64, to: i64, limit: usize) -> EventQuery {
    EventQuery::try_new(at(from), at(to), limit).expect("the suite's questions are valid")
}

pub(super) fn all(of: &str) -> EventQuery {
    EventQuery::try_new(Timestamp::MIN, Timestamp::MAX, EventQuery::MAX_LIMIT)
        .expect("the suite's questions are valid")
        .of_subject(subject(of))
}

/// Appends, and returns what was stored and what was a duplicate.
pub(super) async fn append(store: &dyn EventStore, events: &[Event]) -> (u64, u64) {
    let Appended { stored, duplicates } = works("append", store.append(events).await);
    (stored, duplicates)
}

pub(super) async fn listed(store: &dyn EventStore, query: &EventQuery) -> Vec<Event> {
    works("list", store.list(query).await).events
}

/// The places of all events that match, page by page.
pub(super) async fn paged(store: &dyn EventStore, query: &EventQuery) -> Vec<Place> {
    let (mut seen, mut page) = (Vec::new(), query.clone());
    loop {
        let found = works("list", store.list(&page).await);
        let count = found.events.len();
        assert!(count <= query.limit(), "a page: expected at most {} events, got {count}", query.limit());
        assert!(count > 0 || page.cursor().is_none(), "a page that was promised: expected events, got none");
        seen.extend(found.events.iter().map(Place::of));
        let Some(next) = found.next else { return seen };
        expect("where a page ends", seen.last(), Some(&Place(next)));
        assert!(
            count == query.limit(),
            "a page before the last: expected {} events, got {count}",
            query.limit()
        );
        let is_further = page.cursor().is_none_or(|before| next < before);
        assert!(is_further, "a page: expected it to end after the one before, got both ending at {next}");
        page = query.clone().after(next);
    }
}

/// An event's place in the order of pages, as it is shown.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place(pub(super) EventCursor);

impl Place {
    pub(super) fn of(event: &Event) -> Self {
        Self(EventCursor::of(event))
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Their places in the order of pages.
pub(super) fn places(events: &[Event]) -> Vec<Place> {
    let mut places: Vec<Place> = events.iter().map(Place::of).collect();
    places.sort_unstable_by(|one, other| other.cmp(one));
    places
}
