//! A config key: its name, kind and default, and what a change of it needs. The keys are listed in [`KEYS`].

mod table;

use std::fmt;

pub use table::KEYS;

/// The prefix of the environment variables that set keys: `TTM_SCHEDULER__HOT_INTERVAL` is `scheduler.hot_interval`.
pub const ENV_PREFIX: &str = "TTM_";

/// The kind of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A duration as text with units, within these bounds.
    Duration(&'static str, &'static str),
    /// A whole number within these bounds.
    Integer(u64, u64),
    /// A whole number from 1 to 100.
    Percent,
    /// True or false.
    Boolean,
    /// Text; says what is expected.
    Text(&'static str),
}

impl Kind {
    /// What is expected, for messages.
    pub const fn expected(self) -> &'static str {
        match self {
            Self::Duration(..) => "a duration such as 30s or 5m",
            Self::Integer(..) => "a whole number",
            Self::Percent => "a whole number from 1 to 100",
            Self::Boolean => "true or false",
            Self::Text(expected) => expected,
        }
    }

    /// The bounds of a value of this kind, for messages.
    pub fn bounds(self) -> Option<String> {
        match self {
            Self::Duration(least, most) => Some(format!("at least {least} and at most {most}")),
            Self::Integer(least, most) => Some(format!("at least {least} and at most {most}")),
            Self::Percent | Self::Boolean | Self::Text(_) => None,
        }
    }

    /// The name of the kind, for the schema.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Duration(..) => "duration",
            Self::Integer(..) | Self::Percent => "integer",
            Self::Boolean => "boolean",
            Self::Text(_) => "text",
        }
    }
}

/// What has to restart for a new value to take effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    /// Nothing: whatever uses the value takes a new one while it runs.
    None,
    /// The part with this name: it takes the value when it starts.
    Part(&'static str),
    /// The process: an adapter that is built once uses the value, or the store that everything else rests on.
    Process,
}

impl Restart {
    /// What it means to an operator. As long as a running service cannot reload its config, every change needs a restart of
    /// the process.
    pub fn explained(self) -> String {
        match self {
            Self::None => {
                "the process, until a running service can reload its config; then nothing".to_owned()
            }
            Self::Part(part) => {
                format!("the process, until a running service can reload its config; then its part `{part}`")
            }
            Self::Process => "the process".to_owned(),
        }
    }
}

impl fmt::Display for Restart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::None => "none",
            Self::Part(part) => part,
            Self::Process => "process",
        })
    }
}

/// One key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its full name, as `section.key`.
    pub name: &'static str,
    /// The kind of its value.
    pub kind: Kind,
    /// Its default as written in the file, without quotes; empty means not set.
    pub default: &'static str,
    /// What a change of it needs.
    pub restart: Restart,
    /// What it does.
    pub doc: &'static str,
}

impl Key {
    /// The key with this name.
    pub fn find(name: &str) -> Option<&'static Self> {
        KEYS.iter().find(|key| key.name == name)
    }

    /// The key that this environment variable sets.
    pub fn of_variable(name: &str) -> Option<&'static Self> {
        KEYS.iter().find(|key| key.variable() == name)
    }

    /// The section and the last part of the name.
    pub fn split(&self) -> (&'static str, &'static str) {
        self.name.rsplit_once('.').unwrap_or(("", self.name))
    }

    /// The environment variable that sets it.
    pub fn variable(&self) -> String {
        format!("{}{}", ENV_PREFIX, self.name.replace('.', "__").to_uppercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_give_their_variable() {
        for (i, key) in KEYS.iter().enumerate() {
            assert!(KEYS[i + 1..].iter().all(|other| other.name != key.name), "{}", key.name);
        }
        let key = Key::find("breaker.dexscreener.failure_threshold").expect("a key");
        assert_eq!(key.variable(), "TTM_BREAKER__DEXSCREENER__FAILURE_THRESHOLD");
        assert_eq!(key.split(), ("breaker.dexscreener", "failure_threshold"));
    }

    #[test]
    fn what_a_running_service_can_take_restarts_nothing() {
        for key in KEYS {
            let expected = match key.name.rsplit_once('.').expect("a section") {
                ("breaker.dexscreener" | "monitoring" | "recovery" | "scheduler", _)
                | ("dexscreener", "requests_per_minute" | "profile_requests_per_minute") => Restart::None,
                ("api", _) => Restart::Part("api"),
                ("sources", "poll_interval") => Restart::Part("sources"),
                _ => Restart::Process,
            };
            assert_eq!(key.restart, expected, "{}", key.name);
            if let Restart::Part(part) = key.restart {
                assert!(ttm_service::PARTS.iter().any(|known| known.name == part), "{part}");
            }
        }
    }
}
