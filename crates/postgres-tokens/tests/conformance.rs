//! The laws of the port on a server, and failures that are specific to the database of another system.

use std::collections::BTreeSet;

use ttm_market::testing::conformance;
use ttm_market::{Mint, TokenSource, TokenSourceError};
use ttm_postgres_tokens::PostgresTokenSource;
use ttm_sqlx_pool::postgres::testing::Database;

const TABLE: &str = "CREATE TABLE $schema.tokens (mint_address text, status text)";

fn source(database: &Database) -> PostgresTokenSource {
    PostgresTokenSource::new(database.url()).expect("a valid URL")
}

async fn listed(source: &PostgresTokenSource) -> BTreeSet<Mint> {
    source.list().await.expect("it lists").mints
}

async fn unusable(source: &PostgresTokenSource) -> String {
    match source.list().await {
        Err(TokenSourceError::Unusable { message }) => message,
        other => panic!("expected Unusable, got {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_another_system_obeys_every_law() {
    let database = Database::new("source_conformance").await;
    let put = async |entries: Vec<String>| {
        let rows: Vec<String> = entries.iter().map(|entry| format!("('{entry}', 'active')")).collect();
        let drop = "DROP TABLE IF EXISTS $schema.tokens";
        let insert = format!("INSERT INTO $schema.tokens VALUES {}", rows.join(","));
        database.execute(&format!("{drop}; {TABLE}; {insert}")).await;
    };
    let spoil = async || database.execute("DROP TABLE $schema.tokens").await;
    conformance::token_source::check(&source(&database), put, spoil).await;
    database.drop_schema().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_rows_that_are_not_archived_are_listed_whatever_the_type_of_the_status() {
    let database = Database::new("source_status").await;
    let [sol, usdc] = [Mint::WSOL, Mint::USDC];
    database
        .execute(&format!(
            "{TABLE}; INSERT INTO $schema.tokens VALUES ('{sol}', NULL), ('{usdc}', 'ARCHIVED')"
        ))
        .await;
    let source = source(&database);
    assert_eq!(listed(&source).await, BTreeSet::from([sol]));
    database.execute("UPDATE $schema.tokens SET status = 'monitoring' WHERE status = 'ARCHIVED'").await;
    assert_eq!(listed(&source).await, BTreeSet::from([sol, usdc]));
    database
        .execute(
            "CREATE TYPE $schema.stage AS ENUM ('monitoring', 'Archived'); \
             UPDATE $schema.tokens SET status = 'Archived' WHERE status IS NULL; \
             ALTER TABLE $schema.tokens ALTER status TYPE $schema.stage USING status::$schema.stage",
        )
        .await;
    assert_eq!(listed(&source).await, BTreeSet::from([usdc]));
    database.execute("DELETE FROM $schema.tokens").await;
    let line = unusable(&source).await;
    assert!(line.contains("the table has no token that is not archived"), "as when it is refilled: {line}");
    database.drop_schema().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_database_is_transient_since_it_may_be_being_restored() {
    let database = Database::new("source_dropped").await;
    let gone = PostgresTokenSource::new(&database.url().replacen("/postgres?", "/no_such_database?", 1));
    match gone.expect("a valid URL").list().await {
        Err(TokenSourceError::Transient { message }) => {
            assert!(message.ends_with("does not exist (SQLSTATE 3D000)"), "{message}");
        }
        other => panic!("expected Transient, got {other:?}"),
    }
    database.drop_schema().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unexpected_table_is_an_error_of_one_line_with_what_was_expected() {
    let database = Database::new("source_other").await;
    let source = source(&database);
    let expected = "; expected a table tokens with the columns mint_address and status";
    let line = unusable(&source).await;
    assert!(line.starts_with("PostgreSQL at ") && line.ends_with(expected), "{line}");
    assert!(line.contains("\"tokens\" does not exist") && !line.contains('\n'), "{line}");
    database.execute("CREATE TABLE $schema.tokens (address text)").await;
    let line = unusable(&source).await;
    assert!(line.contains("does not exist") && line.ends_with(expected), "{line}");
    database.execute(&format!("DROP TABLE $schema.tokens; {TABLE}")).await;
    database.execute("INSERT INTO $schema.tokens VALUES ('a', ''), (NULL, '')").await;
    assert!(unusable(&source).await.contains("none of 2 rows has a valid mint"));
    database.drop_schema().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_that_writes_is_refused_by_the_read_only_session() {
    let database = Database::new("source_writes").await;
    database
        .execute(
            "CREATE TABLE $schema.log (line text); \
             CREATE FUNCTION $schema.note() RETURNS text LANGUAGE sql AS \
             $f$ INSERT INTO $schema.log VALUES ('x') RETURNING line $f$; \
             CREATE VIEW $schema.tokens AS SELECT $schema.note() AS mint_address, NULL::text AS status",
        )
        .await;
    let refused = source(&database).list().await.expect_err("a read-only session");
    assert!(refused.to_string().contains("read-only"), "{refused}");
    database.drop_schema().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_server_is_transient_and_named_without_its_password() {
    let source = PostgresTokenSource::new("postgres://ann:s3cret@127.0.0.1:1/moon").expect("a valid URL");
    let error = source.list().await.expect_err("connection refused");
    assert!(matches!(error, TokenSourceError::Transient { .. }), "{error:?}");
    assert_eq!(error.to_string(), "PostgreSQL at 127.0.0.1:1/moon: connection refused (os error 111)");
    assert!(!format!("{source:?}").contains("s3cret"), "{source:?}");
    let error =
        PostgresTokenSource::new("postgres://ann:s3cret@localhost:port/moon").expect_err("an invalid port");
    assert!(!error.to_string().contains("s3cret"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_table_is_transient() {
    let database = Database::new("source_locked").await;
    database.execute(TABLE).await;
    let lock = database.begin_with("LOCK TABLE $schema.tokens").await;
    let locked = source(&database).list().await;
    lock.rollback().await.expect("the lock is released");
    assert!(matches!(locked, Err(TokenSourceError::Transient { .. })), "{locked:?}");
    database.drop_schema().await;
}

#[test]
fn a_source_is_created_without_a_runtime() {
    assert!(PostgresTokenSource::new("postgres://ann:s3cret@127.0.0.1:1/moon").is_ok());
}
