//! The fake of the ledger obeys its laws, and an entry that none may hold is refused.

use std::future::Future;

use jiff::Timestamp;
use proptest::prelude::*;
use ttm_kernel::{Epoch, FencingToken, StoreError, StoreErrorKind};
use ttm_recovery::testing::{FakeRecoveryLedger, any_entry, conformance};
use ttm_recovery::{Entry, EntryKey, Fact, RecoveryLedger};
use ttm_testkit::ManualRuntime;

fn block_on<F: Future>(future: F) -> F::Output {
    ManualRuntime::new(0).block_on(future)
}

#[test]
fn the_fake_ledger_obeys_every_law() {
    let memory = FakeRecoveryLedger::new();
    let open = async || Box::new(memory.clone()) as Box<dyn RecoveryLedger>;
    block_on(conformance::check(open, async || memory.claim()));
}

#[test]
fn the_fake_ledger_fails_on_request_and_keeps_what_it_had() {
    let ledger = FakeRecoveryLedger::new();
    let under = FencingToken::first(ledger.claim());
    let key = EntryKey { epoch: under.epoch(), number: 0 };
    let (at, subject) = (Timestamp::UNIX_EPOCH, Entry::PROCESS.to_owned());
    let booted = Entry { key, recovery: key, at, subject, fact: Fact::Booted };
    block_on(ledger.append(under, std::slice::from_ref(&booted))).expect("works");
    let load = || block_on(ledger.load(Timestamp::MIN, 9));
    ledger.fail_with(|| StoreError::transient("gone"));
    assert_eq!(load().expect_err("fails").to_string(), "the store is unavailable: gone");
    assert!(block_on(ledger.append(under, &[])).is_err());
    assert!(block_on(ledger.set_aside(under)).is_err());
    ledger.heal();
    assert_eq!(load().expect("works"), std::slice::from_ref(&booted));
    ledger.spoil("the entry 1-0 has an unknown fact");
    let error = load().expect_err("it cannot be read");
    assert_eq!(
        (error.kind(), &*error.said()),
        (StoreErrorKind::Unexpected, "the entry 1-0 has an unknown fact")
    );
    block_on(ledger.set_aside(under)).expect("works");
    assert_eq!((load().expect("works"), ledger.aside()), (vec![], vec![booted]));
    assert_eq!(ledger.appends(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_entry_that_the_strategy_draws_is_kept(entry in any_entry()) {
        prop_assert_eq!(entry.check(), Ok(()));
        let ledger = FakeRecoveryLedger::new();
        let under = FencingToken::first(ledger.claim());
        block_on(ledger.append(under, std::slice::from_ref(&entry))).expect("append works");
        prop_assert_eq!(ledger.entries(), [entry]);
    }
}

#[test]
fn a_refused_entry_says_which_one_it_is_and_what_is_wrong() {
    let key = EntryKey { epoch: Epoch::new(12), number: 3 };
    let entry = Entry {
        key,
        recovery: key,
        at: Timestamp::UNIX_EPOCH,
        subject: "hot group".to_owned(),
        fact: Fact::Withheld { cause: "x".repeat(1_025), dependency: String::new() },
    };
    let said = |entry: &Entry| entry.check().expect_err("it is refused").to_string();
    assert_eq!(said(&entry), "the entry 12-3 has a cause of 1025 bytes, and the longest one has 1024");
    let later = Entry { recovery: EntryKey { number: 4, ..key }, ..entry.clone() };
    assert_eq!(said(&later), "the entry 12-3 has a recovery, 12-4, that began after it");
    let nul =
        Entry { fact: Fact::Withheld { cause: String::new(), dependency: "\0".to_owned() }, ..entry.clone() };
    assert_eq!(said(&nul), "the entry 12-3 has a dependency that contains NUL");
    let nobody = Entry { subject: String::new(), ..entry };
    assert_eq!(said(&nobody), "the entry 12-3 has a subject that is not 1 to 64 bytes of printable ASCII");
}
