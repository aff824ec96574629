//! The event store, in the same database as the history. Retrying is up to the caller.

use std::collections::BTreeMap;

use async_trait::async_trait;
use ttm_kernel::{Severity, StoreError};
use ttm_perf::{Appended, Event, EventCursor, EventId, EventPage, EventQuery, EventStore};
use ttm_sqlx_pool::postgres::{Pool, Time, query, query_as, store_error};

/// An event store in a PostgreSQL database.
#[derive(Clone, Debug)]
pub struct PostgresEventStore {
    pub(crate) writers: Pool,
    pub(crate) readers: Pool,
}

/// Events per insert: a few megabytes at most.
const ROWS: usize = 500;

/// Id, time, kind, subject, severity, payload.
type Row = (String, Time, String, String, String, String);

/// The queries differ in the index that serves them. `$2` is never later than the cursor's time `$5`, so events at that time
/// are ordered by id and all others come after it.
macro_rules! list {
    ($and:literal) => {
        concat!(
            "SELECT event_id::text, ts, kind, subject, severity, payload::text FROM event \
             WHERE ts >= $1 AND ts <= $2 AND kind >= $3 AND kind < $4 \
             AND ($5::timestamptz IS NULL OR ts < $5 OR event_id < $6::text::uuid) ",
            $and,
            " ORDER BY ts DESC, event_id DESC LIMIT $7"
        )
    };
}

impl PostgresEventStore {
    /// Stores a batch in one transaction and returns how many events were new.
    async fn store(&self, events: &[Event]) -> Result<u64, sqlx::Error> {
        // In the order of their identity, so that two writers of the same events do not deadlock. The first one wins.
        let mut rows: BTreeMap<EventCursor, &Event> = BTreeMap::new();
        for event in events {
            rows.entry(EventCursor::of(event)).or_insert(event);
        }
        let rows: Vec<&Event> = rows.into_values().collect();
        let mut tx = self.writers.begin().await?;
        let mut stored = 0;
        for rows in rows.chunks(ROWS) {
            let text = |of: fn(&Event) -> String| rows.iter().map(|event| of(event)).collect::<Vec<_>>();
            let inserted = query(
                "INSERT INTO event (event_id, ts, kind, subject, severity, payload) \
                 SELECT id::uuid, ts, kind, subject, severity, payload::json FROM \
                 unnest($1::text[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[]) \
                 AS new (id, ts, kind, subject, severity, payload) ON CONFLICT DO NOTHING",
            )
            .bind(text(|event| event.id().to_string()))
            .bind(rows.iter().map(|event| Time(event.at())).collect::<Vec<_>>())
            .bind(text(|event| event.kind().to_string()))
            .bind(text(|event| event.subject().to_string()))
            .bind(text(|event| event.severity().to_string()))
            .bind(text(|event| event.payload().as_str().to_owned()))
            .execute(&mut *tx)
            .await?;
            stored += inserted.rows_affected();
        }
        tx.commit().await?;
        Ok(stored)
    }

    async fn page(&self, asked: &EventQuery) -> Result<Vec<Event>, sqlx::Error> {
        let statement = match asked.subject() {
            None => list!(""),
            Some(_) => list!("AND subject = $8"),
        };
        let cursor = asked.cursor();
        let last = cursor.map_or(asked.last(), |cursor| cursor.at.min(asked.last()));
        let mut rows = query_as::<Row>(statement)
            .bind(Time::saturating(asked.first()))
            .bind(Time::saturating(last))
            .bind(asked.kind())
            // DEL sorts after every character of a kind, so this is exactly the range of the prefix.
            .bind(format!("{}\u{7f}", asked.kind()))
            .bind(cursor.map(|cursor| Time::saturating(cursor.at)))
            .bind(cursor.map(|cursor| cursor.id.to_string()))
            .bind(i64::try_from(asked.limit() + 1).unwrap_or(i64::MAX));
        if let Some(subject) = asked.subject() {
            rows = rows.bind(subject.as_str());
        }
        let mut tx = self.readers.begin_read().await?;
        let rows = rows.fetch_all(&mut *tx).await?;
        tx.commit().await?;
        rows.into_iter().map(event).collect()
    }
}

fn event((id, Time(at), kind, subject, severity, payload): Row) -> Result<Event, sqlx::Error> {
    let id = u128::from_str_radix(&id.replace('-', ""), 16).map_err(decode)?;
    let severity = Severity::parse(&severity)
        .ok_or_else(|| sqlx::Error::Decode(format!("there is no severity {severity}").into()))?;
    Ok(Event::new(
        EventId::from_bits(id),
        at,
        kind.parse().map_err(decode)?,
        subject.parse().map_err(decode)?,
        severity,
        payload.parse().map_err(decode)?,
    ))
}

fn decode(error: impl std::error::Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(error))
}

#[async_trait]
impl EventStore for PostgresEventStore {
    async fn append(&self, events: &[Event]) -> Result<Appended, StoreError> {
        let stored = self.store(events).await.map_err(store_error)?;
        Ok(Appended { stored, duplicates: events.len() as u64 - stored })
    }

    async fn list(&self, query: &EventQuery) -> Result<EventPage, StoreError> {
        let events = self.page(query).await.map_err(store_error)?;
        Ok(EventPage::cut(events, query.limit()))
    }
}
