//! The real program against the stand-in. The minutes that the cost is measured for are those of `TTM_BENCH_MINUTES`, two without
//! it; the shorter, the more the noise of the machine shows.

use std::error::Error;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use ttm_bench::{Bound, Figure, Figures, Scenario, Shown, now};
use ttm_e2e::{Database, Faults, Market, Program, get, market, post, ttm, ttm_faulty};
use ttm_systemd::testing::FakeManager;

pub(crate) const SCENARIOS: [Scenario; 4] = [
    Scenario { name: "exec to READY", play: starts },
    Scenario { name: "graceful restart", play: graceful },
    Scenario { name: "spinning threads", play: spinning },
    Scenario { name: "cost of watching", play: cost },
];

const TOKENS: usize = 600;
const STORE: &str = "sqlite://ttm-data/ttm.db";
const ROUNDS: usize = 5;
const TOKEN: &str = "a-token-of-this-benchmark";

fn folder() -> Result<tempfile::TempDir, Box<dyn Error>> {
    Ok(tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?)
}

/// Lets the program, of this kind, run on a store that follows a list of all tokens.
fn service(kind: fn(&Path) -> Command, folder: &Path, market: &Market, store: &str, log: &str) -> Command {
    let mints: Vec<String> = market.mints().iter().map(ToString::to_string).collect();
    fs::write(folder.join("mints.txt"), mints.join("\n")).expect("the folder is ours");
    let token = folder.join("token");
    fs::write(&token, TOKEN).expect("the folder is ours");
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).expect("it is ours");
    let mut command = kind(folder);
    command.args(["run", "--log", log]).envs([
        ("TTM_API__LISTEN", "127.0.0.1:0"),
        ("TTM_API__TOKEN_FILE", "token"),
        ("TTM_DEXSCREENER__BASE_URL", &market.base_url()),
        ("TTM_SOURCES__FILE", "mints.txt"),
        ("TTM_STORE__URL", store),
    ]);
    command
}

fn scored(entry: &Value) -> bool {
    entry["message"] == "run ended" && entry["group"] == "hot" && entry["processed"].as_u64() > Some(0)
}

/// From exec until the service manager hears that it is ready, on new stores and on those of the start before.
fn starts(shown: Shown<'_>) -> Figures {
    let market = market(TOKENS);
    let database = Database::create();
    let longest = |store: &str| -> Result<f64, Box<dyn Error>> {
        let (folder, mut longest) = (folder()?, Duration::ZERO);
        let mut manager = FakeManager::in_folder(folder.path());
        for round in 1..=ROUNDS {
            shown(&format!("{store}, {round} of {ROUNDS}"));
            let mut command = service(ttm, folder.path(), &market, store, "warn");
            command.env("NOTIFY_SOCKET", manager.notify_socket());
            let begun = now();
            let program = Program::start(&mut command);
            manager.wait_for("READY=1");
            longest = longest.max(begun.elapsed());
            program.signal(rustix::process::Signal::TERM);
            program.end();
        }
        Ok(longest.as_secs_f64())
    };
    Ok(vec![
        Figure::new("from exec to READY on SQLite, maximum of 5", longest(STORE)?, "s")
            .bound(Bound::AtMost(3.0)),
        Figure::new("from exec to READY on PostgreSQL, maximum of 5", longest(&database.url())?, "s")
            .bound(Bound::AtMost(3.0)),
    ])
}

/// An operator restarts a group in the middle of its work.
fn graceful(shown: Shown<'_>) -> Figures {
    let (market, folder) = (market(TOKENS), folder()?);
    let mut program =
        Program::start(&mut service(ttm, folder.path(), &market, STORE, "info,ttm_service=debug"));
    let address = program.address();
    let mut longest = 0.0_f64;
    for round in 1..=ROUNDS {
        shown(&format!("{round} of {ROUNDS}"));
        program.wait_for("a run that scored", scored);
        let answer =
            post(address, "/api/v1/scheduler/hot/restart", &format!("authorization: Bearer {TOKEN}\r\n"));
        if answer.status != 202 {
            return Err(answer.body.into());
        }
        let over = program.wait_for("that it gets on", |entry| over(entry, "hot-group"));
        longest = longest.max(over["took_s"].as_f64().unwrap_or(f64::INFINITY));
    }
    let figure = Figure::new("graceful restart of the hot group, maximum of 5", longest, "s");
    Ok(vec![figure.bound(Bound::AtMost(30.0))])
}

fn over(entry: &Value, part: &str) -> bool {
    entry["message"] == "recovery over" && entry["part"] == part
}

/// Two requests spin on both threads of the work plane until it is built anew, and go on afterwards.
fn spinning(shown: Shown<'_>) -> Figures {
    let (market, folder) = (market(TOKENS), folder()?);
    let faults = Faults::in_folder(folder.path());
    let mut program =
        Program::start(&mut service(ttm_faulty, folder.path(), &market, STORE, "info,ttm_service=debug"));
    let address = program.address();
    program.wait_for("a run that scored", scored);
    faults.make(&["hot-group: spin 2"]);
    shown("two threads spin");
    let is_over = AtomicBool::new(false);
    let (over, mut answers) = thread::scope(|scope| {
        let asks = scope.spawn(|| ask_until(address, &is_over));
        let over = program.wait_for("that the plane is new", |entry| over(entry, "work-plane"));
        program.wait_for("a run that scored", scored);
        is_over.store(true, Ordering::Relaxed);
        (over, asks.join().unwrap_or_default())
    });
    answers.sort_unstable();
    let p99 = answers.get(answers.len() * 99 / 100).copied().unwrap_or(Duration::MAX);
    let slowest = answers.last().copied().unwrap_or(Duration::MAX);
    let rebuilt = over["took_s"].as_f64().unwrap_or(f64::INFINITY);
    Ok(vec![
        Figure::new("from noticing it to a plane that beats", rebuilt, "s").bound(Bound::AtMost(5.0)),
        Figure::new("/health/live meanwhile, 99th percentile", p99.as_secs_f64() * 1e3, "ms")
            .bound(Bound::AtMost(1_000.0)),
        Figure::new("/health/live meanwhile, maximum", slowest.as_secs_f64() * 1e3, "ms"),
        Figure::new("/health/live meanwhile, answers", answers.len() as f64, ""),
    ])
}

/// Asks whether the process is alive, twenty times a second, each time on a connection of its own. An answer that is not 200 took for
/// ever.
fn ask_until(address: SocketAddr, is_over: &AtomicBool) -> Vec<Duration> {
    let mut answers = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        let begun = now();
        let is_alive = get(address, "/health/live").status == 200;
        answers.push(if is_alive { begun.elapsed() } else { Duration::MAX });
        pause(Duration::from_millis(50));
    }
    answers
}

/// Two programs side by side, one with recovery off, and the processor time of their supervision threads.
fn cost(shown: Shown<'_>) -> Figures {
    let minutes = minutes()?;
    let run = |attempts: &str| -> Result<(Market, tempfile::TempDir, Running), Box<dyn Error>> {
        let (market, folder) = (market(TOKENS), folder()?);
        let mut command = service(ttm, folder.path(), &market, STORE, "warn");
        command
            .env("TTM_RECOVERY__MAX_RESTART_ATTEMPTS", attempts)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Ok((market, folder, Running(command.spawn()?)))
    };
    let (on, off) = (run("3")?, run("0")?);
    shown("both start");
    pause(Duration::from_secs(30));
    let read = || -> Result<[f64; 2], Box<dyn Error>> { Ok([supervision(&on.2)?, supervision(&off.2)?]) };
    let before = read()?;
    for minute in 0..minutes {
        shown(&format!("{minute} of {minutes} minutes"));
        pause(Duration::from_mins(1));
    }
    let after = read()?;
    let [with, without] = [0, 1].map(|at| (after[at] - before[at]) / (minutes as f64 * 60.0) * 100.0);
    Ok(vec![
        Figure::new("supervision thread, recovery on minus off", with - without, "% of a core")
            .bound(Bound::AtMost(0.2)),
        Figure::new("supervision thread, recovery on", with, "% of a core"),
        Figure::new("supervision thread, recovery off", without, "% of a core"),
        Figure::new("measured for", minutes as f64, "min"),
    ])
}

/// A program that may run for as long as it takes; one of a test is killed after minutes.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail if it has ended, which the figures show.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// The processor time of the supervision thread so far, in seconds.
fn supervision(Running(program): &Running) -> Result<f64, Box<dyn Error>> {
    for task in fs::read_dir(format!("/proc/{}/task", program.id()))? {
        let task = task?.path();
        if fs::read_to_string(task.join("comm"))?.trim() == "supervision" {
            let nanos: u64 = fs::read_to_string(task.join("schedstat"))?
                .split(' ')
                .next()
                .ok_or("no processor time is known")?
                .parse()?;
            return Ok(Duration::from_nanos(nanos).as_secs_f64());
        }
    }
    Err("the program has no supervision thread".into())
}

#[expect(clippy::disallowed_methods, reason = "cargo passes arguments to all benches alike")]
fn minutes() -> Result<u64, Box<dyn Error>> {
    Ok(std::env::var("TTM_BENCH_MINUTES").map_or(Ok(2), |minutes| minutes.parse())?)
}

#[expect(clippy::disallowed_methods, reason = "the program runs in real time")]
fn pause(time: Duration) {
    thread::sleep(time);
}
