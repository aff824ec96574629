//! Entries of keys that are gone are forgotten in the end.

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
