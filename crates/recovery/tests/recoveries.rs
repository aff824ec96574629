//! The ledger as a person reads it.

use std::time::Duration;

use jiff::Timestamp;
use ttm_kernel::{Epoch, FailureClass};
use ttm_recovery::{By, Entry, EntryKey, Fact, Lately, Outcome, Recoveries, Step};

fn entry(number: u64, recovery: u64, fact: Fact) -> Entry {
    let key = |number| EntryKey { epoch: Epoch::new(12), number };
    let at = Timestamp::from_second(i64::try_from(number).expect("small")).expect("in range");
    Entry { key: key(number), recovery: key(recovery), at, subject: "hot-group".to_owned(), fact }
}

fn began(by: By) -> Fact {
    Fact::Began { cause: "no progress".to_owned(), class: FailureClass::System, by, evidence: None }
}

fn known(entries: impl IntoIterator<Item = Entry>) -> Recoveries {
    let mut recoveries = Recoveries::new(10);
    entries.into_iter().for_each(|entry| recoveries.add(&entry));
    recoveries
}

#[test]
fn what_a_person_ordered_has_no_class_of_a_failure() {
    let recoveries = known([entry(1, 1, began(By::Service)), entry(2, 2, began(By::Operator))]);
    let classes: Vec<_> = recoveries.newest(9).into_iter().map(|one| (one.by, one.class)).collect();
    assert_eq!(classes, [(By::Operator, None), (By::Service, Some(FailureClass::System))]);
}

#[test]
fn what_there_was_lately_is_counted_by_what_became_of_it() {
    let step = |number, recovery| entry(number, recovery, Fact::Step { step: Step::Graceful, charged: true });
    let ended = |number, recovery, outcome| {
        let took = Duration::from_secs(number - recovery);
        entry(number, recovery, Fact::Ended { outcome, took })
    };
    let withheld = Fact::Withheld { cause: "no answer".to_owned(), dependency: "dexscreener".to_owned() };
    let recoveries = known([
        entry(1, 1, began(By::Service)),
        step(2, 1),
        ended(50, 1, Outcome::Recovered),
        entry(60, 60, began(By::Service)),
        step(61, 60),
        ended(99, 60, Outcome::Escalated),
        entry(100, 100, withheld),
        ended(110, 100, Outcome::Withdrawn),
        entry(120, 120, began(By::Operator)),
        step(121, 120),
    ]);
    let lately = |since| {
        let Lately { restarted, withheld, escalated } =
            recoveries.lately(Timestamp::from_second(since).expect("in range"));
        [restarted, withheld, escalated]
    };
    assert_eq!(lately(0), [3, 1, 1]);
    assert_eq!(lately(50), [3, 1, 1], "it counts until it ends");
    assert_eq!(lately(51), [2, 1, 1]);
    assert_eq!(lately(111), [1, 0, 0]);
    assert_eq!(lately(1_000), [1, 0, 0], "it is under way");
}

#[test]
fn what_becomes_known_late_is_shown_in_its_place_and_goes_first() {
    let mut recoveries = Recoveries::new(3);
    let ids =
        |recoveries: &Recoveries| recoveries.newest(9).iter().map(|one| one.id.number).collect::<Vec<_>>();
    for number in [5, 7, 3] {
        recoveries.add(&entry(number, number, began(By::Service)));
    }
    assert_eq!(ids(&recoveries), [7, 5, 3]);
    recoveries.add(&entry(4, 3, Fact::Step { step: Step::Start, charged: true }));
    assert_eq!(recoveries.newest(9)[2].steps.len(), 1);
    recoveries.add(&entry(8, 8, began(By::Service)));
    recoveries.add(&entry(2, 2, began(By::Service)));
    assert_eq!(ids(&recoveries), [8, 7, 5], "the oldest ones are not kept");
    recoveries.add(&entry(8, 8, began(By::Service)));
    assert_eq!(ids(&recoveries), [8, 7, 5], "each is there once");
}
