//! A server that takes nobody without TLS and a password: its certificate is verified, and a password may be anything.

use std::fs;
use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tempfile::TempDir;
use ttm_e2e::{Outcome, Postgres, Program, ttm};

/// Each of them has what is special in a URL, in SQL, in a password file, or in none of the tables of ASCII.
const PASSWORDS: [&str; 4] =
    ["p@ss:w/rd?#[]%&+=;,!", "it's \"quoted\" \\ and $spaced", "%41 is no A", "пароль-密码-é"];

/// An authority's certificate, and one that it gives to the server of this name, with its key.
fn certificates(name: &str) -> (String, String, String) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let authority = params.self_signed(&key).expect("a certificate").pem();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
    let certificate = params.signed_by(&key, &issuer).expect("a certificate").pem();
    (authority, certificate, key.serialize_pem())
}

/// The server, and a folder with the certificate of its authority, `authority.pem`, and that of another one, `other.pem`.
fn secured() -> (Postgres, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let (authority, certificate, key) = certificates("localhost");
    fs::write(folder.path().join("authority.pem"), authority).expect("written");
    fs::write(folder.path().join("other.pem"), certificates("localhost").0).expect("written");
    let postgres = Postgres::start();
    postgres.secure(&certificate, &key);
    (postgres, folder)
}

/// A user, and a database of theirs.
fn add_user(postgres: &Postgres, user: &str, database: &str, password: &str) {
    let (quoted, password) = (user.replace('"', "\"\""), password.replace('\'', "''"));
    postgres.ask(&format!("CREATE ROLE \"{quoted}\" LOGIN PASSWORD '{password}'"));
    postgres.ask(&format!("CREATE DATABASE {database} OWNER \"{quoted}\""));
}

/// As it is written in a URL.
fn escaped(text: &str) -> String {
    text.bytes()
        .map(
            |byte| {
                if byte.is_ascii_alphanumeric() {
                    char::from(byte).to_string()
                } else {
                    format!("%{byte:02X}")
                }
            },
        )
        .collect()
}

fn migrate(folder: &Path, store: &str, environment: &[(&str, &str)]) -> Outcome {
    let mut command = ttm(folder);
    command.arg("migrate").env("TTM_STORE__URL", store).envs(environment.iter().copied());
    Program::start(&mut command).end()
}

#[test]
fn a_password_may_have_any_character_in_the_url_and_in_the_environment() {
    let (postgres, folder) = secured();
    let port = postgres.port();
    let end = "?sslmode=verify-full&sslrootcert=authority.pem";
    for (number, password) in PASSWORDS.into_iter().enumerate() {
        let (user, database) = (format!("we\"ird@us:er/{number}"), format!("theirs_{number}"));
        add_user(&postgres, &user, &database, password);
        let user = escaped(&user);
        let url = format!("postgres://{user}:{}@localhost:{port}/{database}{end}", escaped(password));
        let outcome = migrate(folder.path(), &url, &[]);
        assert_eq!(outcome.code, Some(0), "{password}: {outcome:?}");
        let shown = format!("postgres://localhost:{port}/{database}: the schema is up to date\n");
        assert_eq!(outcome.stdout, shown, "neither user nor password are shown");

        let url = format!("postgres://{user}@localhost:{port}/{database}{end}");
        let outcome = migrate(folder.path(), &url, &[("PGPASSWORD", password)]);
        assert_eq!(outcome.code, Some(0), "{password}: {outcome:?}");
        let outcome = migrate(folder.path(), &url, &[("PGPASSWORD", "another")]);
        assert_eq!(outcome.code, Some(1), "{outcome:?}");
        assert!(outcome.stderr.contains("(SQLSTATE 28P01)"), "{outcome:?}");
        assert!(!outcome.stderr.contains("another"), "{outcome:?}");
    }
}

#[test]
fn the_certificate_of_the_server_is_verified_against_the_authority_and_the_name() {
    let (postgres, folder) = secured();
    let port = postgres.port();
    add_user(&postgres, "ann", "theirs", "hunter2");
    let migrate = |host: &str, end: &str| {
        let url = format!("postgres://ann:hunter2@{host}:{port}/theirs{end}");
        let outcome = migrate(folder.path(), &url, &[]);
        assert!(!outcome.stderr.contains("hunter2"), "{outcome:?}");
        outcome
    };
    for (host, end) in [
        ("localhost", "?sslmode=verify-full&sslrootcert=authority.pem"),
        ("localhost", "?sslmode=verify-ca&sslrootcert=authority.pem"),
        // Another name, by which nobody asks.
        ("127.0.0.1", "?sslmode=verify-ca&sslrootcert=authority.pem"),
        ("localhost", "?sslmode=require"),
        ("localhost", ""),
    ] {
        let outcome = migrate(host, end);
        assert_eq!(outcome.code, Some(0), "{host}{end}: {outcome:?}");
    }
    for (host, end, told) in [
        ("localhost", "?sslmode=verify-full&sslrootcert=other.pem", "certificate"),
        ("localhost", "?sslmode=verify-full", "certificate"),
        ("127.0.0.1", "?sslmode=verify-full&sslrootcert=authority.pem", "certificate"),
        ("localhost", "?sslmode=disable", "no encryption"),
    ] {
        let outcome = migrate(host, end);
        assert_eq!(outcome.code, Some(1), "{host}{end}: {outcome:?}");
        let told: bool = outcome.stderr.contains(told);
        assert!(told && outcome.stderr.lines().count() == 1, "{host}{end}: {outcome:?}");
    }
}
