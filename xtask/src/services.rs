//! The PostgreSQL that tests talk to: the one the caller names in `TTM_TEST_DATABASE_URL`, else a throw-away server.
//!
//! A throw-away server lives in a process of its own, the *keeper*, which stops it and removes its folder as soon as its
//! standard input closes. That happens however this process ends (return, panic, Ctrl-C, kill -9), so there is no signal to
//! handle and nothing is left behind. The keeper leads its own process group, so Ctrl-C does not reach the server.

mod binaries;
mod server;

use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::process;
pub(crate) use binaries::DATABASE_URL;
use server::Server;

/// The name of the keeper's subcommand.
const KEEP: &str = "keep-postgres";

/// `cargo xtask services`: a server until Ctrl-C.
pub(crate) fn run() -> Result<()> {
    let mut postgres = Postgres::start()?;
    println!("{DATABASE_URL}={}", postgres.url());
    let Some(keeper) = &mut postgres.keeper else {
        eprintln!("using the server that {DATABASE_URL} names; nothing was started");
        return Ok(());
    };
    eprintln!("Ctrl-C stops it and removes its data");
    let status = keeper.process.wait()?;
    bail!("the server's keeper exited unexpectedly ({status})");
}

/// A server for as long as this value lives.
pub(crate) struct Postgres {
    url: String,
    /// `None` if the caller named a server.
    keeper: Option<Keeper>,
}

/// The process that holds the server.
struct Keeper {
    process: Child,
    /// Its standard input, apart from its handle: waiting on a handle closes the input that is still in it.
    lifeline: Option<ChildStdin>,
}

impl Postgres {
    /// Takes the caller's server, or starts one, installing it first where that is possible. Poolers are started by the
    /// tests, each with settings of its own, and so are servers that a test freezes or stops.
    pub(crate) fn start() -> Result<Self> {
        binaries::have_pooler()?;
        binaries::have_promtool()?;
        binaries::have_alertmanager()?;
        binaries::have_mail_server()?;
        let binaries = binaries::find_or_install()?;
        match process::variable(DATABASE_URL) {
            Some(url) => Ok(Self { url, keeper: None }),
            None => Self::start_throw_away(&binaries),
        }
    }

    fn start_throw_away(binaries: &Path) -> Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .arg(KEEP)
            .arg(binaries)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .context("cannot start the server's keeper")?;
        let lifeline = process.stdin.take();
        let output = process.stdout.take().expect("standard output is piped");
        let mut postgres = Self { url: String::new(), keeper: Some(Keeper { process, lifeline }) };
        BufReader::new(output).read_line(&mut postgres.url)?;
        postgres.url.truncate(postgres.url.trim_end().len());
        if postgres.url.is_empty() {
            bail!("PostgreSQL did not start; the reason is above");
        }
        Ok(postgres)
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.lifeline.take());
        if let Err(error) = self.process.wait() {
            eprintln!("cannot wait for the server's keeper: {error}");
        }
    }
}

#[derive(Args)]
pub(crate) struct KeepOptions {
    /// The folder of `initdb` and `postgres`
    binaries: PathBuf,
}

/// The keeper: starts a server, prints its URL, and stops it when standard input closes.
pub(crate) fn keep(options: &KeepOptions) -> Result<()> {
    let server = Server::start(&options.binaries)?;
    println!("{}", server.url());
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
