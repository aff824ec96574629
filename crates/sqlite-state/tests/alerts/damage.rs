//! Rows that no commit can have written, commits that no file takes, and tables that are gone.

use std::time::Duration;

use ttm_alert::testing::small::{alert, letter, one_of_each, receipt, record, row, silence, tries};
use ttm_alert::{AlertStore, Commit, Loaded, Outcome, Phase, QuietId, SavedAlert};
use ttm_kernel::{StoreError, StoreErrorKind};

use super::example::{claim, commit, execute, folder, load, open};

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_no_commit_can_have_written_is_left_out_and_says_why() {
    let folder = folder();
    let file = folder.path().join("ttm.db");
    let store = open(&file).await;
    let under = claim(&store).await;
    let mut retry = receipt(1, 2);
    retry.outcome = Outcome::Retry { after: None, why: "503".to_owned() };
    let all = Commit { receipts: vec![retry], dead: Vec::new(), ..one_of_each(1) };
    let key = "stalled{group=g000001}";
    let of_message = format!("the message ops: {key} 1-7, 1 has");
    let of_receipt = format!("a receipt of the message ops: {key} 1-7, 1 has");
    for (change, why) in [
        (
            "alert SET labels = 'Group=1'",
            "an alert has labels that are none: the label \"Group\", expected".to_owned(),
        ),
        (
            "alert SET labels = 'b=1,a=2'",
            "an alert has the labels \"b=1,a=2\", which are written as \"a=2,b=1\"".to_owned(),
        ),
        (
            "alert SET state = '{'",
            format!("the state of the alert {key} has JSON of another shape: EOF while parsing"),
        ),
        (
            "alert SET state = json_remove(state, '$.cases')",
            format!("the state of the alert {key} has JSON of another shape: missing field `cases`"),
        ),
        (
            "alert SET state = json_set(state, '$.mood', 'bad')",
            format!("the state of the alert {key} has JSON of another shape: unknown field `mood`"),
        ),
        (
            "alert SET state = json_set(state, '$.changes[0]', 'soon')",
            format!("the state of the alert {key} has the unknown time \"soon\""),
        ),
        ("alert_message SET epoch = -1", "a message has the epoch -1".to_owned()),
        ("alert_message SET number = -2", "a message has the number -2".to_owned()),
        ("alert_message SET step = 4294967296", "a message has the step 4294967296".to_owned()),
        ("alert_message SET attempts = -1", format!("{of_message} the count of attempts -1")),
        ("alert_message SET failing_since = 9223372036854775807", "a time is out of range".to_owned()),
        (
            "alert_message SET message = json_set(message, '$.severity', 'LOUD')",
            format!("{of_message} the unknown severity \"LOUD\""),
        ),
        (
            "alert_message SET covers = json_set(covers, '$[0][1]', '01-7')",
            format!("{of_message} the unknown episode \"01-7\""),
        ),
        (
            "alert_message SET covers = '[]x'",
            format!("{of_message} JSON of another shape: trailing characters"),
        ),
        ("alert_receipt SET attempt = -1", format!("{of_receipt} the attempt -1")),
        ("alert_receipt SET outcome = 'lost'", format!("{of_receipt} the unknown outcome \"lost\"")),
        (
            "alert_receipt SET why = NULL",
            format!("{of_receipt} what is not of the outcome \"retry\", or lacks its reason"),
        ),
        (
            "alert_receipt SET outcome = 'delivered'",
            format!("{of_receipt} what is not of the outcome \"delivered\", or lacks its reason"),
        ),
        ("alert_receipt SET retry_after_us = -5", format!("{of_receipt} the period -5")),
        ("alert_receipt SET latency_us = -1", format!("{of_receipt} the period -1")),
        ("alert_quiet SET id = -1", "a silence has the id -1".to_owned()),
        (
            "alert_quiet SET quiet = json_set(quiet, '$.when.once.until', NULL)",
            "the silence 1 has what none may have: it has no end".to_owned(),
        ),
    ] {
        let table = change.split_once(' ').expect("a table").0;
        execute(&file, "DELETE FROM alert; DELETE FROM alert_message; DELETE FROM alert_receipt; DELETE FROM alert_quiet")
            .await;
        commit(&store, under, &all).await;
        load(&store).await;
        execute(&file, &format!("PRAGMA ignore_check_constraints = 1; UPDATE {change}")).await;
        let loaded = load(&store).await;
        assert!(
            loaded.unreadable.len() == 1 && loaded.unreadable[0].contains(&why),
            "{:?}",
            loaded.unreadable
        );
        let kept = (loaded.records.len(), loaded.rows.len(), loaded.receipts.len(), loaded.quiets.len());
        let without = |broken| usize::from(table != broken);
        let rest = ["alert", "alert_message", "alert_receipt", "alert_quiet"].map(without);
        assert_eq!(kept, rest.into(), "{change}: the rest is read");
        if table == "alert_receipt" {
            store.alerts().receipts(1).await.expect_err("it is the same row");
        }
    }
    commit(&store, under, &Commit { dead: vec![letter(2, 1)], ..Commit::default() }).await;
    execute(&file, "PRAGMA ignore_check_constraints = 1; UPDATE alert_dead_letter SET step = -1").await;
    let refused = store.alerts().dead_letters(1).await;
    assert_eq!(refused.as_ref().map_err(StoreError::kind), Err(StoreErrorKind::Unexpected), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_file_can_keep_is_rejected_with_all_of_its_commit() {
    let folder = folder();
    let store = open(&folder.path().join("ttm.db")).await;
    let under = claim(&store).await;
    let mut beyond = row(1, 1);
    beyond.key.episode.number = u64::MAX;
    let life = SavedAlert {
        key: alert(1),
        phase: Phase::Firing,
        held: Duration::ZERO,
        worse: Phase::Inactive,
        worse_held: Duration::ZERO,
        episode: None,
        value: Some(f64::NAN),
    };
    let mut endless = record(1, false);
    endless.life = Some(life);
    for (refused, why) in [
        (Commit { rows: vec![beyond], ..one_of_each(1) }, "18446744073709551615 is too large for a key"),
        (
            Commit { quiets: vec![(QuietId(u64::MAX), silence("it is known"))], ..one_of_each(1) },
            "18446744073709551615 is too large for a key",
        ),
        (
            Commit { records: vec![record(0, false), endless], ..one_of_each(1) },
            "the alert stalled{group=g000001} has the number NaN",
        ),
    ] {
        let outcome = store.alerts().commit(under, &refused).await;
        let Err(error) = &outcome else { panic!("{refused:?}") };
        assert_eq!(error.kind(), StoreErrorKind::Rejected, "{error}");
        assert!(error.said().ends_with(why), "{}", error.said());
        assert_eq!(load(&store).await, Loaded::default());
        assert_eq!(tries(&store.alerts()).await, [None; 5]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_table_can_be_retried_and_keeps_nothing_else_from_working() {
    let folder = folder();
    let file = folder.path().join("ttm.db");
    let store = open(&file).await;
    let under = claim(&store).await;
    execute(&file, "ALTER TABLE alert_quiet RENAME TO away").await;
    let refused = store.alerts().commit(under, &one_of_each(1)).await;
    assert_eq!(refused.as_ref().map_err(StoreError::kind), Err(StoreErrorKind::Missing), "{refused:?}");
    let refused = store.alerts().load().await;
    assert_eq!(refused.as_ref().map_err(StoreError::kind), Err(StoreErrorKind::Missing), "{refused:?}");
    drop(open(&file).await);
    execute(&file, "ALTER TABLE away RENAME TO alert_quiet").await;
    assert_eq!(tries(&store.alerts()).await, [None; 5]);
    commit(&store, under, &one_of_each(1)).await;
    assert_eq!(tries(&store.alerts()).await, [Some(1); 5]);
}
