//! A config key: its name, kind and default, and what a change of it needs. The keys are listed in [`KEYS`].

mod pattern;
mod table;

use std::fmt;

use pattern::is_meant;
pub(super) use pattern::{ANY, NTH, filled, is_below, is_chosen, not_a_name};
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
    /// A number, with decimals or without.
    Number,
    /// Text; says what is expected.
    Text(&'static str),
    /// Text that no message shows; says what is expected.
    Secret(&'static str),
    /// Texts without commas, which separate them in a variable; says what is expected.
    List(&'static str),
}

impl Kind {
    /// What is expected, for messages.
    pub const fn expected(self) -> &'static str {
        match self {
            Self::Duration(..) => "a duration such as 30s or 5m",
            Self::Integer(..) => "a whole number",
            Self::Percent => "a whole number from 1 to 100",
            Self::Boolean => "true or false",
            Self::Number => "a number",
            Self::Text(expected) | Self::Secret(expected) | Self::List(expected) => expected,
        }
    }

    /// The bounds of a value of this kind, for messages.
    pub fn bounds(self) -> Option<String> {
        match self {
            Self::Duration(least, most) => Some(format!("at least {least} and at most {most}")),
            Self::Integer(least, most) => Some(format!("at least {least} and at most {most}")),
            Self::Percent
            | Self::Boolean
            | Self::Number
            | Self::Text(_)
            | Self::Secret(_)
            | Self::List(_) => None,
        }
    }

    /// The name of the kind, for the schema.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Duration(..) => "duration",
            Self::Integer(..) | Self::Percent => "integer",
            Self::Boolean => "boolean",
            Self::Number => "number",
            Self::Text(_) => "text",
            Self::Secret(_) => "secret",
            Self::List(_) => "list",
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
    /// Its full name, as `section.key`. A segment `*` stands for a name of the user's choice, and `#` for a place in a list of
    /// tables.
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
        KEYS.iter().find(|key| is_meant(key.name, name))
    }

    /// The name of the key that this environment variable sets.
    pub fn of_variable(variable: &str) -> Option<String> {
        let name = variable.strip_prefix(ENV_PREFIX)?.replace("__", ".").to_lowercase();
        (variable_of(&name)? == variable).then_some(name)
    }

    /// The section, up to the first name that is the user's choice, and the rest of the name.
    pub fn split(&self) -> (&'static str, &'static str) {
        let chosen = [".*.", ".#."].into_iter().filter_map(|mark| self.name.find(mark)).min();
        match chosen {
            Some(at) => (&self.name[..at + 2], &self.name[at + 3..]),
            None => self.name.rsplit_once('.').unwrap_or(("", self.name)),
        }
    }

    /// The environment variable that sets it; `None` in a list of tables, which the file alone has.
    pub fn variable(&self) -> Option<String> {
        variable_of(self.name)
    }
}

/// The environment variable that sets the key with this name, if there is such a key and it has one.
pub fn variable_of(name: &str) -> Option<String> {
    let is_listed = Key::find(name)?.name.split('.').any(|segment| segment == NTH);
    (!is_listed).then(|| format!("{}{}", ENV_PREFIX, name.replace('.', "__").to_uppercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_give_their_variable() {
        for (i, key) in KEYS.iter().enumerate() {
            assert!(KEYS[i + 1..].iter().all(|other| other.name != key.name), "{}", key.name);
            assert_eq!(key.variable().and_then(|it| Key::of_variable(&it)).is_none(), key.name.contains('#'));
        }
        let key = Key::find("breaker.dexscreener.failure_threshold").expect("a key");
        assert_eq!(key.variable().as_deref(), Some("TTM_BREAKER__DEXSCREENER__FAILURE_THRESHOLD"));
        assert_eq!(key.split(), ("breaker.dexscreener", "failure_threshold"));
    }

    #[test]
    fn a_key_with_a_name_of_the_users_choice_is_found_by_every_such_name() {
        let key = Key::find("alerts.rules.mine.worse.enter").expect("a key");
        assert_eq!(
            (key.name, key.split()),
            ("alerts.rules.*.worse.enter", ("alerts.rules.*", "worse.enter"))
        );
        let variable = "TTM_ALERTS__RULES__MINE__WORSE__ENTER";
        assert_eq!(variable_of("alerts.rules.mine.worse.enter").as_deref(), Some(variable));
        assert_eq!(Key::of_variable(variable).as_deref(), Some("alerts.rules.mine.worse.enter"));
        let label = Key::find("alerts.routes.3.match.labels.group").expect("a key");
        assert_eq!(label.split(), ("alerts.routes.#", "match.labels.*"));
        for none in ["alerts.rules.Mine.enter", "alerts.rules.enter", "alerts.routes.first.channels"] {
            assert!(Key::find(none).is_none(), "{none}");
        }
        for none in
            ["TTM_ALERTS__ROUTES__1__CHANNELS", "TTM_ALERTS__RULES__mine__ENTER", "ALERTS__RULES__A__ENTER"]
        {
            assert_eq!(Key::of_variable(none), None, "{none}");
        }
    }

    #[test]
    fn what_a_running_service_can_take_restarts_nothing() {
        for key in KEYS {
            let expected = match key.name.rsplit_once('.').expect("a section") {
                ("breaker.dexscreener" | "monitoring" | "recovery" | "scheduler", _)
                | ("dexscreener", "requests_per_minute" | "profile_requests_per_minute")
                | ("api", "public_url") => Restart::None,
                ("api", _) => Restart::Part("api"),
                ("sources", "poll_interval") => Restart::Part("sources"),
                ("alerts.channels.*" | "alerts.heartbeat", _) => Restart::Process,
                (section, _) if section.starts_with("alerts") => Restart::None,
                _ => Restart::Process,
            };
            assert_eq!(key.restart, expected, "{}", key.name);
            if let Restart::Part(part) = key.restart {
                assert!(ttm_service::PARTS.iter().any(|known| known.name == part), "{part}");
            }
        }
    }
}
