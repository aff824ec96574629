//! A running `ttm`. Dropping it kills the process.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use serde_json::Value;

/// A program under test whose log is read as it is written.
pub struct Program {
    child: Child,
    /// Until this is dropped, a thread waits to kill a program that takes too long.
    _patience: Sender<()>,
    log: BufReader<ChildStderr>,
    stdout: Option<ChildStdout>,
    seen: Vec<String>,
}

/// The result of a program that has ended.
#[derive(Debug)]
pub struct Outcome {
    /// Its exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// Its standard output.
    pub stdout: String,
    /// Its log and errors.
    pub stderr: String,
}

/// Much longer than any test: a program that hangs is killed, so that its test fails and shows the log.
const PATIENCE: Duration = Duration::from_mins(5);

/// No test depends on how full the disk of its machine is: neither health nor an alert says anything of it.
const ANY_DISK: [(&str, &str); 2] =
    [("TTM_ALERTS__RULES__DISK__ENTER", "101"), ("TTM_ALERTS__RULES__DISK__WORSE__ENTER", "101")];

/// A command for the program in `folder`, with an empty environment but for that.
pub fn ttm(folder: &Path) -> Command {
    run_in(folder, &binary())
}

/// The same program, in which faults can be made.
pub fn ttm_faulty(folder: &Path) -> Command {
    run_in(folder, &built("ttm-faulty"))
}

fn run_in(folder: &Path, binary: &Path) -> Command {
    let mut command = Command::new(binary);
    command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.env_clear().envs(ANY_DISK);
    command
}

/// `target/<profile>/ttm`, next to the folder of this test's own executable.
pub fn binary() -> PathBuf {
    built("ttm")
}

fn built(name: &str) -> PathBuf {
    let own = std::env::current_exe().expect("a test has an executable");
    let profile = own.parent().and_then(Path::parent).expect("tests live in target/<profile>/deps");
    let binary = profile.join(name);
    assert!(
        binary.exists(),
        "{} is not built: run cargo xtask test -p ttm-e2e, which builds it",
        binary.display()
    );
    binary
}

impl Program {
    /// Starts it.
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.spawn().expect("the program starts");
        let log = BufReader::new(child.stderr.take().expect("stderr is piped"));
        let stdout = child.stdout.take();
        Self { _patience: kill_after_patience(pid_of(&child)), child, log, stdout, seen: Vec::new() }
    }

    /// The next JSON log line for which `wanted` holds. Panics with the log when the program ends before.
    pub fn wait_for(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let mut line = String::new();
            let read = self.log.read_line(&mut line).expect("the log can be read");
            assert!(read > 0, "the program ended before it logged {what}:\n{}", self.seen.join(""));
            let parsed = serde_json::from_str::<Value>(&line);
            self.seen.push(line);
            if let Ok(entry) = parsed
                && wanted(&entry)
            {
                return entry;
            }
        }
    }

    /// Waits for the line with this message.
    pub fn wait_for_message(&mut self, message: &str) -> Value {
        self.wait_for(message, |entry| entry["message"] == message)
    }

    /// The address that it listens on, as soon as it does; it may still be starting.
    pub fn listening(&mut self) -> SocketAddr {
        address(&self.wait_for_message("listening; starting"))
    }

    /// The same, once it has started.
    pub fn address(&mut self) -> SocketAddr {
        address(&self.wait_for_message("started"))
    }

    /// The folder that it works in, with the mounts that it alone sees.
    pub fn folder(&self) -> PathBuf {
        format!("/proc/{}/cwd", self.child.id()).into()
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How long its threads with this name were runnable but waited for a CPU.
    pub fn waited_to_run(&self, thread: &str) -> Duration {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("it runs");
        let tasks = tasks.map(|task| task.expect("a thread").path());
        let of_thread = tasks.filter(|task| {
            std::fs::read_to_string(task.join("comm")).is_ok_and(|name| name.trim() == thread)
        });
        of_thread.map(|task| run_queue_wait(&task.join("schedstat"))).sum()
    }

    /// Limits its file descriptors to those that are open now.
    pub fn leave_no_descriptor(&self) {
        let open = std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).expect("it runs");
        let taken: BTreeSet<u64> =
            open.filter_map(|fd| fd.ok()?.file_name().to_str()?.parse().ok()).collect();
        let limit = Rlimit { current: (0..4096).find(|number| !taken.contains(number)), maximum: Some(4096) };
        prlimit(Some(pid_of(&self.child)), Resource::Nofile, limit).expect("the process is there");
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(pid_of(&self.child), signal).expect("the process is there");
    }

    /// Reads its output until it ends.
    pub fn end(mut self) -> Outcome {
        let mut stderr = self.seen.concat();
        self.log.read_to_string(&mut stderr).expect("the log can be read");
        let mut stdout = String::new();
        if let Some(mut pipe) = self.stdout.take() {
            pipe.read_to_string(&mut stdout).expect("stdout can be read");
        }
        let status = self.child.wait().expect("the process can be waited for");
        let debugged: Vec<&str> = stderr.lines().filter(|line| shows_debug(line)).collect();
        assert!(debugged.is_empty(), "log fields must not be formatted with Debug: {debugged:?}");
        Outcome { code: status.code(), stdout, stderr }
    }
}

fn address(entry: &Value) -> SocketAddr {
    entry["address"].as_str().and_then(|text| text.parse().ok()).expect("the log names the address")
}

/// Whether a value of a log line looks like the `Debug` output of a struct or an enum.
fn shows_debug(line: &str) -> bool {
    let Ok(Value::Object(fields)) = serde_json::from_str(line) else { return false };
    fields.values().filter_map(Value::as_str).any(|value| {
        let name = value.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(0);
        let is_type = value.starts_with(|c: char| c.is_ascii_uppercase());
        is_type && (value[name..].starts_with('(') || value[name..].starts_with(" {"))
    })
}

/// How long the calling thread was runnable but waited for a CPU.
pub fn waited_to_run() -> Duration {
    run_queue_wait(Path::new("/proc/thread-self/schedstat"))
}

/// The second number is that time in nanoseconds; zero if the kernel does not count it.
fn run_queue_wait(schedstat: &Path) -> Duration {
    let text = std::fs::read_to_string(schedstat).unwrap_or_default();
    let waited = text.split(' ').nth(1).and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(waited.unwrap_or_default())
}

fn pid_of(child: &Child) -> Pid {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a process has an id")
}

#[expect(clippy::disallowed_methods, reason = "a blocking read has no timeout")]
fn kill_after_patience(pid: Pid) -> Sender<()> {
    let (sender, dropped) = channel();
    drop(std::thread::spawn(move || {
        if dropped.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
            // Fails if it has just ended.
            let _ended_meanwhile = kill_process(pid, Signal::KILL);
        }
    }));
    sender
}

impl Drop for Program {
    fn drop(&mut self) {
        // Fails if it has ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
