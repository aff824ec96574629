//! A separate schema for each test, on the server of the test run.

#![expect(clippy::missing_panics_doc, reason = "a test that cannot have its schema fails")]

use std::time::Duration;

use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool, Postgres, Transaction};

/// An empty schema; dropped by [`Database::drop_schema`], and at the latest with the throw-away server.
pub struct Database {
    admin: PgPool,
    schema: String,
    url: String,
    /// The server's own database, if a separate one was created for the test.
    whole: Option<String>,
}

impl Database {
    /// A schema named after the test and this process, so that tests run in parallel and in any order.
    pub async fn new(test: &str) -> Self {
        let server = server();
        let pool = PgPoolOptions::new().max_connections(2).acquire_timeout(Duration::from_secs(30));
        let admin = pool.connect(&server).await.expect("the test server answers");
        let schema = format!("{test}_{}", std::process::id());
        let create = format!("DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}");
        sqlx::raw_sql(AssertSqlSafe(create)).execute(&admin).await.expect("a schema for the test");
        let separator = if server.contains('?') { '&' } else { '?' };
        // The name distinguishes the store's sessions from all others.
        let url = format!("{server}{separator}options[search_path]={schema}&application_name={schema}");
        Self { admin, schema, url, whole: None }
    }

    /// A separate database, created with these options, for tests that one schema is not enough for.
    pub async fn whole(test: &str, options: &str) -> Self {
        let server = server();
        let name = format!("{test}_{}", std::process::id());
        let mut maker = PgConnection::connect(&server).await.expect("the test server answers");
        for statement in
            [format!("DROP DATABASE IF EXISTS {name}"), format!("CREATE DATABASE {name} {options}")]
        {
            sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut maker).await.expect("a database");
        }
        let (address, parameters) = server.split_once('?').unwrap_or((&server, ""));
        let authority = address.rfind('/').filter(|at| *at > "postgres://".len());
        let url = format!("{}/{name}?{parameters}", authority.map_or(address, |at| &address[..at]));
        let pool = PgPoolOptions::new().max_connections(2).acquire_timeout(Duration::from_secs(30));
        let admin = pool.connect(&url).await.expect("the test server answers");
        let separator = if parameters.is_empty() { "" } else { "&" };
        let url = format!("{url}{separator}application_name={name}");
        Self { admin, schema: "public".to_owned(), url, whole: Some(server) }
    }

    /// Connects straight into the schema.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Runs a statement in another session and commits it; `$schema` stands for the schema's name.
    pub async fn execute(&self, statement: &str) {
        self.begin_with(statement).await.commit().await.expect("the test's own statement commits");
    }

    /// Runs a statement in another session, in a transaction that holds its locks until it is dropped.
    pub async fn begin_with(&self, statement: &str) -> Transaction<'static, Postgres> {
        let statement = AssertSqlSafe(statement.replace("$schema", &self.schema));
        let mut tx = self.admin.begin().await.expect("the test server answers");
        sqlx::raw_sql(statement).execute(&mut *tx).await.expect("the test's own statement is valid");
        tx
    }

    /// Whether the store's sessions have no open transaction, now or as soon as they are rolled back.
    pub async fn has_no_open_transaction(&self) -> bool {
        let question = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = '{}' AND xact_start IS NOT NULL",
            self.schema
        );
        for _ in 0..1_000 {
            let open =
                sqlx::query_scalar::<_, i64>(AssertSqlSafe(question.clone())).fetch_one(&self.admin).await;
            if open.expect("the test's own question is valid") == 0 {
                return true;
            }
        }
        false
    }

    /// Removes the schema, or the database that was created for the test.
    pub async fn drop_schema(self) {
        let Some(server) = &self.whole else {
            self.execute("DROP SCHEMA $schema CASCADE").await;
            return self.admin.close().await;
        };
        let options = self.admin.connect_options();
        let name = options.get_database().expect("a database was made");
        let drop = format!("DROP DATABASE {name} WITH (FORCE)");
        self.admin.close().await;
        let mut admin = PgConnection::connect(server).await.expect("the test server answers");
        sqlx::raw_sql(AssertSqlSafe(drop)).execute(&mut admin).await.expect("nobody needs it any more");
    }
}

fn server() -> String {
    #[expect(clippy::disallowed_methods, reason = "the edge where a test run says which server it may use")]
    let server = std::env::var("TTM_TEST_DATABASE_URL");
    let Ok(server) = server else {
        panic!("TTM_TEST_DATABASE_URL is not set: run cargo xtask test, or cargo xtask services");
    };
    server
}
