//! Formats a log event as one line of flat JSON with unique keys, and numbers as numbers.

use std::fmt;

use jiff::Timestamp;
use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::registry::LookupSpan;

/// The format of the log when standard error is not a terminal.
pub(super) struct JsonLines;

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        #[expect(clippy::disallowed_methods, reason = "a log line has the wall time")]
        let now = Timestamp::now();
        let mut line = Line::default();
        line.put("timestamp", format!("{now:.6}").into());
        line.put("level", event.metadata().level().as_str().into());
        event.record(&mut line);
        writeln!(writer, "{line}")
    }
}

/// Keys and values, in order.
#[derive(Default)]
struct Line(Vec<(String, Value)>);

impl Line {
    /// A duplicate key gets a number, so that no value is lost.
    fn put(&mut self, key: &str, value: Value) {
        let taken = |key: &str| self.0.iter().any(|(other, _)| other == key);
        let mut free = key.to_owned();
        for number in 2.. {
            if !taken(&free) {
                break;
            }
            free = format!("{key}_{number}");
        }
        self.0.push((free, value));
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (key, value)) in self.0.iter().enumerate() {
            let before = if i == 0 { '{' } else { ',' };
            write!(f, "{before}{}:{value}", Value::from(key.as_str()))?;
        }
        f.write_str("}")
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}");
        // A newtype around a number, such as an epoch, is recorded by its text.
        let whole = text.parse::<u64>().ok().filter(|number| number.to_string() == text);
        self.put(field.name(), whole.map_or_else(|| text.into(), Value::from));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field.name(), value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field.name(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field.name(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field.name(), value.into());
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.put(field.name(), u64::try_from(value).map_or_else(|_| value.to_string().into(), Value::from));
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.put(field.name(), i64::try_from(value).map_or_else(|_| value.to_string().into(), Value::from));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field.name(), value.into());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;
    use tracing_subscriber::fmt;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(log: impl FnOnce()) -> String {
        let kept = Kept::default();
        let writer = kept.clone();
        let layer = fmt::layer().with_writer(move || writer.clone()).event_format(JsonLines);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), log);
        let bytes = kept.0.lock().clone();
        String::from_utf8(bytes).expect("text")
    }

    #[test]
    fn duplicate_keys_are_numbered() {
        let message = "the store's own";
        let line = logged(|| tracing::error!(level = 3, message, timestamp = "then", "said"));
        let rest = line.split_once(',').expect("a timestamp").1;
        assert_eq!(
            rest,
            "\"level\":\"ERROR\",\"message\":\"said\",\"level_2\":3,\"message_2\":\"the store's own\",\"timestamp_2\":\"then\"}\n"
        );
    }

    #[test]
    fn numbers_are_numbers_and_nan_is_null() {
        let epoch = std::num::NonZeroU64::MIN;
        let line =
            logged(|| tracing::info!(%epoch, big = 7_u128, share = 0.5, none = f64::NAN, id = "7", "x"));
        let value: Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!((&value["epoch"], &value["big"], &value["share"]), (&1.into(), &7.into(), &0.5.into()));
        assert_eq!((&value["none"], &value["id"]), (&Value::Null, &"7".into()));
    }
}
