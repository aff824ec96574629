//! Entries and their records: each is made from the other, and a record that no entry was made into is refused.

use jiff::Timestamp;
use proptest::prelude::*;
use ttm_kernel::{Epoch, FailureClass};
use ttm_recovery::testing::any_entry;
use ttm_recovery::{By, Entry, EntryKey, Fact, Outcome, Record, Step};

const KEY: EntryKey = EntryKey { epoch: Epoch::new(12), number: 3 };

fn record(fact: Fact) -> Record {
    let (at, subject) = (Timestamp::UNIX_EPOCH, Entry::PROCESS.to_owned());
    Record::from(&Entry { key: KEY, recovery: KEY, at, subject, fact })
}

fn began() -> Record {
    let (class, by) = (FailureClass::System, By::Service);
    record(Fact::Began { cause: "stuck".to_owned(), class, by, evidence: None })
}

fn step() -> Record {
    record(Fact::Step { step: Step::Graceful, charged: true })
}

fn withheld() -> Record {
    record(Fact::Withheld { cause: "stuck".to_owned(), dependency: "dexscreener".to_owned() })
}

fn ended() -> Record {
    record(Fact::Ended { outcome: Outcome::Recovered, took: std::time::Duration::from_secs(1) })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_entry_is_what_its_record_makes(entry in any_entry()) {
        prop_assert_eq!(Record::from(&entry).entry(), Ok(entry));
    }
}

#[test]
fn a_record_that_no_entry_was_made_into_is_refused_and_says_why() {
    let some = |word: &str| Some(word.to_owned());
    for (record, why) in [
        (Record { kind: "begun".to_owned(), ..began() }, "the unknown kind \"begun\""),
        (Record { cause: None, ..began() }, "no cause"),
        (Record { class: None, ..began() }, "no class"),
        (Record { class: some("odd"), ..began() }, "the unknown class \"odd\""),
        (Record { by: None, ..began() }, "no initiator"),
        (Record { by: some("Service"), ..began() }, "the unknown initiator \"Service\""),
        (Record { step: some("start"), ..began() }, "step, and is of the kind \"began\", which has none"),
        (Record { step: None, ..step() }, "no step"),
        (Record { step: some(""), ..step() }, "the unknown step \"\""),
        (Record { charged: None, ..step() }, "no charge"),
        (Record { cause: some("x"), ..step() }, "cause, and is of the kind \"step\", which has none"),
        (Record { cause: None, ..withheld() }, "no cause"),
        (Record { dependency: None, ..withheld() }, "no dependency"),
        (
            Record { evidence: some(""), ..withheld() },
            "evidence, and is of the kind \"withheld\", which has none",
        ),
        (
            Record { by: some("service"), ..withheld() },
            "initiator, and is of the kind \"withheld\", which has none",
        ),
        (Record { outcome: None, ..ended() }, "no outcome"),
        (Record { outcome: some("fine"), ..ended() }, "the unknown outcome \"fine\""),
        (Record { took: None, ..ended() }, "no duration"),
        (Record { class: some("system"), ..ended() }, "class, and is of the kind \"ended\", which has none"),
        (
            Record { dependency: some(""), ..ended() },
            "dependency, and is of the kind \"ended\", which has none",
        ),
        (
            Record { charged: Some(false), ..record(Fact::Booted) },
            "charge, and is of the kind \"booted\", which has none",
        ),
        (
            Record { outcome: some("failed"), ..record(Fact::Closed) },
            "outcome, and is of the kind \"closed\", which has none",
        ),
        (
            Record { took: ended().took, ..record(Fact::Closed) },
            "duration, and is of the kind \"closed\", which has none",
        ),
        (
            Record { subject: String::new(), ..began() },
            "a subject that is not 1 to 64 bytes of printable ASCII",
        ),
    ] {
        let refused = record.clone().entry().expect_err("it is refused");
        assert_eq!(refused.to_string(), format!("the entry 12-3 has {why}"), "{record:?}");
    }
}
