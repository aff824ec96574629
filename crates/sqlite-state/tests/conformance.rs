//! The laws of the port on a file, and failures that only a file has.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use tempfile::TempDir;
use ttm_breaker::{BreakerStore, Saved, State, StoredBreaker};
use ttm_kernel::testing::cancelled_after;
use ttm_kernel::{Connections, FencingToken, StoreError, StoreErrorKind};
use ttm_market::testing::conformance;
use ttm_market::{Basis, Mint, Score, ScoreState, Smoothed, Token, TokenStore};
use ttm_sqlite_state::{OpenError, SqliteTokenStore};

const AT: Timestamp = Timestamp::UNIX_EPOCH;

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

async fn open(folder: &TempDir) -> SqliteTokenStore {
    SqliteTokenStore::open(folder.path().join("ttm.db")).await.expect("the store opens")
}

/// Runs a statement over another connection.
async fn execute(file: &Path, statement: &str) {
    let mut other = SqliteConnectOptions::new().filename(file).connect().await.expect("the file opens");
    sqlx::query(AssertSqlSafe(statement.to_owned()))
        .execute(&mut other)
        .await
        .expect("the test's own statement is valid");
    other.close().await.expect("the file closes");
}

fn mint(number: u8) -> Mint {
    Mint::from_bytes([number; 32])
}

fn scored(number: u8, value: f64) -> Token {
    let smoothed = Smoothed { value, ..Smoothed::default() };
    let score = ScoreState { raw: Score::default(), smoothed, basis: Basis::Primary, pools: 1, at: AT };
    Token { score: Some(score), ..Token::new(mint(number), AT) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_sqlite_obeys_every_law() {
    let folder = folder();
    conformance::token_store::check(async || Box::new(open(&folder).await) as Box<dyn TokenStore>).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn four_stores_that_open_a_new_file_at_once_all_work() {
    for _ in 0..10 {
        let folder = folder();
        let stores = tokio::join!(open(&folder), open(&folder), open(&folder), open(&folder));
        let all = [&stores.0, &stores.1, &stores.2, &stores.3];
        for (number, store) in (1..).zip(all) {
            store.add(&[mint(number)], AT).await.expect("add works");
        }
        assert_eq!(all[0].load(None, 10).await.expect("load answers").len(), 4);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_a_newer_program_is_refused_in_one_line() {
    let folder = folder();
    drop(open(&folder).await);
    let file = folder.path().join("ttm.db");
    for version in [98, 99] {
        let newer = format!("INSERT INTO _ttm_state_migrations SELECT {version}, 'new', '', true, '', 0");
        execute(&file, &newer).await;
    }
    let error = SqliteTokenStore::open(&file).await.expect_err("it is refused");
    assert!(matches!(error, OpenError::NewerSchema { found: 99, known: 8, .. }), "{error:?}");
    let line = format!(
        "{} has schema version 99, this program knows versions up to 8: start a newer one",
        file.display()
    );
    assert_eq!(error.to_string(), line);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_that_lacks_applied_migrations_is_reported_and_nothing_is_changed() {
    let folder = folder();
    let file = folder.path().join("ttm.db");
    open(&folder).await.add(&[mint(1)], AT).await.expect("add works");
    execute(&file, "CREATE TABLE kept AS SELECT * FROM _ttm_state_migrations").await;
    for (forget, lacks) in [
        (
            "DELETE FROM _ttm_state_migrations WHERE version >= 3",
            "it lacks migration 3, but duplicate column name: origin",
        ),
        ("DELETE FROM _ttm_state_migrations", "it lacks migration 1, but table token already exists"),
    ] {
        execute(&file, forget).await;
        let error = SqliteTokenStore::open(&file).await.expect_err("it is refused");
        let told = format!(
            "its table _ttm_state_migrations does not match this program: {lacks}; restore that table"
        );
        assert!(error.to_string().contains(&told), "{error}");
    }
    execute(&file, "INSERT INTO _ttm_state_migrations SELECT * FROM kept").await;
    assert_eq!(open(&folder).await.load(None, 9).await.expect("load answers").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_cannot_be_a_store_is_reported_in_one_line() {
    let folder = folder();
    let missing = folder.path().join("missing").join("ttm.db");
    let error = SqliteTokenStore::open(&missing).await.expect_err("there is no folder");
    assert!(matches!(error, OpenError::Unavailable { .. }), "{error:?}");
    assert!(error.to_string().starts_with(&format!("cannot open {}", missing.display())), "{error}");

    let text = folder.path().join("notes.txt");
    std::fs::write(&text, "Dear diary, this is a text of more than a few bytes.\n".repeat(100))
        .expect("written");
    let error = SqliteTokenStore::open(&text).await.expect_err("it is no database");
    assert!(matches!(error, OpenError::Store { .. }), "{error:?}");
    assert_eq!(
        error.to_string(),
        format!("{} is not a usable store: file is not a database (SQLITE_NOTADB, 26)", text.display())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_score_is_kept_to_the_bit() {
    let folder = folder();
    let store = open(&folder).await;
    let under = FencingToken::first(store.claim().await.expect("claim works"));
    store.add(&[mint(1)], AT).await.expect("add works");
    for value in [-0.0, 0.0, 1.0, 0.1 + 0.2, f64::MAX, f64::MIN_POSITIVE, f64::from_bits(1)] {
        store.save(under, &[scored(1, value)]).await.expect("save works");
        let loaded = store.load(None, 1).await.expect("load answers").remove(0);
        assert_eq!(loaded.smoothed_score().map(f64::to_bits), Some(value.to_bits()), "{value:e}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_is_not_finite_rejects_the_whole_batch() {
    let folder = folder();
    let store = open(&folder).await;
    let under = FencingToken::first(store.claim().await.expect("claim works"));
    store.add(&[mint(1), mint(2)], AT).await.expect("add works");
    for value in [f64::NAN, f64::INFINITY] {
        let refused = store.save(under, &[scored(1, 1.0), scored(2, value)]).await;
        assert!(
            matches!(refused.as_ref().map_err(StoreError::kind), Err(StoreErrorKind::Rejected)),
            "{refused:?}"
        );
    }
    let loaded = store.load(None, 2).await.expect("load answers");
    assert_eq!(loaded, [Token::new(mint(1), AT), Token::new(mint(2), AT)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_table_is_retried_once_a_minute_and_may_come_back() {
    let folder = folder();
    let store = open(&folder).await;
    let under = FencingToken::first(store.claim().await.expect("claim works"));
    execute(&folder.path().join("ttm.db"), "ALTER TABLE token RENAME TO away").await;
    for refused in [store.load(None, 1).await.map(drop), store.save(under, &[Token::new(mint(1), AT)]).await]
    {
        let Err(error) = refused else { panic!("{refused:?}") };
        assert_eq!(error.kind(), StoreErrorKind::Missing, "{error}");
        assert_eq!(error.said(), "no such table: token (SQLITE_ERROR, 1); restore it from a backup");
        assert_eq!(error.retry_after(), Some(Duration::from_mins(1)));
    }
    execute(&folder.path().join("ttm.db"), "ALTER TABLE away RENAME TO token").await;
    store.save(under, &[Token::new(mint(1), AT)]).await.expect("it is back");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unexpected_row_or_column_is_no_damage_and_fails_only_the_call_that_meets_it() {
    let folder = folder();
    let file = folder.path().join("ttm.db");
    let store = open(&folder).await;
    let under = FencingToken::first(store.claim().await.expect("claim works"));
    store.add(&[mint(1), mint(2)], AT).await.expect("add works");
    execute(&file, "PRAGMA ignore_check_constraints = 1; UPDATE token SET status = 'sold' WHERE mint = (SELECT min(mint) FROM token)").await;
    let refused = store.load(None, 9).await;
    let Err(error) = refused else { panic!("{refused:?}") };
    assert_eq!(error.kind(), StoreErrorKind::Unexpected, "{error}");
    let message = error.said();
    assert!(message.ends_with("an unknown status"), "{message}");
    execute(&file, "ALTER TABLE writer RENAME COLUMN epoch TO era").await;
    let refused = store.save(under, &[scored(2, 1.0)]).await;
    let Err(error) = refused else { panic!("{refused:?}") };
    assert_eq!(error.kind(), StoreErrorKind::Unexpected, "{error}");
    let message = error.said();
    assert_eq!(message, "no such column: writer.epoch (SQLITE_ERROR, 1)");
    execute(&file, "ALTER TABLE writer RENAME COLUMN era TO epoch").await;
    store.save(under, &[scored(1, 1.0)]).await.expect("a person has mended it");
    store.load(None, 9).await.expect("the status was written anew");
}

/// What a full disk does to a transaction, without a full disk: SQLite rolls back by itself in the middle of a statement.
const ROLLED_BACK_BY_SQLITE: [&str; 3] = [
    "CREATE TRIGGER full_token BEFORE UPDATE ON token BEGIN SELECT RAISE(ROLLBACK, 'full'); END",
    "CREATE TRIGGER full_new BEFORE INSERT ON token BEGIN SELECT RAISE(ROLLBACK, 'full'); END",
    "CREATE TRIGGER full_breaker BEFORE INSERT ON breaker BEGIN SELECT RAISE(ROLLBACK, 'full'); END",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_sqlite_rolled_back_by_itself_breaks_no_later_one() {
    let folder = folder();
    let file = folder.path().join("ttm.db");
    let store = open(&folder).await;
    let breakers = store.breakers();
    let under = FencingToken::first(store.claim().await.expect("claim works"));
    store.add(&[mint(1)], AT).await.expect("add works");
    let tripped = StoredBreaker {
        name: "api".to_owned(),
        saved: Saved { state: State::Open, open_for: Duration::from_secs(3), failed_recoveries: 1 },
        at: AT,
        since: None,
        rate: None,
    };
    for trigger in ROLLED_BACK_BY_SQLITE {
        execute(&file, trigger).await;
    }
    for _ in 0..3 {
        store.save(under, &[scored(1, 1.0)]).await.expect_err("the trigger refuses it");
        store.add(&[mint(2)], AT).await.expect_err("the trigger refuses it");
        breakers.save(under, std::slice::from_ref(&tripped)).await.expect_err("the trigger refuses it");
    }
    for drop in ["DROP TRIGGER full_token", "DROP TRIGGER full_new", "DROP TRIGGER full_breaker"] {
        execute(&file, drop).await;
    }
    breakers.save(under, std::slice::from_ref(&tripped)).await.expect("there is room again");
    store.save(under, &[scored(1, 2.0)]).await.expect("there is room again");
    store.add(&[mint(2)], AT).await.expect("there is room again");
    assert_eq!(store.load(None, 9).await.expect("load answers").len(), 2);
    assert_eq!(breakers.load().await.expect("load answers"), [tripped]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_deleted_or_replaced_under_the_store_is_reported_before_anything_is_lost() {
    let folder = folder();
    let (file, kept) = (folder.path().join("ttm.db"), folder.path().join("kept.db"));
    let store = open(&folder).await;
    let under = FencingToken::first(store.claim().await.expect("claim works"));
    store.add(&[mint(1)], AT).await.expect("add works");
    let told = async |what: &str| {
        let saved = store.save(under, &[scored(1, 1.0)]).await;
        let Err(error) = saved else { panic!("{saved:?}") };
        assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error}");
        let message = error.said();
        assert_eq!(
            message,
            format!(
                "{} was {what} while it was in use; put the original file back and restart this process, which \
                 stores nothing until then",
                file.display()
            )
        );
        let added = store.add(&[mint(2)], AT).await;
        assert!(
            matches!(added.as_ref().map_err(StoreError::kind), Err(StoreErrorKind::Corrupt)),
            "{added:?}"
        );
    };
    std::fs::rename(&file, &kept).expect("moved");
    told("deleted or moved away").await;
    std::fs::copy(&kept, &file).expect("copied");
    told("replaced by another file").await;
    std::fs::rename(&kept, &file).expect("moved");
    store.save(under, &[scored(1, 1.0)]).await.expect("it is back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_store_is_complete_in_its_file_even_while_another_store_has_it_open() {
    let folder = folder();
    let file = folder.path().join("ttm.db");
    let (store, other) = (open(&folder).await, open(&folder).await);
    store.add(&[mint(1), mint(2)], AT).await.expect("add works");
    assert_eq!(other.load(None, 9).await.expect("load answers").len(), 2);
    store.close().await;
    let copy = folder.path().join("copy.db");
    std::fs::copy(&file, &copy).expect("copied");
    let copied = SqliteTokenStore::open(&copy).await.expect("the copy opens");
    assert_eq!(copied.load(None, 9).await.expect("load answers").len(), 2);
    other.close().await;
    assert!(!folder.path().join("ttm.db-wal").exists(), "the last one to go leaves one file");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_save_that_is_dropped_anywhere_stores_all_or_nothing_and_leaves_no_lock() {
    let folder = folder();
    let store = open(&folder).await;
    let under = FencingToken::first(store.claim().await.expect("claim works"));
    store.add(&[mint(1), mint(2)], AT).await.expect("add works");
    for polls in 0.. {
        let value = polls as f64 + 1.0;
        let saved = cancelled_after(polls, store.save(under, &[scored(1, value), scored(2, value)])).await;
        // Another writer, which waits for any lock that is left behind.
        store.add(&[mint(3)], AT).await.expect("add works");
        let loaded = store.load(None, 2).await.expect("load answers");
        assert_eq!(loaded[0].smoothed_score(), loaded[1].smoothed_score(), "after {polls} polls");
        if let Some(saved) = saved {
            saved.expect("save works");
            assert_eq!(loaded[0].smoothed_score(), Some(value));
            break;
        }
    }
    let Connections { in_use, max } = store.connections().expect("it has pools");
    assert!(in_use <= max && max == 3, "{in_use} of {max}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_table_is_named_and_missing_rows_are_inserted() {
    let folder = folder();
    let file = folder.path().join("ttm.db");
    drop(open(&folder).await);
    execute(&file, "ALTER TABLE writer RENAME TO away").await;
    let error = SqliteTokenStore::open(&file).await.expect_err("nothing can start");
    let told = "its table writer is missing, although _ttm_state_migrations has its migration as applied; restore it from a backup";
    assert!(error.to_string().contains(told), "{error}");
    execute(&file, "ALTER TABLE away RENAME TO writer; DELETE FROM writer; DELETE FROM revision").await;
    let store = open(&folder).await;
    let epoch = store.claim().await.expect("whoever comes writes the row");
    assert_eq!((epoch.number(), store.revision(epoch).await.expect("revision answers")), (1, 0));
    store.add(&[mint(1)], AT).await.expect("add works");
    assert_eq!(store.revision(epoch).await.expect("revision answers"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_row_of_a_writer_is_written_only_when_its_token_rises() {
    let folder = folder();
    let store = open(&folder).await;
    store.add(&[mint(1)], AT).await.expect("add works");
    let first = FencingToken::first(store.claim().await.expect("claim works"));
    store.save(first, &[scored(1, 1.0)]).await.expect("the row is written");
    let file = folder.path().join("ttm.db");
    for refuse in [
        "CREATE TRIGGER refuse_update BEFORE UPDATE ON fence BEGIN SELECT RAISE(ABORT, 'the row is written'); END",
        "CREATE TRIGGER refuse_insert BEFORE INSERT ON fence BEGIN SELECT RAISE(ABORT, 'the row is written'); END",
    ] {
        execute(&file, refuse).await;
    }
    for value in [2.0, 3.0] {
        store.save(first, &[scored(1, value)]).await.expect("the row stays as it is");
    }
    let restarted = FencingToken::new(first.epoch(), first.incarnation().next());
    store.save(restarted, &[]).await.expect_err("the row is written");
}
