//! A database per test on the test server, by psql. Dropping it removes the database.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// A database for one test.
pub struct Database {
    server: String,
    name: String,
}

/// An open transaction of another client. Dropping it ends the transaction.
pub struct Held(Child);

impl Drop for Held {
    fn drop(&mut self) {
        // psql quits at the end of its input; once it has ended, the server has released its locks.
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

static NEXT: AtomicU32 = AtomicU32::new(0);

impl Database {
    /// Creates one on the server of `TTM_TEST_DATABASE_URL`.
    #[expect(clippy::disallowed_methods, reason = "the environment names the test server")]
    pub fn create() -> Self {
        let server = std::env::var("TTM_TEST_DATABASE_URL")
            .expect("TTM_TEST_DATABASE_URL is not set: run cargo xtask test, or cargo xtask services");
        let name = format!("ttm_e2e_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let database = Self { server, name };
        database.administer(&format!("CREATE DATABASE {}", database.name));
        database
    }

    /// Its URL.
    pub fn url(&self) -> String {
        self.url_at(&self.host())
    }

    /// Its URL through another `host:port`.
    pub fn url_at(&self, host: &str) -> String {
        let (credentials, _, _) = self.parts();
        format!("postgres://{credentials}{host}/{}", self.name)
    }

    /// Its name on the server.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The server's `host:port`.
    pub fn host(&self) -> String {
        self.parts().1.to_owned()
    }

    /// User and password, the latter empty if there is none.
    pub fn login(&self) -> (String, String) {
        let (credentials, ..) = self.parts();
        let credentials = credentials.trim_end_matches('@');
        let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
        let user = if user.is_empty() { "postgres" } else { user };
        (user.to_owned(), password.to_owned())
    }

    /// The first column of the first row, as the server prints it.
    pub fn ask(&self, query: &str) -> String {
        run(&self.url(), query)
    }

    /// Returns once a session waits for a lock. Panics if none does for some seconds.
    pub fn has_a_session_that_waits(&self) {
        let waiting = "SELECT count(*) > 0 FROM pg_stat_activity \
             WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let looks = (0..1_000).find(|_| self.ask(waiting).trim() == "t");
        assert!(looks.is_some(), "no session waits for a lock");
    }

    /// Runs statements as another client, in a transaction that stays open, with its locks, until the result is dropped.
    pub fn hold(&self, statements: &str) -> Held {
        let mut session = Command::new("psql")
            .args(["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", &self.url()])
            .env("PGAPPNAME", "another")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("psql is installed with the server");
        let stdin = session.stdin.as_mut().expect("stdin is piped");
        writeln!(stdin, "BEGIN; {statements};\n\\echo held").expect("psql reads");
        let stdout = session.stdout.as_mut().expect("stdout is piped");
        let held = BufReader::new(stdout).lines().map_while(Result::ok).any(|line| line == "held");
        assert!(held, "{statements}: refused");
        Held(session)
    }

    fn parts(&self) -> (String, &str, &str) {
        let rest = self.server.split_once("://").map_or(self.server.as_str(), |(_, rest)| rest);
        let (authority, path) = rest.split_once('/').unwrap_or((rest, "postgres"));
        match authority.rsplit_once('@') {
            Some((credentials, host)) => (format!("{credentials}@"), host, path),
            None => (String::new(), authority, path),
        }
    }

    fn administer(&self, statement: &str) {
        run(&self.server, statement);
    }
}

pub(crate) fn run(url: &str, statement: &str) -> String {
    let output = Command::new("psql")
        .args(["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-c", statement, url])
        .output();
    let output = output.expect("psql is installed with the server");
    assert!(output.status.success(), "{statement}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

impl Drop for Database {
    fn drop(&mut self) {
        self.administer(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
    }
}
