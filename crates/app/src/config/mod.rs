//! The configuration: one table of keys, read from a TOML file and the environment into [`Settings`] that hold only
//! valid values. All errors are reported at once, each on one line with its place.

mod error;
mod file;
mod key;
mod settings;
mod source;
mod suggest;

use std::ffi::OsString;
use std::path::Path;

pub use error::{ConfigError, ConfigErrors, Origin};
pub(crate) use file::{read_text, text};
pub use key::{ENV_PREFIX, KEYS, Key, Kind, Restart, variable_of};
pub(crate) use settings::read_token;
pub use settings::{
    AlertSettings, ApiSettings, ChannelKind, ChannelSettings, Draft, EmailSettings, ExchangeSettings,
    HeartbeatSettings, HistorySettings, HistoryUrl, MailSecurity, Settings, SourceSettings, StoreUrl,
};
pub use source::Values;
pub use suggest::unknown_key;

/// Reads the configuration: defaults, then the file, then the environment.
///
/// # Errors
/// All of its errors.
pub fn load(
    path: Option<&Path>,
    environment: impl Iterator<Item = (OsString, OsString)>,
) -> Result<Settings, ConfigErrors> {
    Draft::read(path, environment).settled()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use secrecy::ExposeSecret;

    use super::*;

    fn read(text: &str, environment: &[(&str, &str)]) -> Result<Settings, Vec<String>> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ttm.toml");
        std::fs::write(&path, text).expect("written");
        let environment = environment.iter().map(|(k, v)| (OsString::from(k), OsString::from(v)));
        load(Some(&path), environment).map_err(|errors| {
            let prefix = format!("{}/", folder.path().display());
            errors.iter().map(|e| e.to_string().replace(&prefix, "")).collect()
        })
    }

    #[test]
    fn the_defaults_are_valid_and_those_of_the_contract() {
        let settings = load(None, std::iter::empty()).expect("valid");
        assert_eq!(settings.store.to_string(), "sqlite://ttm-data/ttm.db");
        assert_eq!(settings.api.listen, "127.0.0.1:8080".parse().expect("an address"));
        assert_eq!(settings.service.stop_within, Duration::from_secs(30));
        assert_eq!(settings.exchange.base_url, "https://api.dexscreener.com");
        let instance = settings.service.instance.clone();
        let defaults = ttm_service::ServiceSettings { instance, ..ttm_service::ServiceSettings::default() };
        assert_eq!(format!("{:?}", settings.service), format!("{defaults:?}"));
    }

    #[test]
    fn the_environment_wins_over_the_file_and_the_file_over_the_defaults() {
        let text = "[scheduler]\nhot_interval = \"5s\"\ncold_interval = \"20s\"\n";
        let settings = read(text, &[("TTM_SCHEDULER__HOT_INTERVAL", "7s")]).expect("valid");
        assert_eq!(settings.service.schedule.interval(ttm_kernel::Lane::Hot), Duration::from_secs(7));
        assert_eq!(settings.service.schedule.interval(ttm_kernel::Lane::Cold), Duration::from_secs(20));
    }

    #[test]
    fn all_errors_are_reported_at_once_with_their_lines() {
        let text = "[scheduler]\nhot_interval = \"soon\"\nhot_intervall = \"5s\"\n\n[api]\nlisten = 80\n";
        let errors = read(text, &[("TTM_NO__SUCH", "1")]).expect_err("invalid");
        assert_eq!(
            errors,
            [
                "ttm.toml:3: unknown key scheduler.hot_intervall; did you mean scheduler.hot_interval?",
                "ttm.toml:6: api.listen is an integer, expected text: an address and port such as 127.0.0.1:8080",
                "TTM_NO__SUCH: unknown key no.such; `ttm config schema` lists the keys",
                "ttm.toml:2: scheduler.hot_interval is \"soon\", expected a duration such as 30s or 5m",
            ]
        );
    }

    #[test]
    fn invalid_toml_is_an_error_with_its_line() {
        let errors = read("[store]\nurl = \n", &[]).expect_err("invalid");
        assert_eq!(errors.len(), 1);
        assert!(errors[0].starts_with("ttm.toml:2: "), "{errors:?}");
    }

    #[test]
    fn a_bound_of_a_domain_is_reported_with_the_key_and_line_of_the_file() {
        let errors = read("[breaker.dexscreener]\nfailure_threshold = 0\n", &[]).expect_err("invalid");
        assert_eq!(errors.len(), 1);
        assert!(errors[0].starts_with("ttm.toml:2: breaker.dexscreener.failure_threshold"), "{errors:?}");
    }

    #[test]
    fn the_rates_of_the_breaker_are_read_and_invalid_ones_refused_with_their_lines() {
        let file = "[breaker.dexscreener]\nwindow = \"60s\"\nminimum_calls = 30\nslow_call_duration = \"2s\"\nmetrics_only = true\n";
        let settings = read(file, &[]).expect("valid");
        let rates = settings.service.breaker.settings().rates.expect("a window was set");
        assert_eq!((rates.minimum_calls, rates.slow_calls.is_some()), (30, true));
        assert!(settings.service.breaker.settings().metrics_only);

        let file = "[breaker.dexscreener]\nwindow = \"10 calls\"\nfailure_rate_percent = 0\n";
        let errors = read(file, &[]).expect_err("not a percentage");
        assert!(
            errors[0].starts_with("ttm.toml:3: breaker.dexscreener.failure_rate_percent is \"0\", expected a whole number from 1 to 100"),
            "{errors:?}"
        );
        let file = "[breaker.dexscreener]\nfailure_threshold = 0\nmetrics_only = \"maybe\"\nslow_call_duration = \"-2s\"\n";
        let errors = read(file, &[]).expect_err("three errors");
        assert_eq!(errors.len(), 3, "all at once: {errors:?}");
        let file = "[breaker.dexscreener]\nwindow = \"10 calls\"\nminimum_calls = 11\n";
        let errors = read(file, &[]).expect_err("more than the window holds");
        assert!(errors[0].starts_with("ttm.toml:3: breaker.dexscreener.minimum_calls is 11"), "{errors:?}");
    }

    #[test]
    fn a_value_out_of_bounds_is_an_error_with_the_bounds() {
        let text = "[scheduler]\nhot_interval = \"-5s\"\ncold_interval = \"25h\"\n[dexscreener]\nrequests_per_minute = -5\n[recovery]\nmax_restart_attempts = 99999999999\n";
        let errors = read(text, &[]).expect_err("all out of bounds");
        let bounds = "expected at least 10ms and at most 24h";
        assert_eq!(
            errors,
            [
                format!("ttm.toml:2: scheduler.hot_interval is -5s, {bounds}"),
                format!("ttm.toml:3: scheduler.cold_interval is 25h, {bounds}"),
                "ttm.toml:5: dexscreener.requests_per_minute is -5, expected at least 1 and at most 1000000".to_owned(),
                "ttm.toml:7: recovery.max_restart_attempts is 99999999999, expected at least 0 and at most 1000".to_owned(),
            ]
        );
    }

    #[test]
    fn settings_of_recovery_that_contradict_each_other_are_refused_where_one_was_set() {
        let text = "[recovery]\nmax_restart_attempts = 4\nmax_restarts_per_hour = 3\ngraceful_shutdown_timeout = \"15m\"\n";
        let errors = read(text, &[]).expect_err("two contradictions");
        assert_eq!(
            errors,
            [
                "ttm.toml:3: recovery.max_restarts_per_hour is 3 while max_restart_attempts is 4, expected at least max_restart_attempts",
                "ttm.toml:4: recovery.emergency_restart_threshold is 600s while graceful_shutdown_timeout is 900s, expected at least graceful_shutdown_timeout",
            ]
        );
        let variable = [("TTM_RECOVERY__MAX_RESTART_ATTEMPTS", "11")];
        let errors = read("", &variable).expect_err("more than the default of the hour");
        assert_eq!(
            errors,
            [
                "TTM_RECOVERY__MAX_RESTART_ATTEMPTS: recovery.max_restarts_per_hour is 10 while max_restart_attempts is 11, expected at least max_restart_attempts"
            ]
        );
    }

    #[test]
    fn a_stop_and_a_graceful_restart_have_the_same_time() {
        let settings = read("[recovery]\ngraceful_shutdown_timeout = \"7s\"\n", &[]).expect("valid").service;
        let graceful = settings.recovery.settings().graceful_shutdown_timeout;
        assert_eq!([settings.stop_within, graceful], [Duration::from_secs(7); 2]);
    }

    #[test]
    fn an_unknown_variable_with_our_prefix_gets_a_suggestion() {
        let wrong = [
            ("TTM_STORE_URL", "unknown variable; did you mean TTM_STORE__URL?"),
            ("TTM_SCHEDULER_HOT_INTERVAL", "unknown variable; did you mean TTM_SCHEDULER__HOT_INTERVAL?"),
            ("ttm_store__url", "unknown variable; did you mean TTM_STORE__URL?"),
            ("Ttm_Api__Listen", "unknown variable; did you mean TTM_API__LISTEN?"),
            ("TTM_STORE_URI", "unknown variable; did you mean TTM_STORE__URL?"),
            ("TTM_DEBUG", "unknown variable; `ttm config schema` lists the known ones"),
            ("TTM_SCHEDULER__HOT", "unknown key scheduler.hot; `ttm config schema` lists the keys"),
        ];
        for (name, message) in wrong {
            let errors = read("", &[(name, "postgres://bob:hunter2@db/x")]).expect_err("not ours");
            assert_eq!(errors, [format!("{name}: {message}")]);
        }
        let others = [
            "TTM_TEST_DATABASE_URL",
            "TTM_SERVICE_HOST",
            "TTM_SERVICE_PORT_HTTP",
            "TTM_PORT",
            "TTM_PORT_80_TCP_ADDR",
            "XTTM_A",
        ];
        for name in others {
            assert!(read("", &[(name, "x")]).is_ok(), "{name}");
        }
    }

    #[test]
    fn a_variable_that_is_not_unicode_is_an_error_only_with_our_prefix() {
        use std::os::unix::ffi::OsStringExt;
        let junk = || OsString::from_vec(b"caf\xe9".to_vec());
        let load = |name: OsString| load(None, std::iter::once((name, junk()))).map_err(|e| e.to_string());
        assert!(load("LS_JUNK".into()).is_ok());
        assert!(load(junk()).is_ok());
        let errors = load("TTM_STORE__URL".into()).expect_err("not Unicode");
        assert_eq!(
            errors,
            "TTM_STORE__URL: store.url is not Unicode, expected sqlite://path or postgres://user@host/database"
        );
        let ours = OsString::from_vec(b"TTM_caf\xe9".to_vec());
        assert!(load(ours).expect_err("unknown").contains("unknown variable"));
    }

    #[test]
    fn a_misspelt_section_or_key_gets_a_suggestion() {
        let cases = [
            ("[schedulr]\nhot_interval = \"5s\"\n", "unknown key schedulr; did you mean scheduler?"),
            (
                "[breaker.dexscrener]\nwindow = \"\"\n",
                "unknown key breaker.dexscrener; did you mean breaker.dexscreener?",
            ),
            ("hot_interval = \"5s\"\n", "unknown key hot_interval; did you mean scheduler.hot_interval?"),
            (
                "api = 5\n",
                "api is a section, not a key; its keys are api.listen, api.token_file, api.public_url",
            ),
            ("x = 1\n", "unknown key x; `ttm config schema` lists the keys"),
        ];
        for (text, message) in cases {
            let errors = read(text, &[]).expect_err("unknown");
            assert_eq!(errors, [format!("ttm.toml:1: {message}")]);
        }
    }

    #[test]
    fn a_url_whose_password_is_not_encoded_is_refused_and_never_shown() {
        for url in
            ["bob:/hunter2@127.0.0.1:5432/ttm", "bob:99/hunter2@h/ttm", "bob:?hunter2@h", "bob:#hunter2@h"]
        {
            for (key, scheme) in [
                ("TTM_STORE__URL", "postgres"),
                ("TTM_SOURCES__POSTGRES_URL", "postgresql"),
                ("TTM_DEXSCREENER__BASE_URL", "https"),
                ("TTM_STORE__URL", "postgress"),
            ] {
                let errors = read("", &[(key, &format!("{scheme}://{url}"))]).expect_err("refused");
                assert_eq!(errors.len(), 1, "{errors:?}");
                assert!(!errors[0].contains("hunter2") && !errors[0].contains("bob"), "{errors:?}");
                assert!(errors[0].contains("percent-encode") == (scheme != "postgress"), "{errors:?}");
            }
        }
    }

    #[test]
    fn a_base_url_that_may_contain_a_secret_is_refused_and_not_shown() {
        for url in ["https://h/?key=hunter2", "https://h#hunter2", "https://hunter2@h", "h?hunter2"] {
            let errors = read(&format!("[dexscreener]\nbase_url = \"{url}\"\n"), &[]).expect_err("refused");
            let line = "ttm.toml:2: dexscreener.base_url is a URL with a user name, a query or a fragment, expected an http or https URL such as https://api.dexscreener.com";
            assert_eq!(errors, [line]);
        }
    }

    #[test]
    fn a_token_file_is_read_for_any_listener_and_refused_if_it_is_unusable() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("token");
        let load = |bytes: &[u8], mode: u32| {
            std::fs::write(&path, bytes).expect("written");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("ours");
            let variable = ("TTM_API__TOKEN_FILE".into(), path.clone().into());
            load(None, std::iter::once(variable))
                .map(|s| s.api.token.map(|token| token.expose_secret().to_owned()))
        };
        let token = "abcdefghijklmnopqrstuvwxyz012345";
        for written in ["", "\n", "\r\n", " \n\n"].map(|end| format!("{token}{end}")) {
            assert_eq!(load(written.as_bytes(), 0o600).expect("good"), Some(token.to_owned()));
            assert_eq!(
                load(format!("\u{feff}{written}").as_bytes(), 0o400).expect("good"),
                Some(token.to_owned())
            );
        }
        let bad: [(&[u8], u32, &str); 6] = [
            (b"", 0o600, "which is empty"),
            (b"\n", 0o600, "which is empty"),
            (b"short", 0o600, "has fewer than 16 characters"),
            (
                b"first-token-of-two\nsecond-token-of-two\n",
                0o600,
                "contains white space or characters that are not printable ASCII",
            ),
            (
                b"caf\xe9caf\xe9caf\xe9caf\xe9caf\xe9",
                0o600,
                "contains white space or characters that are not printable ASCII",
            ),
            (token.as_bytes(), 0o644, "other users can read: chmod 600"),
        ];
        for (bytes, mode, problem) in bad {
            let error = load(bytes, mode).expect_err(problem).to_string();
            assert!(error.contains(problem) && error.lines().count() == 1, "{error}");
            assert!(!error.contains("second") && !error.contains("abcdef"), "{error}");
        }
    }

    #[test]
    fn a_relative_path_is_relative_to_the_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ttm.toml");
        std::fs::write(&path, "[store]\nurl = \"sqlite://data/ttm.db\"\n").expect("written");
        let settings = load(Some(&path), std::iter::empty()).expect("valid");
        assert_eq!(settings.store.to_string(), format!("sqlite://{}/data/ttm.db", folder.path().display()));
    }

    #[test]
    fn a_listener_that_is_not_loopback_requires_a_token() {
        let errors = read("[api]\nlisten = \"0.0.0.0:8080\"\n", &[]).expect_err("invalid");
        assert_eq!(
            errors,
            [
                "ttm.toml:2: api.listen is 0.0.0.0:8080, which is not loopback: expected api.token_file to be set too"
            ]
        );
    }

    #[test]
    fn token_sources_are_read_and_their_password_is_never_shown() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ttm.toml");
        let text = "[sources]\nfile = \"mints.txt\"\npostgres_url = \"postgres://ann:hunter2@db/moon\"\npoll_interval = \"3s\"\n";
        std::fs::write(&path, text).expect("written");
        let settings = load(Some(&path), std::iter::empty()).expect("valid");
        assert_eq!(settings.sources.file, Some(folder.path().join("mints.txt")));
        assert!(settings.sources.postgres_url.is_some() && !format!("{settings:?}").contains("hunter2"));
        assert_eq!(settings.service.source_poll_interval, Duration::from_secs(3));
        let none = load(None, std::iter::empty()).expect("valid");
        assert!(none.sources.file.is_none() && none.sources.postgres_url.is_none() && !none.sources.profiles);

        // Scoring waits for as long as configured; polling a source must end before the next poll.
        std::fs::write(&path, "[dexscreener]\ntimeout = \"60s\"\n").expect("written");
        let service = load(Some(&path), std::iter::empty()).expect("valid").service;
        let timeouts = [&service.guard, &service.profiles].map(|guard| guard.settings().attempt_timeout);
        assert_eq!(timeouts, [Duration::from_mins(1), Duration::from_secs(8)]);

        let text = "[dexscreener]\ntimeout = \"soon\"\nprofile_requests_per_minute = 0\n[sources]\nprofiles_limit = 0\n";
        let errors = read(text, &[]).expect_err("all values are invalid");
        assert_eq!(
            errors,
            [
                "ttm.toml:2: dexscreener.timeout is \"soon\", expected a duration such as 30s or 5m",
                "ttm.toml:3: dexscreener.profile_requests_per_minute is 0, expected at least 1 and at most 1000000",
                "ttm.toml:5: sources.profiles_limit is 0, expected at least 1 and at most 1000000",
            ],
            "each only once",
        );

        let text = "[sources]\npostgres_url = \"mysql://ann:hunter2@db/moon\"\npoll_interval = \"0s\"\nfil = \"x\"\n";
        let errors = read(text, &[]).expect_err("three errors");
        assert_eq!(
            errors,
            [
                "ttm.toml:4: unknown key sources.fil; did you mean sources.file?",
                "ttm.toml:2: sources.postgres_url is not such a URL, expected postgres://user@host/database, or empty",
                "ttm.toml:3: sources.poll_interval is 0s, expected at least 100ms and at most 24h",
            ]
        );
    }

    #[test]
    fn a_chain_without_solana_addresses_is_refused() {
        let errors = read("[dexscreener]\nchain = \"solanaa\"\n", &[]).expect_err("unsupported");
        assert_eq!(errors, ["ttm.toml:2: dexscreener.chain is \"solanaa\", expected solana"]);
    }
}
