//! A time on its way out of an integer column, which counts microseconds of the Unix clock. It knows no time zone.

use jiff::Timestamp;

/// The time of these microseconds; an error of decoding where none has them.
pub fn time(micros: i64) -> Result<Timestamp, sqlx::Error> {
    Timestamp::from_microsecond(micros).map_err(|_| sqlx::Error::Decode("a time is out of range".into()))
}
