//! Where the server is and how to log in. Holds the password and never shows it.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use sqlx::postgres::{PgConnectOptions, PgSslMode};

use super::error::OpenError;
use super::url;

/// The application name in `pg_stat_activity`, unless the URL sets one.
const APPLICATION_NAME: &str = "ttm";

/// A server, its database and the way to log in.
#[derive(Clone)]
pub struct Server {
    options: PgConnectOptions,
}

impl Server {
    /// Parses the URL of a server; does not connect and needs no runtime.
    ///
    /// The URL is in libpq's format, as in `postgres://user:password@host:5432/database?sslmode=require`. The password may
    /// also come from `PGPASSWORD` or the standard password file; nothing else is taken from libpq's environment. A remote
    /// server's certificate is verified unless the URL sets `sslmode`.
    ///
    /// # Errors
    /// If the URL cannot be parsed, has unknown parameters, or leaves out something that an environment variable would fill
    /// in.
    #[expect(
        clippy::disallowed_methods,
        reason = "sqlx looks into the same environment, and cannot be told not to"
    )]
    pub fn parse(text: &str) -> Result<Self, OpenError> {
        let refused = |message: String| OpenError::InvalidUrl { message };
        let after_scheme =
            ["postgres://", "postgresql://"].iter().find_map(|scheme| text.strip_prefix(scheme));
        let Some(rest) = after_scheme else {
            return Err(refused("it does not start with postgres:// or postgresql://".to_owned()));
        };
        // Otherwise part of the password would be taken for the name of the database, and shown.
        if rest.find(['/', '?', '#']).is_some_and(|end| rest[end..].contains('@')) {
            let message =
                "there is an @ after the host; in a password, write / ? # and @ as %2F %3F %23 and %40";
            return Err(refused(message.to_owned()));
        }
        let url = url::judge(text, |name| std::env::var_os(name).is_some()).map_err(refused)?;
        let options = PgConnectOptions::from_str(text).map_err(|error| match error {
            sqlx::Error::Configuration(error) => refused(error.to_string()),
            other => refused(other.to_string()),
        })?;
        // A pooler refuses settings that it cannot track per client, and floats arrive in binary, so no digits are needed.
        let mut options = options.extra_float_digits(None).statement_cache_capacity(0);
        if is_remote(&options) && !url::says(&url, &["sslmode"]) {
            options = options.ssl_mode(PgSslMode::VerifyFull);
        }
        if options.get_application_name().is_none() {
            options = options.application_name(APPLICATION_NAME);
        }
        Ok(Self { options })
    }

    pub(super) const fn options(&self) -> &PgConnectOptions {
        &self.options
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

/// `host:port/database`, without user and password.
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

    #[test]
    fn a_url_that_would_show_its_password_is_refused_with_the_correct_spelling() {
        for url in [
            "postgres://bob:/hunter2@127.0.0.1:5432/ttm",
            "postgres://bob:99/hunter2@127.0.0.1:5432/ttm",
            "postgres://bob:hun?ter2@127.0.0.1/ttm",
            "postgres://bob:hun#ter2@127.0.0.1/ttm",
            "postgres:///bob:hunter2@127.0.0.1/ttm",
            "postgres:bob:hunter2@127.0.0.1/ttm",
            "postgres:/bob:hunter2@127.0.0.1/ttm",
            "postgres://bob:hunter2@127.0.0.1:notaport/ttm",
            "postgres://bob:hunter2@127.0.0.1:99999/ttm",
            "postgres://bob:hunter2@[::1/ttm",
            "mysql://bob:hunter2@127.0.0.1/ttm",
            "bob:hunter2@127.0.0.1/ttm",
        ] {
            let line = Server::parse(url).expect_err(url).to_string();
            assert!(line.starts_with("the database URL is invalid: "), "{line}");
            assert!(!line.contains("hun") && !line.contains("ter2") && !line.contains('\n'), "{line}");
        }
        let percent = Server::parse("postgres://bob:h%2F%3F%23%40@127.0.0.1/ttm").expect("that is the way");
        assert_eq!(percent.to_string(), "127.0.0.1:5432/ttm");
    }

    fn mode(url: &str) -> PgSslMode {
        Server::parse(url).expect("a valid URL").options.get_ssl_mode()
    }

    #[test]
    fn a_remote_server_is_verified_unless_the_url_says_otherwise() {
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
