//! What is ordered.

use serde_json::json;
use ttm_e2e::ttm;
use wiremock::matchers::{method, path};
use wiremock::{Mock, ResponseTemplate};

use crate::stage::{ID, Stage, detail, page, text};

#[test]
fn an_order_is_sent_as_it_was_typed_and_says_if_it_is_not_stored() {
    let stage = Stage::new();
    stage.get("/api/v1/alerts", &page(&[detail()]));
    let mut seen = detail();
    seen["acknowledged"] = json!({"by": "anna", "at": "2026-11-29T16:05:00Z", "severity": "ERROR"});
    seen["stored"] = false.into();
    stage.post(&format!("/api/v1/alerts/{ID}/ack"), &json!({"by": "anna"}), 202, &seen);
    let told = stage.told(&["ack", "67602a"]);
    assert!(
        told.starts_with(
            "restart_withheld{part=listing-profiles}: acknowledged by anna; it escalates no further"
        ),
        "{told}"
    );
    assert!(told.contains("\n!           this is in force, but not stored yet: "), "{told}");
    assert!(told.ends_with(&format!("{}\n", stage.next(&format!("alerts show {ID}")))), "{told}");
    let again = json!({"id": ID, "channel": "phone", "stored": true});
    stage.post(&format!("/api/v1/alerts/{ID}/tell-again"), &json!({"channel": "phone"}), 200, &again);
    let told = stage.told(&["tell-again", ID, "phone"]);
    assert!(told.starts_with("phone is told once more, ") && !told.contains("not stored"), "{told}");

    let silence = json!({
        "id": 7, "match": {"rule": "disk", "severity": "WARNING", "labels": {"at": "x"}}, "from": "2026-11-29T16:00:00Z",
        "until": "2026-11-29T18:00:00Z", "author": "bob", "reason": "new disks", "active": true, "stored": true,
    });
    let asked = json!({
        "match": {"rule": "disk", "severity": "warning", "labels": {"at": "x"}}, "for": "2h", "until": null,
        "author": "bob", "reason": "new disks",
    });
    stage.post("/api/v1/silences", &asked, 200, &silence);
    let words = ["silence", "--rule", "disk", "--severity", "warning", "--label", "at=x", "--for", "2h"];
    let told = stage.told(&[&words[..], &["--reason", "new disks", "--author", "bob"]].concat());
    let line = "7           rule=disk severity=WARNING at=x, until 2026-11-29 18:00:00Z, in force; by bob: new disks\n";
    assert_eq!(told, format!("{line}{}\n", stage.next("alerts unsilence 7")));
    stage.get("/api/v1/silences", &json!({"silences": [silence]}));
    assert_eq!(stage.told(&["silences"]), told);
    stage.on_eighty_columns(&["silences"]);

    let all = json!({"match": {"all": true}, "for": null, "until": "2026-11-29T18:00:00Z",
        "author": "anna", "reason": "move"});
    let mut everything = silence.clone();
    everything["match"] = json!({"rule": null, "severity": null, "labels": {}});
    stage.post("/api/v1/silences", &all, 200, &everything);
    let told = stage.told(&["silence", "--all", "--until", "2026-11-29T18:00:00Z", "--reason", "move"]);
    assert!(told.starts_with("7           all alerts, until "), "{told}");
    stage.runtime.block_on(stage.api.verify());
}

#[test]
fn a_maintenance_window_is_begun_listed_and_ended() {
    let stage = Stage::new();
    let window = json!({
        "id": 8, "match": {"rule": null, "severity": null, "labels": {}}, "zone": "Europe/Berlin", "days": ["mon", "tue"],
        "from": "22:00", "to": "23:00", "first": "2026-12-01", "last": "2027-02-28", "author": "anna",
        "reason": "backups of the whole machine, which take the disk for themselves", "active": false, "stored": true,
    });
    let mut asked = window.clone();
    for key in ["id", "active", "stored"] {
        asked.as_object_mut().expect("an object").remove(key);
    }
    asked["match"] = json!({"all": true});
    stage.post("/api/v1/maintenance", &asked, 200, &window);
    let reason = window["reason"].as_str().expect("text");
    let words = [
        "maintenance",
        "add",
        "--zone",
        "Europe/Berlin",
        "--days",
        "mon,tue",
        "--from",
        "22:00",
        "--to",
        "23:00",
        "--all",
    ];
    let told = stage
        .told(&[&words[..], &["--first", "2026-12-01", "--last", "2027-02-28", "--reason", reason]].concat());
    let start = "8           all alerts, mon,tue 22:00 to 23:00 Europe/Berlin, from 2026-12-01 to 2027-02-28, not now; by anna: ";
    assert!(told.starts_with(start), "{told}");
    assert!(told.ends_with(&format!("{}\n", stage.next("alerts maintenance end 8"))), "{told}");
    stage.get("/api/v1/maintenance", &json!({"maintenance": [window]}));
    assert_eq!(stage.told(&["maintenance", "list"]), told);
    assert_eq!(stage.on_eighty_columns(&["maintenance", "list"]).len(), 4);
    let ended = Mock::given(method("DELETE")).and(path("/api/v1/maintenance/8"));
    let answer = json!({"id": 8, "stored": false});
    stage.mount(ended.respond_with(ResponseTemplate::new(202).set_body_json(answer)).expect(1));
    let told = stage.told(&["maintenance", "end", "8"]);
    assert!(
        told.starts_with("the maintenance window 8 has ended: ") && told.contains("not stored yet"),
        "{told}"
    );
    stage.runtime.block_on(stage.api.verify());
}

#[test]
fn who_gives_an_order_is_named() {
    let stage = Stage::new();
    let url = stage.api.uri();
    for words in [&["ack", ID][..], &["silence", "--rule", "disk", "--for", "2h", "--reason", "x"]] {
        let done = ttm(stage.folder()).args(Stage::arguments(words, &url)).output().expect("it starts");
        let line = text(&done.stderr);
        assert_eq!(done.status.code(), Some(2), "{line}");
        assert!(line.ends_with(" NAME is needed: neither USER nor LOGNAME is set\n"), "{line}");
    }
    stage.post(&format!("/api/v1/alerts/{ID}/ack"), &json!({"by": "bob"}), 200, &detail());
    let words = Stage::arguments(&["ack", ID, "--by", "bob"], &url);
    let done = ttm(stage.folder()).args(words).output().expect("it starts");
    assert!(done.status.success(), "{}", text(&done.stderr));
}
