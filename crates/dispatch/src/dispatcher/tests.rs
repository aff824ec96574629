//! Entries of keys that are gone are forgotten in the end; keys of a held line wait.

use ttm_kernel::Lane;

use super::*;
use crate::{DispatchSettings, Value};

#[test]
fn a_key_is_forgotten_once_its_old_entries_were_dropped() {
    let settings = DispatchSettings { batch: 1, coalesce: Duration::ZERO, ..DispatchSettings::default() };
    let mut dispatcher = Dispatcher::new(DispatchConfig::try_new(settings).expect("valid settings"));
    let [hot, cold] = Lane::ALL.map(|lane| Place { lane, value: Value::Low });
    dispatcher.put(1, hot, None);
    for place in [cold, hot, cold] {
        dispatcher.relocate(1, place, None);
    }
    assert_eq!(dispatcher.left_behind.len(), 1);
    for lane in Lane::ALL {
        dispatcher.tick(lane, Moment::ZERO);
    }
    while dispatcher.poll(Moment::ZERO).is_some() {}
    assert_eq!(dispatcher.left_behind.len(), 0, "{:?}", dispatcher.left_behind);
}

#[test]
fn a_key_that_is_removed_while_it_is_in_no_line_leaves_nothing_behind() {
    let mut dispatcher = Dispatcher::new(DispatchConfig::default());
    let hot = Place { lane: Lane::Hot, value: Value::Low };
    dispatcher.back_off(1, Moment::ZERO, Duration::from_mins(1));
    for key in 2..6 {
        dispatcher.put_first(key, hot, Moment::ZERO);
    }
    let late = Moment::from_origin(Duration::from_secs(1));
    let batch = dispatcher.poll(late).expect("they have waited for company");
    dispatcher.remove(1);
    dispatcher.remove(2);
    assert!(dispatcher.handle_done(&batch, End::Blamed, late), "it is asked by halves");
    dispatcher.remove(3);
    assert_eq!(dispatcher.left_behind.len(), 0, "{:?}", dispatcher.left_behind);
}

#[test]
fn keys_of_a_held_line_keep_their_places_and_none_is_asked_for() {
    let settings = DispatchSettings { coalesce: Duration::ZERO, ..DispatchSettings::default() };
    for (held, probing) in Lane::ALL.into_iter().flat_map(|lane| [(lane, false), (lane, true)]) {
        let mut dispatcher =
            Dispatcher::new(DispatchConfig::try_new(settings.clone()).expect("valid settings"));
        let now = Moment::ZERO;
        for lane in Lane::ALL {
            let place = Place { lane, value: Value::Low };
            let keys = if lane == held { 0..40 } else { 100..140 };
            keys.for_each(|key| dispatcher.put(key, place, None));
            dispatcher.tick(lane, now);
        }
        // One of each line waits to be asked for alone, and one rests that goes with the cold line.
        for (key, from) in [(200, Priority::Hot), (201, Priority::Cold)] {
            dispatcher.put_alone_again(Asked { key, from, seen: None });
        }
        dispatcher.back_off(202, now, Duration::ZERO);
        dispatcher.set_probing(probing);
        dispatcher.set_held(held, true);
        let of_held = |key: i32| key < 40 || key == if held == Lane::Hot { 200 } else { 201 };
        let later = now + Duration::from_mins(5);
        let mut asked = Vec::new();
        while let Some(request) = dispatcher.poll(later) {
            let Ask::Batch(keys) = &request.ask else {
                let Ask::One(one, _) = &request.ask else { unreachable!("batches are above") };
                asked.push(one.key);
                dispatcher.handle_done(&request, End::Answered, later);
                continue;
            };
            asked.extend(keys.iter().map(|asked| asked.key));
            dispatcher.handle_done(&request, End::Answered, later);
        }
        assert!(asked.iter().all(|key| !of_held(*key)), "{held} {probing}: {asked:?}");
        assert_eq!(asked.contains(&202), held == Lane::Hot);
        assert_eq!(asked.iter().filter(|key| (100..140).contains(*key)).count(), 40);
        assert!(!dispatcher.is_ready(later));
        assert_eq!(dispatcher.poll_timeout(later), None, "nothing that is held comes due");
        dispatcher.set_held(held, false);
        let first = dispatcher.poll(later).expect("they are due all the same");
        assert!(matches!(&first.ask, Ask::Batch(keys) if keys[0].key == 0), "{first:?}");
    }
}
