//! Channels, and their secrets.

use std::os::unix::fs::PermissionsExt;

use super::*;

/// One of each kind; every secret has `hunter2` in it.
const ALL: &str = r#"
[alerts.channels.chat]
kind = "slack"
url = "https://hooks.slack.com/services/hunter2"

[alerts.channels.bot]
kind = "slack"
token = "xoxb-hunter2"
channel = "C024BE91L"

[alerts.channels.telegram]
kind = "telegram"
token = "1:hunter2"
chat = "-100123"
thread = 7

[alerts.channels.mail]
kind = "email"
server = "mail.example.org"
security = "starttls"
user = "ttm"
password = "hunter2"
from = "To The Moon <ttm@example.org>"
to = ["ops@example.org", "boss@example.org"]
timeout = "30s"

[alerts.channels.hook]
kind = "webhook"
url = "https://hooks.example.org/hunter2"
secret = "hunter2-hunter2-hunter2-hunter2"

[alerts.channels.prometheus]
kind = "alertmanager"
url = "http://alertmanager:9093"

[alerts.channels.discord]
kind = "discord"
url = "https://discord.com/api/webhooks/1/hunter2"

[alerts.channels.push]
kind = "ntfy"
topic = "hunter2"
token = "tk_hunter2"

[alerts.channels.phone]
kind = "pagerduty"
routing_key = "hunter2hunter2hunter2hunter2hunt"
api = "https://events.eu.pagerduty.com"
"#;

#[test]
fn every_kind_of_channel_is_read_and_its_secrets_are_not_shown() {
    let alerts = read(ALL, &[]).expect("valid");
    assert!(!format!("{alerts:?}").contains("hunter2"), "{alerts:?}");
    let kinds = ["chat", "bot", "telegram", "mail", "hook", "prometheus", "discord", "push", "phone", "log"];
    let kinds = kinds.map(|name| &alerts.channels[&ChannelId::new(name)].kind);
    let hidden = |text: &str| SecretString::from(text);
    let same = |one: &SecretString, other: &str| one.expose_secret() == hidden(other).expose_secret();
    let [
        ChannelKind::SlackWebhook { url: chat },
        ChannelKind::SlackBot { api: None, channel, token: bot },
        ChannelKind::Telegram { api: None, chat: group, thread: Some(7), token: telegram },
        ChannelKind::Email(mail),
        ChannelKind::Webhook { url: hook, secret: Some(secret) },
        ChannelKind::Alertmanager { url: alertmanager, token: None },
        ChannelKind::Discord { url: discord },
        ChannelKind::Ntfy { url: None, topic, token: Some(push) },
        ChannelKind::PagerDuty { api: Some(api), routing_key, source },
        ChannelKind::Log,
    ] = kinds
    else {
        panic!("{kinds:?}")
    };
    assert!(same(chat, "https://hooks.slack.com/services/hunter2") && same(bot, "xoxb-hunter2"));
    assert_eq!(
        (&**channel, &**group, &**api, &**source),
        ("C024BE91L", "-100123", "https://events.eu.pagerduty.com", "ttm")
    );
    assert!(same(telegram, "1:hunter2") && same(hook, "https://hooks.example.org/hunter2"));
    assert!(
        same(secret, "hunter2-hunter2-hunter2-hunter2") && same(alertmanager, "http://alertmanager:9093")
    );
    assert!(same(discord, "https://discord.com/api/webhooks/1/hunter2"));
    assert!(same(topic, "hunter2") && same(push, "tk_hunter2"));
    assert!(same(routing_key, "hunter2hunter2hunter2hunter2hunt"));
    assert_eq!((&*mail.server, mail.port, mail.security), ("mail.example.org", None, MailSecurity::StartTls));
    let (user, password) = mail.credentials.as_ref().expect("both");
    assert!(user == "ttm" && same(password, "hunter2"));
    assert_eq!(mail.to, ["ops@example.org", "boss@example.org"]);
    let timeouts = ["mail", "chat"].map(|name| alerts.channels[&ChannelId::new(name)].timeout.as_secs());
    assert_eq!(timeouts, [30, 10]);
}

#[test]
fn a_secret_is_read_from_a_file_that_only_its_owner_may_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |content: &[u8], mode: u32| {
        let path = folder.path().join("url");
        std::fs::write(&path, content).expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("ours");
        read_in(folder.path(), "[alerts.channels.ops]\nkind = \"discord\"\nurl_file = \"url\"\n", &[])
    };
    let alerts = file(b" https://discord.com/hunter2\n", 0o600).expect("valid");
    let ChannelKind::Discord { url } = &alerts.channels[&ChannelId::new("ops")].kind else {
        panic!("{alerts:?}")
    };
    assert_eq!(url.expose_secret(), "https://discord.com/hunter2");
    for (content, mode, problem) in [
        (&b"https://hunter2"[..], 0o644, "has mode 644, so other users can read: chmod 600 url"),
        (b"\n", 0o600, "is empty; expected a file with one line"),
        (
            b"https://hunter2\nhttps://other",
            0o600,
            "has more than one line, or control characters; expected a file with one line",
        ),
        (b"caf\xe9", 0o600, "is not valid UTF-8; expected a file with one line"),
    ] {
        let told = file(content, mode).expect_err(problem);
        assert_eq!(told, [format!("ttm.toml:3: alerts.channels.ops.url_file is url, which {problem}")]);
    }
}

#[test]
fn what_is_missing_and_what_is_of_another_kind_is_told() {
    let one = |text: &str| {
        let told = errors(&format!("[alerts.channels.ops]\n{text}\n"));
        told.into_iter().map(|line| line.replace("alerts.channels.ops.", "")).collect::<Vec<_>>()
    };
    let kinds = "log, slack, telegram, email, webhook, alertmanager, discord, ntfy or pagerduty";
    assert_eq!(one(""), [format!("ttm.toml:1: kind is not set, expected {kinds}")]);
    assert_eq!(one("kind = \"slak\""), [format!("ttm.toml:2: kind is \"slak\", expected {kinds}")]);
    assert_eq!(one("kind = \"slack\""), ["ttm.toml:1: url is not set, expected an https URL, or url_file"]);
    assert_eq!(
        one("kind = \"slack\"\nurl = \"https://h\"\nchannel = \"C1\""),
        ["ttm.toml:4: channel is set, expected one of the keys of slack: url, timeout"]
    );
    assert_eq!(
        one("kind = \"slack\"\ntoken_file = \"none\""),
        [
            "ttm.toml:3: token_file is none, which cannot be read: No such file or directory (os error 2); expected a file with one line",
            "ttm.toml:1: channel is not set, expected the id of a channel or a person, such as C024BE91L",
        ]
    );
    assert_eq!(
        one("kind = \"log\"\ntimeout = \"5s\""),
        ["ttm.toml:3: timeout is set, expected nothing but kind: log needs no settings"]
    );
    assert_eq!(
        one("kind = \"telegram\"\nthread = 0\ntimeout = \"2h\""),
        [
            "ttm.toml:4: timeout is 2h, expected at least 50ms and at most 60s",
            "ttm.toml:1: token is not set, expected the token, or token_file",
            "ttm.toml:1: chat is not set, expected the number of a chat, or the @name of a channel",
            "ttm.toml:3: thread is 0, expected at least 1 and at most 9007199254740991",
        ]
    );
    assert_eq!(
        one(
            "kind = \"email\"\nserver = \"h\"\nport = 70000\nsecurity = \"ssl\"\nuser = \"ttm\"\nauthority_file = \"none\"\nto = []"
        ),
        [
            "ttm.toml:4: port is 70000, expected at least 1 and at most 65535",
            "ttm.toml:5: security is \"ssl\", expected tls, starttls, or plain for a mail server on this machine",
            "ttm.toml:7: authority_file is none, which cannot be read: No such file or directory (os error 2)",
            "ttm.toml:1: password is not set, expected a password, or password_file",
            "ttm.toml:1: from is not set, expected an address such as To The Moon <ttm@example.org>",
            "ttm.toml:1: to is not set, expected 1 to 20 addresses such as ops@example.org",
        ]
    );
    assert_eq!(
        errors("[alerts.channels.log]\nkind = \"discord\"\nurl = \"https://hunter2\"\n"),
        ["ttm.toml:2: alerts.channels.log.kind is \"discord\", expected log: this channel is always there"]
    );
}
