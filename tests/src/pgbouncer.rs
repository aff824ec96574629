//! PgBouncer in front of the test server. Dropping it stops it.

use std::fmt::Write;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::Database;

/// A running PgBouncer.
pub struct PgBouncer {
    child: Child,
    port: u16,
    _folder: TempDir,
}

impl PgBouncer {
    /// Starts one in front of the server of this database. `mode` is `session` or `transaction`; `settings` are more lines of
    /// its config.
    pub fn start(database: &Database, mode: &str, settings: &str) -> Self {
        let program = program();
        let folder = tempfile::Builder::new().prefix("ttm-pgb-").tempdir_in("/var/tmp").expect("a folder");
        let port =
            TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port").port();
        let (user, password) = database.login();
        let host = database.host();
        let (host, server_port) = host.rsplit_once(':').unwrap_or((&host, "5432"));
        let mut config = format!("[databases]\n* = host={host} port={server_port} user={user}");
        if !password.is_empty() {
            write!(config, " password={password}").expect("writing to a string cannot fail");
        }
        write!(
            config,
            "\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nauth_type = any\n\
             pool_mode = {mode}\nunix_socket_dir =\n{settings}\n"
        )
        .expect("writing to a string cannot fail");
        let file = folder.path().join("pgbouncer.ini");
        fs::write(&file, config).expect("the config is written");
        // It refuses to run as root, and as another user must be able to read its config.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("our own folder");
        let mut command = Command::new(program);
        if rustix::process::geteuid().is_root() {
            command.args(["-u", "nobody"]);
        }
        let mut child = command
            .arg(&file)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the pooler starts");
        let mut log = BufReader::new(child.stderr.take().expect("stderr is piped"));
        let mut seen = String::new();
        while !seen.contains("process up") {
            let read = log.read_line(&mut seen).expect("its log can be read");
            assert!(read > 0, "PgBouncer ended at its start: {seen}");
        }
        // The rest of its log is not used, but a full pipe would block it.
        drain(log);
        Self { child, port, _folder: folder }
    }

    /// Its `host:port`.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

#[expect(clippy::disallowed_methods, reason = "a thread drains a blocking pipe")]
fn drain(mut log: BufReader<std::process::ChildStderr>) {
    std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
}

/// The path of the program: on `PATH`, else where Debian installs it.
fn program() -> PathBuf {
    #[expect(clippy::disallowed_methods, reason = "the environment names the folders of programs")]
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    let found =
        folders.map(|folder| folder.join("pgbouncer")).find(|program: &PathBuf| Path::exists(program));
    found.expect("pgbouncer is not installed: run cargo xtask test, or install the package pgbouncer")
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        // Fails if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
