//! Rows that no commit can have written, commits that no database takes, and tables that are gone.

use std::time::Duration;

use jiff::Timestamp;
use ttm_alert::testing::small::{alert, letter, one_of_each, receipt, record, row, silence, tries};
use ttm_alert::{AlertStore, Commit, DeadLetter, Loaded, Outcome, Phase, QuietId, Receipt, SavedAlert};
use ttm_kernel::{StoreError, StoreErrorKind};
use ttm_sqlx_pool::postgres::testing::Database;

use super::example::{claim, commit, load, open};

/// Drops every check of a column.
const UNCHECKED: &str = "SET LOCAL search_path TO $schema; DO $$ DECLARE each record; BEGIN \
     FOR each IN SELECT conrelid::regclass AS of, conname FROM pg_constraint \
     WHERE contype = 'c' AND connamespace = '$schema'::regnamespace \
     LOOP EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', each.of, each.conname); END LOOP; END $$";

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_no_commit_can_have_written_is_left_out_and_says_why() {
    let database = Database::new("alerts_damaged").await;
    let store = open(&database).await;
    let under = claim(&store).await;
    let mut retry = receipt(1, 2);
    retry.outcome = Outcome::Retry { after: None, why: "503".to_owned() };
    let all = Commit { receipts: vec![retry], dead: Vec::new(), ..one_of_each(1) };
    let key = "stalled{group=g000001}";
    let of_message = format!("the message ops: {key} 1-7, 1 has");
    database.execute(UNCHECKED).await;
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
            "alert SET state = (state::jsonb - 'cases')::json",
            format!("the state of the alert {key} has JSON of another shape: missing field `cases`"),
        ),
        (
            "alert SET state = jsonb_set(state::jsonb, '{mood}', '1')::json",
            format!("the state of the alert {key} has JSON of another shape: unknown field `mood`"),
        ),
        (
            "alert SET state = jsonb_set(state::jsonb, '{changes,0}', '\"soon\"')::json",
            format!("the state of the alert {key} has the unknown time \"soon\""),
        ),
        ("alert_message SET epoch = -1", "a message has the epoch -1".to_owned()),
        ("alert_message SET number = -2", "a message has the number -2".to_owned()),
        ("alert_message SET step = 4294967296", "a message has the step 4294967296".to_owned()),
        ("alert_message SET attempts = -1", format!("{of_message} the count of attempts -1")),
        ("alert_message SET failing_since = 'infinity'", "decoding column 7".to_owned()),
        (
            "alert_message SET message = jsonb_set(message::jsonb, '{severity}', '\"LOUD\"')::json",
            format!("{of_message} the unknown severity \"LOUD\""),
        ),
        (
            "alert_message SET covers = jsonb_set(covers::jsonb, '{0,1}', '\"01-7\"')::json",
            format!("{of_message} the unknown episode \"01-7\""),
        ),
        ("alert_message SET covers = '{}'", format!("{of_message} JSON of another shape: invalid type: map")),
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
            "alert_quiet SET quiet = jsonb_set(quiet::jsonb, '{when,once,until}', 'null')::json",
            "the silence 1 has what none may have: it has no end".to_owned(),
        ),
    ] {
        let table = change.split_once(' ').expect("a table").0;
        database
            .execute(
                "DELETE FROM $schema.alert; DELETE FROM $schema.alert_message; DELETE FROM $schema.alert_receipt; \
                 DELETE FROM $schema.alert_quiet",
            )
            .await;
        commit(&store, under, &all).await;
        load(&store).await;
        database.execute(&format!("UPDATE $schema.{change}")).await;
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
    database.execute("UPDATE $schema.alert_dead_letter SET step = -1").await;
    let refused = store.alerts().dead_letters(1).await;
    assert_eq!(refused.as_ref().map_err(StoreError::kind), Err(StoreErrorKind::Unexpected), "{refused:?}");
    database.drop_schema().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_database_can_keep_is_rejected_with_all_of_its_commit() {
    let database = Database::new("alerts_rejected").await;
    let store = open(&database).await;
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
    let early = DeadLetter { at: Timestamp::MIN, ..letter(2, 1) };
    let nul = Receipt { outcome: Outcome::Refused { why: "\0".to_owned() }, ..receipt(1, 1) };
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
        (
            Commit { dead: vec![early], ..one_of_each(1) },
            "is before the first time that PostgreSQL can store",
        ),
        (
            Commit { receipts: vec![nul], ..one_of_each(1) },
            "invalid byte sequence for encoding \"UTF8\": 0x00 (SQLSTATE 22021)",
        ),
    ] {
        let outcome = store.alerts().commit(under, &refused).await;
        let Err(error) = &outcome else { panic!("{refused:?}") };
        assert_eq!(error.kind(), StoreErrorKind::Rejected, "{error}");
        assert!(error.said().ends_with(why), "{}", error.said());
        assert_eq!(load(&store).await, Loaded::default());
        assert_eq!(tries(&store.alerts()).await, [None; 5]);
    }
    database.drop_schema().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_and_a_missing_table_are_told_apart() {
    let database = Database::new("alerts_gone").await;
    let store = open(&database).await;
    let under = claim(&store).await;
    let lock = database.begin_with("LOCK TABLE $schema.alert_quiet").await;
    let locked = store.alerts().load().await;
    lock.rollback().await.expect("the lock is given back");
    assert!(
        matches!(locked.as_ref().map_err(StoreError::kind), Err(StoreErrorKind::Transient { .. })),
        "{locked:?}"
    );
    database.execute("ALTER TABLE $schema.alert_quiet RENAME TO away").await;
    let refused = store.alerts().commit(under, &one_of_each(1)).await;
    assert_eq!(refused.as_ref().map_err(StoreError::kind), Err(StoreErrorKind::Missing), "{refused:?}");
    let refused = store.alerts().load().await;
    assert_eq!(refused.as_ref().map_err(StoreError::kind), Err(StoreErrorKind::Missing), "{refused:?}");
    drop(open(&database).await);
    database.execute("ALTER TABLE $schema.away RENAME TO alert_quiet").await;
    assert_eq!(tries(&store.alerts()).await, [None; 5]);
    commit(&store, under, &one_of_each(1)).await;
    assert_eq!(tries(&store.alerts()).await, [Some(1); 5]);
    database.drop_schema().await;
}
