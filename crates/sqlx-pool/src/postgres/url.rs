//! What a URL of a server may say, and what nobody else may say for it. It connects to nothing, and shows no value that
//! may be a secret.
//!
//! The URL is libpq's with the parameters below; others are refused, since one that is misspelt, or not heeded, would
//! leave a connection less safe than it reads. Of libpq's environment only the password counts, from `PGPASSWORD`,
//! `PGPASSFILE` or `~/.pgpass`. Each other variable that would fill in what the URL leaves open is refused by its name:
//! what a service connects to stands in its config.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use url::Url;

/// The parameters that are known.
const PARAMETERS: [&str; 11] = [
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "password",
    "port",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "user",
];
/// The one setting that may be sent, where the tables are not in the default schema. A pooler refuses it, unless it is told
/// to ignore it.
const SCHEMA: &str = "options[search_path]";
/// Names that differ in this many letters may be mistaken for each other.
const NEAR: usize = 3;
/// No certificate, and no chain of them, is as large.
const MAX_PEM_BYTES: u64 = 1024 * 1024;

/// A URL with nothing wrong in it or in the environment beside it; else all of that, in one line.
pub(super) fn judge(text: &str, is_set: impl Fn(&str) -> bool) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    let mut wrong: Vec<String> = bad_escape(text).map(str::to_owned).into_iter().collect();
    for (key, value) in url.query_pairs() {
        match &*key {
            "sslrootcert" | "sslcert" => wrong.extend(bad_pem(&key, &value, "CERTIFICATE-----")),
            "sslkey" => wrong.extend(bad_pem(&key, &value, "PRIVATE KEY-----")),
            key if PARAMETERS.contains(&key) => {}
            SCHEMA if is_schema(&value) => {}
            key if key == "options" || key.starts_with("options[") => wrong.push(
                "options are not sent to a server, but options[search_path]=SCHEMA: others could undo what is set for \
                 each transaction"
                    .to_owned(),
            ),
            key => wrong.push(unknown(key)),
        }
    }
    wrong.extend(of_environment(&url, is_set));
    if wrong.is_empty() { Ok(url) } else { Err(wrong.join("; ")) }
}

/// Whether the query names one of these parameters.
pub(super) fn says(url: &Url, names: &[&str]) -> bool {
    url.query_pairs().any(|(key, _)| names.contains(&&*key))
}

/// A percent sign that begins no escape would be taken for itself, and nobody would know which was meant.
fn bad_escape(url: &str) -> Option<&'static str> {
    for (at, _) in url.match_indices('%') {
        match url.as_bytes().get(at + 1..at + 3) {
            Some(b"00") => return Some("%00 stands for nothing that a server takes"),
            Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => {}
            _ => {
                return Some(
                    "there is a % without two hexadecimal digits behind it; a % stands for itself as %25",
                );
            }
        }
    }
    None
}

/// Nothing that could end the setting and begin another.
fn is_schema(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_,".contains(&byte))
}

fn unknown(key: &str) -> String {
    // What is no word may be a part of a secret.
    let is_word =
        key.len() <= 40 && key.bytes().all(|byte| byte.is_ascii_lowercase() || b"-_".contains(&byte));
    let shown = if is_word { format!("unknown parameter {key}") } else { "unknown parameter".to_owned() };
    let near = PARAMETERS.iter().map(|known| (strsim::levenshtein(known, key), known)).min();
    match near {
        Some((distance, near)) if distance <= NEAR && distance * 2 < key.len() => {
            format!("{shown}; did you mean {near}?")
        }
        _ => format!("{shown}; those that there are: {}", PARAMETERS.join(", ")),
    }
}

/// That a file of certificates or of a key cannot be used.
fn bad_pem(key: &str, value: &str, content: &str) -> Option<String> {
    // The text itself, instead of the name of a file.
    if value.trim_start().starts_with("-----BEGIN") {
        return None;
    }
    let path = Path::new(value);
    let refused = |why: String| Some(format!("{key}: {} cannot be read: {why}", path.display()));
    match read_pem(path) {
        Ok(text) if text.contains(content) => None,
        Ok(_) => Some(format!("{key}: {} holds no {}", path.display(), content.trim_end_matches('-'))),
        Err(error) => refused(error.to_string()),
    }
}

fn read_pem(path: &Path) -> io::Result<String> {
    // To open a pipe would wait for who writes it.
    if !path.metadata()?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let mut text = Vec::new();
    File::open(path)?.take(MAX_PEM_BYTES).read_to_end(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// The variables that would fill in what the URL leaves open.
fn of_environment(url: &Url, is_set: impl Fn(&str) -> bool) -> Vec<String> {
    let host = url.host_str().is_some_and(|host| !host.is_empty()) || says(url, &["host", "hostaddr"]);
    let database = !url.path().trim_start_matches('/').is_empty() || says(url, &["dbname"]);
    let variables = [
        ("PGHOST", "the host", host),
        ("PGHOSTADDR", "the host", host),
        ("PGPORT", "the port", url.port().is_some() || says(url, &["port"])),
        ("PGUSER", "the user", !url.username().is_empty() || says(url, &["user"])),
        ("PGDATABASE", "the database", database),
        ("PGAPPNAME", "application_name", says(url, &["application_name"])),
        ("PGSSLMODE", "sslmode", says(url, &["sslmode"])),
        ("PGSSLROOTCERT", "sslrootcert", says(url, &["sslrootcert"])),
        ("PGSSLCERT", "sslcert", says(url, &["sslcert"])),
        ("PGSSLKEY", "sslkey", says(url, &["sslkey"])),
    ];
    let counts = variables.into_iter().filter(|(name, _, said)| !said && is_set(name));
    let mut wrong: Vec<String> = counts
        .map(|(name, what, _)| {
            format!("{name} is set, which configures nothing here: unset it, or write {what} into the URL")
        })
        .collect();
    if is_set("PGOPTIONS") {
        wrong.push("PGOPTIONS is set: unset it, options are not sent to a server".to_owned());
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(url: &str, set: &[&str]) -> String {
        judge(url, |name| set.contains(&name)).err().unwrap_or_default()
    }

    #[test]
    fn what_is_known_may_be_said() {
        let all = "postgres://ann:p%25w@h:1/d?application_name=a&dbname=d&host=h&hostaddr=1.2.3.4&password=x+y&port=1\
            &sslmode=require&user=u&options[search_path]=moon,public&sslkey=-----BEGIN%20PRIVATE%20KEY-----";
        assert_eq!(told(all, &[]), "");
    }

    #[test]
    fn what_is_unknown_is_told_with_what_was_meant_and_without_its_value() {
        for (parameter, meant) in [
            ("passwrd=hunter2", "unknown parameter passwrd; did you mean password?"),
            ("ssl-mode=hunter2", "unknown parameter ssl-mode; did you mean sslmode?"),
            ("applicationname=hunter2", "unknown parameter applicationname; did you mean application_name?"),
            ("hunter2=x", "unknown parameter; those that there are: "),
            ("connect_timeout=hunter2", "unknown parameter connect_timeout; those that there are: "),
            ("options[x]=hunter2", "options are not sent"),
            ("options[search_path]=x%20-c%20hunter2", "options are not sent"),
            ("options[search_path]=", "options are not sent"),
        ] {
            let told = told(&format!("postgres://ann@h/d?{parameter}"), &[]);
            assert!(told.starts_with(meant) && !told.contains("hunter2"), "{told}");
        }
        let both = told("postgres://ann@h/d?a=1&b=2", &["PGOPTIONS"]);
        assert_eq!(both.matches("unknown parameter").count(), 2, "{both}");
        assert!(both.ends_with("; PGOPTIONS is set: unset it, options are not sent to a server"), "{both}");
    }

    #[test]
    fn a_percent_sign_that_is_no_escape_is_refused_wherever_it_stands() {
        for url in [
            "postgres://a:b%ZZ@h/d",
            "postgres://a@h/d?password=1%2",
            "postgres://a@h/d%",
            "postgres://a@h/d%00",
        ] {
            assert!(told(url, &[]).contains('%'), "{url}");
        }
    }

    #[test]
    fn a_variable_is_refused_where_it_would_count() {
        let variables = [
            ("PGHOST", "postgres:///d", "postgres://h/d"),
            ("PGHOSTADDR", "postgres:///d", "postgres:///d?host=/run/pg"),
            ("PGPORT", "postgres://h/d", "postgres://h:1/d"),
            ("PGUSER", "postgres://h/d", "postgres://h/d?user=u"),
            ("PGDATABASE", "postgres://h", "postgres://h/d"),
            ("PGAPPNAME", "postgres://h/d", "postgres://h/d?application_name=x"),
            ("PGSSLMODE", "postgres://h/d", "postgres://h/d?sslmode=require"),
            ("PGSSLCERT", "postgres://h/d", "postgres://h/d?sslcert=-----BEGIN"),
        ];
        for (variable, open, says) in variables {
            assert!(told(open, &[variable]).starts_with(&format!("{variable} is set")), "{variable}");
            assert_eq!(told(says, &[variable]), "", "{variable}");
        }
        assert_eq!(told("postgres://h/d", &["PGPASSWORD", "PGPASSFILE", "PGDATA"]), "");
    }

    #[test]
    fn a_file_of_certificates_is_looked_into() {
        for (path, why) in [
            ("/nowhere.pem", "cannot be read: No such file"),
            ("/dev/zero", "cannot be read: it is no file"),
            ("/etc", "cannot be read: it is no file"),
            ("/proc/self/status", "holds no CERTIFICATE"),
        ] {
            let told = told(&format!("postgres://h/d?sslrootcert={path}"), &[]);
            assert!(told.starts_with(&format!("sslrootcert: {path} ")) && told.contains(why), "{told}");
        }
    }
}
