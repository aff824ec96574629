//! The entries that both suites write: every fact at its bounds, and entries that break one.

use std::time::Duration;

use jiff::Timestamp;
use ttm_kernel::{Epoch, FailureClass};

use crate::{By, Entry, EntryKey, Fact, Outcome, Step};

pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).expect("the suite's times are in range")
}

/// An entry that begins a recovery.
pub(super) fn began(epoch: Epoch, number: u64) -> Entry {
    let key = EntryKey { epoch, number };
    let fact = Fact::Began {
        cause: format!("no progress, the {number}th time"),
        class: FailureClass::System,
        by: By::Service,
        evidence: None,
    };
    Entry { key, recovery: key, at: at(0), subject: "hot group".to_owned(), fact }
}

/// An entry with the same key that says something else.
pub(super) fn other(entry: &Entry) -> Entry {
    Entry { fact: Fact::Closed, at: at(9), subject: "another part".to_owned(), ..entry.clone() }
}

/// Every fact with every word that it can have, and the ends of every number and text.
pub(super) fn every_fact() -> Vec<Fact> {
    let long = |unit: &str, most: usize| unit.repeat(most / unit.len());
    let cause = || long("é", Entry::MAX_CAUSE);
    let mut facts = vec![Fact::Booted, Fact::Closed, Fact::Spent];
    for class in FailureClass::ALL {
        for by in By::ALL {
            for evidence in
                [None, Some(String::new()), Some(long("line \"1\"\n\t\u{1}\\ü ", Entry::MAX_EVIDENCE))]
            {
                facts.push(Fact::Began { cause: "stuck".to_owned(), class, by, evidence });
            }
        }
    }
    let (class, by) = (FailureClass::Transient, By::Service);
    facts.push(Fact::Began { cause: cause(), class, by, evidence: None });
    facts.push(Fact::Began { cause: String::new(), class, by, evidence: Some("x".to_owned()) });
    for step in Step::ALL {
        facts.extend([true, false].map(|charged| Fact::Step { step, charged }));
    }
    facts.push(Fact::Withheld { cause: "no answer".to_owned(), dependency: "dexscreener".to_owned() });
    facts.push(Fact::Withheld { cause: cause(), dependency: cause() });
    for outcome in Outcome::ALL {
        for took in [0, 1, u64::MAX / 1_000] {
            facts.push(Fact::Ended { outcome, took: Duration::from_micros(took) });
        }
    }
    facts
}

/// Entries that no ledger keeps, numbered from this one on.
pub(super) fn out_of_bounds(epoch: Epoch, first: u64) -> Vec<Entry> {
    let (class, by) = (FailureClass::System, By::Operator);
    let long = |most: usize| "x".repeat(most + 1);
    let subjects = [String::new(), long(Entry::MAX_SUBJECT), "hot\ngroup".to_owned(), "heiß".to_owned()];
    let facts = [
        Fact::Began { cause: long(Entry::MAX_CAUSE), class, by, evidence: None },
        Fact::Began { cause: "a\0b".to_owned(), class, by, evidence: None },
        Fact::Began { cause: String::new(), class, by, evidence: Some(long(Entry::MAX_EVIDENCE)) },
        Fact::Began { cause: String::new(), class, by, evidence: Some("\0".to_owned()) },
        Fact::Withheld { cause: long(Entry::MAX_CAUSE), dependency: String::new() },
        Fact::Withheld { cause: String::new(), dependency: long(Entry::MAX_CAUSE) },
    ];
    let entry = began(epoch, first);
    let later = EntryKey { epoch, number: first + 1 };
    let mut entries = vec![Entry { recovery: later, ..entry.clone() }];
    entries.extend(subjects.into_iter().map(|subject| Entry { subject, ..entry.clone() }));
    entries.extend(facts.into_iter().map(|fact| Entry { fact, ..entry.clone() }));
    entries
}
