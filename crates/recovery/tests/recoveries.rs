//! The ledger as a person reads it.

use jiff::Timestamp;
use ttm_kernel::{Epoch, FailureClass};
use ttm_recovery::{By, Entry, EntryKey, Fact, Recoveries};

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
