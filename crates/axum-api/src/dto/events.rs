//! Models of events. The contents of a payload depend on the kind of event.

use serde::Serialize;
use serde_json::value::RawValue;
use ttm_perf::{Event, EventPage};

/// `/api/v1/events`: a page.
#[derive(Clone, Debug, Serialize)]
pub struct EventsDto {
    /// The events, the newest first.
    pub events: Vec<EventDto>,
    /// The `cursor` of the next page; null at the end.
    pub next: Option<String>,
}

/// Something that happened.
#[derive(Clone, Debug, Serialize)]
pub struct EventDto {
    /// A UUID.
    pub id: String,
    /// When.
    pub at: String,
    /// What, as in `token.activated`.
    pub kind: String,
    /// What it happened to: a mint, or the name of a part.
    pub subject: String,
    /// `INFO`, `WARNING`, `ERROR` or `CRITICAL`.
    pub severity: &'static str,
    /// Reason and figures; the fields depend on the kind.
    pub payload: Box<RawValue>,
}

impl TryFrom<EventPage> for EventsDto {
    type Error = serde_json::Error;

    fn try_from(page: EventPage) -> Result<Self, serde_json::Error> {
        let events = page.events.iter().map(EventDto::try_from).collect::<Result<_, _>>()?;
        Ok(Self { events, next: page.next.map(|cursor| cursor.to_string()) })
    }
}

impl TryFrom<&Event> for EventDto {
    type Error = serde_json::Error;

    fn try_from(event: &Event) -> Result<Self, serde_json::Error> {
        Ok(Self {
            id: event.id().to_string(),
            at: event.at().to_string(),
            kind: event.kind().to_string(),
            subject: event.subject().to_string(),
            severity: event.severity().as_str(),
            payload: RawValue::from_string(event.payload().as_str().to_owned())?,
        })
    }
}
