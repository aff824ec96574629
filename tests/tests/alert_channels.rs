//! `ttm alerts test` against stand-ins for the services: one message, one line, one exit code.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::{Value, json};
use ttm_e2e::{Outcome, Program, ttm};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

fn run(folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Outcome {
    let arguments = [arguments, &["--config", "ttm.toml"]].concat();
    let outcome = Program::start(ttm(folder).args(arguments).envs(environment.iter().copied())).end();
    assert!(!format!("{outcome:?}").contains("hunter2"), "{outcome:?}");
    outcome
}

async fn answering(to: &str, answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("POST")).and(path(to)).respond_with(answer).mount(&server).await;
    server
}

async fn only_request(server: &MockServer) -> Request {
    let mut requests = server.received_requests().await.expect("they are recorded");
    assert_eq!(requests.len(), 1, "{requests:?}");
    requests.remove(0)
}

/// Sends a test message on a channel of these settings to a service that answers like this.
async fn test(to: &str, answer: ResponseTemplate, settings: &str) -> (Outcome, Request) {
    let server = answering(to, answer).await;
    let folder = folder();
    let settings = settings.replace("URL", &server.uri());
    fs::write(folder.path().join("ttm.toml"), format!("[alerts.channels.ops]\n{settings}\n"))
        .expect("written");
    let outcome = run(folder.path(), &["alerts", "test", "ops"], &[]);
    (outcome, only_request(&server).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_message_is_sent_once_on_every_kind_of_channel_and_its_receipt_printed() {
    let json = |body: Value| ResponseTemplate::new(200).set_body_json(body);
    let routing_key = "0123456789abcdef0123456789abcdef";
    let cases = [
        ("/hunter2", ResponseTemplate::new(204), "kind = \"webhook\"\nurl = \"URL/hunter2\"".to_owned(), ""),
        (
            "/hunter2",
            ResponseTemplate::new(200).set_body_string("ok"),
            "kind = \"slack\"\nurl = \"URL/hunter2\"".to_owned(),
            "",
        ),
        (
            "/chat.postMessage",
            json(json!({ "ok": true, "channel": "C1", "ts": "17.5" })),
            "kind = \"slack\"\napi = \"URL\"\ntoken = \"xoxb-hunter2\"\nchannel = \"C1\"".to_owned(),
            ", as C1/17.5",
        ),
        (
            "/bot1:hunter2/sendMessage",
            json(json!({ "ok": true, "result": { "message_id": 7 } })),
            "kind = \"telegram\"\napi = \"URL\"\ntoken = \"1:hunter2\"\nchat = \"-5\"\nthread = 3".to_owned(),
            ", as -5/7",
        ),
        (
            "/hunter2",
            json(json!({ "id": "9" })),
            "kind = \"discord\"\nurl = \"URL/hunter2\"".to_owned(),
            ", as 9",
        ),
        (
            "/",
            json(json!({ "id": "n1", "event": "message" })),
            "kind = \"ntfy\"\nurl = \"URL\"\ntopic = \"hunter2\"".to_owned(),
            ", as n1",
        ),
        (
            "/v2/enqueue",
            ResponseTemplate::new(202).set_body_json(json!({ "status": "success" })),
            format!("kind = \"pagerduty\"\napi = \"URL\"\nrouting_key = \"{routing_key}\""),
            "; resolve the incident that it opened",
        ),
        (
            "/api/v2/alerts",
            ResponseTemplate::new(200),
            "kind = \"alertmanager\"\nurl = \"URL\"".to_owned(),
            "",
        ),
    ];
    for (to, answer, settings, remote) in cases {
        let (outcome, request) = test(to, answer, &settings).await;
        assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{settings}: {outcome:?}");
        let kind = settings.split('"').nth(1).expect("a kind");
        let line = outcome.stdout.strip_suffix('\n').expect("a line");
        assert!(line.starts_with(&format!("ops ({kind}): delivered in ")), "{line}");
        assert!(line.contains(" ms") && line.ends_with(remote), "{line}");
        let body = String::from_utf8_lossy(&request.body).into_owned();
        assert!(body.contains("TEST of this channel: nothing is wrong"), "{kind}: {body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_not_taken_is_an_error_of_one_line() {
    for (answer, said) in [
        (ResponseTemplate::new(404).set_body_string("no_service"), "refused after "),
        (ResponseTemplate::new(503).set_body_string("no_service"), "not taken after "),
        (ResponseTemplate::new(403).set_body_string("/hunter2?"), "refused after "),
    ] {
        let (outcome, _) = test("/hunter2", answer, "kind = \"slack\"\nurl = \"URL/hunter2\"").await;
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), ""), "{outcome:?}");
        let line = outcome.stderr.strip_suffix('\n').expect("a line");
        assert!(
            line.starts_with(&format!("error: ops (slack): {said}")) && line.lines().count() == 1,
            "{line}"
        );
        let reasons =
            [": 404, no_service", ": 503, no_service", ": 403, words that repeat a part of a secret"];
        assert!(reasons.iter().any(|reason| line.ends_with(reason)), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_come_from_files_and_variables_and_sign_the_request() {
    let server = answering("/hunter2", ResponseTemplate::new(204)).await;
    let folder = folder();
    let secret = folder.path().join("secret");
    fs::write(&secret, "hunter2-hunter2-hunter2-hunter2\n").expect("written");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).expect("ours");
    let text = "[alerts.channels.ops]\nkind = \"webhook\"\nsecret_file = \"secret\"\n";
    fs::write(folder.path().join("ttm.toml"), text).expect("written");
    let url = format!("{}/hunter2", server.uri());
    let outcome = run(folder.path(), &["alerts", "test", "ops"], &[("TTM_ALERTS__CHANNELS__OPS__URL", &url)]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    let request = only_request(&server).await;
    for header in ["idempotency-key", "webhook-id", "webhook-timestamp", "webhook-signature"] {
        assert!(request.headers.contains_key(header), "{header}");
    }

    fs::set_permissions(&secret, fs::Permissions::from_mode(0o640)).expect("ours");
    let outcome = run(folder.path(), &["alerts", "test", "ops"], &[("TTM_ALERTS__CHANNELS__OPS__URL", &url)]);
    let place = "error: ttm.toml:3: alerts.channels.ops.secret_file is secret, which has mode 640, ";
    assert!(outcome.code == Some(78) && outcome.stderr.starts_with(place), "{outcome:?}");
}

#[test]
fn the_log_is_always_there_and_an_unknown_channel_is_told_which_there_are() {
    let folder = folder();
    let text = "[alerts.channels.ops]\nkind = \"log\"\n";
    fs::write(folder.path().join("ttm.toml"), text).expect("written");
    let outcome = run(folder.path(), &["alerts", "test", "log"], &[]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(outcome.stdout.starts_with("log (log): delivered in "), "{outcome:?}");
    let logged: Value = serde_json::from_str(&outcome.stderr).expect("one line of JSON");
    let said = logged["message"].as_str().expect("text");
    assert!(said.starts_with("INFO: TEST of this channel: nothing is wrong (channel=log)."), "{said}");

    let outcome = run(folder.path(), &["alerts", "test", "nobody"], &[]);
    let line = "error: there is no channel \"nobody\"; the channels are log, ops\n";
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(2), line));
}

#[test]
fn the_check_and_the_start_refuse_the_same_channels() {
    let folder = folder();
    let text = "[alerts]\ndefault_channels = [\"opps\"]\n[alerts.channels.ops]\nkind = \"discord\"\nurl = \"ftp://hunter2\"\n[alerts.heartbeat]\nurl = \"hunter2\"\n";
    fs::write(folder.path().join("ttm.toml"), text).expect("written");
    for arguments in [&["config", "check"][..], &["run", "--log", "off"], &["alerts", "test", "log"]] {
        let outcome = run(folder.path(), arguments, &[]);
        assert_eq!(outcome.code, Some(78), "{outcome:?}");
        let places = ["2: alerts.default_channels", "5: alerts.channels.ops.url", "7: alerts.heartbeat.url"];
        let told: Vec<&str> = outcome.stderr.lines().collect();
        assert_eq!(told.len(), 3, "{outcome:?}");
        for (line, place) in told.iter().zip(places) {
            assert!(line.starts_with(&format!("error: ttm.toml:{place} ")), "{line}");
        }
    }
}
