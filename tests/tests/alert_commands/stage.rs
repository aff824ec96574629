//! A stand-in for the API, a person who uses it, and answers as examples.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};
use tokio::runtime::Runtime;
use ttm_e2e::{on_a_terminal, ttm};
use wiremock::matchers::{body_json, header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

const TOKEN: &str = "correct-horse-battery-staple";
pub(crate) const ID: &str = "67602a9e482c5ca5cfc1d354820f3b93";
pub(crate) const OTHER: &str = "67602a9e582c5ca5cfc1d354820f3b93";

/// A stand-in, and the folder of a person who uses it.
pub(crate) struct Stage {
    pub(crate) runtime: Runtime,
    pub(crate) api: MockServer,
    folder: tempfile::TempDir,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let token = folder.path().join("token");
        fs::write(&token, TOKEN).expect("written");
        fs::set_permissions(token, fs::Permissions::from_mode(0o600)).expect("ours");
        let runtime = Runtime::new().expect("a runtime");
        let api = runtime.block_on(MockServer::start());
        Self { runtime, api, folder }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn mount(&self, mock: Mock) {
        self.runtime.block_on(mock.mount(&self.api));
    }

    pub(crate) fn get(&self, at: &str, answer: &Value) {
        let mock =
            Mock::given(method("GET")).and(path(at)).and(header("authorization", format!("Bearer {TOKEN}")));
        self.mount(mock.respond_with(ResponseTemplate::new(200).set_body_json(answer)));
    }

    pub(crate) fn post(&self, at: &str, body: &Value, status: u16, answer: &Value) {
        let mock = Mock::given(method("POST")).and(path(at)).and(header("content-type", "application/json"));
        let mock =
            mock.and(body_json(body)).respond_with(ResponseTemplate::new(status).set_body_json(answer));
        self.mount(mock.expect(1));
    }

    pub(crate) fn arguments<'a>(words: &[&'a str], url: &'a str) -> Vec<&'a str> {
        [&["alerts"], words, &["--token-file", "token", "--url", url]].concat()
    }

    pub(crate) fn run(&self, words: &[&str]) -> Output {
        let url = self.api.uri();
        let mut command = ttm(self.folder());
        command.args(Self::arguments(words, &url)).env("USER", "anna").output().expect("it starts")
    }

    #[track_caller]
    pub(crate) fn told(&self, words: &[&str]) -> String {
        let done = self.run(words);
        assert!(done.status.success(), "{}", text(&done.stderr));
        text(&done.stdout)
    }

    /// The one line of a command that fails with this code, without what names the service.
    #[track_caller]
    pub(crate) fn complaint(&self, words: &[&str], code: i32) -> String {
        let done = self.run(words);
        let line = text(&done.stderr);
        assert_eq!((done.status.code(), line.lines().count()), (Some(code), 1), "{line}");
        let line = line.strip_prefix("error: ").expect("an error").trim_end();
        line.strip_prefix(&format!("{}: ", self.api.uri())).unwrap_or(line).to_owned()
    }

    /// The lines on a terminal of 80 columns, none of which is wider but for commands to copy.
    #[track_caller]
    pub(crate) fn on_eighty_columns(&self, words: &[&str]) -> Vec<String> {
        let url = self.api.uri();
        let lines = on_a_terminal(self.folder(), 80, &Self::arguments(words, &url));
        for line in lines.iter().filter(|line| !line.starts_with("next: ")) {
            assert!(line.chars().count() <= 80, "{words:?}: {line}");
        }
        lines
    }

    pub(crate) fn next(&self, command: &str) -> String {
        format!("next: ttm {command} --url {} --token-file token", self.api.uri())
    }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub(crate) fn alert(id: &str, rule: &str, state: &str, severity: &str) -> Value {
    json!({
        "id": id, "rule": rule, "labels": {}, "state": state, "severity": severity, "value": 91.25, "limit": 90.0,
        "unit": "percent", "started_at": "2026-11-29T16:00:00Z", "ended_at": null, "ended_by": null, "episode": "12-3",
        "acknowledged": null, "hidden": null, "told": [],
    })
}

pub(crate) fn page(alerts: &[Value]) -> Value {
    json!({"alerts": alerts, "next": null})
}

/// One of which everything is known.
pub(crate) fn detail() -> Value {
    let mut one = alert(ID, "restart_withheld", "firing", "ERROR");
    one["labels"] = json!({"part": "listing-profiles"});
    one["acknowledged"] = json!({"by": "anna", "at": "2026-11-29T16:05:00Z", "severity": "WARNING"});
    one["hidden"] = json!({
        "by": "consequence", "silence": null, "cause": OTHER,
        "why": "it is a consequence of breaker_open{api=dexscreener}, and is listed in that one's message",
    });
    one["told"] = json!([
        {"channel": "ops", "what": "firing", "severity": "ERROR", "at": "2026-11-29T16:00:30Z", "delivered": true,
         "refused": null, "due": false},
        {"channel": "phone", "what": null, "severity": null, "at": "2026-11-29T16:00:30Z", "delivered": false,
         "refused": "firing", "due": false},
        {"channel": "mail", "what": null, "severity": null, "at": null, "delivered": false, "refused": null, "due": true},
    ]);
    let about = |rule: &str, id: &str| json!({"id": id, "rule": rule, "labels": {}, "episode": "12-3"});
    let receipt = |of: Value, attempt: u32, outcome: &str, why: Option<&str>, remote: Option<&str>| {
        json!({
            "channel": "ops", "alert": of, "message": 1, "attempt": attempt, "at": "2026-11-29T16:00:30Z",
            "outcome": outcome, "why": why, "retry_after_seconds": null, "latency_seconds": 0.1204, "remote_id": remote,
        })
    };
    one["receipts"] = json!([
        receipt(about("restart_withheld", ID), 2, "delivered", None, Some("17.3")),
        receipt(about("other", OTHER), 1, "retry", Some("503: try later"), None),
    ]);
    one["dead_letters"] = json!([{
        "at": "2026-11-29T16:00:31Z", "channel": "phone", "why": "400: no such user", "severity": "ERROR",
        "fires": true, "alerts": [about("restart_withheld", ID)], "more_alerts": 0, "attempts": 1,
        "made_at": "2026-11-29T16:00:30Z",
    }]);
    let event = |at: &str, kind: &str, payload: Value| json!({"id": "0", "at": at, "kind": kind, "subject": ID, "severity": "INFO", "payload": payload});
    one["timeline"] = json!([
        event(
            "2026-11-29T16:10:00Z",
            "alert.severity_changed",
            json!({"severity": "ERROR", "episode": "12-3", "ended": null})
        ),
        event(
            "2026-11-29T16:00:00Z",
            "alert.fired",
            json!({"severity": "WARNING", "episode": "12-3", "ended": null})
        ),
        event(
            "2026-11-28T10:00:00Z",
            "alert.resolved",
            json!({"severity": "WARNING", "episode": "11-1", "ended": "rule_removed"})
        ),
    ]);
    one["problems"] = json!([]);
    one
}
