//! `ttm alerts` against a stand-in for the API: what is asked, what is shown on which terminal, and what is one clear line.

mod orders;
mod shown;
mod stage;

use std::fs;

use serde_json::json;
use ttm_e2e::ttm;
use wiremock::matchers::{method, path};
use wiremock::{Mock, ResponseTemplate};

use stage::{ID, OTHER, Stage, alert, detail, page, text};

#[test]
fn what_is_wrong_with_a_command_is_one_clear_line() {
    let stage = Stage::new();
    stage.get("/api/v1/alerts", &page(&[detail(), alert(OTHER, "breaker_open", "firing", "WARNING")]));
    for (word, expected) in [
        (
            "67602a",
            "\"67602a\" may be one of 2: 67602a9e4 (restart_withheld{part=listing-profiles}), 67602a9e5 (breaker_open)",
        ),
        (
            "6760",
            "an id is meant by its first 6 digits or more, and \"6760\" is no rule with an alert; `ttm alerts list` lists them",
        ),
        (
            "breaker_opne",
            "no alert is called \"breaker_opne\"; did you mean \"breaker_open\"?; `ttm alerts list` lists what there is",
        ),
    ] {
        assert_eq!(stage.complaint(&["show", word], 1), expected);
        assert_eq!(stage.complaint(&["ack", word], 1), expected);
    }
    assert_eq!(stage.complaint(&["show", ""], 2), "ID is empty, too long, or has control characters");
    let twice = ["silence", "--label", "a=1", "--label", "a=2", "--for", "1h", "--reason", "x"];
    assert_eq!(stage.complaint(&twice, 2), "--label a is given twice");
    for words in [
        &["silence", "--for", "2h", "--reason", "x"][..],
        &["silence", "--rule", "disk", "--reason", "x"],
        &["silence", "--rule", "disk", "--for", "2h"],
        &["silence", "--rule", "disk", "--for", "2h", "--until", "2026-11-29T18:00:00Z", "--reason", "x"],
        &["silence", "--all", "--rule", "disk", "--for", "2h", "--reason", "x"],
        &["silence", "--label", "lane", "--for", "2h", "--reason", "x"],
        &["unsilence", "x"],
        &["maintenance", "add", "--zone", "Europe/Berlin"],
        &[
            "maintenance",
            "add",
            "--zone",
            "UTC",
            "--days",
            "mon",
            "--from",
            "01:00",
            "--to",
            "02:00",
            "--first",
            "2026-12-01",
            "--last",
            "2026-12-31",
            "--reason",
            "x",
        ],
        &["maintenance"],
        &["show"],
        &["tell-again", ID],
        &["dead-letters", "--limit", "0"],
        &["lst"],
    ] {
        assert_eq!(stage.run(words).status.code(), Some(2), "{words:?}");
    }
    // The service says what is wrong with a value.
    let sentence = "for is \"2 fortnights\", expected a duration such as 30s, 1m, 24h or 1h30m";
    let problem = json!({"type": "about:blank", "title": "Bad Request", "status": 400, "detail": sentence});
    let refused = Mock::given(method("POST")).and(path("/api/v1/silences"));
    stage.mount(refused.respond_with(ResponseTemplate::new(400).set_body_json(problem)));
    let words = ["silence", "--rule", "disk", "--for", "2 fortnights", "--reason", "x"];
    assert_eq!(stage.complaint(&words, 1), sentence);
    let unknown = stage.complaint(&["unsilence", "3"], 1);
    assert!(unknown.starts_with("answered 404 Not Found; is this a ttm service?"), "{unknown}");
}

#[test]
fn what_another_program_answers_is_not_shown_as_it_is() {
    let stage = Stage::new();
    let mut one = alert(ID, "a\u{1b}[31m", "firing\n", "CRITICAL");
    one["labels"] = json!({"k\u{7}": "v\u{1b}]0;x\u{7}"});
    one["hidden"] = json!({"why": "x\r\ny", "by": 1});
    one["told"] = json!("none");
    one["timeline"] = json!([{"kind": "\u{1b}c", "payload": 3}, 7]);
    stage.get("/api/v1/alerts", &page(std::slice::from_ref(&one)));
    stage.get(&format!("/api/v1/alerts/{ID}"), &one);
    for words in [&["list"][..], &["show", ID]] {
        let shown = stage.told(words);
        let odd: Vec<char> = shown.chars().filter(|c| c.is_control() && *c != '\n').collect();
        assert!(odd.is_empty(), "{shown:?}");
    }
    let other = Stage::new();
    other.get("/api/v1/alerts", &json!({"alerts": 7}));
    assert_eq!(other.complaint(&["list"], 1), "answered, but is not a ttm service");
    // One whose pages never end.
    let endless = Stage::new();
    endless.get("/api/v1/alerts", &json!({"alerts": [], "next": "YQ"}));
    assert!(endless.told(&["list"]).starts_with("no alerts"), "it gives up");
}

#[test]
fn a_runbook_is_printed_without_a_service() {
    let stage = Stage::new();
    let run = |words: &[&str]| ttm(stage.folder()).args(words).output().expect("it starts");
    let page = text(&run(&["alerts", "explain", "breaker_open"]).stdout);
    assert_eq!(page, fs::read_to_string("../docs/runbooks/breaker_open.md").expect("the page"));
    let unknown = run(&["alerts", "explain", "breaker_opne"]);
    assert_eq!(unknown.status.code(), Some(2));
    let line = text(&unknown.stderr);
    assert!(
        line.starts_with("error: there is no runbook of \"breaker_opne\"; did you mean \"breaker_open\"?; "),
        "{line}"
    );
    for command in [["alerts", "explain", "cpu"], ["alerts", "test", "log"]] {
        let refused = run(&[&command[..], &["--url", "http://127.0.0.1:1"]].concat());
        assert_eq!(refused.status.code(), Some(2));
        let line = text(&refused.stderr);
        assert_eq!(
            line,
            "error: --url is for status, recovery, restart, breaker, and alerts but for test and explain\n"
        );
    }
}
