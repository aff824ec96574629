//! Converts a time to and from a `timestamptz`, exact to the microsecond.

use jiff::Timestamp;
use sqlx::Postgres;
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo, PgValueFormat, PgValueRef};
use sqlx::{Decode, Encode, Type};

/// PostgreSQL counts microseconds from 2000-01-01; this is that day on the Unix clock.
const ORIGIN: i64 = 946_684_800_000_000;

/// PostgreSQL's first representable time, 4714-11-24 BC, in microseconds since its origin.
const FIRST: i64 = -211_813_488_000_000_000;

/// A `timestamptz`. Encoding refuses a time before PostgreSQL's first one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time(pub Timestamp);

impl Time {
    /// For the bound of a query: PostgreSQL's first time stands for everything before it.
    pub fn saturating(at: Timestamp) -> Self {
        Self(Timestamp::from_microsecond(FIRST + ORIGIN).map_or(at, |first| at.max(first)))
    }
}

impl Type<Postgres> for Time {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(1184))
    }
}

impl PgHasArrayType for Time {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(1185))
    }
}

impl Encode<'_, Postgres> for Time {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        let micros = self.0.as_microsecond() - ORIGIN;
        if micros < FIRST {
            return Err(format!("{} is before the first time that PostgreSQL can store", self.0).into());
        }
        <i64 as Encode<Postgres>>::encode_by_ref(&micros, buffer)
    }
}

impl Decode<'_, Postgres> for Time {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        if value.format() != PgValueFormat::Binary {
            return Err("a time arrived as text".into());
        }
        let micros = <i64 as Decode<Postgres>>::decode(value)?;
        Ok(Self(Timestamp::from_microsecond(micros.saturating_add(ORIGIN))?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(time: Timestamp) -> Option<Vec<u8>> {
        let mut buffer = PgArgumentBuffer::default();
        Time(time).encode_by_ref(&mut buffer).ok().map(|_| buffer.to_vec())
    }

    #[test]
    fn times_are_counted_from_the_year_2000() {
        assert_eq!(
            encoded("2000-01-01T00:00:00.000001Z".parse().expect("a time")),
            Some(1_i64.to_be_bytes().into())
        );
        assert_eq!(encoded(Timestamp::UNIX_EPOCH), Some((-ORIGIN).to_be_bytes().into()));
    }

    #[test]
    fn a_time_that_postgres_cannot_store_is_refused() {
        assert_eq!(encoded(Timestamp::MIN), None);
        assert!(encoded(Timestamp::MAX).is_some());
    }
}
