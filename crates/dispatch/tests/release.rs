//! Keys that are taken back while they are in flight.

use std::time::Duration;

use ttm_dispatch::{
    Ask, DispatchConfig, DispatchSettings, Dispatcher, End, Place, Priority, Request, Seen, Value,
};
use ttm_kernel::{Lane, Moment, PerLane};

const HOT: Place = Place { lane: Lane::Hot, value: Value::Low };

fn at(seconds: u64) -> Moment {
    Moment::from_origin(Duration::from_secs(seconds))
}

/// A dispatcher of these keys, all of which are due.
fn dispatcher(keys: u32, batch: usize) -> Dispatcher<u32> {
    let settings = DispatchSettings { batch, ..DispatchSettings::default() };
    let mut dispatcher = Dispatcher::new(DispatchConfig::try_new(settings).expect("valid settings"));
    (0..keys).for_each(|key| dispatcher.put(key, HOT, Some(Seen::at(at(0)))));
    dispatcher.tick(Lane::Hot, at(100));
    dispatcher
}

fn keys(request: &Request<u32>) -> Vec<u32> {
    let Ask::Batch(asked) = &request.ask else { panic!("{request:?} is no batch") };
    asked.iter().map(|asked| asked.key).collect()
}

#[test]
fn a_released_key_comes_first_and_its_late_answer_does_not_affect_it() {
    let mut dispatcher = dispatcher(4, 2);
    let first = dispatcher.poll(at(101)).expect("two are due");
    assert!(dispatcher.release(&1) && !dispatcher.release(&1), "once is enough");
    assert!(!dispatcher.release(&3), "it is not in flight");
    dispatcher.put_in_front(1, HOT, Some(Seen::at(at(0))), at(101));
    let second = dispatcher.poll(at(102)).expect("three are due");
    assert_eq!(keys(&second), [1, 2]);
    let Ask::Batch(asked) = &second.ask else { unreachable!("it has keys") };
    assert_eq!((asked[0].from, asked[0].seen), (Priority::Hot, Some(Seen::at(at(0)))));
    assert!(!dispatcher.handle_done(&first, End::Failed, at(103)));
    dispatcher.put_failed(0, HOT, None);
    assert_eq!(dispatcher.counts().in_flight, 1);
    assert!(dispatcher.release(&1), "it is still in flight in the second request");
}

#[test]
fn a_released_key_is_not_split_off_from_a_batch_that_failed() {
    let mut dispatcher = dispatcher(3, 3);
    let batch = dispatcher.poll(at(101)).expect("three are due");
    assert!(dispatcher.release(&0));
    dispatcher.put_in_front(0, HOT, None, at(101));
    assert!(dispatcher.handle_done(&batch, End::Blamed, at(102)), "the others may be bad");
    assert_eq!(
        (dispatcher.counts().unanswered, dispatcher.counts().waiting),
        (PerLane { hot: 2, cold: 0 }, PerLane { hot: 1, cold: 0 })
    );
}

#[test]
fn a_request_whose_keys_are_all_released_ends_without_a_trace() {
    let mut dispatcher = dispatcher(2, 2);
    let first = dispatcher.poll(at(101)).expect("two are due");
    for key in [1, 0] {
        assert!(dispatcher.release(&key));
        dispatcher.put_in_front(key, HOT, None, at(101));
    }
    let second = dispatcher.poll(at(102)).expect("they are due again");
    assert_eq!(keys(&second), keys(&first));
    assert!(!dispatcher.handle_done(&first, End::Blamed, at(103)));
    assert_eq!(dispatcher.counts().unanswered, PerLane::default());
    assert!(dispatcher.handle_done(&second, End::Blamed, at(104)), "the second one holds them");
    assert_eq!(dispatcher.counts().unanswered, PerLane { hot: 2, cold: 0 });
}
