//! The endpoint of events against the contract, and every kind of invalid request.

mod surface;

use jiff::Timestamp;
use serde_json::json;
use surface::{Surface, keys};
use ttm_kernel::{Severity, StoreError};
use ttm_perf::{Event, EventId, EventStore};

/// One event a minute, of two kinds and two subjects in turn.
fn ten_events() -> Surface {
    let surface = Surface::new(Vec::new());
    let events: Vec<Event> = (0..10_u8)
        .map(|minute| {
            let (kind, subject) =
                if minute % 2 == 0 { ("token.activated", "A") } else { ("breaker.changed", "B") };
            Event::new(
                EventId::from_bits(minute.into()),
                Timestamp::from_second(i64::from(minute) * 60).expect("in range"),
                kind.parse().expect("a kind"),
                subject.parse().expect("a subject"),
                Severity::Info,
                format!(r#"{{"minute":{minute}}}"#).parse().expect("JSON"),
            )
        })
        .collect();
    surface.runtime.block_on(surface.events.append(&events)).expect("the fake works");
    surface
}

fn minutes(surface: &Surface, query: &str) -> Vec<u64> {
    let answer = surface.get(&format!("/api/v1/events?{query}")).json();
    let events = answer["events"].as_array().unwrap_or_else(|| panic!("{answer}"));
    events.iter().map(|event| event["payload"]["minute"].as_u64().expect("a number")).collect()
}

#[test]
fn an_event_has_the_fields_of_the_contract() {
    let answer = ten_events().get("/api/v1/events?limit=1").json();
    assert_eq!(keys(&answer), ["events", "next"]);
    assert_eq!(
        answer["events"],
        json!([{
            "id": "00000000-0000-0000-0000-000000000009", "at": "1970-01-01T00:09:00Z",
            "kind": "breaker.changed", "subject": "B", "severity": "INFO", "payload": {"minute": 9}
        }])
    );
}

#[test]
fn events_are_chosen_by_time_kind_and_subject() {
    let surface = ten_events();
    assert_eq!(minutes(&surface, "from=120&to=300"), [4, 3, 2]);
    assert_eq!(minutes(&surface, "kind=token&from=240"), [8, 6, 4]);
    assert_eq!(minutes(&surface, "subject=B&to=240"), [3, 1]);
    assert_eq!(minutes(&surface, "kind=&from=600"), [0; 0]);
}

#[test]
fn an_unknown_kind_gets_a_suggestion() {
    let surface = ten_events();
    let all = "the kinds are breaker.changed, service.started, token.archived";
    for (kind, hint) in [
        ("tokens", r#"; did you mean "token.archived"?"#),
        ("service.stated", r#"; did you mean "service.started"?"#),
        ("breaker.changed.x", r#"; did you mean "breaker.changed"?"#),
        ("xyz", ""),
    ] {
        let asked = format!("/api/v1/events?kind={kind}&from=60");
        let expected = format!("unknown kind of event {kind:?}{hint}; {all}");
        assert_eq!(surface.get(&asked).problem(404), expected);
    }
}

#[test]
fn a_page_of_a_known_kind_may_be_empty() {
    let surface = ten_events();
    // Known to this version, but none is stored.
    for kind in ["service.started", "service", "token.ar"] {
        assert_eq!(minutes(&surface, &format!("kind={kind}")), [0; 0]);
    }
    // Stored by another version.
    assert_eq!(minutes(&surface, "kind=token.activated&from=600"), [0; 0]);
    assert_eq!(minutes(&surface, "kind=token.activated&subject=B"), [0; 0]);
}

#[test]
fn following_next_gives_every_event_once() {
    let surface = ten_events();
    let (mut seen, mut query) = (Vec::new(), "limit=3".to_owned());
    loop {
        seen.extend(minutes(&surface, &query));
        let page = surface.get(&format!("/api/v1/events?{query}")).json();
        let Some(next) = page["next"].as_str() else { break };
        query = format!("limit=3&cursor={next}");
    }
    assert_eq!(seen, [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
}

#[test]
fn an_invalid_request_for_events_says_what_was_expected() {
    let surface = ten_events();
    for (query, sentence) in [
        ("limit=0", r#"the parameter limit is "0", expected a whole number from 1 to 1000"#),
        ("limit=1001", r#"the parameter limit is "1001", expected a whole number from 1 to 1000"#),
        ("cursor=x", r#"the parameter cursor is "x", expected the value of next from the previous page"#),
        ("kind=Token", "no kind begins like this: 'T' is not allowed in it"),
        ("subject=a%20b", r#"the parameter subject is "a b", expected a mint or the name of a part"#),
        ("from=60&to=60", "from (1970-01-01T00:01:00Z) must be before to (1970-01-01T00:01:00Z)"),
        ("kinds=a", r#"unknown parameter "kinds", expected one of: from, to, kind, subject, limit, cursor"#),
    ] {
        assert_eq!(surface.get(&format!("/api/v1/events?{query}")).problem(400), sentence);
    }
}

#[test]
fn a_request_for_a_stream_is_not_acceptable_yet() {
    let surface = ten_events();
    let ask = |accept| surface.ask(axum::http::Method::GET, "/api/v1/events", &[("accept", accept)]);
    let sentence = ask("application/json;q=0.5, Text/Event-Stream;q=0.9").problem(406);
    assert!(sentence.starts_with("server-sent events are not available yet"), "{sentence}");
    assert_eq!(ask("application/json").status, 200);
    assert_eq!(ask("*/*").status, 200);
}

#[test]
fn an_error_of_the_store_is_a_problem_with_its_status() {
    let surface = ten_events();
    surface.events.fail_with(|| StoreError::transient("connection refused"));
    let answer = surface.get("/api/v1/events");
    assert_eq!(answer.problem(503), "the store is unavailable: connection refused");
    assert_eq!(answer.header("retry-after"), Some("1"));
    surface.events.fail_with(|| StoreError::corrupt("no table"));
    assert_eq!(surface.get("/api/v1/events").problem(500), "the store is unusable: no table");
}
