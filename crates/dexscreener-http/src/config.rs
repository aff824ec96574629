//! The validated settings of the adapter.

use std::error::Error;
use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use ttm_kernel::{InvalidSetting, SettingChecks};
use url::{Host, Url};

/// The default `User-Agent`; the API answers 403 to requests without one.
pub const DEFAULT_USER_AGENT: &str =
    concat!("ttm/", env!("CARGO_PKG_VERSION"), " (To The Moon token scorer)");

const BASE_URL_BOUND: &str = "http:// or https:// with a host, at most a path, and no user name or password";
const CHAIN_LENGTH: RangeInclusive<usize> = 1..=32;
const CHAIN_BOUND: &str = "1 to 32 of a–z, 0–9 and -";
const USER_AGENT_LENGTH: RangeInclusive<usize> = 3..=256;
const USER_AGENT_BOUND: &str = "3 to 256 printable ASCII characters, no space at the ends";
const TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(50)..=Duration::from_mins(1);
const TIMEOUT_BOUND: &str = "50ms to 60s";
const MAX_BODY_BYTES: RangeInclusive<usize> = 1_024..=64 * 1_024 * 1_024;
const MAX_BODY_BOUND: &str = "1 KiB to 64 MiB";

/// Settings of the adapter, always valid: [`DexscreenerConfig::try_new`] is the only constructor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DexscreenerConfig {
    base_url: Url,
    chain: String,
    user_agent: String,
    timeout: Duration,
    max_body_bytes: usize,
}

/// Invalid settings: all violations, as one line of text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(Vec<InvalidSetting>);

impl ConfigError {
    /// Each setting that is out of bounds, with its key in the section `dexscreener`.
    pub fn violations(&self) -> &[InvalidSetting] {
        &self.0
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, violation) in self.0.iter().enumerate() {
            let separator = if position == 0 { "" } else { "; " };
            write!(f, "{separator}dexscreener.{violation}")?;
        }
        Ok(())
    }
}

impl Error for ConfigError {}

impl Default for DexscreenerConfig {
    /// The public API, Solana, 5 s per request, and 4 MiB per body: a hundred times the largest one recorded.
    fn default() -> Self {
        Self::try_new(
            "https://api.dexscreener.com",
            "solana",
            DEFAULT_USER_AGENT,
            Duration::from_secs(5),
            4 * 1_024 * 1_024,
        )
        .expect("a test asserts that the defaults are valid")
    }
}

impl DexscreenerConfig {
    /// Validates all values.
    ///
    /// - `base_url`: http or https with a host and optionally a path; no credentials, query or fragment
    /// - `chain`: 1 to 32 of `a`–`z`, `0`–`9` and `-`
    /// - `user_agent`: 3 to 256 printable ASCII characters
    /// - `timeout`: for a whole request, 50 ms to 60 s
    /// - `max_body_bytes`: 1 KiB to 64 MiB, after decompression
    ///
    /// # Errors
    /// All values that are out of bounds.
    #[expect(clippy::missing_panics_doc, reason = "the URL is required above")]
    pub fn try_new(
        base_url: &str,
        chain: &str,
        user_agent: &str,
        timeout: Duration,
        max_body_bytes: usize,
    ) -> Result<Self, ConfigError> {
        let url = Url::parse(base_url).ok().filter(is_root_of_an_api);
        SettingChecks::default()
            .require(url.is_some(), "base_url", without_secrets(base_url), BASE_URL_BOUND)
            .require(is_chain(chain), "chain", chain, CHAIN_BOUND)
            .require(is_product_name(user_agent), "user_agent", user_agent, USER_AGENT_BOUND)
            .require(TIMEOUT.contains(&timeout), "timeout", timeout, TIMEOUT_BOUND)
            .require(
                MAX_BODY_BYTES.contains(&max_body_bytes),
                "max_body_bytes",
                max_body_bytes,
                MAX_BODY_BOUND,
            )
            .finish(())
            .map_err(ConfigError)?;
        Ok(Self {
            base_url: url.expect("it is required above"),
            chain: chain.to_owned(),
            user_agent: user_agent.to_owned(),
            timeout,
            max_body_bytes,
        })
    }

    /// The base URL, without a trailing slash.
    pub fn base_url(&self) -> &str {
        self.base_url.as_str().trim_end_matches('/')
    }

    /// Whether the API is on this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        match self.base_url.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        }
    }

    /// Whether requests go over TLS.
    pub(crate) fn is_https(&self) -> bool {
        self.base_url.scheme() == "https"
    }

    /// The chain whose pools are requested and accepted.
    pub fn chain(&self) -> &str {
        &self.chain
    }

    /// The `User-Agent` of every request.
    pub fn user_agent(&self) -> &str {
        &self.user_agent
    }

    /// The timeout of a whole request, from connecting to the last byte of the body.
    pub const fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The largest body that is read, after decompression.
    pub const fn max_body_bytes(&self) -> usize {
        self.max_body_bytes
    }
}

/// Whether paths can be appended to the URL, and it contains no secret that would end up in a log.
fn is_root_of_an_api(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none()
}

fn is_chain(text: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    CHAIN_LENGTH.contains(&text.len()) && text.bytes().all(is_letter)
}

fn is_product_name(text: &str) -> bool {
    let is_printable = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
    USER_AGENT_LENGTH.contains(&text.len()) && text.trim() == text && text.bytes().all(is_printable)
}

/// The URL for messages, hidden if it may contain a secret.
fn without_secrets(url: &str) -> &str {
    if url.contains(['@', '?', '#']) { "(hidden: contains @, ? or #)" } else { url }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_url(url: &str) -> Result<DexscreenerConfig, ConfigError> {
        DexscreenerConfig::try_new(url, "solana", "ttm/1", Duration::from_secs(5), 1_024)
    }

    #[test]
    fn the_defaults_are_valid_and_the_documented_ones() {
        let config = DexscreenerConfig::default();
        assert_eq!(config.base_url(), "https://api.dexscreener.com");
        assert_eq!(config.chain(), "solana");
        assert_eq!(config.timeout(), Duration::from_secs(5));
        assert!(config.is_https());
        assert!(!config.is_loopback());
    }

    #[test]
    fn a_base_url_keeps_its_path_without_a_trailing_slash() {
        for (given, kept) in [
            ("http://127.0.0.1:80/", "http://127.0.0.1"),
            ("http://[::1]:9", "http://[::1]:9"),
            ("https://proxy.example/dex/", "https://proxy.example/dex"),
        ] {
            assert_eq!(with_url(given).expect("valid").base_url(), kept);
        }
        assert!(with_url("http://127.0.0.1:1").expect("valid").is_loopback());
        assert!(with_url("http://localhost:1").expect("valid").is_loopback());
    }

    #[test]
    fn an_unusable_base_url_is_refused() {
        for url in [
            "",
            "api.dexscreener.com",
            "/tokens",
            "ftp://host",
            "file:///etc",
            "https://h?x=1",
            "https://h#x",
        ] {
            let error = with_url(url).expect_err(url);
            assert_eq!(error.violations()[0].key, "base_url");
            assert!(error.to_string().contains("it must be http:// or https://"), "{error}");
        }
    }

    #[test]
    fn a_secret_in_a_base_url_is_refused_and_not_repeated() {
        for url in [
            "https://me:hunter2@host",
            "https://hunter2@host",
            "https//me:hunter2@host",
            "https://h?key=hunter2",
            "https://h/#hunter2",
        ] {
            let error = with_url(url).expect_err(url).to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_value_out_of_bounds_is_an_error_with_key_value_and_bound() {
        let try_new = |chain, agent, millis, bytes| {
            DexscreenerConfig::try_new("https://host", chain, agent, Duration::from_millis(millis), bytes)
                .expect_err("out of bounds")
                .to_string()
        };
        assert_eq!(
            try_new("Solana", "ttm/1", 5_000, 1_024),
            "dexscreener.chain is \"Solana\": it must be 1 to 32 of a–z, 0–9 and -"
        );
        assert!(try_new("", "ttm/1", 5_000, 1_024).starts_with("dexscreener.chain"));
        assert!(try_new("solana", "a\nb: c", 5_000, 1_024).starts_with("dexscreener.user_agent"));
        assert!(try_new("solana", "", 5_000, 1_024).starts_with("dexscreener.user_agent"));
        assert_eq!(
            try_new("solana", "ttm/1", 10, 1_024),
            "dexscreener.timeout is 10ms: it must be 50ms to 60s"
        );
        assert!(try_new("solana", "ttm/1", 60_001, 1_024).ends_with("50ms to 60s"));
        assert!(try_new("solana", "ttm/1", 50, 7).starts_with("dexscreener.max_body_bytes is 7"));
    }

    #[test]
    fn all_errors_are_reported_at_once() {
        let error = DexscreenerConfig::try_new("", "", "", Duration::ZERO, 0).expect_err("all invalid");
        let keys: Vec<_> = error.violations().iter().map(|violation| violation.key).collect();
        assert_eq!(keys, ["base_url", "chain", "user_agent", "timeout", "max_body_bytes"]);
        assert_eq!(error.to_string().matches("dexscreener.").count(), 5);
        assert!(!error.to_string().contains('\n'));
    }
}
