//! A folder with what a service needs that tells alerts within a second, and the orders that make one fire.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;
use tempfile::TempDir;
use ttm_e2e::{Market, Program, Proxy, market, post, send, ttm};

use crate::contract::KEY;
use crate::hook::Hook;

/// A store in the folder.
pub(crate) const SQLITE: &str = "sqlite://ttm-data/ttm.db";
const TOKEN: &str = "another-battery-staple";
const TOKENS: usize = 40;

/// A folder, and an exchange that can refuse connections.
pub(crate) struct Place {
    folder: TempDir,
    pub(crate) exchange: Proxy,
    _market: Market,
}

impl Place {
    pub(crate) fn new() -> Self {
        let (folder, market) = (tempfile::tempdir().expect("a folder"), market(TOKENS));
        let mints: Vec<String> = market.mints().iter().map(ToString::to_string).collect();
        let exchange = Proxy::to(market.base_url().trim_start_matches("http://").to_owned());
        let place = Self { folder, exchange, _market: market };
        place.write("mints.txt", &mints.join("\n"));
        place.write("token", TOKEN);
        place.write("secret", str::from_utf8(KEY).expect("text"));
        place
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A file that its owner alone reads.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        fs::write(&path, text).expect("written");
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("ours");
    }

    /// Configures a service with this store, whose alerts go to the log unless `alerts` says otherwise.
    pub(crate) fn configure(&self, store: &str, alerts: &str) {
        let exchange = self.exchange.address();
        let config = format!(
            r#"
            [store]
            url = "{store}"
            [api]
            listen = "127.0.0.1:0"
            token_file = "token"
            [dexscreener]
            base_url = "http://{exchange}"
            [breaker.dexscreener]
            failure_threshold = 1
            recovery_timeout = "1s"
            [scheduler]
            hot_interval = "1s"
            cold_interval = "1s"
            [sources]
            file = "mints.txt"
            [monitoring]
            health_check_interval = "500ms"
            resource_check_interval = "500ms"
            alert_cooldown = "1s"
            [alerts]
            group_wait = "0s"
            group_interval = "0s"
            {alerts}
            "#
        );
        self.write("ttm.toml", &config);
    }

    /// The service.
    pub(crate) fn service(&self) -> Command {
        run(ttm(self.path()))
    }

    /// Starts it.
    pub(crate) fn start(&self) -> Program {
        Program::start(&mut self.service())
    }
}

/// Makes a service of a command for the program.
pub(crate) fn run(mut command: Command) -> Command {
    command.args(["run", "--config", "ttm.toml", "--log", "info"]);
    command
}

/// A channel with this name that goes to the hook.
pub(crate) fn channel(name: &str, hook: &Hook) -> String {
    let url = hook.url(name);
    format!(
        "
        [alerts.channels.{name}]
        kind = \"webhook\"
        url = \"{url}\"
        secret_file = \"secret\"
        timeout = \"2s\"
        "
    )
}

/// A route from a rule to channels, and that the rule neither waits nor lasts longer than what it is about.
pub(crate) fn told(rule: &str, more: &str, channels: &[&str]) -> String {
    format!(
        "
        [[alerts.routes]]
        match = {{ rule = \"{rule}\" }}
        channels = {channels:?}
        [alerts.rules.{rule}]
        for = \"0s\"
        keep_firing_for = \"0s\"
        {more}
        "
    )
}

/// A rule of its own about the breaker, whose alerts are CRITICAL.
pub(crate) fn told_when_open(rule: &str, channels: &[&str]) -> String {
    told(rule, "series = \"breaker.open\"\nseverity = \"critical\"", channels)
}

/// Forces the breaker open, or resets it.
pub(crate) fn order(address: SocketAddr, order: &str) {
    let answer = post(
        address,
        &format!("/api/v1/breakers/dexscreener/{order}"),
        &format!("authorization: Bearer {TOKEN}\r\n"),
    );
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// How many events of this kind the service has stored.
pub(crate) fn count_events(address: SocketAddr, kind: &str) -> usize {
    let path = format!("/api/v1/events?kind={kind}");
    let events = send(address, "GET", &path, &format!("authorization: Bearer {TOKEN}\r\n"), "").json();
    events["events"].as_array().expect("a list").len()
}

/// So many seconds of the service pass, in each of which everything is evaluated.
pub(crate) fn pass(program: &mut Program, seconds: usize) {
    for _ in 0..seconds {
        program.wait_for("a run", |entry| entry["message"] == "run ended" && entry["group"] == "hot");
    }
}

/// Stops it in order.
pub(crate) fn stop(program: Program) {
    program.signal(Signal::TERM);
    let outcome = program.end();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
}
