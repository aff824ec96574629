//! What a dispatcher keeps when its settings change, and when the new ones apply: what the model does not see.

use std::time::Duration;

use ttm_dispatch::{
    Ask, Backoff, DispatchConfig, DispatchSettings, Dispatcher, End, Place, Priority, Request, Value,
};
use ttm_kernel::{Lane, Moment};

const HOT: Place = Place { lane: Lane::Hot, value: Value::Low };

fn at(seconds: u64) -> Moment {
    Moment::from_origin(Duration::from_secs(seconds))
}

fn config(settings: DispatchSettings) -> DispatchConfig {
    DispatchConfig::try_new(settings).expect("valid settings")
}

fn of_batches(batch: usize) -> DispatchSettings {
    DispatchSettings { batch, ..DispatchSettings::default() }
}

/// A hot line of these keys, all of them due.
fn dispatcher(settings: DispatchSettings, keys: u32) -> Dispatcher<u32> {
    let mut dispatcher = Dispatcher::new(config(settings));
    (0..keys).for_each(|key| dispatcher.put(key, HOT, None));
    dispatcher.tick(Lane::Hot, at(0));
    dispatcher
}

fn keys(request: &Request<u32>) -> Vec<u32> {
    match &request.ask {
        Ask::Batch(asked) => asked.iter().map(|asked| asked.key).collect(),
        Ask::One(asked, _) => vec![asked.key],
    }
}

/// Has upstream answer one request, so that what fails next is blamed on its keys.
fn answer_one(dispatcher: &mut Dispatcher<u32>, key: u32, now: Moment) {
    dispatcher.put_first(key, HOT, now);
    let request = dispatcher.poll(now + Duration::from_secs(1)).expect("it has waited for company");
    assert!(!dispatcher.handle_done(&request, End::Answered, now));
}

#[test]
fn the_parts_of_a_failed_batch_are_no_larger_than_the_new_batch_size() {
    let mut dispatcher = dispatcher(of_batches(16), 16);
    let failed = dispatcher.poll(at(1)).expect("a batch");
    answer_one(&mut dispatcher, 99, at(1));
    dispatcher.reconfigure(config(of_batches(3)));
    assert!(dispatcher.handle_done(&failed, End::Blamed, at(2)), "it is asked for by halves");
    let mut asked = Vec::new();
    while let Some(part) = dispatcher.poll(at(2)) {
        assert!(keys(&part).len() <= 3, "{part:?}");
        asked.extend(keys(&part));
        assert!(!dispatcher.handle_done(&part, End::Answered, at(2)));
    }
    asked.sort_unstable();
    assert!(asked.into_iter().eq(0..16), "each of them once");
}

#[test]
fn a_running_backoff_keeps_its_end_and_the_next_one_has_the_new_length() {
    let mut dispatcher = dispatcher(of_batches(1), 1);
    let failed = dispatcher.poll(at(1)).expect("the only key");
    answer_one(&mut dispatcher, 99, at(1));
    assert!(dispatcher.handle_done(&failed, End::Blamed, at(2)));
    let seconds = Duration::from_secs(10);
    dispatcher.reconfigure(config(DispatchSettings {
        bad_rest: seconds,
        longest_bad_rest: seconds,
        ..of_batches(1)
    }));
    assert_eq!(dispatcher.backoff(&0), Some(Backoff { failures: 1, until: Some(at(62)) }));
    let again = dispatcher.poll(at(62)).expect("it has rested");
    assert!(dispatcher.handle_done(&again, End::Blamed, at(62)));
    assert_eq!(dispatcher.backoff(&0).and_then(|backoff| backoff.until), Some(at(72)));
}

#[test]
fn a_limit_that_was_set_is_kept_unless_that_of_the_config_changes() {
    let most = |dispatcher: &mut Dispatcher<u32>| {
        let requests = std::iter::from_fn(|| dispatcher.poll(at(1))).collect::<Vec<_>>();
        for request in &requests {
            dispatcher.handle_done(request, End::Failed, at(1));
        }
        requests.len()
    };
    let mut dispatcher = dispatcher(of_batches(1), 100);
    dispatcher.set_max_in_flight(5);
    dispatcher.reconfigure(config(DispatchSettings { alone: 7, ..of_batches(1) }));
    assert_eq!(most(&mut dispatcher), 5);
    dispatcher.reconfigure(config(DispatchSettings { max_in_flight: 9, ..of_batches(1) }));
    assert_eq!(most(&mut dispatcher), 9);
}

#[test]
fn another_floor_applies_from_the_next_turn_on() {
    let cold_turns = |floor_percent| {
        let mut dispatcher = dispatcher(of_batches(1), 400);
        let cold = Place { lane: Lane::Cold, value: Value::Low };
        (400..800).for_each(|key| dispatcher.put(key, cold, None));
        dispatcher.tick(Lane::Cold, at(0));
        dispatcher.reconfigure(config(DispatchSettings {
            floor_percent,
            max_in_flight: 1_000,
            ..of_batches(1)
        }));
        let turns = (0..200).filter_map(|_| dispatcher.poll(at(1)));
        turns.filter(|request| request.priority == Priority::Cold).count()
    };
    // Its share of 200 turns, less two at most.
    let turns = (cold_turns(5.0), cold_turns(25.0));
    assert!((8..=10).contains(&turns.0) && (48..=50).contains(&turns.1), "{turns:?}");
}
