//! Opens a server: a pool of sessions, and the schema brought up to date or only checked.

use std::time::Duration;

use ttm_kernel::StoreError;

use super::error::{self, OpenError};
use super::migrate::{self, Stopped};
use super::pool::Pool;
use super::server::Server;
use crate::Schema;

impl Server {
    /// Connects, and migrates the schema, in turn with all others who would.
    pub async fn migrate(&self, schema: &Schema) -> Result<(), OpenError> {
        self.migrate_within(migrate::LONGEST, schema).await
    }

    /// The same, with a limit for each migration, whatever the server does.
    pub async fn migrate_within(&self, longest: Duration, schema: &Schema) -> Result<(), OpenError> {
        let pool = self.pool(1);
        let migrated = match migrate::migrate(&pool, schema, longest).await {
            Ok(()) => Ok(()),
            Err(Stopped::Encoding(found)) => Err(OpenError::Encoding { server: self.to_string(), found }),
            Err(Stopped::Gone(table)) => {
                let error = StoreError::missing(schema.lacking(table));
                Err(OpenError::Store { server: self.to_string(), error })
            }
            Err(Stopped::Held(holder)) => Err(OpenError::Locked { server: self.to_string(), holder }),
            Err(Stopped::Error(error)) => Err(self.refusal(&pool, schema, error).await),
        };
        pool.close().await;
        migrated
    }

    /// Connects, and refuses a schema that is not up to date; creates and changes nothing.
    pub async fn check_schema(&self, schema: &Schema) -> Result<(), OpenError> {
        let pool = self.pool(1);
        let (server, known) = (self.to_string(), schema.version());
        let checked = match migrate::version(&pool, schema).await {
            Err(error) => Err(self.refusal(&pool, schema, error).await),
            Ok(found) if found > known => Err(OpenError::NewerSchema { server, found, known }),
            Ok(found) => match schema.behind(found) {
                Some(message) => Err(OpenError::Behind { server, message }),
                None => Ok(()),
            },
        };
        pool.close().await;
        checked
    }

    /// Why the schema could not be checked or migrated; names the holder of a lock that is in the way.
    async fn refusal(&self, pool: &Pool, schema: &Schema, error: sqlx::Error) -> OpenError {
        if error::state(&error).as_deref() == Some("55P03") {
            let holder = migrate::holder(pool).await.into_owned();
            return OpenError::Locked { server: self.to_string(), holder };
        }
        OpenError::new(self.to_string(), schema, error)
    }

    /// A pool of at most this many sessions, each opened when it is first needed.
    pub fn pool(&self, sessions: u32) -> Pool {
        Pool::new(self.clone(), sessions)
    }
}
