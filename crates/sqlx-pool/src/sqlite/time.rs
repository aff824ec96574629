//! Reads a time from an integer column of microseconds since the Unix epoch.

use jiff::Timestamp;

/// The time at these microseconds; a decoding error if they are out of range.
pub fn time(micros: i64) -> Result<Timestamp, sqlx::Error> {
    Timestamp::from_microsecond(micros).map_err(|_| sqlx::Error::Decode("a time is out of range".into()))
}
