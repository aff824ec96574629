//! The service as it is installed in a container by its README, and the API that it asks.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread::Scope;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use ttm_e2e::{Answer, get};
use ttm_exchange_sim::{Exchange, ExchangeConfig, Latency};
use ttm_market::Mint;
use ttm_tokio_runtime::TokioRuntime;

use crate::container::Container;

/// Where it listens, in the container's network.
pub(crate) const ADDRESS: &str = "127.0.0.1:8080";
/// Longer than all times of the unit together.
const PATIENCE: Duration = Duration::from_secs(90);
/// systemd tells nobody of a change, so it is asked this often.
const ASKED_EVERY: Duration = Duration::from_millis(50);

/// The unit in a container of its own.
pub(crate) struct Service {
    pub(crate) container: Container,
    pub(crate) mints: Vec<Mint>,
    /// The API stops when it is dropped.
    _exchange: oneshot::Sender<()>,
}

/// Boots a container and installs the service there, which is not started yet. `more` is added to its config, and `dropin` to
/// its unit.
pub(crate) fn installed(more: &str, dropin: &str, test: impl FnOnce(&Service)) {
    let deploy = Path::new("../deploy/systemd").canonicalize().expect("the folder of the unit");
    std::thread::scope(|scope| {
        let container = Container::boot(&[&ttm_e2e::binary(), &deploy]);
        let (stop, stopped) = oneshot::channel();
        let (url, mints) = exchange(&container, scope, stopped);
        let service = Service { container, mints, _exchange: stop };
        let container = &service.container;
        for command in [
            "install -m 755 /mnt/ttm /usr/local/bin/ttm",
            "install -m 644 /mnt/systemd/ttm.service /etc/systemd/system/ttm.service",
            "install -m 644 -D /mnt/systemd/ttm.sysusers /etc/sysusers.d/ttm.conf",
            "systemd-sysusers",
            "install -m 750 -g ttm -d /etc/ttm",
            "install -m 640 -g ttm /mnt/systemd/ttm.toml /etc/ttm/ttm.toml",
            "install -d /etc/systemd/system/ttm.service.d",
        ] {
            container.ok(command);
        }
        let config = container.ok("cat /etc/ttm/ttm.toml");
        // How full the disk of this machine is does not matter.
        let disk = "[alerts.rules.disk]\nenter = 101\nworse.enter = 101\n";
        service.configure(&format!("{config}\n{disk}[dexscreener]\nbase_url = \"{url}\"\n{more}"));
        container.write("/etc/systemd/system/ttm.service.d/test.conf", &format!("[Service]\n{dropin}\n"));
        container.ok("systemctl daemon-reload");
        test(&service);
    });
}

/// Starts the API in the container's network.
fn exchange<'scope>(
    container: &Container,
    scope: &'scope Scope<'scope, '_>,
    stopped: oneshot::Receiver<()>,
) -> (String, Vec<Mint>) {
    let (tell, told) = channel();
    drop(container.with_network(scope, move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let clock = Arc::new(TokioRuntime::new(runtime.handle().clone()));
        let config = ExchangeConfig::new(7, 40).latency(Latency::NONE);
        let exchange = runtime.block_on(Exchange::start(config, clock)).expect("a free port");
        tell.send((exchange.base_url(), exchange.mints().collect())).expect("it is awaited");
        // Dropped, never used: an error is the end.
        let _ = runtime.block_on(stopped);
    }));
    told.recv().expect("it starts")
}

impl Service {
    /// Replaces its config.
    pub(crate) fn configure(&self, config: &str) {
        self.container.write("/etc/ttm/ttm.toml", config);
    }

    /// What systemd says of it.
    pub(crate) fn shown(&self) -> BTreeMap<String, String> {
        let all = self.container.ok("systemctl show ttm");
        all.lines()
            .filter_map(|line| line.split_once('='))
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .collect()
    }

    /// One of its properties.
    pub(crate) fn property(&self, name: &str) -> String {
        self.container.ok(&format!("systemctl show ttm --value --property {name}"))
    }

    /// Its process.
    pub(crate) fn pid(&self) -> String {
        self.property("MainPID")
    }

    /// Waits until this is true of a property.
    #[track_caller]
    pub(crate) fn wait_for(&self, name: &str, wanted: impl Fn(&str) -> bool) -> String {
        self.wait(|| Some(self.property(name)).filter(|value| wanted(value)))
    }

    /// Waits until there is an answer.
    #[track_caller]
    pub(crate) fn wait<T>(&self, ask: impl Fn() -> Option<T>) -> T {
        let begun = now();
        loop {
            if let Some(answer) = ask() {
                return answer;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "there is no answer; its status is {:?}\n{}",
                self.property("StatusText"),
                self.log()
            );
            pause();
        }
    }

    /// What it logged.
    pub(crate) fn log(&self) -> String {
        self.container.ok("journalctl --unit ttm --output cat --lines 60 --no-pager")
    }

    /// Asks it for a path.
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.in_its_network(|| get(address(), path))
    }

    /// Does something with the container's network.
    pub(crate) fn in_its_network<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            let working = self.container.with_network(scope, work);
            working.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Its tokens, as its API lists them.
    pub(crate) fn tokens(&self) -> Vec<String> {
        let page = self.get("/api/v1/tokens?limit=500").json();
        let tokens = page["tokens"].as_array().expect("a list").iter();
        tokens.map(|token| token["mint"].as_str().expect("a mint").to_owned()).collect()
    }

    /// Adds a token by the command line. True when it was accepted.
    pub(crate) fn add(&self, mint: &Mint) -> bool {
        let line = format!("runuser -u ttm -- ttm --config /etc/ttm/ttm.toml tokens add {mint}");
        self.container.run(&line).status.success()
    }
}

pub(crate) fn address() -> SocketAddr {
    ADDRESS.parse().expect("an address")
}

#[expect(clippy::disallowed_methods, reason = "the promises are about real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "systemd tells nobody of a change")]
pub(crate) fn pause() {
    std::thread::sleep(ASKED_EVERY);
}
