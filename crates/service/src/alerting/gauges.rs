//! What is measured, for whoever scrapes: rules of Prometheus can say the same as those of the service.

use metrics::Label;
use ttm_alert::{Measurement, Reading};

/// The gauge that shows what is measured for a series, with the labels of the series; not a number while there is no value. That
/// of a counter is its total since the start.
pub fn metric_name(series: &str) -> String {
    format!("ttm_{}", series.replace('.', "_"))
}

pub(super) fn show(measurement: &Measurement) {
    let labels = measurement.labels.iter();
    let labels: Vec<Label> =
        labels.map(|(key, value)| Label::new(key.to_owned(), value.to_owned())).collect();
    let value = match measurement.reading {
        Reading::Value(value) => value,
        Reading::Missing(_) | Reading::Idle(_) | Reading::Gone => f64::NAN,
    };
    metrics::gauge!(metric_name(measurement.series), labels).set(value);
}
