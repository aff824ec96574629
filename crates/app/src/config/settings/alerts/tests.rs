//! What is read of the sections of alerts, and one test for each kind of error.

mod channels;
mod routes;
mod rules;

use std::ffi::OsString;
use std::time::Duration;

use secrecy::ExposeSecret;
use ttm_alert::{AlertKey, ChannelId, Labels, Matcher, NotifyConfig, NotifySettings, Route, defaults};
use ttm_kernel::Severity;

use super::*;
use crate::config::load;

/// The settings of a file, or the errors without the name of its folder.
fn read_in(folder: &Path, text: &str, environment: &[(&str, &str)]) -> Result<AlertSettings, Vec<String>> {
    let path = folder.join("ttm.toml");
    std::fs::write(&path, text).expect("written");
    let environment = environment.iter().map(|(k, v)| (OsString::from(k), OsString::from(v)));
    load(Some(&path), environment).map(|settings| settings.alerts).map_err(|errors| {
        let prefix = format!("{}/", folder.display());
        errors.iter().map(|e| e.to_string().replace(&prefix, "")).collect()
    })
}

fn read(text: &str, environment: &[(&str, &str)]) -> Result<AlertSettings, Vec<String>> {
    read_in(tempfile::tempdir().expect("a folder").path(), text, environment)
}

#[track_caller]
fn errors(text: &str) -> Vec<String> {
    read(text, &[]).expect_err("refused")
}

fn names(names: &[&str]) -> Vec<ChannelId> {
    names.iter().map(|name| ChannelId::new(name)).collect()
}

const OPS: &str = "[alerts.channels.ops]\nkind = \"log\"\n";

#[test]
fn without_any_config_the_default_rules_are_told_to_the_log() {
    let alerts = read("", &[]).expect("valid");
    assert_eq!(alerts.rules.rules(), defaults::rules());
    let escalation = &alerts.notify.settings().escalation;
    assert_eq!(escalation.fallback, Some(ChannelId::new("log")));
    let expected = NotifySettings {
        default_channels: names(&["log"]),
        escalation: escalation.clone(),
        ..NotifySettings::default()
    };
    assert_eq!(alerts.notify, NotifyConfig::try_new(expected).expect("valid"));
    let usual = NotifySettings::default().escalation;
    assert_eq!((&escalation.critical, &escalation.error), (&usual.critical, &usual.error));
    assert!(escalation.channels.is_empty());
    assert_eq!(alerts.channels.keys().map(ChannelId::as_str).collect::<Vec<_>>(), ["log"]);
    assert!(alerts.heartbeat.is_none() && alerts.public_url.is_none());
}

#[test]
fn the_intervals_of_monitoring_are_those_of_the_collectors() {
    let text = "[monitoring]\nhealth_check_interval = \"7s\"\nresource_check_interval = \"9s\"\n";
    let rules = read(text, &[]).expect("valid").rules;
    let intervals: Vec<u64> = rules.catalogue().collectors.iter().map(|it| it.interval.as_secs()).collect();
    assert_eq!(intervals, [7, 9]);
}

#[test]
fn times_routes_and_escalation_are_read() {
    let text = [
        "[monitoring]\nalert_cooldown = \"60s\"\n",
        "[api]\npublic_url = \"https://ttm.example.org/\"\n",
        "[alerts]\ndefault_channels = [\"ops\", \"log\"]\ngroup_wait = \"10s\"\ngroup_interval = \"1m\"\n",
        "[alerts.repeat]\ncritical = \"10m\"\nerror = \"1h\"\n",
        "[alerts.escalation]\ncritical = [\"0m\", \"1h 5m\"]\nerror = []\nchannels = [\"ops\"]\nfallback = \"\"\n",
        OPS,
        "[[alerts.routes]]\nmatch = { severity = \"critical\", labels = { group = \"hot\" } }\nchannels = [\"ops\"]\n",
        "[[alerts.routes]]\nmatch = { rule = \"disk\" }\nchannels = []\n",
    ];
    let alerts = read(&text.concat(), &[]).expect("valid");
    let settings = alerts.notify.settings();
    let minutes = Duration::from_mins;
    assert_eq!(settings.default_channels, names(&["ops", "log"]));
    let times = (settings.group_wait, settings.group_interval, settings.cooldown);
    assert_eq!(times, (Duration::from_secs(10), minutes(1), minutes(1)));
    assert_eq!(settings.repeat, [minutes(10), minutes(60), minutes(24 * 60)]);
    assert_eq!(settings.escalation.critical, [minutes(0), minutes(65)]);
    assert_eq!((&*settings.escalation.error, &settings.escalation.fallback), (&[][..], &None));
    assert_eq!(settings.escalation.channels, names(&["ops"]));
    let hot = Labels::parse("group=hot").expect("valid");
    let critical =
        Matcher { severity: Some(Severity::Critical), labels: Some(hot.clone()), ..Matcher::default() };
    let disk = Matcher { rule: Some("disk".to_owned()), ..Matcher::default() };
    let expected = [
        Route { matcher: critical, channels: names(&["ops"]) },
        Route { matcher: disk, channels: names(&["log"]) },
    ];
    assert_eq!(settings.routes, expected);
    assert!(settings.routes[0].matcher.matches(&AlertKey::new("any", hot), Severity::Critical));
    assert_eq!(alerts.public_url.as_deref(), Some("https://ttm.example.org"));
}

#[test]
fn routes_keep_the_order_of_the_file() {
    let route = |nth: usize| {
        format!("[[alerts.routes]]\nmatch.rule = \"{}\"\nchannels = []\n", defaults::RULES[nth].name)
    };
    let text: String = (0..12).map(route).collect();
    let alerts = read(&text, &[]).expect("valid");
    let rules = alerts.notify.settings().routes.iter().map(|route| route.matcher.rule.as_deref());
    assert!(rules.eq(defaults::RULES[..12].iter().map(|rule| Some(rule.name))));
}

#[test]
fn an_empty_list_of_channels_is_the_log() {
    let alerts = read("[alerts]\ndefault_channels = []\n", &[]).expect("valid");
    assert_eq!(alerts.notify.settings().default_channels, names(&["log"]));
}

#[test]
fn variables_set_channels_rules_and_lists_but_no_routes() {
    let file = "[alerts.channels.ops]\nkind = \"slack\"\nurl = \"https://hooks.slack.com/in/the/file\"\n";
    let variables = [
        ("TTM_ALERTS__CHANNELS__OPS__URL", "https://hooks.slack.com/hunter2"),
        ("TTM_ALERTS__CHANNELS__ON_CALL__KIND", "log"),
        ("TTM_ALERTS__DEFAULT_CHANNELS", "ops,on_call"),
        ("TTM_ALERTS__RULES__CPU__WORSE__ENTER", "97.5"),
    ];
    let alerts = read(file, &variables).expect("valid");
    let ChannelKind::SlackWebhook { url } = &alerts.channels[&ChannelId::new("ops")].kind else {
        panic!("{alerts:?}")
    };
    assert_eq!(url.expose_secret(), "https://hooks.slack.com/hunter2");
    assert_eq!(alerts.notify.settings().default_channels, names(&["ops", "on_call"]));
    let cpu = alerts.rules.find("cpu").expect("it is on");
    let worse = alerts.rules.rule(cpu).condition.worse().expect("a level");
    assert!((worse.limit.enter - 97.5).abs() < 1e-9, "{worse:?}");

    for (name, message) in [
        ("TTM_ALERTS__ROUTES__1__CHANNELS", "a list of tables, which is set in the file alone"),
        (
            "TTM_ALERTS_CHANNELS_OPS_URL_FILE",
            "unknown variable; did you mean TTM_ALERTS__CHANNELS__OPS__URL_FILE?",
        ),
        (
            "TTM_ALERTS__RULES__CPU__WORSE_ENTER",
            "unknown variable; did you mean TTM_ALERTS__RULES__CPU__WORSE__ENTER?",
        ),
        (
            "TTM_ALERTS__CHANNELS__OPS__KNID",
            "unknown key alerts.channels.ops.knid; did you mean alerts.channels.ops.kind?",
        ),
        (
            "TTM_ALERTS__CHANNELS__*__KIND",
            "alerts.channels has the name \"*\", expected 1 to 64 lower-case letters, digits and single underscores between them",
        ),
        (
            "TTM_ALERTS__CHANNELS__ON-CALL__KIND",
            "alerts.channels has the name \"on-call\", expected 1 to 64 lower-case letters, digits and single underscores between them",
        ),
        (
            "TTM_ALERTS__CHANNELS__OSP__URL",
            "alerts.channels.osp.kind is not set, expected log, slack, telegram, email, webhook, alertmanager, discord, ntfy or pagerduty",
        ),
    ] {
        let told = read(file, &[(name, "hunter2")]).expect_err("refused");
        assert_eq!(told, [format!("{name}: {message}")]);
    }
}

#[test]
fn unknown_keys_and_wrong_types_are_told_with_what_was_meant() {
    let cases = [
        (
            "[alerts.chanels.ops]\nkind = \"log\"",
            "1: unknown key alerts.chanels; did you mean alerts.channels?",
        ),
        (
            "[alerts.channels.ops]\nknd = \"log\"\nkind = \"log\"",
            "2: unknown key alerts.channels.ops.knd; did you mean alerts.channels.ops.kind?",
        ),
        (
            "[alerts.channels.Ops]\nkind = \"log\"",
            "1: alerts.channels has the name \"Ops\", expected 1 to 64 lower-case letters, digits and single underscores between them",
        ),
        (
            "[alerts.channels.\"*\"]\nkind = \"log\"",
            "1: alerts.channels has the name \"*\", expected 1 to 64 lower-case letters, digits and single underscores between them",
        ),
        (
            "[[alerts.channels]]\nkind = \"log\"",
            "1: alerts.channels is a section, not a key; its keys are alerts.channels.*.kind, alerts.channels.*.url",
        ),
        (
            "alerts.channels.ops = 5",
            "1: alerts.channels.ops is a section, not a key; its keys are alerts.channels.ops.kind, ",
        ),
        (
            "[alerts.routes]\nchannels = []",
            "1: alerts.routes is a list of tables, expected [[alerts.routes]]",
        ),
        ("[alerts]\nroutes = \"ops\"", "2: alerts.routes is a list of tables, expected [[alerts.routes]]"),
        (
            "[alerts]\nroutes = [\"ops\"]",
            "2: alerts.routes.1 is a section, not a key; its keys are alerts.routes.1.match.rule, ",
        ),
        (
            "[[alerts.routes]]\nchannel = []\nchannels = []",
            "2: unknown key alerts.routes.1.channel; did you mean alerts.routes.1.channels?",
        ),
        (
            "[alerts]\ndefault_channels = \"ops\"",
            "2: alerts.default_channels is a string, expected a list of texts without commas: names of channels",
        ),
        (
            "[alerts]\ndefault_channels = [\"log, ops\"]",
            "2: alerts.default_channels is an array, expected a list of texts without commas: names of channels",
        ),
        ("[alerts.rules.cpu]\nenter = \"80\"", "2: alerts.rules.cpu.enter is a string, expected a number"),
        (
            "[alerts.heartbeat]\nurl = 5",
            "2: alerts.heartbeat.url is an integer, expected text: an http or https URL, or empty",
        ),
    ];
    for (text, message) in cases {
        let told = errors(text);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with(&format!("ttm.toml:{message}")), "{told:?}\n{message}");
    }
}

#[test]
fn a_label_of_10_kb_and_a_name_of_10_kb_are_refused_and_not_repeated() {
    let long = "x".repeat(10_240);
    let route = |label: &str, value: &str| {
        format!("[[alerts.routes]]\nmatch.labels.{label} = \"{value}\"\nchannels = []\n")
    };
    let cases = [
        (route("group", &long), "ttm.toml:2: alerts.routes.1.match.labels.group: a value of 10240 bytes"),
        (route("group", "a,b"), "ttm.toml:2: alerts.routes.1.match.labels.group: ',' in the value"),
        (route(&long, "hot"), "ttm.toml:2: alerts.routes.1.match.labels has the name \"xxx"),
        (
            format!("[alerts.channels.{long}]\nkind = \"log\""),
            "ttm.toml:1: alerts.channels has the name \"xxx",
        ),
    ];
    for (text, message) in cases {
        let told = errors(&text);
        assert!(told.len() == 1 && told[0].starts_with(message) && told[0].len() < 300, "{told:?}");
    }
}

#[test]
fn what_names_a_channel_or_a_rule_that_is_not_there_is_told_with_what_was_meant() {
    let relay = "[alerts.channels.relay]\nkind = \"alertmanager\"\nurl = \"http://127.0.0.1:9093\"\n";
    let text = [
        "[alerts]\ndefault_channels = [\"opps\", \"nobody\", \"relay\"]\n",
        "[alerts.escalation]\nchannels = [\"osp\"]\nfallback = \"lgo\"\n",
        "[[alerts.routes]]\nmatch.rule = \"cpus\"\nchannels = [\"ops1\"]\n[[alerts.routes]]\nmatch.severity = \"fatal\"\n",
        OPS,
        relay,
    ];
    let told = errors(&text.concat());
    let expected = [
        "ttm.toml:2: alerts.default_channels has \"opps\", and there is no such channel; did you mean ops?",
        "ttm.toml:2: alerts.default_channels has \"nobody\", and there is no such channel",
        "ttm.toml:2: alerts.default_channels has \"relay\", an Alertmanager, which is told all that fires anyway, and takes no messages",
        "ttm.toml:7: alerts.routes.1.match.rule is \"cpus\", and there is no such rule; did you mean cpu?",
        "ttm.toml:8: alerts.routes.1.channels has \"ops1\", and there is no such channel; did you mean ops?",
        "ttm.toml:10: alerts.routes.2.match.severity is \"fatal\", expected info, warning, error or critical",
        "ttm.toml:9: alerts.routes.2.channels is not set, expected names of channels",
        "ttm.toml:4: alerts.escalation.channels has \"osp\", and there is no such channel; did you mean ops?",
        "ttm.toml:5: alerts.escalation.fallback has \"lgo\", and there is no such channel; did you mean log?",
    ];
    assert_eq!(told, expected);
}

#[test]
fn times_that_contradict_each_other_are_refused_where_one_was_set() {
    let told = errors("[alerts.repeat]\nwarning = \"2m\"\n[alerts.escalation]\nerror = [\"5m\", \"5m\"]\n");
    assert_eq!(
        told,
        [
            "ttm.toml:2: alerts.repeat.warning is 120s while monitoring.alert_cooldown is 300s, expected at least that",
            "ttm.toml:4: alerts.escalation.error is [\"5m\", \"5m\"], expected at most ten times, each later than the one before",
        ]
    );
    let told = errors("[monitoring]\nalert_cooldown = \"90m\"\n");
    assert_eq!(
        told,
        [
            "ttm.toml:2: alerts.repeat.critical is 3600s while monitoring.alert_cooldown is 5400s, expected at least that"
        ]
    );
    let told = errors("[alerts]\ngroup_wait = \"25h\"\n[alerts.escalation]\nerror = [\"soon\"]\n");
    let expected = [
        "ttm.toml:2: alerts.group_wait is 25h, expected at least 0s and at most 24h",
        "ttm.toml:4: alerts.escalation.error is \"soon\", expected at most ten durations such as 0m and 5m, each longer than the one before",
    ];
    assert_eq!(told, expected);
    // What is wrong by itself hides no contradiction of others.
    let text = "[monitoring]\nalert_cooldown = \"2h\"\n[alerts]\ngroup_wait = \"25h\"\n[alerts.repeat]\nerror = \"soon\"\n[alerts.escalation]\ncritical = [\"5m\", \"0m\"]\nerror = [\"soon\"]\n";
    let told: Vec<String> =
        errors(text).iter().map(|line| line.split(" is ").next().unwrap_or_default().to_owned()).collect();
    let expected = [
        "ttm.toml:4: alerts.group_wait",
        "ttm.toml:2: alerts.repeat.critical",
        "ttm.toml:6: alerts.repeat.error",
        "ttm.toml:9: alerts.escalation.error",
        "ttm.toml:8: alerts.escalation.critical",
    ];
    assert_eq!(told, expected);
    let told = errors("[monitoring]\nalert_cooldown = \"soon\"\n[alerts.repeat]\nerror = \"2m\"\n");
    assert!(told.len() == 1 && told[0].starts_with("ttm.toml:2: monitoring.alert_cooldown "), "{told:?}");
    let told = errors("[alerts.rules.cpu]\nfor = \"soon\"\nenter = 60\n");
    assert!(told.len() == 2 && told[1].starts_with("ttm.toml:3: alerts.rules.cpu.exit: "), "{told:?}");
    let told = errors("[alerts.escalation]\nerror = [\"5m\", \"5m\"]\n");
    assert_eq!(
        told,
        [
            "ttm.toml:2: alerts.escalation.error is [\"5m\", \"5m\"], expected at most ten times, each later than the one before"
        ]
    );
}

#[test]
fn a_heartbeat_is_read_and_its_errors_do_not_show_it() {
    let text = "[alerts.heartbeat]\nurl = \"https://hc.example/hunter2\"\nevery = \"30s\"\nmethod = \"post\"\ntoken = \"hunter2\"\n";
    let alerts = read(text, &[]).expect("valid");
    let heartbeat = alerts.heartbeat.as_ref().expect("there is one");
    assert_eq!((heartbeat.url.expose_secret(), heartbeat.is_post), ("https://hc.example/hunter2", true));
    assert_eq!((heartbeat.every, heartbeat.timeout), (Duration::from_secs(30), Duration::from_secs(10)));
    assert!(!format!("{alerts:?}").contains("hunter2"));
    let text = "[alerts.heartbeat]\nurl = \"https://hunter2\"\nurl_file = \"none\"\nevery = \"1s\"\nmethod = \"put\"\ntoken_file = \"none\"\n";
    let told = errors(text);
    let expected = [
        "ttm.toml:3: alerts.heartbeat.url_file is set beside alerts.heartbeat.url, expected one of them",
        "ttm.toml:6: alerts.heartbeat.token_file is none, which cannot be read: No such file or directory (os error 2); expected a file with one line",
        "ttm.toml:4: alerts.heartbeat.every is 1s, expected at least 10s and at most 24h",
        "ttm.toml:5: alerts.heartbeat.method is \"put\", expected get or post",
    ];
    assert_eq!(told, expected);
}

#[test]
fn a_public_url_is_one_that_links_can_begin_with() {
    for wrong in [
        "ttm.example.org",
        "https://",
        "https:///x",
        "https://a b",
        "https://ann:x@h",
        "https://h/?a",
        "ftp://h",
    ] {
        let told = errors(&format!("[api]\npublic_url = \"{wrong}\"\n"));
        assert!(told.len() == 1 && told[0].starts_with("ttm.toml:2: api.public_url "), "{told:?}");
    }
}

/// The examples of the documentation: the text between ```toml and the next ```.
fn documented() -> Vec<&'static str> {
    let text = include_str!("../../../../../../docs/alerts.md");
    text.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap_or_default()).collect()
}

#[test]
fn every_example_of_the_documentation_is_valid() {
    let folder = tempfile::tempdir().expect("a folder");
    let secrets = folder.path().join("secrets");
    std::fs::create_dir(&secrets).expect("made");
    let examples = documented();
    assert_eq!(examples.len(), 4);
    for example in examples {
        for named in example.split('"').filter_map(|text| text.strip_prefix("secrets/")) {
            std::fs::write(secrets.join(named), "secret\n").expect("written");
            let owner = std::os::unix::fs::PermissionsExt::from_mode(0o600);
            std::fs::set_permissions(secrets.join(named), owner).expect("ours");
        }
        read_in(folder.path(), example, &[]).unwrap_or_else(|errors| panic!("{errors:#?}"));
    }
}
