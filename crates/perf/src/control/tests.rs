//! Adaptive control by example, and its laws under any calls and settings.

use proptest::prelude::*;

use super::*;

fn calls(errors: u64, p95: u64, p99: u64) -> CallSummary {
    let millis = |millis| Some(Duration::from_millis(millis));
    CallSummary { calls: 100, errors, p95: millis(p95), p99: millis(p99), ..CallSummary::default() }
}

fn update(control: &mut Control, summary: &CallSummary) -> Vec<ControlChange> {
    control.update(summary).collect()
}

#[test]
fn the_defaults_pass_their_own_checks_and_bad_ones_are_named() {
    assert_eq!(ControlConfig::try_new(ControlSettings::default()), Ok(ControlConfig::default()));
    let errors = ControlConfig::try_new(ControlSettings {
        timeout_floor: Duration::ZERO,
        timeout_factor: f64::NAN,
        least_in_flight: 0,
        most_in_flight: 0,
        error_rate: 2.0,
        slow_factor: 0.5,
        ..ControlSettings::default()
    })
    .expect_err("nearly all of these are wrong");
    let keys: Vec<_> = errors.iter().map(|error| error.key).collect();
    assert_eq!(keys, ["timeout_floor", "timeout_factor", "least_in_flight", "error_rate", "slow_factor"]);
}

#[test]
fn an_attempt_may_take_three_times_the_99th_percentile_within_bounds() {
    let mut control = Control::new(ControlConfig::default());
    for (p99, millis) in [(140, 1_000), (500, 1_500), (550, 1_500), (700, 2_100), (9_000, 5_000)] {
        update(&mut control, &calls(0, 100, p99));
        assert_eq!(control.attempt_timeout(), Duration::from_millis(millis), "after a p99 of {p99} ms");
    }
}

#[test]
fn errors_and_slowness_halve_the_limit_on_requests_and_calm_raises_it_one_by_one() {
    let mut control = Control::new(ControlConfig::default());
    assert!(update(&mut control, &calls(5, 100, 1_700)).iter().all(|c| c.what != Controlled::InFlight));
    let change = *update(&mut control, &calls(11, 100, 1_700)).last().expect("it halves");
    assert_eq!((change.from, change.to, change.reason), (32, 16, ControlReason::Errors));
    assert_eq!(update(&mut control, &calls(11, 100, 1_700)), [], "the same errors are no news");
    let change = *update(&mut control, &calls(0, 300, 1_700)).last().expect("it halves");
    assert_eq!((change.from, change.to, change.reason), (16, 8, ControlReason::Latency));
    assert_eq!(update(&mut control, &calls(0, 300, 1_700)), [], "nor is the same slowness");
    let change = *update(&mut control, &calls(0, 100, 1_700)).last().expect("it grows");
    assert_eq!((change.from, change.to, change.reason), (8, 9, ControlReason::Calm));
}

#[test]
fn a_few_calls_change_nothing() {
    let mut control = Control::new(ControlConfig::default());
    let few = CallSummary { calls: 19, ..calls(19, 100, 100) };
    assert_eq!(update(&mut control, &few), []);
}

fn bounds(timeout_floor: u64, timeout_ceiling: u64, least: usize, most: usize) -> ControlSettings {
    ControlSettings {
        timeout_floor: Duration::from_millis(timeout_floor),
        timeout_ceiling: Duration::from_millis(timeout_ceiling),
        least_in_flight: least,
        most_in_flight: most,
        ..ControlSettings::default()
    }
}

fn reconfigure(control: &mut Control, settings: ControlSettings) -> Vec<ControlChange> {
    control.reconfigure(ControlConfig::try_new(settings).expect("valid settings")).collect()
}

#[test]
fn new_bounds_move_values_outside_of_them_and_those_at_their_upper_bound() {
    let mut control = Control::new(ControlConfig::default());
    let changes = reconfigure(&mut control, bounds(1_000, 9_000, 4, 40));
    let told = changes.iter().map(|change| (change.what, change.to, change.reason));
    let settings = ControlReason::Settings;
    assert!(told.eq([(Controlled::AttemptTimeout, 9_000, settings), (Controlled::InFlight, 40, settings)]));
    update(&mut control, &calls(11, 100, 2_000));
    assert_eq!(reconfigure(&mut control, bounds(2_000, 8_000, 10, 30)), [], "6 s and 20 are within");
    assert_eq!(reconfigure(&mut control, bounds(7_000, 8_000, 1, 10)).len(), 2);
    assert_eq!((control.attempt_timeout(), control.in_flight()), (Duration::from_secs(7), 10));
}

#[test]
fn the_errors_of_the_last_cut_do_not_cut_again_after_a_change() {
    let mut control = Control::new(ControlConfig::default());
    update(&mut control, &calls(20, 100, 2_000));
    reconfigure(&mut control, ControlSettings { error_rate: 0.05, ..ControlSettings::default() });
    assert_eq!(update(&mut control, &calls(20, 100, 2_000)), []);
    assert_eq!(control.in_flight(), 16);
}

#[derive(Clone, Debug)]
enum Step {
    Calls { all: u64, errors: u64, p95: u64, p99: u64 },
    Reconfigure(ControlSettings),
}

fn any_step() -> impl Strategy<Value = Step> {
    let calls = (0_u64..200, 0_u64..=100, 0_u64..20_000, 0_u64..20_000);
    let values = (1_u64..5_000, 0_u64..5_000, 1_usize..40, 0_usize..40);
    prop_oneof![
        9 => calls.prop_map(|(all, errors, p95, p99)| Step::Calls { all, errors, p95, p99 }),
        1 => values.prop_map(|(floor, above, least, more)| {
            Step::Reconfigure(bounds(floor, floor + above, least, least + more))
        }),
    ]
}

proptest! {
    #[test]
    fn both_stay_within_their_bounds_and_every_change_is_reported(
        steps in prop::collection::vec(any_step(), 1..100),
    ) {
        let mut settings = ControlSettings::default();
        let mut control = Control::new(ControlConfig::default());
        for step in steps {
            let before = (control.attempt_timeout(), control.in_flight());
            let changes = match step {
                Step::Calls { all, errors, p95, p99 } => {
                    update(&mut control, &CallSummary { calls: all, ..calls(errors, p95, p99) })
                }
                Step::Reconfigure(new) => {
                    let was_most = (before.0 == settings.timeout_ceiling, before.1 == settings.most_in_flight);
                    settings = new.clone();
                    let changes = reconfigure(&mut control, new);
                    let follow = |was_most, before, after, least, most| {
                        if was_most { after == most } else { after == Ord::clamp(before, least, most) }
                    };
                    let [floor, ceiling, timeout, old] =
                        [settings.timeout_floor, settings.timeout_ceiling, control.attempt_timeout(), before.0]
                            .map(|time| time.as_millis());
                    prop_assert!(follow(was_most.0, old, timeout, floor, ceiling));
                    let [least, most, in_flight, old] =
                        [settings.least_in_flight, settings.most_in_flight, control.in_flight(), before.1]
                            .map(|count| count as u128);
                    prop_assert!(follow(was_most.1, old, in_flight, least, most));
                    changes
                }
            };
            prop_assert!((settings.timeout_floor..=settings.timeout_ceiling).contains(&control.attempt_timeout()));
            prop_assert!((settings.least_in_flight..=settings.most_in_flight).contains(&control.in_flight()));
            let changed = usize::from(before.0 != control.attempt_timeout()) + usize::from(before.1 != control.in_flight());
            prop_assert_eq!(changes.len(), changed);
        }
    }
}
