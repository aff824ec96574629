//! What 100,000 alerts cost: memory is counted, and work is counted in what is looked at. Speed is for the benchmarks.

use std::time::Duration;

use ttm_alert::testing::{rule_set, wall};
use ttm_alert::{
    Attempt, ChannelId, Desk, Engine, Labels, Matcher, Measurement, NotifyConfig, NotifySettings, Now,
    Outcome, Quiet, Reading, When,
};
use ttm_kernel::{Epoch, Moment, Severity};

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

fn at(second: u64) -> Now {
    let moment = Moment::from_origin(Duration::from_secs(second));
    Now { moment, wall: wall(second.try_into().expect("small")), jitter: 0.5 }
}

fn new_desk() -> Desk {
    let settings =
        NotifySettings { default_channels: vec![ChannelId::new("ops")], ..NotifySettings::default() };
    let config = NotifyConfig::try_new(settings).expect("valid");
    Desk::new(rule_set(), config, Epoch::new(1), at(0))
}

/// Both collectors evaluate, and find these.
fn find(desk: &mut Desk, second: u64, measurements: impl Iterator<Item = Measurement>) {
    for collector in ["fast", "slow"] {
        desk.begin(collector, at(second).moment);
    }
    for measurement in measurements {
        desk.handle(&measurement).expect("it fits");
    }
    for collector in ["fast", "slow"] {
        desk.end(collector);
    }
}

#[test]
fn a_storm_is_stored_in_pieces_and_its_message_with_the_last() {
    let mut desk = new_desk();
    let mut commits = Vec::new();
    for second in [0, 10, 20] {
        find(&mut desk, second, (0..1_000).map(|place| measurement(place, 25.0)));
        desk.handle_timeout(at(second));
        while desk.poll(100, at(second)) {}
        while let Some(commit) = desk.poll_commit(at(second)) {
            desk.handle_committed();
            commits.push((commit.records.len(), commit.rows.len()));
        }
    }
    assert_eq!(commits, [(250, 0), (250, 0), (250, 0), (250, 0), (250, 0), (250, 0), (250, 0), (250, 1)]);
    let attempt = next(&mut desk, 20).expect("it is stored");
    assert_eq!((attempt.row.message.items.len(), attempt.row.message.more_items), (50, 950));
}

#[test]
fn a_critical_message_is_in_the_next_commit_however_much_of_others_is_to_be_stored() {
    let mut desk = new_desk();
    for second in [0, 10, 20] {
        let open = |place| Measurement { series: "open", ..measurement(place, 1.0) };
        let warnings = (0..10_000).map(open).filter(|_| second == 20);
        find(&mut desk, second, warnings.chain([measurement(0, 25.0)]));
        desk.handle_timeout(at(second));
        while desk.poll(100, at(second)) {}
        if second == 20 {
            desk.checkpoint();
            while desk.poll(100, at(second)) {}
            let commit = desk.poll_commit(at(second)).expect("there is much to store");
            desk.handle_committed();
            let rows: Vec<Severity> = commit.rows.iter().map(|row| row.message.severity).collect();
            assert_eq!((commit.records.len(), rows), (250, vec![Severity::Critical]));
        }
    }
    assert!(next(&mut desk, 20).is_some());
}

fn next(desk: &mut Desk, second: u64) -> Option<Attempt> {
    desk.poll_channels(at(second)).iter().find_map(|channel| desk.poll_send(channel, at(second)))
}

/// The most that one call allocates, by what was called: each alert that is looked at costs some.
#[derive(Default)]
struct Most(std::collections::BTreeMap<&'static str, u64>);

impl Most {
    fn of<T>(&mut self, call: &'static str, run: impl FnOnce() -> T) -> T {
        let mut result = None;
        let count = allocation_counter::measure(|| result = Some(run())).count_total;
        let most = self.0.entry(call).or_default();
        *most = count.max(*most);
        result.expect("it has run")
    }

    /// Everything that is to be done at this time.
    fn rest(&mut self, desk: &mut Desk, second: u64, outcome: &Outcome) -> Vec<usize> {
        let mut sent = Vec::new();
        self.of("handle_timeout", || desk.handle_timeout(at(second)));
        loop {
            while self.of("poll", || desk.poll(10, at(second))) {}
            let commit = self.of("poll_commit", || desk.poll_commit(at(second)));
            let is_any = commit.is_some();
            self.of("handle_committed", || desk.handle_committed());
            let channels = self.of("poll_channels", || desk.poll_channels(at(second)));
            let next = channels.iter().find_map(|id| self.of("poll_send", || desk.poll_send(id, at(second))));
            let Some(attempt) = next else {
                if is_any {
                    continue;
                }
                return sent;
            };
            sent.push(attempt.row.covers.len());
            let (key, zero) = (&attempt.row.key, Duration::ZERO);
            self.of("handle_outcome", || desk.handle_outcome(key, outcome, zero, at(second)));
        }
    }
}

/// Ten thousand alerts fire, are told, are refused their channel, are silenced, and have the same cause, which ends.
#[test]
fn no_call_costs_more_when_there_are_more_alerts() {
    let (mut desk, mut most) = (new_desk(), Most::default());
    let of = |series, place: u64, value| Measurement { series, ..measurement(place, value) };
    let late = || (0..5_000).map(|place| of("late", place, 9.0));
    let delivered = Outcome::Delivered { remote_id: None };
    find(&mut desk, 0, (0..5_000).map(|place| of("open", place, 1.0)).chain(late()));
    assert_eq!(most.rest(&mut desk, 0, &delivered), [0; 0]);
    find(&mut desk, 10, std::iter::empty());
    let busy = Outcome::Retry { after: None, why: "503".to_owned() };
    assert_eq!(most.rest(&mut desk, 31, &busy), [5_000], "one message, tried once");
    let matcher = Matcher { rule: Some("open".to_owned()), ..Matcher::default() };
    let when = When::Once { from: wall(0), until: Some(wall(60)) };
    let quiet = Quiet::try_new(matcher, when, "ada", "we know").expect("valid");
    most.of("silence", || desk.silence(quiet, at(32)).expect("there are not too many"));
    assert_eq!(most.rest(&mut desk, 40, &delivered), [0; 0]);
    assert_eq!(most.rest(&mut desk, 61, &delivered), [0; 0], "they wait for their group again");
    assert_eq!(most.rest(&mut desk, 92, &delivered), [5_000]);
    desk.checkpoint();
    assert_eq!(most.rest(&mut desk, 93, &delivered), [0; 0]);
    find(&mut desk, 100, (0..5_000).map(|place| of("open", place, 0.0)));
    most.rest(&mut desk, 100, &delivered);
    find(&mut desk, 110, std::iter::empty());
    assert_eq!(most.rest(&mut desk, 110, &delivered), [5_000], "the cause is over");
    assert_eq!(most.rest(&mut desk, 141, &delivered), [5_000], "and its consequences are told");
    let Most(most) = most;
    assert!(most["poll_commit"] < 2_000, "250 states: {most:?}");
    let others = most.iter().filter(|(call, _)| **call != "poll_commit");
    assert!(others.clone().all(|(_, count)| *count < 200), "{most:?}");
}

#[test]
fn an_alert_that_was_told_takes_at_most_a_kilobyte_in_all() {
    const ALERTS: u64 = 10_000;
    let mut desk = new_desk();
    let told = allocation_counter::measure(|| {
        let delivered = Outcome::Delivered { remote_id: None };
        for second in [0, 10, 20, 51] {
            let load = (0..ALERTS).map(|place| measurement(place, 12.0));
            find(&mut desk, second, load.filter(|_| second < 51));
            Most::default().rest(&mut desk, second, &delivered);
        }
    });
    let firing = usize::try_from(ALERTS).expect("small");
    assert_eq!((desk.engine().active(), desk.is_saved(), desk.waiting().len()), (firing, true, 0));
    let key = desk.firing().next().expect("they fire").key;
    assert!(desk.record(&key).is_some_and(|record| record.cases[0].told[0].is_delivered));
    let each = told.bytes_current / i64::try_from(ALERTS).expect("small");
    assert!(each <= 1_000, "{each} bytes each, {told:?}");
}

#[test]
fn beyond_the_most_alerts_none_begins_until_another_is_over() {
    let mut engine = Engine::new(rule_set(), Epoch::new(1), Moment::ZERO);
    let open = |place, reading| Measurement { series: "open", reading, ..measurement(place, 1.0) };
    let most = u64::try_from(Engine::MOST).expect("small");
    for place in 0..=most {
        engine.handle(&open(place, Reading::Value(1.0))).expect("it fits");
    }
    assert_eq!((engine.active(), engine.refused()), (Engine::MOST, 1));
    engine.handle(&open(0, Reading::Gone)).expect("it fits");
    engine.handle(&open(most, Reading::Value(1.0))).expect("it fits");
    assert_eq!((engine.active(), engine.refused()), (Engine::MOST, 1));
}

#[test]
fn what_is_due_at_once_is_done_in_slices() {
    let mut engine = Engine::new(rule_set(), Epoch::new(1), Moment::ZERO);
    evaluate(&mut engine, 0, 0..10_000, 12.0);
    assert_eq!(evaluate(&mut engine, 10, 0..0, 0.0), 1, "nothing is due yet");
    assert_eq!(evaluate(&mut engine, 20, 0..0, 0.0), 100, "10,000 fire, 100 a slice");
    assert_eq!(evaluate(&mut engine, 30, 0..1_000, 13.0), 1, "what changes nothing leaves nothing to do");
}
