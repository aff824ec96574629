//! Very many alerts begin at once and end at once: how many messages that makes.

use std::time::Duration;

use ttm_alert::Measurement;
use ttm_bench::{Bound, Figure, Figures, Scenario, Shown};

use crate::desk::{EVERY, Worked, found};

pub(crate) const STORM: Scenario = Scenario { name: "10,000 alerts at once", play: storm };

const ALERTS: usize = 10_000;
const CHANNELS: [&str; 3] = ["mail", "ops", "phone"];
/// A series of each of these rules, a label that it has, and what is bad: `processing_stopped` (CRITICAL), `group_not_running`,
/// `api_slow`, and `source_failing`. None is a consequence of another.
const SERIES: [(&str, &str, f64); 4] = [
    ("group.without_progress_seconds", "group", 400.0),
    ("group.overdue_seconds", "group", 100.0),
    ("api.p95_seconds", "api", 3.0),
    ("source.failing", "source", 1.0),
];
/// Longer than any of these rules waits until it fires or is over, and shorter than until any of it is told again.
const WATCHED: Duration = Duration::from_mins(20);

fn all(is_bad: bool) -> Vec<Measurement> {
    let each = |number: usize| {
        let (series, label, bad) = SERIES[number % SERIES.len()];
        found(series, &[(label, &format!("place-{number:05}"))], if is_bad { bad } else { 0.0 })
    };
    (0..ALERTS).map(each).collect()
}

#[expect(clippy::unnecessary_wraps, reason = "scenarios may fail")]
fn storm(shown: Shown<'_>) -> Figures {
    let mut worked = Worked::new(&CHANNELS);
    worked.evaluate(&[]);
    worked.tell();
    let mut told = |what: &str, is_bad| {
        shown(what);
        worked.sent.clear();
        worked.evaluate(&all(is_bad));
        worked.tell();
        for _ in 0..WATCHED.as_secs() / EVERY.as_secs() {
            worked.pass(EVERY);
            worked.evaluate(&[]);
            worked.tell();
        }
        let most = worked.sent.values().copied().max().unwrap_or_default();
        (most as f64, worked.sent.values().sum::<usize>() as f64, worked.desk.engine().active() as f64)
    };
    let (most, all, fire) = told("they begin", true);
    let (most_ends, all_ends, left) = told("they end", false);
    Ok(vec![
        Figure::new("they fire", fire, "").bound(Bound::AtLeast(ALERTS as f64)),
        Figure::new("messages to a channel about a group", most, "").bound(Bound::AtMost(1.0)),
        Figure::new("messages about 4 groups on 3 channels", all, ""),
        Figure::new("they still fire after their end", left, "").bound(Bound::AtMost(0.0)),
        Figure::new("of their end: to a channel about a group", most_ends, "").bound(Bound::AtMost(1.0)),
        Figure::new("of their end: about 4 groups on 3 channels", all_ends, ""),
    ])
}
