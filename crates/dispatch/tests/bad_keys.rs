//! What becomes of keys that were found out to be bad, and of a trial in which nothing is answered: step by step, where
//! `suspects` looks at whole rounds.

use std::collections::BTreeSet;
use std::time::Duration;

use ttm_dispatch::{Ask, DispatchConfig, DispatchSettings, Dispatcher, End, Place, Priority, Request, Value};
use ttm_kernel::{Lane, Moment, PerLane};

const HOT: Place = Place { lane: Lane::Hot, value: Value::Low };
const COLD: Place = Place { lane: Lane::Cold, value: Value::Low };

/// The next request fails, maybe for its keys; whether they stay. Those that do not are put back, and wait for a tick.
fn blame_next(dispatcher: &mut Dispatcher<u32>, now: Moment) -> bool {
    let request = dispatcher.poll(now).expect("a request");
    let stay = dispatcher.handle_done(&request, End::Blamed, now);
    let Ask::Batch(asked) = request.ask else { panic!("a part is a batch, too") };
    if !stay {
        for asked in asked {
            dispatcher.put_failed(asked.key, HOT, asked.seen);
        }
    }
    stay
}

#[test]
fn after_a_trial_in_which_nothing_is_answered_the_next_one_has_to_wait_longer_each_time() {
    let settings = DispatchSettings { batch: 2, ..DispatchSettings::default() };
    let mut dispatcher = Dispatcher::new(DispatchConfig::try_new(settings).expect("valid settings"));
    (0..2).for_each(|key| dispatcher.put(key, HOT, None));
    let mut now = Moment::ZERO;
    for minutes in [1, 2, 4] {
        dispatcher.tick(Lane::Hot, now);
        assert!(blame_next(&mut dispatcher, now), "both are asked alone");
        assert!(!blame_next(&mut dispatcher, now) && !blame_next(&mut dispatcher, now), "for nothing");
        let next = now + Duration::from_mins(minutes);
        for too_soon in [now, next.saturating_sub(Duration::from_nanos(1))] {
            dispatcher.tick(Lane::Hot, too_soon);
            assert!(!blame_next(&mut dispatcher, too_soon), "{minutes} minutes are not over");
        }
        now = next;
    }
}

#[test]
fn a_trial_lasts_until_its_last_part_in_flight_has_ended() {
    let mut dispatcher = Dispatcher::new(DispatchConfig::default());
    let now = Moment::from_origin(Duration::from_secs(1));
    (0..4).for_each(|key| dispatcher.put(key, HOT, None));
    dispatcher.tick(Lane::Hot, Moment::ZERO);
    assert!(blame_next(&mut dispatcher, now), "the four of them");
    let half = dispatcher.poll(now).expect("a half");
    assert!(blame_next(&mut dispatcher, now), "the other half");
    assert!(!blame_next(&mut dispatcher, now) && !blame_next(&mut dispatcher, now), "two keys alone");
    assert!(dispatcher.handle_done(&half, End::Blamed, now), "its keys are asked alone, too");
}

/// A dispatcher of bad keys alone, each of which was found out and rests since the moment that is given back.
fn at_rest(bad: &[u32]) -> (Dispatcher<u32>, Moment) {
    let mut dispatcher = Dispatcher::new(DispatchConfig::default());
    let now = Moment::from_origin(Duration::from_secs(1));
    for key in bad {
        dispatcher.put(*key, HOT, None);
    }
    dispatcher.tick(Lane::Hot, Moment::ZERO);
    let batch = dispatcher.poll(now).expect("they have waited for company");
    // Another is answered meanwhile: upstream is available, and a key that fails alone is bad.
    dispatcher.put_first(1_000, HOT, Moment::ZERO);
    let other = dispatcher.poll(now).expect("it has waited, too");
    assert!(!dispatcher.handle_done(&other, End::Answered, now));
    assert!(dispatcher.handle_done(&batch, End::Blamed, now));
    while let Some(part) = dispatcher.poll(now) {
        assert!(dispatcher.handle_done(&part, End::Blamed, now));
    }
    assert_eq!((dispatcher.counts().bad, dispatcher.counts().in_line), (bad.len(), PerLane::default()));
    (dispatcher, now)
}

fn only_key(request: &Request<u32>) -> u32 {
    match &request.ask {
        Ask::Batch(asked) if asked.len() == 1 => asked[0].key,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_bad_key_is_asked_for_again_when_its_backoff_ends() {
    let (mut dispatcher, now) = at_rest(&[1]);
    let due = now + Duration::from_mins(1);
    assert_eq!(dispatcher.poll_timeout(now), Some(due));
    assert!(!dispatcher.is_ready(due.saturating_sub(Duration::from_nanos(1))));
    assert!(dispatcher.is_ready(due));
    assert_eq!(dispatcher.poll(due).map(|request| only_key(&request)), Some(1));
}

#[test]
fn a_bad_key_that_backs_off_has_no_second_place_in_a_line() {
    for bad in [&[1][..], &[1, 2]] {
        let (mut dispatcher, now) = at_rest(bad);
        dispatcher.put_first(1, HOT, now);
        dispatcher.relocate(1, COLD, None);
        assert_eq!(dispatcher.counts().in_line, PerLane::default(), "{bad:?} are bad");
    }
}

#[test]
fn removing_a_bad_key_does_not_end_the_backoff_of_others() {
    let (mut dispatcher, now) = at_rest(&[1, 2, 4]);
    dispatcher.remove(2);
    assert_eq!(dispatcher.counts().bad, 2);
    let later = now + Duration::from_mins(2);
    let asked = std::iter::from_fn(|| dispatcher.poll(later)).map(|request| only_key(&request));
    assert_eq!(asked.collect::<BTreeSet<_>>(), BTreeSet::from([1, 4]));
}

#[test]
fn a_bad_key_that_is_removed_in_flight_is_not_suspected_when_it_comes_back() {
    let (mut dispatcher, now) = at_rest(&[1]);
    let later = now + Duration::from_mins(2);
    let alone = dispatcher.poll(later).expect("it has rested");
    dispatcher.remove(only_key(&alone));
    assert!(!dispatcher.handle_done(&alone, End::Failed, later));
    dispatcher.put(1, HOT, None);
    dispatcher.tick(Lane::Hot, later);
    assert!(
        !blame_next(&mut dispatcher, later + Duration::from_secs(1)),
        "nothing is held against it any more"
    );
}

#[test]
fn a_bad_key_whose_backoff_is_over_counts_in_the_lane_that_it_came_from() {
    let (mut dispatcher, now) = at_rest(&[1, 2]);
    let later = now + Duration::from_mins(2);
    let first = dispatcher.poll(later).expect("it has rested");
    assert_eq!(dispatcher.counts().unanswered, PerLane { hot: 1, cold: 0 }, "the other one waits");
    assert_eq!(dispatcher.deferred(Lane::Hot).count(), 1);
    let Ask::Batch(asked) = &first.ask else { panic!("{first:?}") };
    assert_eq!(asked[0].from, Priority::Hot);
}

#[test]
fn a_bad_key_that_is_back_in_its_line_is_moved_and_removed_there() {
    let (mut dispatcher, now) = at_rest(&[1, 2]);
    let mut now = now + Duration::from_mins(2);
    // Whatever is wrong now has nothing to do with them: they are the caller's to put back.
    for _ in 0..2 {
        let alone = dispatcher.poll(now).expect("it has rested");
        assert!(!dispatcher.handle_done(&alone, End::Failed, now));
        dispatcher.put_failed(only_key(&alone), HOT, None);
    }
    dispatcher.relocate(1, COLD, None);
    dispatcher.remove(2);
    for (lane, due) in [(Lane::Hot, None), (Lane::Cold, Some(1))] {
        dispatcher.tick(lane, now);
        now += Duration::from_secs(1);
        assert_eq!(dispatcher.poll(now).map(|request| only_key(&request)), due, "in the {lane:?} line");
    }
}

#[test]
fn a_part_that_waits_is_known_and_no_other_key_is_mistaken_for_it() {
    let mut dispatcher = Dispatcher::new(DispatchConfig::default());
    (0..2).for_each(|key| dispatcher.put(key, HOT, None));
    dispatcher.tick(Lane::Hot, Moment::ZERO);
    let now = Moment::ZERO + Duration::from_secs(1);
    let both = dispatcher.poll(now).expect("they have waited for company");
    assert!(dispatcher.handle_done(&both, End::Blamed, now));
    assert_eq!(dispatcher.poll(now).map(|request| only_key(&request)), Some(0));
    dispatcher.put_first(1, HOT, now);
    assert_eq!(dispatcher.counts().in_line, PerLane::default(), "it is to be asked alone");
    dispatcher.put_first(2, HOT, now);
    assert_eq!(dispatcher.counts().in_line, PerLane { hot: 1, cold: 0 });
}
