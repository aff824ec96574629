//! What is told of an alert from its beginning to its end, whatever becomes of the process meanwhile.

use serde_json::json;

use crate::hook::Hook;
use crate::place::{Place, SQLITE, channel, pass, stop, told};

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
