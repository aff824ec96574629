//! Every kind of channel is made, and what an adapter refuses has its place.

use std::ffi::OsString;
use std::path::Path;

use ttm_alert::defaults::Meanings;
use ttm_tokio_runtime::TokioClock;

use super::*;
use crate::compose::check;
use crate::config::Draft;

fn draft(folder: &Path, text: &str, environment: &[(&str, &str)]) -> Draft {
    let path = folder.join("ttm.toml");
    std::fs::write(&path, text).expect("written");
    let environment = environment.iter().map(|(k, v)| (OsString::from(k), OsString::from(v)));
    Draft::read(Some(&path), environment)
}

/// Without TLS, since a machine that has no root certificates has no client for it.
const ALL: &str = r#"
[alerts.heartbeat]
url = "http://127.0.0.1:1/beat"
every = "30s"
[alerts.channels.am]
kind = "alertmanager"
url = "http://127.0.0.1:1"
[alerts.channels.bot]
kind = "slack"
api = "http://127.0.0.1:1"
token = "xoxb-1"
channel = "C1"
[alerts.channels.chat]
kind = "slack"
url = "http://127.0.0.1:1"
[alerts.channels.discord]
kind = "discord"
url = "http://127.0.0.1:1"
[alerts.channels.hook]
kind = "webhook"
url = "http://127.0.0.1:1"
secret = "twenty-four-bytes-or-more"
[alerts.channels.mail]
kind = "email"
server = "localhost"
security = "plain"
from = "ttm@example.org"
to = ["ops@example.org"]
[alerts.channels.phone]
kind = "pagerduty"
api = "http://127.0.0.1:1"
routing_key = "01234567890123456789012345678901"
[alerts.channels.push]
kind = "ntfy"
url = "http://127.0.0.1:1"
topic = "ops"
[alerts.channels.telegram]
kind = "telegram"
api = "http://127.0.0.1:1"
token = "1:a"
chat = "@ops"
"#;

#[test]
fn every_kind_of_channel_is_made() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = check(draft(folder.path(), ALL, &[])).expect("valid").alerts;
    let clock: Arc<dyn Clock> = Arc::new(TokioClock::start());
    let words: Arc<dyn Words> = Arc::new(Meanings);
    let made = Channels::make(&settings, &Instance::default(), &clock, &words)
        .map_err(|error| error.to_string())
        .expect("made");
    let notifiers: Vec<&str> = made.notifiers.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(notifiers, ["bot", "chat", "discord", "hook", "log", "mail", "phone", "push", "telegram"]);
    assert_eq!(made.feeds.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(), ["am"]);
    assert_eq!(made.heartbeat.map(|(_, every)| every), Some(Duration::from_secs(30)));
}

#[test]
fn what_an_adapter_refuses_is_told_with_its_place_and_without_secrets() {
    let text = r#"
[alerts.heartbeat]
url = "hunter2"
[alerts.channels.am]
kind = "alertmanager"
url = "hunter2"
[alerts.channels.bot]
kind = "slack"
token = "xoxb-1"
channel = "ops"
[alerts.channels.chat]
kind = "slack"
url = "http://hooks.example.org/hunter2"
[alerts.channels.hook]
kind = "webhook"
url = "https://hooks.example.org"
secret_file = "secret"
[alerts.channels.mail]
kind = "email"
server = "mail.example.org"
security = "plain"
authority_file = "ttm.toml"
from = "nobody"
to = ["ops@example.org", "nobody"]
[alerts.channels.phone]
kind = "pagerduty"
api = "events.eu.pagerduty.com"
routing_key = "hunter2"
source = ""
[alerts.channels.push]
kind = "ntfy"
url = "hunter2"
topic = "hunter 2"
[alerts.channels.telegram]
kind = "telegram"
token = "hunter2"
chat = "ops"
"#;
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("secret"), "hunter2").expect("written");
    let owner = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(folder.path().join("secret"), owner).expect("ours");
    let environment = [("TTM_ALERTS__CHANNELS__CHAT__URL", "http://hooks.example.org/hunter2")];
    let Err(error) = check(draft(folder.path(), text, &environment)) else { panic!("refused") };
    assert!(error.is_config());
    let told = error.to_string().replace(&format!("{}/", folder.path().display()), "");
    assert!(!told.contains("hunter2"), "{told}");
    let named: Vec<&str> = told.lines().map(|line| line.split(" is ").next().unwrap_or_default()).collect();
    let expected = [
        "ttm.toml:6: alerts.channels.am.url",
        "ttm.toml:10: alerts.channels.bot.channel",
        "TTM_ALERTS__CHANNELS__CHAT__URL: alerts.channels.chat.url",
        "ttm.toml:17: alerts.channels.hook.secret_file",
        "ttm.toml:21: alerts.channels.mail.security",
        "ttm.toml:22: alerts.channels.mail.authority_file",
        "ttm.toml:23: alerts.channels.mail.from",
        "ttm.toml:24: alerts.channels.mail.to",
        "ttm.toml:27: alerts.channels.phone.api",
        "ttm.toml:28: alerts.channels.phone.routing_key",
        "ttm.toml:29: alerts.channels.phone.source",
        "ttm.toml:32: alerts.channels.push.url",
        "ttm.toml:33: alerts.channels.push.topic",
        "ttm.toml:37: alerts.channels.telegram.chat",
        "ttm.toml:36: alerts.channels.telegram.token",
        "ttm.toml:3: alerts.heartbeat.url",
    ];
    assert_eq!(named, expected, "{told}");
}

#[test]
fn all_that_is_wrong_with_a_channel_is_told_at_once_and_once() {
    let told = |text: &str| {
        let folder = tempfile::tempdir().expect("a folder");
        let Err(error) = check(draft(folder.path(), text, &[])) else { panic!("refused: {text}") };
        let told = error.to_string().replace(&format!("{}/", folder.path().display()), "");
        assert!(!told.contains("hunter2"), "{told}");
        let places = told.lines().map(|line| line.split([' ', ';']).take(2).collect::<Vec<_>>().join(" "));
        let mut places: Vec<String> = places.map(|it| it.replace("alerts.channels.x.", "")).collect();
        places.sort();
        places
    };
    let channel = |keys: &str| told(&format!("[alerts.channels.x]\n{keys}"));
    for (keys, expected) in [
        (
            "kind = \"telegram\"\nchat = \"x y\"\nthread = -7\ntoken = \"hunter2\"\napi = \"x\"\ntimeout = \"2h\"\n",
            &["3: chat", "4: thread", "5: token", "6: api", "7: timeout"][..],
        ),
        ("kind = \"telegram\"\nchat = \"x y\"\n", &["1: token", "3: chat"]),
        (
            "kind = \"email\"\nserver = \"a b\"\nport = 99999\nfrom = \"bad\"\nto = [\"bad\"]\nsecurity = \"ssl\"\nuser = \"ttm\"\n",
            &["1: password", "3: server", "4: port", "5: from", "6: to", "7: security"],
        ),
        ("kind = \"email\"\nsecurity = \"plain\"\nfrom = \"bad\"\n", &["1: server", "1: to", "4: from"]),
        (
            "kind = \"email\"\nserver = \"mail.example.org\"\nsecurity = \"plain\"\nfrom = 7\nto = \"ops\"\nauthority_file = \"none\"\n",
            &["4: security", "5: from", "6: to", "7: authority_file"],
        ),
        (
            "kind = \"slack\"\nurl = \"hunter2\"\ntimeout = \"2h\"\nchat = \"7\"\n",
            &["3: url", "4: timeout", "5: chat"],
        ),
        (
            "kind = \"slack\"\ntoken = \"xoxb-1\"\nchannel = \"ops\"\ntimeout = \"2h\"\n",
            &["4: channel", "5: timeout"],
        ),
        ("kind = \"slack\"\ntoken_file = \"none\"\nchannel = \"ops\"\n", &["3: token_file", "4: channel"]),
        ("kind = \"discord\"\nurl = [\"hunter2\"]\ntimeout = \"soon\"\n", &["3: url", "4: timeout"]),
        ("kind = \"discord\"\nurl = \"hunter2\"\nurl_file = \"hunter2\"\n", &["4: url_file"]),
        ("kind = \"webhook\"\nurl = \"hunter2\"\nsecret_file = \"none\"\n", &["3: url", "4: secret_file"]),
        ("kind = \"webhook\"\nsecret = \"hunter2\"\n", &["1: url", "3: secret"]),
        ("kind = \"alertmanager\"\nurl = \"hunter2\"\ntoken_file = \"none\"\n", &["3: url", "4: token_file"]),
        (
            "kind = \"ntfy\"\nurl = \"hunter2\"\ntoken_file = \"none\"\n",
            &["1: topic", "3: url", "4: token_file"],
        ),
        ("kind = \"ntfy\"\nurl_file = \"none\"\ntopic = \"hunter 2\"\n", &["3: url_file", "4: topic"]),
        ("kind = \"pagerduty\"\nsource = \"\"\napi = \"x\"\n", &["1: routing_key", "3: source", "4: api"]),
        ("kind = 7\n", &["2: kind"]),
        ("kind = \"log\"\nurl = \"hunter2\"\n", &["3: url"]),
    ] {
        let expected: Vec<String> = expected.iter().map(|place| format!("ttm.toml:{place}")).collect();
        assert_eq!(channel(keys), expected, "{keys}");
    }
    let heartbeat = |keys: &str| told(&format!("[alerts.heartbeat]\n{keys}"));
    for (keys, expected) in [
        (
            "url = \"hunter2\"\nevery = \"1s\"\nmethod = \"put\"\ntoken_file = \"none\"\n",
            &[
                "2: alerts.heartbeat.url",
                "3: alerts.heartbeat.every",
                "4: alerts.heartbeat.method",
                "5: alerts.heartbeat.token_file",
            ][..],
        ),
        ("url = [\"hunter2\"]\ntoken = \"hunter2\"\n", &["2: alerts.heartbeat.url"]),
        ("token = \"hunter2\"\n", &["2: alerts.heartbeat.token"]),
        ("token_file = \"none\"\n", &["2: alerts.heartbeat.token_file"]),
    ] {
        let expected: Vec<String> = expected.iter().map(|place| format!("ttm.toml:{place}")).collect();
        assert_eq!(heartbeat(keys), expected, "{keys}");
    }
}
