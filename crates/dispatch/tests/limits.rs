//! What is capped and counted, to the last one, and keys that left an entry behind in a line.

use std::time::Duration;

use ttm_dispatch::{
    Ask, Counts, Demand, DispatchConfig, DispatchSettings, Dispatcher, End, Lists, Place, Priority, Request,
    Seen, Value, outlook,
};
use ttm_kernel::{Lane, Moment, PerLane};

const HOT: Place = Place { lane: Lane::Hot, value: Value::Low };
const COLD: Place = Place { lane: Lane::Cold, value: Value::Low };

fn start() -> Moment {
    Moment::from_origin(Duration::from_hours(1))
}

fn dispatcher(settings: DispatchSettings) -> Dispatcher<u32> {
    Dispatcher::new(DispatchConfig::try_new(settings).expect("valid settings"))
}

/// Asks for one key at a time, at once.
fn one_by_one() -> Dispatcher<u32> {
    dispatcher(DispatchSettings { batch: 1, coalesce: Duration::ZERO, ..DispatchSettings::default() })
}

fn keys(request: &Request<u32>) -> Vec<u32> {
    match &request.ask {
        Ask::Batch(asked) => asked.iter().map(|asked| asked.key).collect(),
        Ask::One(asked, _) => vec![asked.key],
    }
}

#[test]
fn priorities_have_the_words_of_the_metrics() {
    let words = Priority::ALL.map(Priority::as_str);
    assert_eq!(words, ["activation", "hot", "cold", "background"]);
}

#[test]
fn keys_a_batch_are_the_mean_and_unknown_before_the_first() {
    assert_eq!(Counts::default().keys_per_batch(), None);
    assert_eq!(Counts { batches: 4, batched: 110, ..Counts::default() }.keys_per_batch(), Some(27.5));
    assert_eq!(Counts { batches: 1, batched: 0, ..Counts::default() }.keys_per_batch(), Some(0.0));
}

#[test]
fn the_counts_say_where_each_key_is() {
    let mut dispatcher = dispatcher(DispatchSettings { batch: 4, ..DispatchSettings::default() });
    for key in 0..8 {
        dispatcher.put(key, HOT, None);
    }
    dispatcher.put(8, COLD, None);
    for key in 20..23 {
        dispatcher.back_off(key, start(), Duration::from_mins(5));
    }
    let counts = dispatcher.counts();
    assert_eq!(
        (counts.in_line, counts.waiting, counts.resting),
        (PerLane { hot: 8, cold: 1 }, PerLane::default(), 3)
    );
    dispatcher.tick(Lane::Hot, start());
    assert_eq!(dispatcher.counts().waiting, PerLane { hot: 8, cold: 0 });

    let batch = dispatcher.poll(start()).expect("a full batch");
    assert!(dispatcher.handle_done(&batch, End::Blamed, start()), "it is asked again by halves");
    let counts = dispatcher.counts();
    assert_eq!(
        (counts.in_line, counts.waiting, counts.unanswered),
        (PerLane { hot: 4, cold: 1 }, PerLane { hot: 4, cold: 0 }, PerLane { hot: 4, cold: 0 })
    );
    assert_eq!((counts.split, counts.bad, counts.resting), (1, 0, 3));

    // One of the four fails with whatever is asked for along with it, and backs off with the others.
    let mut now = start();
    for _ in 0..20 {
        now += Duration::from_secs(1);
        let Some(request) = dispatcher.poll(now) else { continue };
        let end = if keys(&request).contains(&0) { End::Blamed } else { End::Answered };
        dispatcher.handle_done(&request, end, now);
    }
    let counts = dispatcher.counts();
    assert_eq!((counts.bad, counts.resting, counts.unanswered), (1, 4, PerLane::default()));
    assert_eq!(counts.split, 2, "the four, and the half with that one in it");
}

#[test]
fn keys_without_a_turn_and_keys_to_be_asked_for_apart_are_deferred() {
    let mut dispatcher = dispatcher(DispatchSettings { batch: 2, ..DispatchSettings::default() });
    let seen = |age| Some(Seen::before(start(), Duration::from_secs(age)));
    for key in 1..=5 {
        dispatcher.put(key, HOT, seen(u64::from(100 - key)));
    }
    let deferred = |dispatcher: &Dispatcher<u32>, lane| dispatcher.deferred(lane).collect::<Vec<_>>();
    assert_eq!(deferred(&dispatcher, Lane::Hot), [], "no tick has come");
    dispatcher.tick(Lane::Hot, start());
    assert_eq!(deferred(&dispatcher, Lane::Hot), [99, 98, 97, 96, 95].map(seen));
    let blamed = dispatcher.poll(start()).expect("a batch");
    let missed = dispatcher.poll(start()).expect("another");
    assert_eq!(deferred(&dispatcher, Lane::Hot), [seen(95)], "those in flight are not among them");
    dispatcher.handle_done(&blamed, End::Blamed, start());
    dispatcher.handle_done(&missed, End::Answered, start());
    let Ask::Batch(missed) = missed.ask else { panic!("two keys were asked") };
    assert!(dispatcher.put_alone(missed[0]));
    assert_eq!(deferred(&dispatcher, Lane::Hot), [95, 97, 99, 98].map(seen));
    assert_eq!(deferred(&dispatcher, Lane::Cold), []);
}

#[test]
fn the_list_of_a_removed_key_is_no_longer_wanted_unless_it_is_in_flight() {
    let mut dispatcher = one_by_one();
    dispatcher.put(1, HOT, None);
    dispatcher.put(2, HOT, None);
    assert!(dispatcher.want_list(1, true) && dispatcher.want_list(2, true));
    let under_way = dispatcher.poll(start()).expect("a list");
    assert_eq!(keys(&under_way), [1]);
    dispatcher.remove(1);
    dispatcher.remove(2);
    assert_eq!(dispatcher.counts().lists, Lists::default());
    assert!(!dispatcher.want_list(1, true), "it comes yet");
    assert!(dispatcher.want_list(2, true), "it does not");
    dispatcher.handle_done(&under_way, End::Answered, start());
    assert!(dispatcher.want_list(1, true));
}

#[test]
fn putting_a_key_first_does_not_end_its_backoff() {
    let mut dispatcher = one_by_one();
    dispatcher.back_off(1, start(), Duration::from_mins(5));
    dispatcher.put_first(1, HOT, start());
    assert_eq!((dispatcher.counts().in_line, dispatcher.counts().resting), (PerLane::default(), 1));
    assert_eq!(dispatcher.poll(start()), None);
    dispatcher.put_first(2, HOT, start());
    assert_eq!(dispatcher.poll(start()).map(|request| keys(&request)), Some(vec![2]));
}

#[test]
fn a_new_limit_on_requests_in_flight_applies_at_once() {
    let mut dispatcher = one_by_one();
    for key in 0..10 {
        dispatcher.put(key, HOT, None);
    }
    dispatcher.tick(Lane::Hot, start());
    dispatcher.set_max_in_flight(2);
    let first = dispatcher.poll(start()).expect("one of two");
    assert!(dispatcher.is_ready(start()));
    let _second = dispatcher.poll(start()).expect("two of two");
    assert!(!dispatcher.is_ready(start()));
    assert_eq!(dispatcher.poll(start()), None);
    dispatcher.handle_done(&first, End::Answered, start());
    assert!(dispatcher.poll(start()).is_some());
    dispatcher.set_max_in_flight(3);
    assert!(dispatcher.poll(start()).is_some());
    assert_eq!(dispatcher.poll(start()), None);
}

#[test]
fn a_bounded_number_of_full_lists_of_each_kind_waits() {
    let mut dispatcher = dispatcher(DispatchSettings { lists: 3, ..DispatchSettings::default() });
    for for_activation in [true, false] {
        let first = if for_activation { 0 } else { 10 };
        for key in first..first + 3 {
            assert!(dispatcher.want_list(key, for_activation));
            assert!(!dispatcher.want_list(key, for_activation), "it is wanted already");
        }
        assert!(!dispatcher.want_list(first + 3, for_activation), "three are enough");
    }
    assert_eq!(dispatcher.counts().lists, Lists { activation: 3, others: 3 });
    let asked = dispatcher.poll(start()).expect("a turn");
    assert!(dispatcher.want_list(3, true), "one of them is in flight, and has left its place");
    assert!(!dispatcher.want_list(keys(&asked)[0], true), "it is wanted until it is done");
}

#[test]
fn a_key_that_moved_twice_is_asked_once_whichever_of_its_entries_comes_first() {
    for (lines, moves) in [
        ([Lane::Cold, Lane::Hot], vec![COLD]),
        ([Lane::Hot, Lane::Cold], vec![COLD]),
        ([Lane::Hot, Lane::Cold], vec![COLD, HOT]),
        ([Lane::Cold, Lane::Hot], vec![COLD, HOT]),
        ([Lane::Cold, Lane::Hot], vec![COLD, HOT, COLD]),
    ] {
        let mut dispatcher = one_by_one();
        dispatcher.put(1, HOT, None);
        for place in &moves {
            dispatcher.relocate(1, *place, None);
        }
        let mut asked = 0;
        for lane in lines {
            dispatcher.tick(lane, start());
            while let Some(request) = dispatcher.poll(start()) {
                assert_eq!(keys(&request), [1]);
                asked += 1;
            }
        }
        assert_eq!(asked, 1, "moves {moves:?}, then ticks of {lines:?}");
        assert_eq!(dispatcher.counts().in_line, PerLane::default(), "nothing is left behind");
    }
}

#[test]
fn a_key_that_is_removed_and_put_again_is_asked_once() {
    let mut dispatcher = one_by_one();
    dispatcher.put(1, HOT, None);
    dispatcher.remove(1);
    dispatcher.put(1, COLD, Some(Seen::before(start(), Duration::from_mins(5))));
    for lane in [Lane::Cold, Lane::Hot] {
        dispatcher.tick(lane, start());
    }
    let request = dispatcher.poll(start()).expect("it is in the cold line");
    assert_eq!(keys(&request), [1]);
    assert_eq!(dispatcher.poll(start()), None, "what was left in the hot line does not count");
}

#[test]
fn the_outlook_reserves_the_floor_and_the_share_of_activations_if_they_are_wanted() {
    let settings =
        DispatchSettings { floor_percent: 5.0, activation_percent: 10.0, ..DispatchSettings::default() };
    let config = DispatchConfig::try_new(settings).expect("valid settings");
    let demand = |keys| Demand { keys, interval: Duration::from_secs(10), unanswered: 0 };
    let PerLane { hot, cold } =
        outlook(PerLane { hot: demand(1_000_000), cold: demand(0) }, 300.0, &config, true);
    assert!((hot.requests_per_minute - 255.0).abs() < 1e-9, "{hot:?}");
    assert!(cold.requests_per_minute.abs() < 1e-9, "{cold:?}");
    let PerLane { hot, cold } =
        outlook(PerLane { hot: demand(1_000_000), cold: demand(1_000_000) }, 300.0, &config, true);
    assert!((hot.requests_per_minute - 240.0).abs() < 1e-9, "{hot:?}");
    assert!((cold.requests_per_minute - 15.0).abs() < 1e-9, "{cold:?}");
    let PerLane { hot, .. } =
        outlook(PerLane { hot: demand(1_000_000), cold: demand(0) }, 300.0, &config, false);
    assert!((hot.requests_per_minute - 300.0).abs() < 1e-9, "{hot:?}");
}

#[test]
fn a_key_that_is_gone_does_not_decide_whose_turn_it_is() {
    let mut dispatcher = dispatcher(DispatchSettings { batch: 1, ..DispatchSettings::default() });
    let seconds_ago = |seconds| Some(Seen::before(start(), Duration::from_secs(seconds)));
    dispatcher.put(1, Place { lane: Lane::Hot, value: Value::Lowest }, seconds_ago(1_000));
    dispatcher.put(2, Place { lane: Lane::Hot, value: Value::Lowest }, seconds_ago(50));
    dispatcher.put(3, Place { lane: Lane::Hot, value: Value::Highest }, seconds_ago(60));
    dispatcher.remove(1);
    dispatcher.tick(Lane::Hot, start());
    let asked = std::iter::from_fn(|| dispatcher.poll(start())).map(|request| keys(&request)[0]);
    assert_eq!(asked.collect::<Vec<_>>(), [3, 2]);
}
