//! What a person wants to see in the morning of something that hung at night: gathered when it is found stuck, before anything is
//! done about it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use ttm_kernel::{Runtime, within};
use ttm_recovery::{Entry, ThreadFacts, ThreadSource};

use crate::io::run_on;
use crate::outbox::OutboxCounts;
use crate::resident::Resident;
use crate::vital::Signs;

/// The processor time of threads is compared over this time: one that spins has used all of it.
const WATCHED_FOR: Duration = Duration::from_millis(200);
/// Gathering takes no longer than this.
const PATIENCE: Duration = Duration::from_secs(1);
/// Requests that are listed, the oldest ones.
const REQUESTS: usize = 20;

/// All of it, as lines.
pub(crate) async fn gather(resident: &Resident, signs: Option<Signs>, runtime: &dyn Runtime) -> String {
    let mut text = String::new();
    let now = runtime.now();
    let ago = |at| format!("{:.1} s ago", (now - at).as_secs_f64());
    let mut line = |what: &str, said: String| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{what}: {said}");
    };
    if let Some(Signs { progress, waits }) = signs {
        line("last progress", progress.map_or_else(|| "none yet".to_owned(), ago));
        if let Some(waits) = waits {
            line("waits for", format!("{}, since {}", waits.on, ago(waits.since)));
        }
    }
    for (lane, status) in resident.board.groups() {
        let Some(status) = status else { continue };
        let progress = status.last_progress.map_or_else(|| "none yet".to_owned(), ago);
        let said = format!(
            "run {} {}, last progress {progress}",
            status.runs,
            if status.running { "under way" } else { "ended" }
        );
        line(&format!("{lane} group"), said);
    }
    let flights = resident.flights.all();
    line("requests in flight", flights.len().to_string());
    for flight in flights.iter().take(REQUESTS) {
        let aborted = flight.aborted.map_or_else(String::new, |at| format!(", aborted {}", ago(at)));
        line(
            "  request",
            format!("{}, {} tokens, begun {}{aborted}", flight.priority, flight.tokens, ago(flight.since)),
        );
    }
    let waiting = |counts: OutboxCounts| {
        format!(
            "{} wait, {} are being stored, {} were dropped",
            counts.waiting, counts.in_flight, counts.dropped
        )
    };
    line("tokens to store", waiting(resident.tokens.counts()));
    line("samples to store", waiting(resident.samples.counts()));
    line("events to store", waiting(resident.events.counts()));
    let breaker = resident.guard.breaker().snapshot(now);
    line("breaker", format!("{} is {}", resident.guard.breaker().name(), breaker.state));
    for store in resident.board.stores.facts(now) {
        let said = match (store.down_for, &store.last_error) {
            (Some(down), error) => format!(
                "down for {:.1} s: {}",
                down.as_secs_f64(),
                error.as_deref().unwrap_or("no error is known")
            ),
            (None, _) => "answers".to_owned(),
        };
        line(&format!("store, {}", store.name), said);
    }
    if let Some(source) = &resident.ports.threads {
        text.push_str(&threads(source, &resident.clock, runtime).await);
    }
    let mut text = text.replace('\0', "\u{fffd}");
    text.truncate(text.floor_char_boundary(Entry::MAX_EVIDENCE));
    text
}

/// The threads, with what they did for a moment.
async fn threads(source: &Arc<dyn ThreadSource>, io: &Arc<dyn Runtime>, runtime: &dyn Runtime) -> String {
    let look = || {
        let source = source.clone();
        within(runtime, runtime.now() + PATIENCE, run_on(&**io, async move { source.threads() }))
    };
    let before = look().await;
    runtime.sleep_until(runtime.now() + WATCHED_FOR).await;
    let (Ok(Ok(before)), Ok(Ok(after))) = (before, look().await) else {
        return "threads: they cannot be seen\n".to_owned();
    };
    let used: BTreeMap<u32, Duration> = before.iter().map(|thread| (thread.id, thread.cpu)).collect();
    let mut text = String::new();
    for ThreadFacts { id, name, state, waits_in, cpu } in after {
        let more = used.get(&id).map_or(Duration::ZERO, |before| cpu.saturating_sub(*before));
        let waits = waits_in.map_or_else(String::new, |place| format!(", waits in {place}"));
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "thread {id} {name}: {state}, {} ms of {} ms on a processor{waits}",
            more.as_millis(),
            WATCHED_FOR.as_millis()
        );
    }
    text
}
