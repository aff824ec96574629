//! The fake of the last words obeys their laws, and the suite finds implementations that break one.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use ttm_recovery::testing::{FakeLastWords, last_words_conformance};
use ttm_recovery::{Entry, Fact, LastWords};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Bug {
    None,
    ForgetsForTheNextProcess,
    ReplacesWhatWasThere,
    OrdersByKey,
    ForgetsEvidence,
    CutsTimesToMicroseconds,
    ClearsNothing,
    FailsToClearNothing,
    TakesWhatIsOutOfBounds,
    StoresTheRestOfAFailedWrite,
    SetsNothingAside,
    FailsToSetNothingAside,
}

struct Broken {
    words: FakeLastWords,
    bug: Bug,
}

impl LastWords for Broken {
    fn write(&self, entries: &[Entry]) -> io::Result<()> {
        let mut entries = entries.to_vec();
        match self.bug {
            Bug::ReplacesWhatWasThere if !entries.is_empty() => self.words.clear()?,
            Bug::ForgetsEvidence => {
                for entry in &mut entries {
                    if let Fact::Began { evidence, .. } = &mut entry.fact {
                        *evidence = None;
                    }
                }
            }
            Bug::CutsTimesToMicroseconds => {
                for entry in &mut entries {
                    entry.at =
                        jiff::Timestamp::from_microsecond(entry.at.as_microsecond()).expect("in range");
                }
            }
            Bug::TakesWhatIsOutOfBounds => entries.retain(|entry| !entry.subject.is_empty()),
            Bug::StoresTheRestOfAFailedWrite => {
                let (good, bad): (Vec<Entry>, Vec<Entry>) =
                    entries.into_iter().partition(|entry| entry.check().is_ok());
                self.words.write(&good)?;
                entries = bad;
            }
            _ => {}
        }
        self.words.write(&entries)
    }

    fn read(&self) -> io::Result<Vec<Entry>> {
        let mut entries = self.words.read()?;
        if self.bug == Bug::OrdersByKey {
            entries.sort_by_key(|entry| entry.key);
        }
        Ok(entries)
    }

    fn clear(&self) -> io::Result<()> {
        match self.bug {
            Bug::ClearsNothing => Ok(()),
            Bug::FailsToClearNothing if self.words.entries().is_empty() => {
                Err(io::ErrorKind::NotFound.into())
            }
            _ => self.words.clear(),
        }
    }

    fn set_aside(&self) -> io::Result<()> {
        match self.bug {
            Bug::SetsNothingAside => Ok(()),
            Bug::FailsToSetNothingAside if self.words.entries().is_empty() => {
                Err(io::ErrorKind::NotFound.into())
            }
            _ => self.words.set_aside(),
        }
    }
}

/// Whether the suite passes an implementation with this bug.
fn passes(bug: Bug) -> bool {
    let memory = FakeLastWords::new();
    let open = || {
        let forgets = bug == Bug::ForgetsForTheNextProcess;
        let words = if forgets { FakeLastWords::new() } else { memory.clone() };
        Box::new(Broken { words, bug }) as Box<dyn LastWords>
    };
    catch_unwind(AssertUnwindSafe(|| last_words_conformance::check(open))).is_ok()
}

#[test]
fn the_fake_obeys_every_law() {
    let memory = FakeLastWords::new();
    last_words_conformance::check(|| Box::new(memory.clone()));
}

#[test]
fn the_suite_refuses_every_broken_implementation() {
    assert!(passes(Bug::None), "the wrapper itself breaks nothing");
    for bug in [
        Bug::ForgetsForTheNextProcess,
        Bug::ReplacesWhatWasThere,
        Bug::OrdersByKey,
        Bug::ForgetsEvidence,
        Bug::CutsTimesToMicroseconds,
        Bug::ClearsNothing,
        Bug::FailsToClearNothing,
        Bug::TakesWhatIsOutOfBounds,
        Bug::StoresTheRestOfAFailedWrite,
        Bug::SetsNothingAside,
        Bug::FailsToSetNothingAside,
    ] {
        assert!(!passes(bug), "{bug:?} goes unnoticed");
    }
}

#[test]
fn the_fake_fails_on_request_and_is_unreadable_on_request() {
    let words = FakeLastWords::new();
    words.fail_with(io::ErrorKind::StorageFull);
    assert_eq!(words.write(&[]).expect_err("it fails").kind(), io::ErrorKind::StorageFull);
    words.heal();
    words.spoil("no header");
    assert_eq!(words.read().expect_err("it fails").to_string(), "no header");
    words.set_aside().expect("it works");
    assert_eq!(words.read().expect("it works"), []);
}
