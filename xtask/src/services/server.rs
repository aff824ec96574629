//! One throw-away PostgreSQL server: its folder, its account, its start and its stop.
//!
//! Durability settings stay at their defaults, because tests kill servers and check what survived.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;

use crate::process;

/// The server's folders lie here: out of /tmp, which is often memory, and with a path short enough for its socket,
/// which may have 107 bytes.
const PARENT: &str = "/var/tmp";
/// Many test programs, each with pools of several connections, run side by side.
const CONNECTIONS: u32 = 200;
/// How often, and how many times, a starting server is asked whether it is ready: a minute in all.
const STEP: Duration = Duration::from_millis(20);
const STEPS: u32 = 3000;

/// A running server; dropping it stops the server and removes its folder.
pub(super) struct Server {
    // Fields are dropped in this order, after `drop`: the process has ended when its folder goes.
    process: Child,
    folder: TempDir,
    port: u16,
}

impl Server {
    /// Makes a cluster and starts it; returns when it accepts connections.
    pub(super) fn start(binaries: &Path) -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("ttm-pg-")
            .tempdir_in(PARENT)
            .with_context(|| format!("cannot make a folder in {PARENT}"))?;
        let account = Account::choose()?;
        account.own(folder.path())?;

        let mut initdb = account.command(&binaries.join("initdb"), folder.path());
        // No --no-instructions, no --no-sync: versions differ in them, and quiet output needs neither.
        initdb.args([
            "--pgdata=data",
            "--username=postgres",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
        ]);
        process::output(&mut initdb)?;

        let port = free_port()?;
        let log = fs::File::create(folder.path().join("log"))?;
        let process = account
            .command(&binaries.join("postgres"), folder.path())
            .args(["-D", "data", "-p", &port.to_string()])
            .arg("-k")
            .arg(folder.path())
            .args(["-c", "listen_addresses=127.0.0.1", "-c", &format!("max_connections={CONNECTIONS}")])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("cannot run postgres")?;
        let mut server = Self { process, folder, port };
        server.wait_until_ready()?;
        Ok(server)
    }

    /// Every connection from loopback is trusted: the server holds nothing worth protecting.
    pub(super) fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "another process becomes ready in its own time and does not notify us"
    )]
    fn wait_until_ready(&mut self) -> Result<()> {
        for _ in 0..STEPS {
            if let Some(status) = self.process.try_wait()? {
                bail!("PostgreSQL exited during startup ({status}): {}", self.last_log_line());
            }
            if self.says_ready() {
                return Ok(());
            }
            std::thread::sleep(STEP);
        }
        bail!("PostgreSQL was not ready after {:?}: {}", STEP * STEPS, self.last_log_line());
    }

    /// The eighth line of `postmaster.pid` is the server's status; `pg_ctl` reads it there too.
    fn says_ready(&self) -> bool {
        let status = fs::read_to_string(self.folder.path().join("data/postmaster.pid")).unwrap_or_default();
        status.lines().nth(7).is_some_and(|line| line.trim_end() == "ready")
    }

    fn last_log_line(&self) -> String {
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        log.lines().last().unwrap_or("its log is empty").to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGINT is its fast shutdown: clients are cut off, data is flushed. The process is our child and not yet waited
        // for, so its id cannot have been reused.
        if let Err(error) = kill_process(Pid::from_child(&self.process), Signal::INT) {
            eprintln!("cannot stop PostgreSQL: {error}");
        }
        if let Err(error) = self.process.wait() {
            eprintln!("cannot wait for PostgreSQL: {error}");
        }
    }
}

/// Who runs the server: it refuses to run as root.
struct Account {
    /// User and group; `None` for the current ones.
    other: Option<(u32, u32)>,
}

impl Account {
    fn choose() -> Result<Self> {
        if !geteuid().is_root() {
            return Ok(Self { other: None });
        }
        let other = ["postgres", "nobody"].iter().find_map(|name| ids(name));
        let other = other
            .context("PostgreSQL refuses to run as root, and there is no user `postgres` or `nobody`")?;
        Ok(Self { other: Some(other) })
    }

    fn own(&self, folder: &Path) -> Result<()> {
        if let Some((user, group)) = self.other {
            chown(folder, Some(user), Some(group))
                .with_context(|| format!("cannot change the owner of {}", folder.display()))?;
        }
        Ok(())
    }

    /// A program under this account, in `folder`, with an environment that cannot change what it does.
    fn command(&self, program: &Path, folder: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(folder).env_clear().env("LC_ALL", "C").env("PATH", "/usr/bin:/bin");
        if let Some((user, group)) = self.other {
            command.uid(user).gid(group);
        }
        command
    }
}

/// The numeric user and group of a name, if the system knows it.
fn ids(name: &str) -> Option<(u32, u32)> {
    let ask = |flag| process::output(Command::new("id").args([flag, name])).ok()?.parse().ok();
    Some((ask("-u")?, ask("-g")?))
}

/// A port on loopback that is free at the moment.
fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port on loopback")?;
    Ok(listener.local_addr()?.port())
}
