//! The harness of the benchmarks: subjects that are measured side by side, rows of them with their targets, and reports as a
//! table and as JSON. What is measured, and every peer, is in `benches/`.

mod harness;
mod report;
mod row;
mod scenario;

use std::error::Error;
use std::io::{self, IsTerminal};

pub use harness::{Measured, Subject, now};
use report::Line;
pub use row::{Row, Target};
pub use scenario::{Bound, Figure, Figures, Scenario, Shown};

/// Measures the rows and runs the scenarios whose name contains the first argument of the program, or all of them; then prints
/// the table, the figures and the targets. After a complete run it writes `bench/NAME.json` into cargo's target folder.
///
/// `temporary` is `env!("CARGO_TARGET_TMPDIR")`, a folder inside the target folder, wherever that is. Each row is built just
/// before it is measured, so that rows do not disturb each other.
///
/// # Errors
/// If no row or scenario matches, a scenario fails, or the file cannot be written.
pub fn run(
    name: &str,
    temporary: &str,
    rows: &[fn() -> Row],
    scenarios: &[Scenario],
) -> Result<(), Box<dyn Error>> {
    // cargo passes `--bench`.
    let part = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let mut lines = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        let row = row();
        if part.as_ref().is_none_or(|part| row.name.contains(part)) {
            progress(&format!("{:>2}/{} {} ({})", index + 1, rows.len(), row.name, row.threads));
            lines.push(measured(row));
        }
    }
    progress("");
    let chosen = |scenario: &&Scenario| part.as_ref().is_none_or(|part| scenario.name.contains(part));
    let chosen: Vec<&Scenario> = scenarios.iter().filter(chosen).collect();
    if let Some(part) = part.as_ref().filter(|_| lines.is_empty() && chosen.is_empty()) {
        return Err(format!("no row and no scenario matches `{part}`").into());
    }
    if !lines.is_empty() {
        report::table(&lines);
        report::targets(&lines);
    }
    let mut objects = report::objects(&lines);
    for (index, scenario) in chosen.iter().enumerate() {
        let shown =
            |what: &str| progress(&format!("{}/{} {}: {what}", index + 1, chosen.len(), scenario.name));
        let figures = (scenario.play)(&shown)?;
        progress("");
        scenario::print(scenario, &figures);
        objects.extend(scenario::objects(scenario, &figures));
    }
    if part.is_none() {
        anstream::eprintln!("\nwritten to {}", report::write(&objects, temporary, name)?.display());
    }
    Ok(())
}

/// Replaces the progress line, on a terminal only.
fn progress(line: &str) {
    if io::stderr().is_terminal() {
        eprint!("\r{line:110}\r");
    }
}

fn measured(row: Row) -> Line {
    let subjects: Vec<&Subject> = row.ours.iter().chain(&row.floor).chain(&row.peers).collect();
    let mut numbers = harness::measure(&subjects, row.threads).into_iter();
    let mut next = |subject: &Subject| -> (&'static str, Measured) {
        (subject.name, numbers.next().expect("each subject was measured"))
    };
    let ours = row.ours.as_ref().map(|ours| next(ours).1);
    let floor = row.floor.as_ref().map(&mut next);
    let peers = row.peers.iter().map(&mut next).collect();
    let allocations = if row.allocations {
        let counted = row.ours.iter().chain(&row.peers);
        counted.map(|subject| (subject.name, subject.allocations())).collect()
    } else {
        Vec::new()
    };
    Line { name: row.name, threads: row.threads, ours, floor, peers, targets: row.targets, allocations }
}
