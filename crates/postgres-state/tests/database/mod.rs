//! A schema of its own for each test, on the server of the test run. It knows nothing of the store.

use std::time::Duration;

use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, PgPool};

/// An empty schema; dropped by [`Database::drop_schema`], and at the latest with the throw-away server.
pub(crate) struct Database {
    admin: PgPool,
    schema: String,
    url: String,
}

impl Database {
    /// A schema named after the test and this process, so that tests run in parallel and in any order.
    pub(crate) async fn new(test: &str) -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "the edge where a test run says which server it may use"
        )]
        let server = std::env::var("TTM_TEST_DATABASE_URL");
        let Ok(server) = server else {
            panic!("TTM_TEST_DATABASE_URL is not set: run cargo xtask test, or cargo xtask services");
        };
        let pool = PgPoolOptions::new().max_connections(2).acquire_timeout(Duration::from_secs(30));
        let admin = pool.connect(&server).await.expect("the test server answers");
        let schema = format!("{test}_{}", std::process::id());
        let create = format!("DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}");
        sqlx::raw_sql(AssertSqlSafe(create)).execute(&admin).await.expect("a schema for the test");
        let separator = if server.contains('?') { '&' } else { '?' };
        let url = format!("{server}{separator}options[search_path]={schema}");
        Self { admin, schema, url }
    }

    /// Connects straight into the schema.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Runs a statement as somebody else would; `$schema` stands for the schema's name.
    pub(crate) async fn execute(&self, statement: &str) {
        let statement = AssertSqlSafe(statement.replace("$schema", &self.schema));
        sqlx::raw_sql(statement).execute(&self.admin).await.expect("the test's own statement is valid");
    }

    /// Removes the schema.
    pub(crate) async fn drop_schema(self) {
        self.execute("DROP SCHEMA $schema CASCADE").await;
        self.admin.close().await;
    }
}
