//! A PostgreSQL server of one test, which can be frozen, stopped and started again.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;

use crate::Port;
use crate::database::run;

/// A server. Dropping it stops it and removes its data.
pub struct Postgres {
    folder: TempDir,
    binaries: PathBuf,
    port: u16,
    /// `None` while it is stopped.
    server: Option<Child>,
}

/// Where Debian keeps its versions side by side: `15/bin`, `17/bin`, …
const VERSIONS: &str = "/usr/lib/postgresql";

impl Postgres {
    /// Makes a cluster and starts it.
    pub fn start() -> Self {
        // Out of /tmp, which is often memory, and with a path short enough for its socket.
        let folder = tempfile::Builder::new().prefix("ttm-pg-").tempdir_in("/var/tmp").expect("a folder");
        let port = Port::open().address().port();
        let mut postgres = Self { folder, binaries: binaries(), port, server: None };
        if let Some((user, group)) = account() {
            chown(postgres.folder.path(), Some(user), Some(group)).expect("root may do that");
        }
        let made = postgres
            .command("initdb")
            .args(["--pgdata=data", "--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C"])
            .arg("--no-sync")
            .output()
            .expect("initdb runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        postgres.resume();
        postgres
    }

    /// The URL of its database.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// The first column of the result, as the server prints it.
    pub fn ask(&self, query: &str) -> String {
        run(&self.url(), query)
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on only its superuser, who is let in without a password, may come without TLS.
    pub fn secure(&self, certificate: &str, key: &str) {
        let rules = "host all postgres 127.0.0.1/32 trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n";
        for (name, content) in [("server.crt", certificate), ("server.key", key), ("pg_hba.conf", rules)] {
            let file = self.folder.path().join("data").join(name);
            fs::write(&file, content).expect("our own folder");
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("our own file");
            if let Some((user, group)) = account() {
                chown(&file, Some(user), Some(group)).expect("root may do that");
            }
        }
        self.ask("ALTER SYSTEM SET ssl = on");
        self.ask("SELECT pg_reload_conf()");
        // It reloads in its own time.
        let is_on =
            (0..1_000).any(|_| self.ask("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()") == "t");
        assert!(is_on, "its log: {:?}", fs::read_to_string(self.folder.path().join("log")));
    }

    /// It answers nothing any more, though connections to it are still made.
    pub fn freeze(&self) {
        self.signal_all(Signal::STOP);
    }

    /// It goes on with what it was doing.
    pub fn thaw(&self) {
        self.signal_all(Signal::CONT);
    }

    /// Ends it as a crash would; connections to it are refused.
    pub fn kill(&mut self) {
        self.signal_all(Signal::KILL);
        drop(self.server.take().expect("it runs").wait());
    }

    /// Starts it again.
    pub fn resume(&mut self) {
        let log = File::create(self.folder.path().join("log")).expect("our own folder");
        let mut command = self.command("postgres");
        command
            .args(["-D", "data", "-c", "listen_addresses=127.0.0.1", "-p", &self.port.to_string(), "-k"])
            .arg(self.folder.path())
            .stderr(log);
        self.server = Some(command.spawn().expect("postgres runs"));
        // The eighth line is its status; `pg_ctl` reads it there too.
        let status = self.folder.path().join("data/postmaster.pid");
        let is_ready = || {
            let text = fs::read_to_string(&status).unwrap_or_default();
            text.lines().nth(7).is_some_and(|line| line.trim_end() == "ready")
        };
        while !is_ready() {
            let ended = self.server.as_mut().and_then(|server| server.try_wait().expect("our own child"));
            let log = || fs::read_to_string(self.folder.path().join("log"));
            assert!(ended.is_none(), "the server ended at its start: {:?}", log());
            std::thread::yield_now();
        }
    }

    /// A program of the server, as an account that it accepts.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.binaries.join(program));
        command.current_dir(self.folder.path()).env_clear().env("LC_ALL", "C").env("PATH", "/usr/bin:/bin");
        command.stdin(Stdio::null()).stdout(Stdio::null());
        if let Some((user, group)) = account() {
            command.uid(user).gid(group);
        }
        command
    }

    /// The server first, so that it starts nothing more.
    fn signal_all(&self, signal: Signal) {
        let Some(server) = &self.server else { return };
        let server = Pid::from_child(server);
        let send = |process: Pid| {
            // Fails for a process that has just ended.
            let _ = kill_process(process, signal);
        };
        send(server);
        children(server).into_iter().for_each(send);
    }
}

fn children(of: Pid) -> Vec<Pid> {
    let processes = fs::read_dir("/proc").expect("Linux has it").flatten();
    let ids = processes.filter_map(|process| process.file_name().to_str()?.parse().ok());
    ids.filter_map(Pid::from_raw).filter(|process| parent(*process) == Some(of)).collect()
}

fn parent(of: Pid) -> Option<Pid> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", of.as_raw_nonzero())).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(1)?.parse().ok().and_then(Pid::from_raw)
}

/// The folder of the newest version of the server: on `PATH`, else where Debian installs it.
fn binaries() -> PathBuf {
    #[expect(clippy::disallowed_methods, reason = "the environment names the folders of programs")]
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).find(|folder| folder.join("initdb").is_file());
    let versions = || {
        let folders = fs::read_dir(Path::new(VERSIONS)).into_iter().flatten().flatten();
        let usable = folders.filter(|folder| folder.path().join("bin/initdb").is_file());
        let version = |folder: &fs::DirEntry| folder.file_name().to_str()?.parse::<u32>().ok();
        usable.max_by_key(version).map(|folder| folder.path().join("bin"))
    };
    on_path.or_else(versions).expect(
        "PostgreSQL's initdb is not installed: run cargo xtask test, or install the package postgresql",
    )
}

/// User and group of the server, which refuses to run as root; `None` for our own.
fn account() -> Option<(u32, u32)> {
    if !geteuid().is_root() {
        return None;
    }
    let ask = |flag, name| {
        let output = Command::new("id").args([flag, name]).output().ok()?;
        String::from_utf8(output.stdout).ok()?.trim().parse().ok()
    };
    let ids = |name| Some((ask("-u", name)?, ask("-g", name)?));
    Some(ids("postgres").or_else(|| ids("nobody")).expect("there is a user for the server"))
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.signal_all(Signal::KILL);
        if let Some(mut server) = self.server.take() {
            let _ = server.wait();
        }
    }
}
