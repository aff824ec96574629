//! Restarted writers on a server: what a transaction of an older incarnation may still do while a newer one begins.

use jiff::Timestamp;
use sqlx::{Postgres, Transaction};
use tokio::task::JoinSet;
use ttm_kernel::{FencedBy, FencingToken, StoreError, StoreErrorKind};
use ttm_market::{Mint, Token, TokenStatus, TokenStore};
use ttm_postgres_state::PostgresTokenStore;
use ttm_sqlx_pool::postgres::testing::Database;

const AT: Timestamp = Timestamp::UNIX_EPOCH;
const MINT: Mint = Mint::from_bytes([1; 32]);
const FENCED: StoreErrorKind = StoreErrorKind::Fenced { by: FencedBy::Incarnation };

/// A store with one token, and what its writer begins with.
async fn begin(database: &Database) -> (PostgresTokenStore, FencingToken) {
    let store = PostgresTokenStore::open(database.url()).await.expect("the store opens");
    store.add(&[MINT], AT).await.expect("add works");
    let first = FencingToken::first(store.claim().await.expect("claim works"));
    (store, first)
}

fn restarted(token: FencingToken) -> FencingToken {
    FencingToken::new(token.epoch(), token.incarnation().next())
}

fn token(status: TokenStatus) -> Token {
    Token { status, ..Token::new(MINT, AT) }
}

async fn stored(store: &PostgresTokenStore) -> TokenStatus {
    store.load(None, 1).await.expect("load answers").remove(0).status
}

/// Saves a token while another transaction is open, which commits once the save waits for it.
async fn save_during(
    mut tx: Transaction<'static, Postgres>,
    store: &PostgresTokenStore,
    under: FencingToken,
    status: TokenStatus,
) -> Result<(), StoreError> {
    let store = store.clone();
    let mut saves = JoinSet::new();
    saves.spawn(async move { store.save(under, &[token(status)]).await });
    // The server pauses between two looks: without that they would leave a busy machine no time for the save.
    let waiting = "SELECT count(*) FROM pg_locks, pg_sleep(0.005) WHERE NOT granted \
                   AND transactionid = pg_current_xact_id()::xid";
    while sqlx::query_scalar::<_, i64>(waiting).fetch_one(&mut *tx).await.expect("it answers") == 0 {
        let early = saves.try_join_next();
        assert!(early.is_none(), "it does not wait: {early:?}");
    }
    tx.commit().await.expect("it commits");
    saves.join_next().await.expect("it was started").expect("it does not panic")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_incarnation_waits_for_a_save_that_was_let_in_before() {
    let database = Database::new("fencing_waits").await;
    let (store, first) = begin(&database).await;
    store.save(first, &[token(TokenStatus::Active)]).await.expect("save works");
    let late = database
        .begin_with(
            "SELECT FROM $schema.fence WHERE writer = 'tokens' FOR SHARE; \
             UPDATE $schema.token SET status = 'archived' WHERE origin IS NULL",
        )
        .await;
    let saved = save_during(late, &store, restarted(first), TokenStatus::Active).await;
    saved.expect("it came after the older one");
    assert_eq!(stored(&store).await, TokenStatus::Active);
    database.drop_schema().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_save_that_waits_for_a_new_incarnation_is_refused() {
    let database = Database::new("fencing_refuses").await;
    let (store, first) = begin(&database).await;
    store.save(first, &[token(TokenStatus::Active)]).await.expect("save works");
    let newer = database.begin_with("UPDATE $schema.fence SET incarnation = 1 WHERE writer = 'tokens'").await;
    let refused = save_during(newer, &store, first, TokenStatus::Archived).await;
    assert_eq!(refused.as_ref().map_err(StoreError::kind), Err(FENCED));
    assert_eq!(stored(&store).await, TokenStatus::Active);
    database.drop_schema().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newer_one_of_two_first_saves_stays() {
    let database = Database::new("fencing_first").await;
    let (store, first) = begin(&database).await;
    let newer =
        database.begin_with("INSERT INTO $schema.fence SELECT 'tokens', epoch, 1 FROM $schema.writer").await;
    let refused = save_during(newer, &store, first, TokenStatus::Archived).await;
    assert_eq!(refused.as_ref().map_err(StoreError::kind), Err(FENCED));
    store.save(restarted(first), &[token(TokenStatus::Active)]).await.expect("it is the newest one");
    assert_eq!(stored(&store).await, TokenStatus::Active);
    database.drop_schema().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_is_written_only_when_its_token_rises() {
    let database = Database::new("fencing_rows").await;
    let (store, first) = begin(&database).await;
    store.save(first, &[token(TokenStatus::Active)]).await.expect("the row is written");
    database
        .execute(
            "CREATE FUNCTION $schema.refuse() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN RAISE EXCEPTION 'the row is written'; END $$; \
             CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON $schema.fence \
             FOR EACH ROW EXECUTE FUNCTION $schema.refuse()",
        )
        .await;
    for status in [TokenStatus::Archived, TokenStatus::Active] {
        store.save(first, &[token(status)]).await.expect("the row stays as it is");
    }
    store.save(restarted(first), &[]).await.expect_err("the row is written");
    database.drop_schema().await;
}
