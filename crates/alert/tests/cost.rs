//! What 100,000 alerts cost: memory is counted, and work is counted in what is looked at. Speed is for the benchmarks.

use std::time::Duration;

use ttm_alert::testing::{rule_set, wall};
use ttm_alert::{ChannelId, Desk, Engine, Labels, Measurement, NotifyConfig, NotifySettings, Now, Reading};
use ttm_kernel::{Epoch, Moment};

const PAIRS: u64 = 100_000;

fn measurement(place: u64, value: f64) -> Measurement {
    let labels = Labels::try_new([("at", &*format!("place-{place:07}"))]).expect("valid");
    Measurement { series: "load", labels, reading: Reading::Value(value), at: wall(0) }
}

fn evaluate(engine: &mut Engine, second: u64, places: std::ops::Range<u64>, value: f64) -> usize {
    engine.begin("fast", Moment::from_origin(Duration::from_secs(second)));
    for place in places {
        engine.handle(&measurement(place, value)).expect("it fits");
    }
    engine.end("fast");
    let mut slices = 1;
    while engine.poll(100, wall(0)) {
        slices += 1;
    }
    while engine.poll_transition().is_some() {}
    slices
}

#[test]
fn a_firing_alert_at_rest_takes_at_most_200_bytes_and_a_quiet_one_nothing() {
    let mut engine = None;
    let quiet = allocation_counter::measure(|| {
        let mut new = Engine::new(rule_set(), Epoch::new(1), Moment::ZERO);
        evaluate(&mut new, 0, 0..PAIRS, 5.0);
        engine = Some(new);
    });
    assert!(quiet.bytes_current < 20_000, "{quiet:?}");
    let mut engine = engine.expect("it was made");
    let firing = allocation_counter::measure(|| {
        for second in [10, 20, 30] {
            evaluate(&mut engine, second, 0..if second == 10 { PAIRS } else { 0 }, 12.0);
        }
    });
    assert_eq!(engine.active(), 100_000);
    let each = firing.bytes_current / i64::try_from(PAIRS).expect("small");
    assert!(each <= 200, "{each} bytes each, {firing:?}");
}

#[test]
fn a_storm_is_stored_in_pieces_and_its_message_with_the_last() {
    let settings =
        NotifySettings { default_channels: vec![ChannelId::new("ops")], ..NotifySettings::default() };
    let config = NotifyConfig::try_new(settings).expect("valid");
    let at = |second: u64| {
        let moment = Moment::from_origin(Duration::from_secs(second));
        Now { moment, wall: wall(second.try_into().expect("small")), jitter: 0.5 }
    };
    let mut desk = Desk::new(rule_set(), config, Epoch::new(1), at(0));
    let mut commits = Vec::new();
    for second in [0, 10, 20] {
        for collector in ["fast", "slow"] {
            desk.begin(collector, at(second));
        }
        for place in 0..1_000 {
            desk.handle(&measurement(place, 25.0)).expect("it fits");
        }
        for collector in ["fast", "slow"] {
            desk.end(collector);
        }
        desk.handle_timeout(at(second));
        while desk.poll(100, at(second)) {}
        while let Some(commit) = desk.poll_commit(at(second)) {
            desk.handle_committed();
            commits.push((commit.records.len(), commit.rows.len()));
        }
    }
    assert_eq!(commits, [(250, 0), (250, 0), (250, 0), (250, 0), (250, 0), (250, 0), (250, 0), (250, 1)]);
    let attempt = desk.poll_send(at(20)).expect("it is stored");
    assert_eq!((attempt.row.message.items.len(), attempt.row.message.more_items), (50, 950));
}

#[test]
fn what_is_due_at_once_is_done_in_slices() {
    let mut engine = Engine::new(rule_set(), Epoch::new(1), Moment::ZERO);
    evaluate(&mut engine, 0, 0..10_000, 12.0);
    assert_eq!(evaluate(&mut engine, 10, 0..0, 0.0), 1, "nothing is due yet");
    assert_eq!(evaluate(&mut engine, 20, 0..0, 0.0), 100, "10,000 fire, 100 a slice");
    assert_eq!(evaluate(&mut engine, 30, 0..1_000, 13.0), 1, "what changes nothing leaves nothing to do");
}
