//! What is shown: lists, one alert, channels.

use serde_json::{Value, json};
use ttm_e2e::on_a_terminal;
use wiremock::matchers::{method, path, query_param, query_param_is_missing};
use wiremock::{Mock, ResponseTemplate};

use crate::stage::{ID, OTHER, Stage, alert, detail, page};

#[test]
fn the_list_has_all_pages_with_the_worst_that_fires_first() {
    let stage = Stage::new();
    let id = |number: u32| format!("{number:032x}");
    let first = [
        alert(&id(1), "a", "resolved", "CRITICAL"),
        alert(&id(2), "b", "pending", "CRITICAL"),
        alert(&id(3), "c", "firing", "WARNING"),
    ];
    let second = [alert(&id(4), "d", "recovering", "CRITICAL"), alert(&id(5), "e", "firing", "ERROR")];
    let asked = |cursor: bool| {
        let mock = Mock::given(method("GET")).and(path("/api/v1/alerts")).and(query_param("limit", "1000"));
        if cursor {
            mock.and(query_param("cursor", "YQo_-"))
        } else {
            mock.and(query_param_is_missing("cursor"))
        }
    };
    let mut answer = page(&first);
    answer["next"] = "YQo_-".into();
    stage.mount(asked(false).respond_with(ResponseTemplate::new(200).set_body_json(answer)));
    stage.mount(asked(true).respond_with(ResponseTemplate::new(200).set_body_json(page(&second))));
    let listed = stage.told(&["list"]);
    let rules: Vec<&str> = listed.lines().skip(1).filter_map(|line| line.split_whitespace().nth(5)).collect();
    assert_eq!(rules[..3], ["d", "e", "c"], "{listed}");
    let states: Vec<&str> =
        listed.lines().skip(1).filter_map(|line| line.split_whitespace().nth(2)).collect();
    assert_eq!(states[..5], ["recovering", "firing", "firing", "pending", "resolved"], "{listed}");
    // As many digits of an id as tell them apart.
    assert!(listed.ends_with(&format!("{}\n", stage.next(&format!("alerts show {}", id(4))))), "{listed}");
    let few = stage.told(&["list", "--limit", "2"]);
    assert!(few.contains("\nand 3 more; `--limit`, "), "{few}");
    let all: Value = stage.told(&["list", "--json"]).parse().expect("JSON");
    assert_eq!((all["alerts"].as_array().map(Vec::len), &all["next"]), (Some(5), &Value::Null));
}

#[test]
fn the_list_is_filtered_by_the_service() {
    let stage = Stage::new();
    let mock =
        Mock::given(method("GET")).and(path("/api/v1/alerts")).and(query_param("severity", "critical"));
    let mock = mock
        .and(query_param("state", "firing"))
        .respond_with(ResponseTemplate::new(200).set_body_json(page(&[])));
    stage.mount(mock);
    let nothing = stage.told(&["list", "--severity", "critical", "--state", "firing"]);
    assert_eq!(nothing, format!("no alert matches\n{}\n", stage.next("alerts list")));
    for words in [["list", "--severity", "bad"], ["list", "--state", "open"], ["list", "--limit", "0"]] {
        assert_eq!(stage.run(&words).status.code(), Some(2), "{words:?}");
    }
    let calm = Stage::new();
    calm.get("/api/v1/alerts", &page(&[]));
    let calm_told = calm.told(&["list"]);
    assert!(calm_told.starts_with("no alerts: nothing is wrong that a rule watches for, "), "{calm_told}");
    assert!(calm_told.ends_with(&format!("{}\n", calm.next("status"))), "{calm_told}");
}

#[test]
fn everything_about_an_alert_fits_a_terminal_of_eighty_columns() {
    let stage = Stage::new();
    stage.get("/api/v1/alerts", &page(&[detail(), alert(OTHER, "breaker_open", "firing", "WARNING")]));
    stage.get(&format!("/api/v1/alerts/{ID}"), &detail());
    let shown = stage.on_eighty_columns(&["show", "restart_withheld"]);
    assert_eq!(
        shown,
        [
            "alert       restart_withheld{part=listing-profiles}",
            &format!("id          {ID}"),
            "severity    ERROR",
            "state       firing since 2026-11-29 16:00:00Z, episode 12-3",
            "value       91.25 %, limit 90 %",
            "seen        acknowledged by anna, 2026-11-29 16:05:00Z, when it was WARNING; it",
            "            has got worse",
            "hidden      it is a consequence of breaker_open{api=dexscreener}, and is listed",
            "            in that one's message",
            "told        ops: knows that it is firing (ERROR), 2026-11-29 16:00:30Z",
            "            phone: refused to be told that it is firing, 2026-11-29 16:00:30Z",
            "            mail: knows nothing yet; a message is due",
            "past        2026-11-28 10:00:00Z  resolved: rule removed, episode 11-1",
            "            2026-11-29 16:00:00Z  fired, WARNING, episode 12-3",
            "            2026-11-29 16:10:00Z  is ERROR, episode 12-3",
            "messages    2026-11-29 16:00:30Z  ops: delivered in 120 ms, attempt 2, as 17.3",
            "            2026-11-29 16:00:30Z  ops: not taken in 120 ms: 503: try later (with",
            "            other)",
            "refused     2026-11-29 16:00:31Z  phone: 400: no such user",
            &stage.next(&format!("alerts tell-again {ID} phone")),
        ]
    );
    let listed = stage.on_eighty_columns(&["list"]);
    assert_eq!(listed[1], "67602a9e4  ERROR     firing  11-29 16:00:00", "{listed:#?}");
    assert!(
        listed[2].starts_with("    restart_withheld{part=listing-profiles}  91.25 %, limit 90 %"),
        "{listed:#?}"
    );
    let wide = on_a_terminal(stage.folder(), 250, &Stage::arguments(&["list"], &stage.api.uri()));
    assert_eq!(wide.len(), 4, "{wide:#?}");
}

#[test]
fn an_alert_that_is_pending_or_over_says_so_and_what_is_not_known() {
    let stage = Stage::new();
    let mut over = alert(ID, "cpu", "resolved", "WARNING");
    over["ended_at"] = "2026-11-29T16:02:05Z".into();
    over["ended_by"] = "recovered".into();
    for key in ["receipts", "dead_letters", "timeline"] {
        over[key] = Value::Null;
    }
    over["problems"] = json!(["receipts: no connection"]);
    stage.get(&format!("/api/v1/alerts/{ID}"), &over);
    let shown = stage.told(&["show", ID]);
    assert!(
        shown.contains("\nstate       resolved 2026-11-29 16:02:05Z, recovered, after 2m05s, episode 12-3\n"),
        "{shown}"
    );
    assert!(shown.contains("\n!           not known: receipts: no connection\n"), "{shown}");
    assert!(!shown.contains("\nseen") && !shown.contains("\ntold"), "{shown}");
    assert!(shown.ends_with(&format!("{}\n", stage.next("alerts list"))), "{shown}");
    let mut pending = alert(OTHER, "cpu", "pending", "WARNING");
    (pending["started_at"], pending["episode"]) = (Value::Null, Value::Null);
    stage.get(&format!("/api/v1/alerts/{OTHER}"), &pending);
    let shown = stage.told(&["show", OTHER]);
    assert!(shown.contains("\nstate       pending: it has not lasted for long enough yet\n"), "{shown}");
    let json: Value = stage.told(&["show", OTHER, "--json"]).parse().expect("JSON");
    assert_eq!(json, pending);
}

#[test]
fn channels_and_refused_messages_are_shown_with_what_to_do_next() {
    let stage = Stage::new();
    let why = "503: the server is on fire, and will be for a while, which is all that there is to say of it";
    stage.get(
        "/api/v1/alerts/channels",
        &json!({"channels": [
            {"name": "ops", "failing": null, "waiting": 0},
            {"name": "the_phone_of_anna", "failing": {"since": "2026-11-29T16:00:00Z", "why": why}, "waiting": 2},
        ]}),
    );
    let lines = stage.on_eighty_columns(&["channels"]);
    assert_eq!(lines[0], "ops         ok      takes messages");
    assert!(
        lines[1].starts_with("the_phone_of_anna failing since 2026-11-29 16:00:00Z: 503: "),
        "{lines:#?}"
    );
    assert!(lines.iter().any(|line| line.ends_with(", 2 messages wait")), "{lines:#?}");
    assert_eq!(lines.last(), Some(&stage.next("alerts dead-letters")));
    let mention = |number: u32| json!({"id": format!("{number:032x}"), "rule": "disk", "labels": {"at": format!("{number}")}, "episode": "12-3"});
    let letter = json!({
        "at": "2026-11-29T16:00:31Z", "channel": "ops", "why": "400: no such user", "severity": "ERROR", "fires": true,
        "alerts": (0..50).map(mention).collect::<Vec<_>>(), "more_alerts": 7, "attempts": 1, "made_at": "2026-11-29T16:00:30Z",
    });
    let dead =
        Mock::given(method("GET")).and(path("/api/v1/alerts/dead-letters")).and(query_param("limit", "5"));
    stage.mount(
        dead.respond_with(ResponseTemplate::new(200).set_body_json(json!({"dead_letters": [letter]}))),
    );
    let lines = stage.on_eighty_columns(&["dead-letters", "--limit", "5"]);
    let whole = lines.join(" ").split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        whole.starts_with("2026-11-29 16:00:31Z ops ERROR, disk{at=0}, disk{at=1}, disk{at=2} and 54 more: 400: no such user"),
        "{whole}"
    );
    assert_eq!(lines.last(), Some(&stage.next(&format!("alerts tell-again {:032x} ops", 0))));
}
