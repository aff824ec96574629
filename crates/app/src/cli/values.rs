//! How values of the API's answers are shown.

use jiff::Timestamp;
use serde_json::Value;

use super::output::printable;

/// The longest word that is shown.
const WORD: usize = 60;

/// A short value; `-` if it is unknown.
pub(super) fn word(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => printable(text, WORD),
        other => other.to_string(),
    }
}

/// A period of so many seconds.
pub(super) fn duration(seconds: &Value) -> String {
    seconds.as_f64().map_or_else(|| "-".to_owned(), spoken)
}

/// A period in suitable units.
pub(super) fn spoken(seconds: f64) -> String {
    if seconds < 60.0 {
        return format!("{seconds:.1}s");
    }
    let minutes = (seconds / 60.0).floor();
    if minutes < 60.0 {
        return format!("{minutes}m{:02.0}s", (seconds - minutes * 60.0).floor());
    }
    format!("{:.0}h{:02.0}m", (minutes / 60.0).floor(), minutes % 60.0)
}

/// A time to the second, in UTC as the log has it.
pub(super) fn moment(at: &Value) -> String {
    let at = at.as_str().and_then(|text| text.parse::<Timestamp>().ok());
    at.map_or_else(|| "-".to_owned(), |at| at.strftime("%Y-%m-%d %H:%M:%SZ").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_shown_in_suitable_units() {
        let shown = [0.0, 59.94, 60.0, 119.9, 3_599.0, 3_600.0, 90_000.0].map(spoken);
        assert_eq!(shown, ["0.0s", "59.9s", "1m00s", "1m59s", "59m59s", "1h00m", "25h00m"]);
    }

    #[test]
    fn a_time_is_shown_to_the_second_and_what_is_none_as_a_dash() {
        assert_eq!(moment(&"2026-11-23T20:00:43.5Z".into()), "2026-11-23 20:00:43Z");
        assert_eq!([moment(&Value::Null), moment(&"soon".into())], ["-", "-"]);
    }
}
