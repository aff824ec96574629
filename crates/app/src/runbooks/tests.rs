//! Every rule has a page with what it should say: limits of the code, commands of the program, and series that it names.

use std::collections::BTreeSet;
use std::fs;

use jiff::SignedDuration;
use ttm_alert::defaults::{DefaultRule, RULES, SERIES};
use ttm_alert::{Condition, Limit, Unit};

use super::page;
use crate::cli;

const HEADINGS: [&str; 5] =
    ["Impact", "What the service does by itself", "Diagnosis", "Mitigation", "When it is over"];
/// As the documents are read in a terminal, where somebody may have quoted them in a mail.
const WIDTH: usize = 78;
/// A page that is longer is not read at night.
const LINES: usize = 64;
const ABOUT_CONFIG: &str = "With systemd, add `--config /etc/ttm/ttm.toml` to each `ttm` command.";
/// Commands of the system that a page may name.
const OF_THE_SYSTEM: [&str; 22] = [
    "apt-get",
    "chronyc",
    "cp",
    "curl",
    "df",
    "du",
    "fuser",
    "getent",
    "journalctl",
    "ls",
    "sqlite3",
    "ss",
    "systemctl",
    "timedatectl",
    "top",
    "free",
    "grep",
    "head",
    "tail",
    "sort",
    "ttm",
    "cat",
];

/// Every page with its rule.
fn pages() -> impl Iterator<Item = (DefaultRule, &'static str)> {
    RULES.iter().map(|rule| (*rule, page(rule.name).unwrap_or_else(|| panic!("{} has no page", rule.name))))
}

/// The lines of all blocks of commands in a text.
fn commands(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut is_inside = false;
    for line in text.lines() {
        match (line, is_inside) {
            ("```sh", false) => is_inside = true,
            ("```", true) => is_inside = false,
            (command, true) => found.push(command),
            _ => {}
        }
    }
    assert!(!is_inside, "a block is not closed");
    found
}

/// The same with single spaces.
fn flowing(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn spoken(seconds: u64) -> String {
    match seconds {
        0 => "at once".to_owned(),
        _ => format!("{:#}", SignedDuration::from_secs(seconds.try_into().expect("small"))),
    }
}

/// The table that a page begins with.
fn table(rule: &DefaultRule) -> String {
    let unit =
        rule.series.and_then(|name| SERIES.iter().find(|series| series.name == name)).map(|it| it.unit);
    let unit = match unit {
        Some(Unit::Percent) => " %",
        Some(Unit::Seconds) => " s",
        Some(Unit::Count | Unit::Flag) | None => "",
    };
    let of = |Limit { enter, exit }: Limit| (format!("at {enter}{unit}"), format!("below {exit}{unit}"));
    let levels = match rule.condition {
        Condition::Threshold { limit, worse, .. } => {
            let worse = worse.map(|worse| (worse.severity, of(worse.limit)));
            [Some((rule.severity, of(limit))), worse].into_iter().flatten().collect()
        }
        Condition::Rate { window, limit } => {
            let within = format!(" within {}", spoken(window.as_secs()));
            let (enter, exit) = of(limit);
            vec![(rule.severity, (enter + &within, exit + &within))]
        }
        Condition::Absence { evaluations } => {
            vec![(rule.severity, (format!("at {evaluations} evaluations missed"), "with a value".to_owned()))]
        }
        Condition::Event => vec![(rule.severity, ("when it begins".to_owned(), "when it ends".to_owned()))],
    };
    let head = ["severity", "fires", "after", "is over", "after"].map(str::to_owned);
    let row = |(severity, (enter, exit)): &(ttm_kernel::Severity, (String, String))| {
        [severity.to_string(), enter.clone(), spoken(rule.hold), exit.clone(), spoken(rule.keep)]
    };
    let rows: Vec<[String; 5]> = std::iter::once(head).chain(levels.iter().map(row)).collect();
    let widths: [usize; 5] =
        std::array::from_fn(|at| rows.iter().map(|row| row[at].len()).max().unwrap_or(0));
    let line = |row: &[String; 5]| {
        let cells: Vec<String> =
            row.iter().zip(widths).map(|(cell, width)| format!(" {cell:width$} ")).collect();
        format!("|{}|\n", cells.join("|"))
    };
    let rule: Vec<String> = widths.iter().map(|width| "-".repeat(width + 2)).collect();
    let mut lines: Vec<String> = rows.iter().map(line).collect();
    lines.insert(1, format!("|{}|\n", rule.join("|")));
    lines.concat()
}

/// What a page says below its table.
fn labels_and_causes(rule: &DefaultRule) -> String {
    let quoted = |names: &[&str], last: &str| {
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        let (end, front) = names.split_last()?;
        Some(if front.is_empty() { end.clone() } else { format!("{} {last} {end}", front.join(", ")) })
    };
    let own = labels(rule);
    let causes: Vec<&DefaultRule> = RULES.iter().filter(|it| rule.inhibited_by.contains(&it.name)).collect();
    let shared: Vec<&str> = own
        .iter()
        .copied()
        .filter(|label| causes.iter().any(|cause| labels(cause).contains(label)))
        .collect();
    let same = quoted(&shared, "and").map_or(String::new(), |same| format!(" with the same {same} or none"));
    let own = quoted(own, "and").map(|own| format!("Labels: {own}."));
    let causes = quoted(rule.inhibited_by, "or");
    let causes = causes.map(|causes| format!("While {causes} fires{same}, this is told in its message."));
    [own, causes].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn labels(rule: &DefaultRule) -> &'static [&'static str] {
    let series = SERIES.iter().find(|series| Some(series.name) == rule.series);
    series.map_or(&["collector"], |series| series.labels)
}

#[test]
fn every_rule_has_a_page_and_every_page_a_rule() {
    let folder = fs::read_dir("../../docs/runbooks").expect("the folder of the pages");
    let files: BTreeSet<String> =
        folder.map(|file| file.expect("readable").file_name().into_string().expect("ASCII")).collect();
    let index = "README.md".to_owned();
    let expected = RULES.iter().map(|rule| format!("{}.md", rule.name)).chain([index]).collect();
    assert_eq!(files, expected);
    assert_eq!(pages().count(), super::PAGES.len());
    assert_eq!(page("no_such_rule"), None);
}

#[test]
fn a_page_says_what_the_rule_is_in_the_words_of_the_code() {
    for (rule, page) in pages() {
        let name = rule.name;
        let (title, rest) = page.split_once("\n\n").expect("a title");
        assert_eq!(title, format!("# {name}"));
        let opening = rest.split("\n|").next().expect("it begins");
        let (says, meaning) = (flowing(opening).to_lowercase(), rule.meaning.to_lowercase());
        assert!(says.starts_with(&meaning), "{name} begins with {says:?}, not with {meaning:?}");
        let below = rest.split_once("\n\n").expect("a table").1;
        let table = table(&rule);
        assert!(below.starts_with(&table), "{name} needs the table\n{table}");
        let (under, _) = below[table.len()..].split_once("\n## ").expect("a heading");
        assert_eq!(flowing(under), labels_and_causes(&rule), "{name}, below its table");
    }
}

#[test]
fn a_page_has_the_same_parts_as_every_other_one_and_fits_a_terminal() {
    for (rule, page) in pages() {
        let name = rule.name;
        let headings: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        assert_eq!(headings, HEADINGS, "{name}");
        for (number, line) in (1..).zip(page.lines()) {
            assert!(line.chars().count() <= WIDTH, "{name}.md:{number} is longer than {WIDTH}: {line}");
        }
        assert!(page.lines().count() <= LINES, "{name} has {} lines", page.lines().count());
        let (_, diagnosis) = page.split_once("## Diagnosis\n\n").expect("the part");
        assert!(diagnosis.starts_with(ABOUT_CONFIG), "{name}: {ABOUT_CONFIG}");
        for part in ["Diagnosis", "Mitigation"] {
            let (_, text) = page.split_once(&format!("## {part}\n")).expect("the part");
            let text = text.split("\n## ").next().expect("a text");
            assert!(!commands(text).is_empty(), "{name} has no command in {part}");
        }
        assert!(page.ends_with('\n') && !page.ends_with("\n\n"), "{name} ends with one line break");
    }
}

#[test]
fn every_rule_that_a_page_points_to_exists() {
    for (rule, page) in pages() {
        for pointer in page.split("see `").skip(1).chain(page.split("See `").skip(1)) {
            let name = pointer.split('`').next().expect("a name");
            assert!(name.contains(' ') || super::page(name).is_some(), "{} points to {name}", rule.name);
        }
    }
}

#[test]
fn every_command_is_one_of_the_program_or_of_the_system() {
    let index = fs::read_to_string("../../docs/runbooks/README.md").expect("the index");
    for text in pages().map(|(_, page)| page).chain([&*index]) {
        for line in commands(text) {
            let words = shlex::split(line).unwrap_or_else(|| panic!("not for a shell: {line}"));
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            assert!(OF_THE_SYSTEM.contains(&words[0]), "an unknown command: {line}");
            if words[0] == "ttm" {
                cli::check_words(&words).unwrap_or_else(|error| panic!("{line}: {error}"));
            }
        }
    }
}

#[test]
fn the_index_lists_every_page_with_what_its_rule_says() {
    let index = fs::read_to_string("../../docs/runbooks/README.md").expect("the index");
    let row = |rule: &DefaultRule| {
        let worse = rule.condition.worse().map(|worse| format!(", {}", worse.severity)).unwrap_or_default();
        format!("| [{0}]({0}.md) | {1}{worse} | {2} |\n", rule.name, rule.severity, rule.meaning)
    };
    let rows: String = RULES.iter().map(row).collect();
    assert!(index.ends_with(&rows), "README.md must end with\n{rows}");
}
