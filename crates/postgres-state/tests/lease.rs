//! The lease on a server: which process gets it, which keeps it, and what both learn.

use std::sync::Arc;

use ttm_kernel::{LeaseError, StoreError, StoreErrorKind, StoreLease};
use ttm_market::TokenStore;
use ttm_postgres_state::{PostgresLease, PostgresTokenStore};
use ttm_sqlx_pool::postgres::testing::Database;

fn lease(database: &Database) -> PostgresLease {
    PostgresLease::new(database.url()).expect("the URL is good")
}

async fn held(lease: &PostgresLease) -> String {
    match lease.acquire().await {
        Err(LeaseError::Held { holder, .. }) => holder,
        other => panic!("expected Held, got {other:?}"),
    }
}

async fn lost(lease: &PostgresLease) -> Option<String> {
    match lease.renew().await {
        Err(LeaseError::Lost { holder }) => holder,
        other => panic!("expected Lost, got {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_of_postgres_obeys_every_law() {
    let database = Database::new("lease_laws").await;
    ttm_kernel::testing::check_lease(async || Box::new(lease(&database)) as Box<dyn StoreLease>).await;
    database.drop_schema().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_refusal_names_the_holder_and_the_expiry_if_it_may_be_dead() {
    let database = Database::new("lease_held").await;
    let (one, other) = (lease(&database), lease(&database));
    one.acquire().await.expect("it is free");
    let Err(LeaseError::Held { holder, until: None }) = other.acquire().await else {
        panic!("its holder is known to live: nothing is waited for")
    };
    assert!(holder.starts_with(&format!("process {} on ", std::process::id())), "{holder}");
    assert!(holder.contains(", since 20") && !holder.contains('\n'), "{holder}");
    // As a process on another machine sees it.
    database.execute("UPDATE $schema.lease SET boot = 'another'").await;
    let until = async || match other.acquire().await {
        Err(LeaseError::Held { until: Some(until), .. }) => until,
        answer => panic!("it is not known whether its holder lives: {answer:?}"),
    };
    let first = until().await;
    assert_eq!(until().await, first, "it is not renewed");
    one.renew().await.expect("it has it");
    assert!(until().await > first, "it is renewed");
    database.drop_schema().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_lease_goes_to_the_next_process_and_the_former_holder_learns_of_it() {
    let database = Database::new("lease_ran_out").await;
    let (one, other) = (lease(&database), lease(&database));
    one.acquire().await.expect("it is free");
    let run_out = "UPDATE $schema.lease SET expires_at = now() - interval '1 ms'";
    database.execute(run_out).await;
    one.renew().await.expect("nobody came meanwhile");
    database.execute(run_out).await;
    other.acquire().await.expect("it has run out");
    let holder = lost(&one).await.expect("another has it");
    assert!(holder.starts_with("process "), "{holder}");
    assert!(!one.stands() && other.stands());
    let _ = held(&one).await;
    database.drop_schema().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_process_holds_nothing_unless_it_ran_on_another_machine() {
    let database = Database::new("lease_dead").await;
    let (one, other) = (lease(&database), lease(&database));
    one.acquire().await.expect("it is free");
    // The same id with another start time: the process that held it has ended.
    database.execute("UPDATE $schema.lease SET pid_started = pid_started + 1, boot = 'another'").await;
    let _ = held(&other).await;
    database.execute(&format!("UPDATE $schema.lease SET boot = '{}'", boot_id())).await;
    other.acquire().await.expect("its holder is dead");
    database.drop_schema().await;
}

fn boot_id() -> String {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").expect("the system tells its boot");
    id.trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_holder_is_granted_an_epoch() {
    let database = Database::new("lease_claim").await;
    let store = PostgresTokenStore::open(database.url()).await.expect("the store opens");
    let (one, other) = (Arc::new(lease(&database)), lease(&database));
    let store = store.with_lease(one.clone());
    one.acquire().await.expect("it is free");
    store.claim().await.expect("it has the lease");
    // A process that was suspended for longer than its lease, and has not noticed yet.
    database.execute("UPDATE $schema.lease SET expires_at = now() - interval '1 ms'").await;
    other.acquire().await.expect("it has run out");
    assert!(one.stands(), "it believes so");
    let refused = store.claim().await;
    assert!(
        matches!(refused.as_ref().map_err(StoreError::kind), Err(StoreErrorKind::Transient { .. })),
        "{refused:?}"
    );
    database.drop_schema().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_processes_that_acquire_at_once_one_succeeds() {
    let database = Database::new("lease_race").await;
    let leases: [_; 4] = std::array::from_fn(|_| lease(&database));
    let [a, b, c, d] = &leases;
    let (a, b, c, d) = tokio::join!(a.acquire(), b.acquire(), c.acquire(), d.acquire());
    let outcomes = [a, b, c, d];
    let held = |outcome: &Result<(), LeaseError>| matches!(outcome, Err(LeaseError::Held { .. }));
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
    assert_eq!(outcomes.iter().filter(|outcome| held(outcome)).count(), 3, "{outcomes:?}");
    database.drop_schema().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_answer_says_nothing_about_the_holder() {
    let database = Database::new("lease_away").await;
    let one = lease(&database);
    one.acquire().await.expect("it is free");
    let lock = database.begin_with("LOCK TABLE $schema.lease").await;
    let renewed = one.renew().await;
    lock.rollback().await.expect("the lock is given back");
    assert!(matches!(renewed, Err(LeaseError::Store(_))), "{renewed:?}");
    assert!(one.stands(), "what was granted has not run out");
    one.renew().await.expect("the server answers again");
    let away = PostgresLease::new("postgres://ann:s3cret@127.0.0.1:1/ttm").expect("the URL is good");
    let error = away.acquire().await.expect_err("nobody listens there").to_string();
    assert_eq!(error, "the store is unavailable: connection refused (os error 111)");
    database.drop_schema().await;
}

/// Ways to lose the lease: the table or its rows are deleted.
const GONE: [&str; 2] = ["DROP TABLE $schema.lease", "DELETE FROM $schema.lease"];

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_lease_is_restored_by_its_holder_unless_another_process_was_first() {
    for gone in GONE {
        let database = Database::new("lease_dropped").await;
        let store = PostgresTokenStore::open(database.url()).await.expect("the store opens");
        let (one, other) = (Arc::new(lease(&database)), Arc::new(lease(&database)));
        let (of_one, of_other) = (store.clone().with_lease(one.clone()), store.with_lease(other.clone()));
        one.acquire().await.expect("it is free");
        of_one.claim().await.expect("it has the lease");
        database.execute(gone).await;
        one.renew().await.expect("nobody came meanwhile");
        assert!(one.stands());
        let _ = held(&other).await;

        // Another process came, and its lease is deleted as well: it is still the one that worked here last.
        database.execute(gone).await;
        other.acquire().await.expect("nobody holds what is not there");
        of_other.claim().await.expect("it has the lease");
        database.execute(gone).await;
        assert_eq!(lost(&one).await, None);
        assert!(!one.stands());
        other.renew().await.expect("it has the newest epoch");
        database.drop_schema().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_on_a_recreated_store_is_not_written_into_the_new_one() {
    let database = Database::new("lease_anew").await;
    let store = PostgresTokenStore::open(database.url()).await.expect("the store opens");
    let one = Arc::new(lease(&database));
    one.acquire().await.expect("it is free");
    store.with_lease(one.clone()).claim().await.expect("it has the lease");
    database.execute("DROP TABLE $schema.lease; UPDATE $schema.writer SET epoch = 0").await;
    let renewed = one.renew().await;
    let Err(LeaseError::Store(error)) = renewed else { panic!("{renewed:?}") };
    assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error}");
    lease(&database).acquire().await.expect("whoever comes finds it free");
    database.drop_schema().await;
}
