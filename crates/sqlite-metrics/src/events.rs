//! The event store, in the same file as the history. Retrying is up to the caller.

use async_trait::async_trait;
use sqlx::SqliteConnection;
use ttm_kernel::{Severity, StoreError};
use ttm_perf::{Appended, Event, EventId, EventPage, EventQuery, EventStore};
use ttm_sqlx_pool::sqlite::store_error;
use ttm_sqlx_pool::sqlite::{File, time};

/// An event store in an SQLite file.
#[derive(Clone, Debug)]
pub struct SqliteEventStore {
    pub(crate) file: File,
}

/// Id, time, kind, subject, severity, payload.
type Row = (Vec<u8>, i64, String, String, String, String);

/// The queries differ in the index that serves them. `?2` is never later than the cursor's time `?5`, so events at that time
/// are ordered by id and all others come after it.
macro_rules! list {
    ($and:literal) => {
        concat!(
            "SELECT event_id, ts, kind, subject, severity, payload FROM event \
             WHERE ts >= ?1 AND ts <= ?2 AND kind >= ?3 AND kind < ?4 \
             AND (?5 IS NULL OR ts < ?5 OR event_id < ?6) ",
            $and,
            " ORDER BY ts DESC, event_id DESC LIMIT ?7"
        )
    };
}

impl SqliteEventStore {
    /// Stores a batch in one transaction and returns how many events were new.
    async fn store(&self, events: &[Event]) -> Result<u64, sqlx::Error> {
        let mut tx = self.file.begin().await?;
        let mut stored = 0;
        for event in events {
            stored += insert(&mut tx, event).await?;
        }
        tx.commit().await?;
        Ok(stored)
    }

    async fn page(&self, query: &EventQuery) -> Result<Vec<Event>, sqlx::Error> {
        let statement = match query.subject() {
            None => list!(""),
            Some(_) => list!("AND subject = ?8"),
        };
        let cursor = query.cursor();
        let last = cursor.map_or(query.last(), |cursor| cursor.at.min(query.last()));
        let mut rows = sqlx::query_as::<_, Row>(statement)
            .bind(query.first().as_microsecond())
            .bind(last.as_microsecond())
            .bind(query.kind())
            // DEL sorts after every character of a kind, so this is exactly the range of the prefix.
            .bind(format!("{}\u{7f}", query.kind()))
            .bind(cursor.map(|cursor| cursor.at.as_microsecond()))
            .bind(cursor.map(|cursor| cursor.id.bits().to_be_bytes().to_vec()))
            .bind(i64::try_from(query.limit() + 1).unwrap_or(i64::MAX));
        if let Some(subject) = query.subject() {
            rows = rows.bind(subject.as_str());
        }
        rows.fetch_all(self.file.readers()).await?.into_iter().map(event).collect()
    }
}

async fn insert(tx: &mut SqliteConnection, event: &Event) -> Result<u64, sqlx::Error> {
    let inserted = sqlx::query(
        "INSERT INTO event (event_id, ts, kind, subject, severity, payload) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
         ON CONFLICT DO NOTHING",
    )
    .bind(event.id().bits().to_be_bytes().to_vec())
    .bind(event.at().as_microsecond())
    .bind(event.kind().as_str())
    .bind(event.subject().as_str())
    .bind(event.severity().as_str())
    .bind(event.payload().as_str())
    .execute(tx)
    .await?;
    Ok(inserted.rows_affected())
}

fn event((id, at, kind, subject, severity, payload): Row) -> Result<Event, sqlx::Error> {
    let id = <[u8; 16]>::try_from(id).map_err(|_| sqlx::Error::Decode("an id is not of 16 bytes".into()))?;
    let severity = Severity::parse(&severity)
        .ok_or_else(|| sqlx::Error::Decode(format!("there is no severity {severity}").into()))?;
    Ok(Event::new(
        EventId::from_bits(u128::from_be_bytes(id)),
        time(at)?,
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
impl EventStore for SqliteEventStore {
    async fn append(&self, events: &[Event]) -> Result<Appended, StoreError> {
        let stored = self.store(events).await.map_err(store_error)?;
        Ok(Appended { stored, duplicates: events.len() as u64 - stored })
    }

    async fn list(&self, query: &EventQuery) -> Result<EventPage, StoreError> {
        let events = self.page(query).await.map_err(store_error)?;
        Ok(EventPage::cut(events, query.limit()))
    }
}
