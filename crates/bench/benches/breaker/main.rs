//! The breaker, the retry, the budget and the limiter beside their peers, in one run: `cargo xtask bench breaker`.
//!
//! It asserts nothing but that every call went as it should; whether a target was met is for the reader. A part of a
//! row's name as argument runs these rows alone, and then leaves the file for programs as it is:
//! `cargo bench -p ttm-bench --bench breaker -- closed`.

mod harness;
mod report;
mod rows;
mod subjects;

use std::error::Error;
use std::io::{self, IsTerminal};

use harness::{Measured, Subject};
use report::Line;
use rows::Row;

fn main() -> Result<(), Box<dyn Error>> {
    // Cargo itself passes `--bench`.
    let part = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let mut lines = Vec::new();
    let rows = rows::all();
    for (index, row) in rows.iter().enumerate() {
        let row = row();
        if part.as_ref().is_none_or(|part| row.name.contains(part)) {
            progress(&format!("{:>2}/{} {} ({})", index + 1, rows.len(), row.name, row.threads));
            lines.push(measured(row));
        }
    }
    progress("");
    if let Some(part) = part.as_ref().filter(|_| lines.is_empty()) {
        return Err(format!("no row matches `{part}`").into());
    }
    report::table(&lines);
    report::targets(&lines);
    if part.is_none() {
        anstream::eprintln!("\nwritten to {}", report::write(&lines)?.display());
    }
    Ok(())
}

/// Shows what is under way in the place of what was shown before; a file has no use for that.
fn progress(line: &str) {
    if io::stderr().is_terminal() {
        eprint!("\r{line:60}\r");
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
