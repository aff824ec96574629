//! What is shown of alerts: pages and filters, one with its past, channels, refused messages and rules.

mod surface;

use serde_json::{Value, json};
use surface::alerts::{Hanging, alert, at, cpu, dead_letter, desk, quiets, receipt};
use surface::{Surface, keys};
use ttm_alert::testing::MockAlertControl;
use ttm_alert::{AlertView, Hidden, OrderRefused, Outcome, Phase, QuietId};
use ttm_kernel::{Clock as _, Severity, StoreError};
use ttm_perf::{Event, EventId, EventStore};

fn over(desk: MockAlertControl) -> Surface {
    Surface::new(Vec::new()).with_alerts(desk)
}

fn json_of(surface: &Surface, path: &str) -> Value {
    let answer = surface.get(path);
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

fn ids(page: &Value) -> Vec<String> {
    let alerts = page["alerts"].as_array().unwrap_or_else(|| panic!("{page}"));
    alerts.iter().map(|alert| alert["id"].as_str().expect("an id").to_owned()).collect()
}

/// So many that fire, of which every third is CRITICAL.
fn many(count: usize) -> Vec<AlertView> {
    let severity = |number| if number % 3 == 0 { Severity::Critical } else { Severity::Warning };
    let one = |number| alert("disk", &format!("at={number:05}"), Phase::Firing, severity(number));
    (0..count).map(one).collect()
}

#[test]
fn an_alert_has_the_fields_of_the_contract() {
    let view = cpu();
    let page = json_of(&over(desk(vec![view.clone()])), "/api/v1/alerts");
    assert_eq!(page["next"], Value::Null);
    assert_eq!(
        page["alerts"][0],
        json!({
            "id": view.id.to_string(), "rule": "cpu", "labels": {}, "state": "firing", "severity": "WARNING",
            "value": 81.5, "limit": 80.0, "unit": "percent", "started_at": "1970-01-01T00:01:00Z", "ended_at": null,
            "ended_by": null, "episode": "12-3",
            "acknowledged": {"by": "anna", "at": "1970-01-01T00:01:30Z", "severity": "WARNING"}, "hidden": null,
            "told": [
                {"channel": "ops", "what": "firing", "severity": "WARNING", "at": "1970-01-01T00:01:01Z",
                 "delivered": true, "refused": null, "due": false},
                {"channel": "phone", "what": null, "severity": null, "at": "1970-01-01T00:01:01Z",
                 "delivered": false, "refused": "firing", "due": false},
            ],
        })
    );
}

#[test]
fn each_state_is_told_and_what_is_inactive_is_not_listed() {
    let of = |rule, phase| alert(rule, "", phase, Severity::Warning);
    let mut quiet = of("dead_man", Phase::Inactive);
    quiet.record.cases.clear();
    let views = vec![
        of("cpu", Phase::Pending),
        of("disk", Phase::Firing),
        of("memory", Phase::Recovering),
        of("descriptors", Phase::Inactive),
        quiet.clone(),
    ];
    let mut desk = desk(views);
    desk.expect_receipts().returning(|_| Ok(Vec::new()));
    desk.expect_dead_letters().returning(|_| Ok(Vec::new()));
    let surface = over(desk);
    let page = json_of(&surface, "/api/v1/alerts");
    let states: Vec<(&Value, &Value)> = page["alerts"]
        .as_array()
        .expect("alerts")
        .iter()
        .map(|alert| (&alert["rule"], &alert["state"]))
        .collect();
    let expected = [json!("cpu"), json!("descriptors"), json!("disk"), json!("memory")];
    let words = [json!("pending"), json!("resolved"), json!("firing"), json!("recovering")];
    assert_eq!(states, expected.iter().zip(&words).collect::<Vec<_>>());
    let [pending, over] = [&page["alerts"][0], &page["alerts"][1]];
    assert_eq!([&pending["episode"], &pending["started_at"]], [&Value::Null; 2]);
    assert_eq!((&over["ended_at"], &over["ended_by"]), (&json!("1970-01-01T00:02:00Z"), &json!("recovered")));
    assert_eq!(over["value"], 80.0);
    for (query, rules) in [
        ("state=resolved", vec!["descriptors"]),
        ("state=firing&severity=warning", vec!["disk"]),
        ("severity=CRITICAL", vec![]),
    ] {
        let page = json_of(&surface, &format!("/api/v1/alerts?{query}"));
        let found: Vec<&Value> =
            page["alerts"].as_array().expect("alerts").iter().map(|it| &it["rule"]).collect();
        assert_eq!(found, rules, "{query}");
    }
    assert_eq!(json_of(&surface, &format!("/api/v1/alerts/{}", quiet.id))["state"], "inactive");
}

#[test]
fn what_hides_an_alert_is_said_in_words_with_what_it_is() {
    let hidden = |rule, hidden| {
        let mut view = alert(rule, "", Phase::Firing, Severity::Warning);
        view.hidden = Some(hidden);
        view
    };
    let cause = cpu();
    let views = vec![
        hidden("a", Hidden::Quiet(QuietId(3))),
        hidden("b", Hidden::Quiet(QuietId(4))),
        hidden("c", Hidden::Quiet(QuietId(5))),
        hidden("d", Hidden::Consequence(cause.record.key.clone())),
        hidden("e", Hidden::Flapping),
        hidden("f", Hidden::Recovering),
    ];
    let page = json_of(&over(desk(views)), "/api/v1/alerts");
    let hidden = |place: usize| &page["alerts"][place]["hidden"];
    assert_eq!(
        hidden(0),
        &json!({"by": "silence", "why": "the silence 3 by anna: new disks", "silence": 3, "cause": null})
    );
    assert_eq!(
        hidden(1),
        &json!({"by": "maintenance", "why": "the maintenance window 4 by bob: backups", "silence": 4, "cause": null})
    );
    assert_eq!(hidden(2)["why"], "the silence 5", "it has ended since");
    assert_eq!(
        (&hidden(3)["by"], &hidden(3)["cause"]),
        (&json!("consequence"), &json!(cause.id.to_string()))
    );
    assert!(hidden(3)["why"].as_str().is_some_and(|why| why.contains("a consequence of cpu,")));
    assert_eq!([&hidden(4)["by"], &hidden(5)["by"]], ["flapping", "recovering"]);
}

#[test]
fn pages_follow_one_another_without_a_gap_in_whatever_size() {
    let views = many(250);
    let surface = over(desk(views.clone()));
    for limit in [1, 99, 100, 101, 249, 250, 251, 1000] {
        let (mut all, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
        loop {
            let page = json_of(&surface, &format!("/api/v1/alerts?limit={limit}{cursor}"));
            let found = ids(&page);
            assert!(found.len() <= limit);
            all.extend(found);
            pages += 1;
            assert!(pages <= 251, "there is no end");
            let Some(next) = page["next"].as_str() else { break };
            assert!(next.bytes().all(|it| it.is_ascii_alphanumeric() || b"-_".contains(&it)), "{next}");
            cursor = format!("&cursor={next}");
        }
        let expected: Vec<String> = views.iter().map(|view| view.id.to_string()).collect();
        assert_eq!(all, expected, "{limit}");
    }
}

#[test]
fn a_page_with_a_filter_looks_at_a_bounded_number_and_says_where_to_go_on() {
    let mut views = many(4_500);
    for (number, view) in views.iter_mut().enumerate() {
        view.severity = if number == 4_400 { Severity::Critical } else { Severity::Info };
    }
    let surface = over(desk(views.clone()));
    let first = json_of(&surface, "/api/v1/alerts?severity=critical");
    assert_eq!(ids(&first), [] as [String; 0]);
    let second =
        json_of(&surface, &format!("/api/v1/alerts?severity=critical&cursor={}", word(&first["next"])));
    assert_eq!(ids(&second), [] as [String; 0]);
    let third =
        json_of(&surface, &format!("/api/v1/alerts?severity=critical&cursor={}", word(&second["next"])));
    assert_eq!((ids(&third), &third["next"]), (vec![views[4_400].id.to_string()], &Value::Null));
}

fn word(value: &Value) -> &str {
    value.as_str().expect("text")
}

#[test]
fn an_invalid_question_is_refused_with_what_was_expected() {
    let surface = over(desk(vec![cpu()]));
    for (query, expected) in [
        ("limit=0", "expected a whole number from 1 to 1000"),
        ("state=open", "expected pending, firing, recovering, resolved"),
        ("severity=bad", "expected INFO, WARNING, ERROR, CRITICAL"),
        ("cursor=!", "expected the value of next from the previous page"),
        ("cursor=Y3B1", "expected the value of next from the previous page"),
        ("page=2", "expected one of: limit, cursor, state, severity"),
    ] {
        let refused = surface.get(&format!("/api/v1/alerts?{query}")).problem(400);
        assert!(refused.ends_with(expected), "{refused}");
    }
    for (id, status) in [("cpu", 400), ("12-3", 400), (&*"A".repeat(32), 400), (&*"a".repeat(32), 404)] {
        surface.get(&format!("/api/v1/alerts/{id}")).problem(status);
    }
    let unknown = surface.get(&format!("/api/v1/alerts/{}", "a".repeat(32))).problem(404);
    assert!(unknown.contains("/api/v1/events?subject=aaaa"), "{unknown}");
    surface.get(&format!("/api/v1/alerts/{}?full=1", cpu().id)).problem(400);
}

fn event(number: u8, kind: &str, subject: &str) -> Event {
    Event::new(
        EventId::from_bits(number.into()),
        at(i64::from(number)),
        kind.parse().expect("a kind"),
        subject.parse().expect("a subject"),
        Severity::Info,
        r#"{"value":81.5}"#.parse().expect("JSON"),
    )
}

#[test]
fn one_alert_is_shown_with_its_past_its_receipts_and_its_dead_letters() {
    let (view, other) = (cpu(), alert("cpu", "group=hot", Phase::Firing, Severity::Warning));
    let memory = alert("memory", "", Phase::Firing, Severity::Warning);
    let mut desk = desk(vec![view.clone(), other.clone(), memory.clone()]);
    let retry = Outcome::Retry { after: None, why: "503".to_owned() };
    let delivered = || Outcome::Delivered { remote_id: Some("17.3".into()) };
    let receipts = vec![
        receipt(&view, 9, 59, delivered()),
        receipt(&view, 1, 61, retry),
        receipt(&memory, 1, 62, delivered()),
        receipt(&view, 2, 63, delivered()),
        receipt(&other, 1, 64, delivered()),
    ];
    desk.expect_receipts().returning(move |_| Ok(receipts.clone()));
    let letters = vec![dead_letter(&[&memory]), dead_letter(&[&other, &view])];
    desk.expect_dead_letters().returning(move |_| Ok(letters.clone()));
    let surface = over(desk);
    let id = view.id.to_string();
    let events =
        [event(1, "alert.fired", &id), event(2, "alert.fired", "other"), event(3, "alert.resolved", &id)];
    surface.runtime.block_on(surface.events.append(&events)).expect("the fake works");
    let shown = json_of(&surface, &format!("/api/v1/alerts/{id}"));
    assert_eq!((&shown["rule"], &shown["problems"]), (&json!("cpu"), &json!([])));
    let receipts = shown["receipts"].as_array().expect("receipts");
    let seconds: Vec<(&Value, &Value)> = receipts.iter().map(|it| (&it["attempt"], &it["outcome"])).collect();
    // Also one of a message that named another alert first; not one of before this episode, or of another rule.
    let (one, two) = (json!(1), json!(2));
    let (retry, delivered) = (json!("retry"), json!("delivered"));
    assert_eq!(seconds, [(&one, &delivered), (&two, &delivered), (&one, &retry)]);
    assert_eq!(
        receipts[1],
        json!({
            "channel": "ops", "alert": {"id": id, "rule": "cpu", "labels": {}, "episode": "12-3"}, "message": 1,
            "attempt": 2, "at": "1970-01-01T00:01:03Z", "outcome": "delivered", "why": null,
            "retry_after_seconds": null, "latency_seconds": 0.12, "remote_id": "17.3",
        })
    );
    let letters = shown["dead_letters"].as_array().expect("letters");
    assert_eq!((letters.len(), &letters[0]["alerts"][1]["id"]), (1, &json!(id)));
    let kinds: Vec<&Value> =
        shown["timeline"].as_array().expect("events").iter().map(|it| &it["kind"]).collect();
    assert_eq!(kinds, ["alert.resolved", "alert.fired"]);
    assert_eq!(shown["timeline"][0]["payload"], json!({"value": 81.5}));
}

#[test]
fn an_alert_is_shown_while_the_stores_are_away_and_says_what_is_missing() {
    let mut desk = desk(vec![cpu()]);
    desk.expect_receipts().returning(|_| Err(StoreError::transient("no connection").into()));
    desk.expect_dead_letters().returning(|_| Err(StoreError::transient("no connection").into()));
    let surface = over(desk);
    surface.events.fail_with(|| StoreError::transient("disk full"));
    let shown = json_of(&surface, &format!("/api/v1/alerts/{}", cpu().id));
    assert_eq!(shown["state"], "firing");
    assert_eq!([&shown["receipts"], &shown["dead_letters"], &shown["timeline"]], [&Value::Null; 3]);
    let problems = shown["problems"].as_array().expect("problems");
    assert_eq!(problems.len(), 3);
    for (problem, what) in problems.iter().zip(["receipts: ", "dead letters: ", "timeline: "]) {
        assert!(problem.as_str().is_some_and(|problem| problem.starts_with(what)), "{problem}");
    }
    // What is no alert's own past needs the store.
    surface.get("/api/v1/alerts/dead-letters").problem(503);
}

#[test]
fn an_alert_is_shown_while_the_store_hangs() {
    let surface = Surface::new(Vec::new()).with_alerts(Hanging(desk(vec![cpu()])));
    let before = surface.runtime.now();
    let shown = json_of(&surface, &format!("/api/v1/alerts/{}", cpu().id));
    assert_eq!((&shown["state"], &shown["timeline"]), (&json!("firing"), &json!([])));
    let late = "the store of alerts did not answer within 2 s";
    assert_eq!(shown["problems"], json!([format!("receipts: {late}"), format!("dead letters: {late}")]));
    assert_eq!((surface.runtime.now() - before).as_secs(), 2, "both at once");
    assert_eq!(surface.get("/api/v1/alerts/dead-letters").problem(504), late);
}

#[test]
fn a_service_that_stops_has_no_answer() {
    let mut desk = MockAlertControl::new();
    desk.expect_alerts().returning(|_, _| Err(OrderRefused::NotNow("the service is stopping".to_owned())));
    let refused = over(desk).get("/api/v1/alerts").problem(503);
    assert_eq!(refused, "alerts cannot be changed or read now: the service is stopping");
    for path in ["", "/rules", "/channels", "/dead-letters", &format!("/{}", cpu().id)] {
        let waits = Surface::new(Vec::new()).starting().get(&format!("/api/v1/alerts{path}")).problem(503);
        assert!(waits.starts_with("the service is starting"), "{path}");
    }
}

#[test]
fn refused_messages_are_listed_the_newest_first() {
    let views = many(60);
    let mut desk = desk(Vec::new());
    let letters = vec![dead_letter(&[&cpu()]), dead_letter(&views.iter().collect::<Vec<_>>())];
    desk.expect_dead_letters().withf(|limit| *limit == 2).returning(move |_| Ok(letters.clone()));
    let all = json_of(&over(desk), "/api/v1/alerts/dead-letters?limit=2");
    let [newest, oldest] = [&all["dead_letters"][0], &all["dead_letters"][1]];
    assert_eq!(newest["alerts"].as_array().map(Vec::len), Some(50));
    assert_eq!(newest["more_alerts"], 10);
    assert_eq!(
        *oldest,
        json!({
            "at": "1970-01-01T00:01:10Z", "channel": "ops", "why": "400: no such channel", "severity": "WARNING",
            "fires": true, "more_alerts": 0, "attempts": 2, "made_at": "1970-01-01T00:01:00Z",
            "alerts": [{"id": cpu().id.to_string(), "rule": "cpu", "labels": {}, "episode": "12-3"}],
        })
    );
}

#[test]
fn channels_say_why_they_take_nothing() {
    let channels = json_of(&over(desk(Vec::new())), "/api/v1/alerts/channels");
    assert_eq!(
        channels["channels"],
        json!([
            {"name": "ops", "failing": null, "waiting": 0},
            {"name": "phone", "failing": {"since": "1970-01-01T00:01:00Z", "why": "503: try later"}, "waiting": 2},
        ])
    );
}

#[test]
fn rules_are_shown_with_everything_that_decides_when_they_fire() {
    let rules = json_of(&over(desk(Vec::new())), "/api/v1/alerts/rules");
    let rule = |name: &str| {
        let mut all = rules["rules"].as_array().expect("rules").iter();
        all.find(|rule| rule["name"] == name).unwrap_or_else(|| panic!("{name}"))
    };
    assert_eq!(
        *rule("cpu"),
        json!({
            "name": "cpu", "series": "resource.cpu_percent", "unit": "percent", "condition": "above", "enter": 80.0,
            "exit": 75.0, "window_seconds": null, "worse": {"enter": 95.0, "exit": 90.0, "severity": "CRITICAL"},
            "for_seconds": 120.0, "keep_firing_for_seconds": 300.0, "severity": "WARNING", "inhibited_by": [],
        })
    );
    let rate = rule("rate_limited");
    assert_eq!(
        (&rate["condition"], &rate["enter"], &rate["window_seconds"]),
        (&json!("rate"), &json!(5.0), &json!(300.0))
    );
    let event = rule("group_errors");
    assert_eq!(event["inhibited_by"], json!(["breaker_open", "credentials_refused"]));
    let event = rule("breaker_open");
    assert_eq!([&event["condition"], &event["unit"]], ["event", "flag"]);
    assert_eq!([&event["enter"], &event["exit"], &event["worse"]], [&Value::Null; 3]);
    let absence = rule("collector_stale");
    assert_eq!(
        (&absence["series"], &absence["enter"], &absence["exit"]),
        (&Value::Null, &json!(3.0), &Value::Null)
    );
    assert_eq!(keys(rule("disk")).len(), 12);
}

#[test]
fn silences_and_windows_are_listed_apart() {
    let surface = over(desk(Vec::new()));
    let silences = json_of(&surface, "/api/v1/silences");
    let is_on = quiets()[0].1.is_on(surface.runtime.wall());
    assert_eq!(
        silences,
        json!({"silences": [{
            "id": 3, "match": {"rule": "cpu", "severity": null, "labels": {"group": "hot"}},
            "from": "1970-01-01T00:00:00Z", "until": "1970-01-01T02:00:00Z", "author": "anna", "reason": "new disks",
            "active": is_on,
        }]})
    );
    let windows = json_of(&surface, "/api/v1/maintenance");
    assert_eq!(
        windows,
        json!({"maintenance": [{
            "id": 4, "match": {"rule": null, "severity": "WARNING", "labels": {}}, "zone": "Europe/Berlin",
            "days": ["mon", "tue"], "from": "22:00", "to": "01:30", "first": "1970-01-01", "last": "1970-06-30",
            "author": "bob", "reason": "backups", "active": windows["maintenance"][0]["active"],
        }]})
    );
}
