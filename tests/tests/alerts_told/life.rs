//! What is told of an alert from its beginning to its end, whatever becomes of the process meanwhile.

use serde_json::json;
use ttm_e2e::{Faults, Program, ttm_faulty};

use crate::hook::{Hook, Reaction};
use crate::place::{Place, SQLITE, channel, order, pass, run, stop, told, told_when_open};

#[test]
fn an_alert_and_its_end_are_told_once_with_all_fields_though_the_service_is_restarted_in_between() {
    let (place, hook) = (Place::new(), Hook::start());
    place.configure(SQLITE, &(channel("ops", &hook) + &told("breaker_open", "", &["ops"])));
    place.exchange.cut();
    let mut first = place.start();
    let fired = hook.message(&mut first, 0).body;
    let of = |field: &str| fired[field].as_str().expect("text");
    assert_eq!(of("summary"), "WARNING: calls are withheld, since they fail (api=dexscreener)");
    assert_eq!((of("severity"), of("state"), of("news"), of("episode")), ("WARNING", "firing", "new", "1-1"));
    assert_eq!(fired["labels"], json!({ "api": "dexscreener" }));
    assert!(of("next").starts_with("calls are tried again"), "{fired}");
    assert!(of("description").contains("tokens have scores that are too old"), "{fired}");
    assert!(of("description").contains("ttm alerts explain breaker_open"), "{fired}");
    for (field, value) in [("runbook", json!(null)), ("was_down", json!(null)), ("affected", json!([]))] {
        assert_eq!(fired[field], value, "{field}");
    }
    stop(first);

    let mut second = place.start();
    second.address();
    pass(&mut second, 4);
    assert_eq!(hook.requests().len(), 1, "the next process knows what was told");
    place.exchange.mend();
    let over = hook.message(&mut second, 1).body;
    assert_eq!(
        (&over["state"], &over["news"], &over["ended_by"]),
        (&json!("resolved"), &json!("resolved"), &json!("recovered"))
    );
    for field in ["id", "episode", "started_at"] {
        assert_eq!(over[field], fired[field], "{field}");
    }
    assert!(over["ended_at"].as_str() > over["started_at"].as_str(), "{over}");
    pass(&mut second, 2);
    stop(second);
    assert!(
        hook.counts().len() == 2 && hook.counts().values().all(|count| *count == 1),
        "{:?}",
        hook.counts()
    );
}

#[test]
fn a_part_that_panics_while_a_message_is_under_way_is_replaced_by_one_that_sends_it_again_under_its_key() {
    let (place, hook) = (Place::new(), Hook::start());
    place.configure(SQLITE, &(channel("ops", &hook) + &told_when_open("door_open", &["ops"])));
    let faults = Faults::in_folder(place.path());
    let mut program = Program::start(&mut run(ttm_faulty(place.path())));
    let address = program.address();
    hook.reacts_to("ops", &[Reaction::Hangs]);
    order(address, "force-open");
    hook.wait_until(&mut program, "that it is under way", |requests| !requests.is_empty());
    faults.make(&["alerts: panic 1"]);
    assert_eq!(hook.message(&mut program, 0).says(), ("door_open", "new"));
    order(address, "reset");
    assert_eq!(hook.message(&mut program, 1).says(), ("door_open", "resolved"));
    program.wait_for("that it was restarted", |entry| {
        entry["message"] == "recovery over" && entry["part"] == "alerts"
    });
    stop(program);
    let keys: Vec<String> = hook.requests().into_iter().map(|request| request.key).collect();
    assert!(keys.len() == 3 && keys[0] == keys[1] && keys[1] != keys[2], "{keys:?}");
}

#[test]
fn what_stands_still_is_told_while_the_threads_that_work_spin() {
    let (place, hook) = (Place::new(), Hook::start());
    let rule = told("processing_stopped", "enter = 5\nexit = 2", &["ops"]);
    place.configure(SQLITE, &(channel("ops", &hook) + &rule));
    let faults = Faults::in_folder(place.path());
    let mut program = Program::start(&mut run(ttm_faulty(place.path())));
    program.address();
    pass(&mut program, 2);
    faults.make(&["hot-group: spin", "cold-group: spin"]);
    let fired = hook.message(&mut program, 0).body;
    assert_eq!((&fired["severity"], &fired["limit"]), (&json!("CRITICAL"), &json!(5.0)), "{fired}");
    faults.end();
    let mut told = hook.told().len();
    while hook.message(&mut program, told).body["state"] != "resolved" {
        told += 1;
    }
    stop(program);
}
