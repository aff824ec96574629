//! The laws of the journal of alerts on a file, what a crash leaves of it, and files that no journal can have written.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::sync::Arc;

use jiff::Timestamp;
use proptest::prelude::*;
use tempfile::TempDir;
use ttm_alert::testing::{any_journalled, journal_conformance, labels};
use ttm_alert::{
    AlertJournal, AlertKey, ChannelId, EpisodeId, Journal, Journalled, Message, OutboxRow, Outcome, RowKey,
    Said,
};
use ttm_file_journal::FileAlertJournal;
use ttm_kernel::Severity;

const HEADER: &str = "ttm-alert-journal 1\n";
const ROOM: u64 = 256 * 1024;
const MAX_BYTES: u64 = 16 * 1024 * 1024;

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn journal(folder: &TempDir) -> FileAlertJournal {
    FileAlertJournal::new(folder.path().join("ttm.db.alerts"))
}

fn sent(number: u32) -> Journalled {
    let message = Message {
        group: "store_down".into(),
        severity: Severity::Critical,
        fires: true,
        items: vec![],
        more_items: 0,
        affected: vec![],
        more_affected: 0,
        replies_to: None,
        at: Timestamp::UNIX_EPOCH,
    };
    let key = RowKey {
        channel: ChannelId::new("ops"),
        alert: AlertKey::new("store_down", labels("store=state")),
        episode: EpisodeId::parse("1-7").expect("an id"),
        step: number,
    };
    let row = OutboxRow { key, message, covers: Arc::default(), attempts: 1, failing_since: None };
    Journalled { row, outcome: None }
}

fn delivered(number: u32) -> Journalled {
    Journalled { outcome: Some(Outcome::Delivered { remote_id: Some("42".into()) }), ..sent(number) }
}

fn append(journal: &FileAlertJournal, all: &[Journalled]) {
    for sent in all {
        journal.append(sent).expect("append works");
    }
}

/// Why a journal with this content cannot be read.
fn refused(content: &[u8]) -> String {
    let folder = folder();
    let journal = journal(&folder);
    fs::write(journal.path(), content).expect("a file");
    let error = journal.read().expect_err("it is refused");
    assert_eq!(error.kind(), ErrorKind::InvalidData, "{error}");
    journal.set_aside().expect("set_aside works");
    assert_eq!(journal.read().expect("it is empty"), Journal::default());
    let files = fs::read_dir(folder.path()).expect("a folder").map(|entry| entry.expect("an entry").path());
    let kept = files.into_iter().find(|path| path != journal.path()).expect("a file");
    assert_eq!(fs::read(kept).expect("it is kept"), content);
    let message = error.to_string();
    let start = format!("{}: cannot be read: ", journal.path().display());
    message.strip_prefix(&start).expect("it names the file").to_owned()
}

#[test]
fn a_file_obeys_every_law() {
    let folder = folder();
    journal_conformance::check(|| Box::new(journal(&folder)));
}

#[test]
fn a_file_is_lines_that_a_person_can_read_and_no_other_user_can() {
    let folder = folder();
    let journal = journal(&folder);
    append(&journal, &[sent(1), delivered(1)]);
    let text = fs::read_to_string(journal.path()).expect("a file");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "ttm-alert-journal 1");
    for (line, sent) in lines[1..].iter().zip([sent(1), delivered(1)]) {
        let json = ttm_alert_json::write(&sent).expect("it has a form");
        assert_eq!(*line, format!("{:08x} {json}", crc32fast::hash(format!("{json}\n").as_bytes())));
    }
    assert_eq!(lines.len(), 3);
    let mode = fs::metadata(journal.path()).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    journal.clear().expect("clear works");
    assert_eq!(fs::metadata(journal.path()).expect("room is kept").len(), 0);
}

#[test]
fn a_crash_at_any_byte_of_an_append_loses_only_that_and_counts_it() {
    let written = folder();
    append(&journal(&written), &[sent(1), delivered(2)]);
    let whole = fs::read(journal(&written).path()).expect("a file");
    let folder = folder();
    let journal = journal(&folder);
    for length in 0..=whole.len() {
        let before = &whole[..length];
        let lines = before.split(|byte| *byte == b'\n').count() - 1;
        let kept = [sent(1), delivered(2)][..lines.saturating_sub(1)].to_vec();
        for zeros in [0, 300] {
            let content = [before, &vec![0; zeros]].concat();
            // Nor has an append returned that has written the header alone.
            let torn = usize::from(!content.is_empty() && (lines == 1 || content.last() != Some(&b'\n')));
            fs::write(journal.path(), &content).expect("a file");
            let expected = Journal { sent: kept.clone(), torn };
            assert_eq!(
                journal.read().expect("it is no damage"),
                expected,
                "{length} bytes and {zeros} zeros"
            );
            if length % 31 > 0 && length + 3 < whole.len() {
                continue;
            }
            append(&journal, &[sent(3)]);
            let expected = Journal { sent: [kept.clone(), vec![sent(3)]].concat(), torn: 0 };
            assert_eq!(journal.read().expect("it is whole again"), expected);
            let text = fs::read(journal.path()).expect("a file");
            assert!(!text.contains(&0) && text.ends_with(b"\n"), "nothing is left of the torn line");
        }
    }
}

#[test]
fn a_bit_that_changed_is_never_read_as_what_was_sent() {
    let folder = folder();
    let journal = journal(&folder);
    append(&journal, &[sent(1), sent(2)]);
    let whole = fs::read(journal.path()).expect("a file");
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut changed = whole.clone();
            changed[at] ^= 1 << bit;
            fs::write(journal.path(), &changed).expect("a file");
            let read = journal.read();
            if at == whole.len() - 1 {
                let torn = Journal { sent: vec![sent(1)], torn: 1 };
                assert_eq!(read.expect("the last line looks torn"), torn);
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
    assert_eq!(
        refused(b"ttm-journal 1\n"),
        format!("{begins} \"ttm-journal 1\\n\""),
        "the one of the ledger"
    );
    assert_eq!(refused(b"ttm-alert-journal 2\n"), format!("{begins} \"ttm-alert-journal 2\\n\""));
    assert_eq!(
        refused(format!("{HEADER}00000000 {{}}\n").as_bytes()),
        "line 2 is damaged: its checksum is wrong"
    );
    let good = ttm_alert_json::write(&sent(1)).expect("it has a form");
    let line = |json: &str| {
        let json = format!("{json}\n");
        refused(format!("{HEADER}{:08x} {json}", crc32fast::hash(json.as_bytes())).as_bytes())
    };
    let loud = line(&good.replace("CRITICAL", "LOUD"));
    assert_eq!(loud, "line 2 is damaged: it has the unknown severity \"LOUD\"");
    let less = line(&good.replace(",\"outcome\":null", ""));
    assert!(
        less.starts_with("line 2 is damaged: it has JSON of another shape: missing field `outcome`"),
        "{less}"
    );
    let large = [HEADER.as_bytes().to_vec(), vec![b'x'; 16 * 1024 * 1024]].concat();
    assert_eq!(refused(&large), "it is larger than 16777216 bytes, so it is not a journal");
}

#[test]
fn nothing_is_added_to_what_is_not_a_journal() {
    let folder = folder();
    let journal = journal(&folder);
    for content in ["hello\n", "ttm-journal 1\n", "\n"] {
        fs::write(journal.path(), content).expect("a file");
        let error = journal.append(&sent(1)).expect_err("it is none");
        assert_eq!(error.kind(), ErrorKind::InvalidData, "{error}");
        assert_eq!(fs::read_to_string(journal.path()).expect("a file"), content, "it stays as it is");
    }
}

#[test]
fn a_full_journal_takes_no_more_than_fits_and_gives_up_nothing() {
    let folder = folder();
    let journal = journal(&folder);
    let said = Said { is_over: false, severity: Severity::Critical, is_flapping: false, step: 0 };
    let mut large = sent(1);
    let covers = (0..10_000).map(|number| {
        (AlertKey::new("stalled", labels(&format!("group=g{number}"))), large.row.key.episode, said)
    });
    large.row.covers = Arc::new(covers.collect());
    let mut all = Vec::new();
    let error = loop {
        match journal.append(&large) {
            Ok(()) => all.push(large.clone()),
            Err(error) => break error,
        }
        large.row.key.step += 1;
    };
    assert_eq!(error.kind(), ErrorKind::FileTooLarge, "{error}");
    assert!(all.len() > 10, "{} messages about 10,000 alerts each fit", all.len());
    assert!(fs::metadata(journal.path()).expect("a file").len() <= MAX_BYTES);
    append(&journal, &[sent(0)]);
    all.push(sent(0));
    assert_eq!(journal.read().expect("it is whole"), Journal { sent: all, torn: 0 });
}

#[test]
fn what_has_no_form_is_refused_before_the_file_is_touched() {
    let folder = folder();
    let journal = journal(&folder);
    let mut sent = sent(1);
    sent.row.message.items.push(ttm_alert::Item {
        key: sent.row.key.alert.clone(),
        episode: ttm_alert::Episode { id: sent.row.key.episode, started: Timestamp::UNIX_EPOCH },
        news: ttm_alert::News::New,
        severity: Severity::Critical,
        value: Some(f64::NAN),
        limit: None,
        ended: None,
        acknowledged_by: None,
    });
    let error = journal.append(&sent).expect_err("it is refused");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    let end = "cannot be written: the message ops: store_down{store=state} 1-7, 1 has the number NaN";
    assert!(error.to_string().ends_with(end), "{error}");
    assert!(!journal.path().exists());
}

#[test]
fn room_is_kept_from_the_first_read_on_and_not_lost_by_what_is_added_or_cleared() {
    let folder = folder();
    let journal = journal(&folder);
    let kept = || fs::metadata(journal.path()).expect("a file").blocks() * 512;
    journal.read().expect("nothing was written");
    assert!(kept() >= ROOM, "{}", kept());
    append(&journal, &[sent(1), delivered(1)]);
    assert!(kept() >= ROOM, "{}", kept());
    journal.clear().expect("clear works");
    assert!(kept() >= ROOM, "{}", kept());
}

#[test]
fn a_missing_folder_is_never_created() {
    let folder = folder();
    let missing = FileAlertJournal::new(folder.path().join("missing").join("ttm.db.alerts"));
    assert_eq!(missing.read().expect("nothing was written"), Journal::default());
    missing.clear().expect("there is nothing to clear");
    missing.set_aside().expect("there is nothing to set aside");
    let error = missing.append(&sent(1)).expect_err("there is no folder");
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert!(!folder.path().join("missing").exists());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_appended_is_read(all in proptest::collection::vec(any_journalled(), 0..5)) {
        let folder = folder();
        append(&journal(&folder), &all);
        let read = journal(&folder).read().expect("read works");
        prop_assert_eq!(format!("{read:?}"), format!("{:?}", Journal::of(all, 0)));
    }
}
