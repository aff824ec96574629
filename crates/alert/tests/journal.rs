//! The fake of the journal obeys its laws, and the suite finds journals that break one: each of those is the fake with one law
//! broken.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use ttm_alert::testing::{FakeAlertJournal, any_journalled, journal_conformance};
use ttm_alert::{AlertJournal, Journal, Journalled, Outcome};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Bug {
    None,
    ForgetsOnReopening,
    KeepsTheFirst,
    ForgetsOutcomes,
    ForgetsRetryAfter,
    ForgetsCovers,
    PutsOutcomesLast,
    TakesAllAttemptsForOne,
    ReadsBackwards,
    ClearsNothing,
    SetsAsideNothing,
    CountsWhatIsWhole,
}

const BUGS: [Bug; 11] = [
    Bug::ForgetsOnReopening,
    Bug::KeepsTheFirst,
    Bug::ForgetsOutcomes,
    Bug::ForgetsRetryAfter,
    Bug::ForgetsCovers,
    Bug::PutsOutcomesLast,
    Bug::TakesAllAttemptsForOne,
    Bug::ReadsBackwards,
    Bug::ClearsNothing,
    Bug::SetsAsideNothing,
    Bug::CountsWhatIsWhole,
];

struct Broken(FakeAlertJournal, Bug);

impl AlertJournal for Broken {
    fn append(&self, sent: &Journalled) -> io::Result<()> {
        let Self(fake, bug) = self;
        let is_of = |it: &Journalled| it.row.key == sent.row.key;
        let mut sent = sent.clone();
        match bug {
            Bug::KeepsTheFirst if fake.sent().iter().any(is_of) => return Ok(()),
            Bug::ForgetsOutcomes => sent.outcome = None,
            Bug::ForgetsRetryAfter => {
                if let Some(Outcome::Retry { after, .. }) = &mut sent.outcome {
                    *after = None;
                }
            }
            Bug::ForgetsCovers => sent.row.covers = Vec::new().into(),
            Bug::PutsOutcomesLast => {
                let others: Vec<Journalled> = fake.sent().into_iter().filter(|it| !is_of(it)).collect();
                fake.clear()?;
                others.iter().try_for_each(|other| fake.append(other))?;
            }
            Bug::TakesAllAttemptsForOne => {
                if let Some(known) = fake.sent().into_iter().find(is_of) {
                    sent.row.attempts = known.row.attempts;
                }
            }
            _ => {}
        }
        fake.append(&sent)
    }

    fn read(&self) -> io::Result<Journal> {
        let Self(fake, bug) = self;
        let mut journal = fake.read()?;
        match bug {
            Bug::ReadsBackwards => journal.sent.reverse(),
            Bug::CountsWhatIsWhole => journal.torn = journal.sent.len(),
            _ => {}
        }
        Ok(journal)
    }

    fn clear(&self) -> io::Result<()> {
        if self.1 == Bug::ClearsNothing { Ok(()) } else { self.0.clear() }
    }

    fn set_aside(&self) -> io::Result<()> {
        if self.1 == Bug::SetsAsideNothing { Ok(()) } else { self.0.set_aside() }
    }
}

fn run(bug: Bug) {
    let memory = FakeAlertJournal::new();
    journal_conformance::check(|| {
        let fake = if bug == Bug::ForgetsOnReopening { FakeAlertJournal::new() } else { memory.clone() };
        Box::new(Broken(fake, bug)) as Box<dyn AlertJournal>
    });
}

#[test]
fn the_suite_refuses_every_broken_journal() {
    run(Bug::None);
    for bug in BUGS {
        assert!(catch_unwind(AssertUnwindSafe(|| run(bug))).is_err(), "{bug:?} goes unnoticed");
    }
}

#[test]
fn the_fake_fails_on_request_and_keeps_what_it_had() {
    let journal = FakeAlertJournal::new();
    let sent = any_journalled().new_tree(&mut TestRunner::deterministic()).expect("a value").current();
    journal.append(&sent).expect("it works");
    journal.fail_with(io::ErrorKind::StorageFull);
    journal.append(&sent).expect_err("it fails");
    journal.read().expect_err("it fails");
    journal.clear().expect_err("it fails");
    journal.heal();
    journal.tear();
    let torn = journal.read().expect("it works");
    assert_eq!((torn.sent, torn.torn), (vec![sent.clone()], 1));
    journal.append(&sent).expect("it works");
    assert_eq!(journal.read().expect("it works").torn, 0);
    journal.spoil("its end is wrong");
    let refused = journal.read().expect_err("it is spoiled");
    assert_eq!(
        (refused.kind(), refused.to_string()),
        (io::ErrorKind::InvalidData, "its end is wrong".to_owned())
    );
    journal.set_aside().expect("it works");
    assert_eq!(journal.aside(), [sent]);
    assert_eq!(journal.read().expect("it works"), Journal::default());
}
