//! The laws of the last words on a file, what a crash leaves of it, and files that no journal can have written.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use proptest::prelude::*;
use rustix::fs::{CWD, Mode, mkfifoat};
use tempfile::TempDir;
use ttm_file_journal::FileJournal;
use ttm_kernel::{Epoch, FailureClass};
use ttm_recovery::testing::{any_entry, last_words_conformance};
use ttm_recovery::{By, Entry, EntryKey, Fact, LastWords};

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn journal(folder: &TempDir) -> FileJournal {
    FileJournal::new(folder.path().join("last-words"))
}

fn entries(count: u64) -> Vec<Entry> {
    let entry = |number| {
        let key = EntryKey { epoch: Epoch::new(7), number };
        let (class, by) = (FailureClass::System, By::Service);
        let fact = Fact::Began { cause: "stuck\n".to_owned(), class, by, evidence: None };
        Entry { key, recovery: key, at: Timestamp::UNIX_EPOCH, subject: Entry::PROCESS.to_owned(), fact }
    };
    (0..count).map(entry).collect()
}

/// The names in a folder, in their order.
fn names(folder: &Path) -> Vec<PathBuf> {
    let mut names: Vec<PathBuf> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().into())
        .collect();
    names.sort();
    names
}

/// Why a journal with this content cannot be read.
fn refused(content: &[u8]) -> String {
    let folder = folder();
    let journal = journal(&folder);
    fs::write(journal.path(), content).expect("a file");
    let error = journal.read().expect_err("it is refused");
    assert_eq!(error.kind(), ErrorKind::InvalidData, "{error}");
    let written = journal.write(&entries(1)).expect_err("nothing is added to it");
    assert_eq!(written.kind(), ErrorKind::InvalidData, "{written}");
    assert_eq!(fs::read(journal.path()).expect("a file"), content, "it stays as it is");
    let message = error.to_string();
    let start = format!("{}: cannot be read: ", journal.path().display());
    message.strip_prefix(&start).expect("it names the file").to_owned()
}

#[test]
fn a_file_obeys_every_law() {
    let folder = folder();
    last_words_conformance::check(|| Box::new(journal(&folder)));
}

#[test]
fn a_file_is_lines_that_a_person_can_read_and_no_other_user_can() {
    let folder = folder();
    let journal = journal(&folder);
    journal.write(&entries(1)).expect("write works");
    let text = fs::read_to_string(journal.path()).expect("a file");
    assert_eq!(
        text,
        "ttm-journal 1\n\
         01cb844f {\"epoch\":7,\"number\":0,\"began_epoch\":7,\"began_number\":0,\"made_at\":\"1970-01-01T00:00:00Z\",\
         \"subject\":\"process\",\"kind\":\"began\",\"cause\":\"stuck\\n\",\"class\":\"system\",\"initiator\":\"service\"}\n"
    );
    let mode = fs::metadata(journal.path()).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    journal.clear().expect("clear works");
    assert_eq!(fs::metadata(journal.path()).expect("room is kept").len(), 0);
}

#[test]
fn a_crash_at_any_byte_of_a_write_loses_nothing_that_was_written_before() {
    let written = folder();
    journal(&written).write(&entries(2)).expect("write works");
    let whole = fs::read(journal(&written).path()).expect("a file");
    let folder = folder();
    for length in 0..=whole.len() {
        let torn = &whole[..length];
        let lines = torn.split(|byte| *byte == b'\n').count() - 1;
        let kept = &entries(2)[..lines.saturating_sub(1)];
        for zeros in [0, 300] {
            let journal = journal(&folder);
            fs::write(journal.path(), [torn, &vec![0; zeros]].concat()).expect("a file");
            assert_eq!(journal.read().expect("it is no damage"), kept, "{length} bytes and {zeros} zeros");
            journal.write(&entries(1)).expect("it goes on after the last whole line");
            assert_eq!(journal.read().expect("it is whole again"), [kept, &entries(1)].concat());
            let text = fs::read(journal.path()).expect("a file");
            assert!(!text.contains(&0) && text.ends_with(b"\n"), "nothing is left of the torn line");
        }
    }
}

#[test]
fn a_bit_that_changed_is_never_read_as_an_entry() {
    let folder = folder();
    let journal = journal(&folder);
    journal.write(&entries(2)).expect("write works");
    let whole = fs::read(journal.path()).expect("a file");
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut changed = whole.clone();
            changed[at] ^= 1 << bit;
            fs::write(journal.path(), &changed).expect("a file");
            let read = journal.read();
            if at == whole.len() - 1 {
                assert_eq!(read.expect("the last line looks torn"), entries(1));
            } else {
                assert!(read.is_err(), "bit {bit} of byte {at}: {read:?}");
            }
        }
    }
}

#[test]
fn what_no_journal_can_have_written_is_refused_with_what_is_wrong() {
    let begins = "is not a journal of this program's version: it begins with";
    assert_eq!(refused(b"hello\n"), format!("{begins} \"hello\\n\""));
    assert_eq!(refused(b"no newline"), format!("{begins} \"no newline\""));
    assert_eq!(refused(b"ttm-journal 2\n"), format!("{begins} \"ttm-journal 2\\n\""));
    assert_eq!(refused(b"\n"), format!("{begins} \"\\n\""));
    assert_eq!(refused(b"ttm-journal 1\nabc\n"), "line 2 is damaged: it is too short");
    assert_eq!(refused(b"ttm-journal 1\n00000000 {}\n"), "line 2 is damaged: its checksum is wrong");
    let line = |json: &str| {
        let json = format!("{json}\n");
        format!("ttm-journal 1\n{:08x} {json}", crc32fast::hash(json.as_bytes())).into_bytes()
    };
    let wrong = |json: &str, why: &str| {
        let message = refused(&line(json));
        assert!(message.starts_with("line 2 is damaged: ") && message.contains(why), "{message}");
    };
    let booted = |more: &str| {
        format!(
            "{{\"epoch\":1,\"number\":0,\"began_epoch\":1,\"began_number\":0,\"made_at\":\"1970-01-01T00:00:00Z\",\
             \"subject\":\"process\",\"kind\":\"booted\"{more}}}"
        )
    };
    wrong("{}", "missing field `epoch`");
    wrong(&booted(",\"mood\":\"good\""), "unknown field `mood`");
    wrong(
        &booted(",\"step\":\"start\""),
        "the entry 1-0 has step, and is of the kind \"booted\", which has none",
    );
    wrong(&booted("").replace("1970", "long ago"), "its time cannot be read: ");
    wrong(&booted("").replace("booted", "bootet"), "the unknown kind \"bootet\"");
    wrong(&booted("").replace("process", ""), "a subject that is not 1 to 64 bytes");
    let large = [b"ttm-journal 1\n".to_vec(), vec![b'x'; 1024 * 1024]].concat();
    assert_eq!(refused(&large), "it is larger than 1048576 bytes, so it is not a journal");
}

#[test]
fn what_is_set_aside_has_a_name_of_its_own_and_overwrites_nothing() {
    let folder = folder();
    let journal = journal(&folder);
    let time = SystemTime::UNIX_EPOCH + Duration::from_hours(500_000);
    for content in ["one", "two", "three"] {
        fs::write(journal.path(), content).expect("a file");
        let file = fs::File::options().write(true).open(journal.path()).expect("a file");
        file.set_modified(time).expect("its time can be set");
        journal.set_aside().expect("set_aside works");
    }
    let kept =
        ["last-words.20270115T080000Z", "last-words.20270115T080000Z-2", "last-words.20270115T080000Z-3"];
    assert_eq!(names(folder.path())[1..], kept.map(PathBuf::from), "beside the one that room is kept for");
    let content = kept.map(|name| fs::read_to_string(folder.path().join(name)).expect("a file"));
    assert_eq!(content, ["one", "two", "three"]);
}

#[test]
fn a_write_that_does_not_fit_changes_nothing() {
    let folder = folder();
    let journal = journal(&folder);
    let mut large = entries(1).remove(0);
    let (class, by) = (FailureClass::System, By::Service);
    let evidence = Some("\u{1}".repeat(Entry::MAX_EVIDENCE));
    large.fact = Fact::Began { cause: String::new(), class, by, evidence };
    let mut written = Vec::new();
    let error = loop {
        match journal.write(std::slice::from_ref(&large)) {
            Ok(()) => written.push(large.clone()),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::FileTooLarge, "{error}");
    assert_eq!(written.len(), 10, "so many of the longest evidence fit");
    assert_eq!(journal.read().expect("it is whole"), written);
    journal.write(&entries(1)).expect("a shorter one still fits");
}

#[test]
fn a_missing_folder_is_never_created_and_what_is_not_a_file_is_never_waited_for() {
    let folder = folder();
    let missing = FileJournal::new(folder.path().join("missing").join("last-words"));
    assert_eq!(missing.read().expect("nothing was written"), []);
    missing.clear().expect("there is nothing to clear");
    missing.set_aside().expect("there is nothing to set aside");
    let error = missing.write(&entries(1)).expect_err("there is no folder");
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert_eq!(names(folder.path()), Vec::<PathBuf>::new());

    let pipe = folder.path().join("pipe");
    mkfifoat(CWD, &pipe, Mode::RUSR | Mode::WUSR).expect("a pipe");
    for path in [pipe, folder.path().to_owned()] {
        let odd = FileJournal::new(path);
        odd.read().expect_err("it is no file");
        odd.write(&entries(1)).expect_err("it is no file");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_written_is_read(all in proptest::collection::vec(any_entry(), 0..5)) {
        let folder = folder();
        journal(&folder).write(&all).expect("write works");
        prop_assert_eq!(journal(&folder).read().expect("read works"), all);
    }
}
