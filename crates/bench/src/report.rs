//! Reports the measurements: the table and the targets for a reader, and the same as JSON.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anstyle::{AnsiColor, Style};
use serde_json::{Value, json};

use crate::{Measured, Target};

pub(crate) const BOLD: Style = Style::new().bold();
const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default();

/// A row of the table with its numbers.
pub(crate) struct Line {
    pub(crate) name: &'static str,
    pub(crate) threads: usize,
    pub(crate) ours: Option<Measured>,
    pub(crate) floor: Option<(&'static str, Measured)>,
    pub(crate) peers: Vec<(&'static str, Measured)>,
    pub(crate) targets: Vec<Target>,
    /// Allocations per call by subject, ours first, if they were counted.
    pub(crate) allocations: Vec<(&'static str, f64)>,
}

impl Line {
    /// The fastest peer.
    fn fastest(&self) -> Option<&'static str> {
        let fastest = self.peers.iter().min_by(|(_, a), (_, b)| a.median().total_cmp(&b.median()));
        fastest.map(|(name, _)| *name)
    }

    /// The peer to compare with: the one of the target, or else the fastest.
    fn rival(&self) -> Option<&'static str> {
        let named = self.targets.iter().map(|target| target.of);
        named.into_iter().find(|of| self.peers.iter().any(|(name, _)| name == of)).or_else(|| self.fastest())
    }

    /// The measurement of the floor or a peer of this row.
    fn other(&self, name: &str) -> Option<&Measured> {
        self.floor.iter().chain(&self.peers).find(|(other, _)| *other == name).map(|(_, measured)| measured)
    }

    /// The headings of the columns after ours: the floor, then the peers.
    fn columns(&self) -> Vec<&'static str> {
        let floor = self.floor.as_ref().map_or("–", |(name, _)| *name);
        [floor].into_iter().chain(self.peers.iter().map(|(name, _)| *name)).collect()
    }

    fn threads(&self) -> String {
        format!("{} thread{}", self.threads, if self.threads == 1 { "" } else { "s" })
    }
}

/// Prints the table; rows with the same subjects share a heading.
pub(crate) fn table(lines: &[Line]) {
    anstream::println!(
        "Nanoseconds per call and thread; × is the time of ours as a share of it. Medians over the rounds."
    );
    let mut heading = Vec::new();
    for line in lines {
        let columns = line.columns();
        if columns != heading {
            anstream::print!("\n{BOLD}{:24}  {:>7}  {:>8}", "row", "threads", "ours");
            for name in &columns {
                anstream::print!("  {name:>16}");
            }
            anstream::println!("{BOLD:#}");
            heading = columns;
        }
        let ours = line.ours.as_ref().map_or_else(|| "–".to_owned(), |ours| format!("{:.1}", ours.median()));
        anstream::print!("{:24}  {:>7}  {ours:>8}", line.name, line.threads);
        let ours = line.ours.as_ref();
        let floor = line.floor.as_ref().map_or_else(|| "–".to_owned(), |(_, floor)| cell(ours, floor));
        anstream::print!("  {floor:>16}");
        for (name, measured) in &line.peers {
            let style = if line.fastest() == Some(*name) { BOLD } else { Style::new() };
            anstream::print!("  {style}{:>16}{style:#}", cell(ours, measured));
        }
        anstream::println!();
    }
    anstream::println!("\nThe column after ours is the floor. The fastest peer of a row is bold.");
}

fn cell(ours: Option<&Measured>, other: &Measured) -> String {
    let share = ours.map(|ours| format!(" ×{:.2}", ours.share_of(other)));
    format!("{:.1}{}", other.median(), share.unwrap_or_default())
}

/// Prints each target with the measurement.
pub(crate) fn targets(lines: &[Line]) {
    anstream::println!("\n{BOLD}{:24}  {:9}  {:26}  measured{BOLD:#}", "target", "", "at most");
    for line in lines {
        for target in &line.targets {
            let Some(ours) = &line.ours else { continue };
            let other = line.other(target.of).expect("a target refers to a subject of its row");
            let share = ours.share_of(other);
            let least = ours.least() / other.least();
            let most = format!("{:.2} × {}", target.most, target.of);
            let verdict = verdict(share <= target.most);
            let threads = line.threads();
            anstream::println!(
                "{:24}  {threads:9}  {most:26}  {share:>8.3}  {verdict}  ({least:.3} by the fastest samples)",
                line.name,
            );
        }
        if let Some((_, ours)) = line.allocations.first() {
            let verdict = verdict(*ours <= 0.0);
            let others: Vec<String> =
                line.allocations[1..].iter().map(|(name, count)| format!("{name} {count:.2}")).collect();
            let (threads, others) = (line.threads(), others.join(", "));
            anstream::println!(
                "{:24}  {threads:9}  {:26}  {ours:>8.2}  {verdict}  ({others})",
                line.name,
                "no allocations per call",
            );
        }
    }
}

pub(crate) fn verdict(met: bool) -> String {
    if met { format!("{GOOD}met   {GOOD:#}") } else { format!("{BAD}missed{BAD:#}") }
}

/// Writes everything to a file of this name in the folder `bench` next to `temporary`, and returns its path.
pub(crate) fn write(objects: &[Value], temporary: &str, name: &str) -> io::Result<PathBuf> {
    let target = Path::new(temporary).parent().expect("it is in the target folder");
    let folder = target.join("bench");
    fs::create_dir_all(&folder)?;
    let path = folder.join(format!("{name}.json"));
    fs::write(&path, format!("{:#}\n", Value::from(objects)))?;
    Ok(path)
}

/// All lines as objects.
pub(crate) fn objects(lines: &[Line]) -> Vec<Value> {
    lines.iter().flat_map(of_line).collect()
}

/// A line as objects: ours, then the floor and the peers, with the name of the row and their own.
fn of_line(line: &Line) -> Vec<Value> {
    let mut objects = Vec::new();
    if let Some(ours) = &line.ours {
        let share = |other: &Measured| rounded(ours.share_of(other));
        let rival = line.rival();
        objects.push(json!({
            "name": line.name,
            "threads": line.threads,
            "ns": rounded(ours.median()),
            "ns_least": rounded(ours.least()),
            "vs_peer": rival.and_then(|name| line.other(name)).map(share),
            "peer": rival,
            "vs_floor": line.floor.as_ref().map(|(_, floor)| share(floor)),
        }));
    }
    for (name, measured) in line.floor.iter().chain(&line.peers) {
        objects.push(json!({
            "name": format!("{}/{name}", line.name),
            "threads": line.threads,
            "ns": rounded(measured.median()),
            "ns_least": rounded(measured.least()),
            "vs_peer": null,
            "peer": null,
            "vs_floor": line.floor.as_ref().map(|(_, floor)| rounded(measured.share_of(floor))),
        }));
    }
    objects
}

/// Rounds to three decimals.
pub(crate) fn rounded(number: f64) -> f64 {
    (number * 1e3).round() / 1e3
}
