//! Which URLs of a server are accepted. Does not connect, and shows no value that may be a secret.
//!
//! The URL is in libpq's format with the parameters below. Others are refused, since a parameter that is misspelt or ignored
//! would leave the connection less safe than it looks. Of libpq's environment only the password is read, from `PGPASSWORD`,
//! `PGPASSFILE` or `~/.pgpass`. Any other variable that would fill in what the URL leaves out is refused by name, since the
//! config alone says what a service connects to.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use url::Url;

/// The accepted parameters.
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
/// The only setting that may be sent, for tables outside of the default schema. A pooler refuses it unless configured to
/// ignore it.
const SCHEMA: &str = "options[search_path]";
/// Names with at most this edit distance may be mistaken for each other.
const NEAR: usize = 3;
/// Larger than any certificate or chain of them.
const MAX_PEM_BYTES: u64 = 1024 * 1024;

/// Parses a URL, or returns everything that is wrong with it and with the environment, in one line.
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
                "options are not sent to the server, except options[search_path]=SCHEMA: others could override the \
                 settings of a transaction"
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

/// A percent sign that does not begin an escape is ambiguous: it would be taken literally.
fn bad_escape(url: &str) -> Option<&'static str> {
    for (at, _) in url.match_indices('%') {
        match url.as_bytes().get(at + 1..at + 3) {
            Some(b"00") => return Some("%00 is not allowed"),
            Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => {}
            _ => {
                return Some("a % is not followed by two hexadecimal digits; write a literal % as %25");
            }
        }
    }
    None
}

/// Whether the value cannot end the setting and begin another one.
fn is_schema(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_,".contains(&byte))
}

fn unknown(key: &str) -> String {
    // Anything but a word may be part of a secret.
    let is_word =
        key.len() <= 40 && key.bytes().all(|byte| byte.is_ascii_lowercase() || b"-_".contains(&byte));
    let shown = if is_word { format!("unknown parameter {key}") } else { "unknown parameter".to_owned() };
    let near = PARAMETERS.iter().map(|known| (strsim::levenshtein(known, key), known)).min();
    match near {
        Some((distance, near)) if distance <= NEAR && distance * 2 < key.len() => {
            format!("{shown}; did you mean {near}?")
        }
        _ => format!("{shown}; the known ones are {}", PARAMETERS.join(", ")),
    }
}

/// Why a file of certificates or a key cannot be used.
fn bad_pem(key: &str, value: &str, content: &str) -> Option<String> {
    // The content itself instead of the name of a file.
    if value.trim_start().starts_with("-----BEGIN") {
        return None;
    }
    let path = Path::new(value);
    let refused = |why: String| Some(format!("{key}: {} cannot be read: {why}", path.display()));
    match read_pem(path) {
        Ok(text) if text.contains(content) => None,
        Ok(_) => Some(format!("{key}: {} contains no {}", path.display(), content.trim_end_matches('-'))),
        Err(error) => refused(error.to_string()),
    }
}

fn read_pem(path: &Path) -> io::Result<String> {
    // Opening a pipe would wait for its writer.
    if !path.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut text = Vec::new();
    File::open(path)?.take(MAX_PEM_BYTES).read_to_end(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// The environment variables that would fill in what the URL leaves out.
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
            format!("{name} is set, but is not read here: unset it, or put {what} into the URL")
        })
        .collect();
    if is_set("PGOPTIONS") {
        wrong.push("PGOPTIONS is set: unset it, options are not sent to the server".to_owned());
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
    fn known_parameters_are_accepted() {
        let all = "postgres://ann:p%25w@h:1/d?application_name=a&dbname=d&host=h&hostaddr=1.2.3.4&password=x+y&port=1\
            &sslmode=require&user=u&options[search_path]=moon,public&sslkey=-----BEGIN%20PRIVATE%20KEY-----";
        assert_eq!(told(all, &[]), "");
    }

    #[test]
    fn an_unknown_parameter_is_reported_with_a_suggestion_and_without_its_value() {
        for (parameter, meant) in [
            ("passwrd=hunter2", "unknown parameter passwrd; did you mean password?"),
            ("ssl-mode=hunter2", "unknown parameter ssl-mode; did you mean sslmode?"),
            ("applicationname=hunter2", "unknown parameter applicationname; did you mean application_name?"),
            ("hunter2=x", "unknown parameter; the known ones are "),
            ("connect_timeout=hunter2", "unknown parameter connect_timeout; the known ones are "),
            ("options[x]=hunter2", "options are not sent"),
            ("options[search_path]=x%20-c%20hunter2", "options are not sent"),
            ("options[search_path]=", "options are not sent"),
        ] {
            let told = told(&format!("postgres://ann@h/d?{parameter}"), &[]);
            assert!(told.starts_with(meant) && !told.contains("hunter2"), "{told}");
        }
        let both = told("postgres://ann@h/d?a=1&b=2", &["PGOPTIONS"]);
        assert_eq!(both.matches("unknown parameter").count(), 2, "{both}");
        assert!(both.ends_with("; PGOPTIONS is set: unset it, options are not sent to the server"), "{both}");
    }

    #[test]
    fn a_percent_sign_that_is_no_escape_is_refused_anywhere() {
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
    fn a_variable_is_refused_if_it_would_take_effect() {
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
            ("/dev/zero", "cannot be read: it is not a regular file"),
            ("/etc", "cannot be read: it is not a regular file"),
            ("/proc/self/status", "contains no CERTIFICATE"),
        ] {
            let told = told(&format!("postgres://h/d?sslrootcert={path}"), &[]);
            assert!(told.starts_with(&format!("sslrootcert: {path} ")) && told.contains(why), "{told}");
        }
    }
}
