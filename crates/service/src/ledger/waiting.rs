//! How little of what waits will do. What is left is always a past that a replay takes: an entry of a process that never booted, or of
//! a recovery that never began, would have the next process set the whole ledger aside.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use ttm_recovery::{Entry, EntryKey, Fact, Step};

/// Instead of evidence that was dropped.
const DROPPED: &str = "what was seen was dropped again before it was stored: the store was away, and newer evidence had no room\n";
/// Instead of what the store refuses.
const REFUSED: &str = "the store refused what was to be said here; the log has it";

/// What there is of a recovery.
#[derive(Default)]
struct Whole {
    began: bool,
    ended: bool,
    /// Steps only go up the ladder.
    last_step: Option<Step>,
    entries: usize,
}

/// Which recoveries to drop so that at most `most` entries are left: whole ones that are over, first those without a step, and those
/// whose last step was the mildest, each the oldest first. What is under way stays, and so does that a process booted or closed, even if
/// more are left then.
pub(super) fn surplus<'a>(
    entries: impl ExactSizeIterator<Item = &'a Entry>,
    most: usize,
) -> BTreeSet<EntryKey> {
    let mut left = entries.len();
    let mut surplus = BTreeSet::new();
    if left <= most {
        return surplus;
    }
    let mut all = BTreeMap::<EntryKey, Whole>::new();
    for Entry { recovery, fact, .. } in entries {
        let whole = all.entry(*recovery).or_default();
        whole.entries += 1;
        match fact {
            Fact::Booted | Fact::Closed | Fact::Spent => {}
            Fact::Began { .. } | Fact::Withheld { .. } => whole.began = true,
            Fact::Step { step, .. } => whole.last_step = Some(*step),
            Fact::Ended { .. } => whole.ended = true,
        }
    }
    let mut over: Vec<_> = all.into_iter().filter(|(_, whole)| whole.began && whole.ended).collect();
    over.sort_by_key(|(key, whole)| (whole.last_step, *key));
    for (key, whole) in over {
        if left <= most {
            break;
        }
        left -= whole.entries;
        surplus.insert(key);
    }
    surplus
}

/// Makes what does not fit smaller: first without evidence, then with half as many entries. Whether it could.
pub(super) fn lighten(entries: &mut Vec<Entry>) -> bool {
    let mut is_lighter = false;
    for entry in &mut *entries {
        if let Fact::Began { evidence, .. } = &mut entry.fact {
            is_lighter |= evidence.take().is_some();
        }
    }
    if !is_lighter {
        let surplus = surplus(entries.iter(), entries.len() / 2);
        is_lighter = !surplus.is_empty();
        entries.retain(|entry| !surplus.contains(&entry.recovery));
    }
    is_lighter
}

/// Has no more evidence wait than this, in bytes: the oldest goes first, and its entry says so.
pub(super) fn bound_evidence(entries: &mut VecDeque<Entry>, most: usize) {
    let size = |entry: &Entry| match &entry.fact {
        Fact::Began { evidence: Some(evidence), .. } if evidence != DROPPED => evidence.len(),
        _ => 0,
    };
    let mut bytes: usize = entries.iter().map(size).sum();
    for entry in entries {
        if bytes <= most {
            return;
        }
        bytes -= size(entry);
        if let Fact::Began { evidence: Some(evidence), .. } = &mut entry.fact {
            DROPPED.clone_into(evidence);
            evidence.shrink_to_fit();
        }
    }
}

/// The entry without its evidence, which is not copied.
pub(super) fn without_evidence(entry: &Entry) -> Entry {
    match &entry.fact {
        Fact::Began { cause, class, by, .. } => {
            with(entry, Fact::Began { cause: cause.clone(), class: *class, by: *by, evidence: None })
        }
        fact => with(entry, fact.clone()),
    }
}

/// The entry without what it says in words, which a store may refuse. What it counts for stays.
pub(super) fn without_words(entry: &Entry) -> Entry {
    let refused = || REFUSED.to_owned();
    match &entry.fact {
        Fact::Began { class, by, .. } => {
            with(entry, Fact::Began { cause: refused(), class: *class, by: *by, evidence: None })
        }
        Fact::Withheld { .. } => with(entry, Fact::Withheld { cause: refused(), dependency: refused() }),
        fact => with(entry, fact.clone()),
    }
}

fn with(entry: &Entry, fact: Fact) -> Entry {
    let Entry { key, recovery, at, ref subject, .. } = *entry;
    Entry { key, recovery, at, subject: subject.clone(), fact }
}
