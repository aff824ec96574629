//! Where the server is and how long anything may take there. It holds the password and never shows it.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};

use super::OpenError;
use crate::Schema;

/// How long a call waits for a connection. A server that is starting refuses them at first; within this time that is
/// tried again.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);

/// What the server itself gives up on. A frozen server cannot, which is why callers have deadlines of their own.
const SERVER_TIMEOUTS: [(&str, &str); 2] = [("statement_timeout", "5s"), ("lock_timeout", "2s")];

/// What `pg_stat_activity` shows, unless the URL says otherwise.
const APPLICATION_NAME: &str = "ttm";

/// A server, its database and the way to log in.
#[derive(Clone)]
pub struct Server {
    options: PgConnectOptions,
}

impl Server {
    /// Connects to the server of this URL and brings the schema up to date.
    ///
    /// The URL is libpq's, as in `postgres://user:password@host:5432/database?sslmode=require`; a password may also
    /// come from the standard password file. A server across a network is verified unless the URL sets `sslmode`.
    pub async fn open(url: &str, schema: &Schema) -> Result<Self, OpenError> {
        let server =
            Self::parse(url).map_err(|error| OpenError::InvalidUrl { message: error.to_string() })?;
        server.migrate(schema).await.map_err(|error| OpenError::new(&server, schema, error))?;
        Ok(server)
    }

    /// The server of this URL, of which every session only reads: it belongs to somebody else. Connects to nothing yet.
    ///
    /// # Errors
    /// When the URL cannot be read.
    pub fn read_only(url: &str) -> Result<Self, OpenError> {
        let server =
            Self::parse(url).map_err(|error| OpenError::InvalidUrl { message: error.to_string() })?;
        Ok(Self { options: server.options.options([("default_transaction_read_only", "on")]) })
    }

    /// A pool for a store's calls; it connects when it is first used.
    pub fn pool(&self, connections: u32) -> PgPool {
        PgPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_lazy_with(self.options.clone().options(SERVER_TIMEOUTS))
    }

    fn parse(url: &str) -> Result<Self, sqlx::Error> {
        let mut options = PgConnectOptions::from_str(url)?;
        let parameters = url.split_once('?').map_or("", |(_, parameters)| parameters);
        let says = |key: &str| parameters.split('&').any(|pair| pair.split('=').next() == Some(key));
        if is_remote(&options) && !says("sslmode") && !says("ssl-mode") {
            options = options.ssl_mode(PgSslMode::VerifyFull);
        }
        if options.get_application_name().is_none() {
            options = options.application_name(APPLICATION_NAME);
        }
        Ok(Self { options })
    }

    /// Brings the schema up to date, under a lock of the database: of several processes that start at once, one
    /// migrates and the others find nothing to do. No migration may use `CREATE INDEX CONCURRENTLY`, which waits for
    /// the processes that wait for this one.
    ///
    /// A connection of its own has no timeouts: a migration takes as long as it needs.
    async fn migrate(&self, schema: &Schema) -> Result<(), sqlx::Error> {
        let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(ACQUIRE_TIMEOUT);
        let pool = pool.connect_with(self.options.clone()).await?;
        let migrated = schema.migrator().run(&pool).await;
        // The lock belongs to the connection: closing gives it back also when a migration failed.
        pool.close().await;
        migrated.map_err(|error| sqlx::Error::Migrate(Box::new(error)))
    }
}

fn is_remote(options: &PgConnectOptions) -> bool {
    let host = options.get_host();
    let ip = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let local = options.get_socket().is_some()
        || host.starts_with('/')
        || host == "localhost"
        || ip.is_ok_and(|ip| ip.is_loopback());
    !local
}

/// `host:port/database`, which names the server to a person.
impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options = &self.options;
        match options.get_socket() {
            Some(socket) => write!(f, "{}", socket.display())?,
            None => write!(f, "{}", options.get_host())?,
        }
        let database = options.get_database().unwrap_or(options.get_username());
        write!(f, ":{}/{database}", options.get_port())
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(url: &str) -> PgSslMode {
        Server::parse(url).expect("a valid URL").options.get_ssl_mode()
    }

    #[test]
    fn a_remote_server_proves_who_it_is_unless_the_url_says_otherwise() {
        assert!(matches!(mode("postgres://db.example.org/ttm"), PgSslMode::VerifyFull));
        assert!(matches!(mode("postgres://10.0.0.7/ttm?application_name=x"), PgSslMode::VerifyFull));
        assert!(matches!(mode("postgres://db.example.org/ttm?sslmode=require"), PgSslMode::Require));
        for local in ["localhost", "127.0.0.1", "[::1]", "%2Fvar%2Frun%2Fpostgresql"] {
            assert!(matches!(mode(&format!("postgres://{local}/ttm")), PgSslMode::Prefer), "{local}");
        }
    }

    #[test]
    fn a_server_is_named_without_its_password() {
        let server = Server::parse("postgres://ann:s3cret@db.example.org:6000/ttm").expect("a valid URL");
        assert_eq!(server.to_string(), "db.example.org:6000/ttm");
        assert_eq!(format!("{server:?}"), "Server(db.example.org:6000/ttm)");
        let server =
            Server::parse("postgres://ann@localhost/ttm?host=/run/pg&port=6000").expect("a valid URL");
        assert_eq!(server.to_string(), "/run/pg:6000/ttm");
    }
}
