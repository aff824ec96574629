//! Faults on command, for tests of the real program: a request or a part stalls, spins, panics or leaks memory. Only builds with the
//! feature `test-faults` have it, and a release of the program refuses that feature.
//!
//! The file `test-faults` in the folder that the process works in says what fails, and is read whenever something could: a test
//! switches faults on and off while the program runs. A line is `WHERE: WHAT`, or `WHERE: WHAT TIMES` for what happens so often in
//! one process. WHERE is a part; that of a group fails in its requests. Other lines change bounds that no test can wait for.

use std::collections::BTreeMap;
use std::future::{pending, poll_fn};
use std::task::Poll;
use std::time::Duration;

use parking_lot::Mutex;
use ttm_kernel::{BoxFuture, Lane, Moment};
use ttm_recovery::{Machine, PartId};

const FILE: &str = "test-faults";
/// One leak, in bytes. It is written to, so that it takes memory.
const LEAK: usize = 16 << 20;

/// What those are left at least that give signs of life seldom: more than the ten seconds between two of most parts. A writer with
/// nothing to write gives one every thirty, so one that is idle may be restarted meanwhile, which loses nothing.
const SELDOM: Duration = Duration::from_secs(15);

/// How often each line has happened.
static HAPPENED: Mutex<BTreeMap<String, u64>> = Mutex::new(BTreeMap::new());

/// What does not just happen and pass.
enum Fault {
    Stall,
    Panic,
}

/// Whatever fails before a request for tokens of this lane is made.
pub(crate) async fn of_request(lane: Lane) {
    match strike(&format!("{lane}-group")) {
        Some(Fault::Stall) => pending().await,
        Some(Fault::Panic) => panic!("a test ordered it"),
        None => {}
    }
}

/// The part, which fails whenever it is polled. One that stalls never runs again.
pub(crate) fn of_part(part: &'static str, mut body: BoxFuture<'static, ()>) -> BoxFuture<'static, ()> {
    let mut stalls = false;
    Box::pin(poll_fn(move |context| {
        if !stalls {
            match strike(part) {
                Some(Fault::Stall) => stalls = true,
                Some(Fault::Panic) => panic!("a test ordered it"),
                None => {}
            }
        }
        if stalls { Poll::Pending } else { body.as_mut().poll(context) }
    }))
}

/// The machine, with the patience that `all: patience SECONDS` leaves groups, the plane and short memory. Other parts give signs of
/// life too seldom for that, and are left a little more. The ends of the process are as far apart as `all: ends apart SECONDS` says.
pub(crate) fn hurried(mut machine: Machine) -> Machine {
    if let Some(seconds) = number("all: ends apart ") {
        machine.set_ends_apart(Duration::from_secs(seconds));
    }
    let Some(patience) = number("all: patience ").map(Duration::from_secs) else { return machine };
    for (at, part) in machine.views(Moment::ZERO).iter().enumerate() {
        let is_frequent = part.name.ends_with("-group") || part.name == "pulse";
        machine.set_patience(PartId(at), if is_frequent { patience } else { patience.max(SELDOM) });
    }
    machine.set_memory_patience(patience);
    machine
}

/// The limit of the process's memory, or what `all: memory MIB` says.
pub(crate) fn memory_limit(limit: u64) -> u64 {
    number("all: memory ").map_or(limit, |mib| mib << 20)
}

fn strike(place: &str) -> Option<Fault> {
    let (line, what) = ordered(place)?;
    match what.as_str() {
        "stall" => return Some(Fault::Stall),
        "panic" => return Some(Fault::Panic),
        "spin" => {
            while lines().any(|known| known == line) {
                (0..1_000_000).for_each(|_| std::hint::spin_loop());
            }
        }
        // Never freed.
        "leak" => drop(vec![1_u8; LEAK].leak()),
        other => tracing::error!(line, "no test knows how to {other}"),
    }
    None
}

/// The first line for this place that has not happened often enough, and what is to happen.
fn ordered(place: &str) -> Option<(String, String)> {
    let mut happened = HAPPENED.lock();
    lines().find_map(|line| {
        let (known, fault) = line.split_once(": ")?;
        let (what, times) = fault.split_once(' ').unwrap_or((fault, ""));
        let count = happened.entry(line.clone()).or_default();
        let is_due = known == place && (times.is_empty() || times.parse().is_ok_and(|times| *count < times));
        *count += u64::from(is_due);
        is_due.then(|| (line.clone(), what.to_owned()))
    })
}

fn number(begin: &str) -> Option<u64> {
    lines().find_map(|line| line.strip_prefix(begin)?.parse().ok())
}

fn lines() -> impl Iterator<Item = String> {
    // There is no such file most of the time.
    let text = std::fs::read_to_string(FILE).unwrap_or_default();
    text.lines().map(str::to_owned).collect::<Vec<_>>().into_iter()
}
