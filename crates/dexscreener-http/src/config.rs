//! Where the API is and how to ask it, validated. It does not know which file or flag a value came from.

use std::ops::RangeInclusive;
use std::time::Duration;

use url::{Host, Url};

/// The `User-Agent` when nothing else is configured; the API answers 403 to requests without a real one.
pub const DEFAULT_USER_AGENT: &str =
    concat!("ttm/", env!("CARGO_PKG_VERSION"), " (To The Moon token scorer)");

const TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(50)..=Duration::from_secs(60);
const MAX_BODY_BYTES: RangeInclusive<usize> = 1_024..=64 * 1_024 * 1_024;
const CHAIN_LENGTH: RangeInclusive<usize> = 1..=32;
const USER_AGENT_LENGTH: RangeInclusive<usize> = 3..=256;

/// How to ask the API. Every value is valid: [`DexscreenerConfig::try_new`] is the only way to one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DexscreenerConfig {
    base_url: Url,
    chain: String,
    user_agent: String,
    timeout: Duration,
    max_body_bytes: usize,
}

/// A value that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("dexscreener.{key} = {value}: {expected}")]
pub struct ConfigError {
    /// The key below `dexscreener`.
    pub key: &'static str,
    /// What was given; credentials in a URL are left out.
    pub value: String,
    /// What would be accepted.
    pub expected: String,
}

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
    /// Checks every value.
    ///
    /// - `base_url`: http or https with a host, a path at most; no credentials, query or fragment
    /// - `chain`: 1 to 32 of `a`–`z`, `0`–`9` and `-`
    /// - `user_agent`: 3 to 256 printable ASCII characters
    /// - `timeout`: of a whole request, 50 ms to 60 s
    /// - `max_body_bytes`: 1 KiB to 64 MiB, after decompression
    ///
    /// # Errors
    /// The first value that is out of its bounds.
    pub fn try_new(
        base_url: &str,
        chain: &str,
        user_agent: &str,
        timeout: Duration,
        max_body_bytes: usize,
    ) -> Result<Self, ConfigError> {
        let base_url = checked_url(base_url)?;
        let is_chain_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if !CHAIN_LENGTH.contains(&chain.len()) || !chain.bytes().all(is_chain_letter) {
            let (low, high) = CHAIN_LENGTH.into_inner();
            return Err(refused("chain", format!("{chain:?}"), format!("{low} to {high} of a–z, 0–9 and -")));
        }
        let is_printable = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
        if user_agent.trim() != user_agent
            || !USER_AGENT_LENGTH.contains(&user_agent.len())
            || !user_agent.bytes().all(is_printable)
        {
            let (low, high) = USER_AGENT_LENGTH.into_inner();
            let expected = format!("{low} to {high} printable ASCII characters, no space at the ends");
            return Err(refused("user_agent", format!("{user_agent:?}"), expected));
        }
        if !TIMEOUT.contains(&timeout) {
            return Err(refused("timeout", format!("{timeout:?}"), between(&TIMEOUT)));
        }
        if !MAX_BODY_BYTES.contains(&max_body_bytes) {
            return Err(refused("max_body_bytes", max_body_bytes.to_string(), between(&MAX_BODY_BYTES)));
        }
        Ok(Self {
            base_url,
            chain: chain.to_owned(),
            user_agent: user_agent.to_owned(),
            timeout,
            max_body_bytes,
        })
    }

    /// The root of the API, without a trailing slash.
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

    /// The chain whose pools are asked for and accepted.
    pub fn chain(&self) -> &str {
        &self.chain
    }

    /// The `User-Agent` of every request.
    pub fn user_agent(&self) -> &str {
        &self.user_agent
    }

    /// How long a whole request may take, from connecting to the body's last byte.
    pub const fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The largest body that is read, after decompression.
    pub const fn max_body_bytes(&self) -> usize {
        self.max_body_bytes
    }
}

fn checked_url(text: &str) -> Result<Url, ConfigError> {
    const EXPECTED: &str = "http:// or https:// with a host, and at most a path";
    let Ok(url) = Url::parse(text) else {
        // What cannot be parsed may still hold a password, in a place where nobody can tell.
        let shown = if text.contains('@') { "(hidden, has an @)".to_owned() } else { format!("{text:?}") };
        return Err(refused("base_url", shown, EXPECTED.to_owned()));
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refused(
            "base_url",
            "(hidden)".to_owned(),
            "an address without user name and password".to_owned(),
        ));
    }
    let usable = matches!(url.scheme(), "http" | "https") && url.has_host();
    if !usable || url.query().is_some() || url.fragment().is_some() {
        return Err(refused("base_url", format!("{text:?}"), EXPECTED.to_owned()));
    }
    Ok(url)
}

fn refused(key: &'static str, value: String, expected: String) -> ConfigError {
    ConfigError { key, value, expected }
}

fn between<T: std::fmt::Debug>(range: &RangeInclusive<T>) -> String {
    format!("{:?} to {:?}", range.start(), range.end())
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
    fn a_base_url_keeps_its_path_and_loses_its_slash() {
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
    fn a_base_url_that_cannot_be_asked_is_refused() {
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
            assert_eq!(error.key, "base_url");
            assert!(error.to_string().contains("https://"), "{error}");
        }
    }

    #[test]
    fn a_password_in_a_base_url_is_refused_and_not_repeated() {
        for url in ["https://me:hunter2@host", "https://hunter2@host", "https//me:hunter2@host"] {
            let error = with_url(url).expect_err(url).to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn values_out_of_bounds_are_refused_with_key_and_bound() {
        let try_new = |chain, agent, millis, bytes| {
            DexscreenerConfig::try_new("https://host", chain, agent, Duration::from_millis(millis), bytes)
                .expect_err("out of bounds")
                .to_string()
        };
        assert_eq!(
            try_new("Solana", "ttm/1", 5_000, 1_024),
            "dexscreener.chain = \"Solana\": 1 to 32 of a–z, 0–9 and -"
        );
        assert!(try_new("", "ttm/1", 5_000, 1_024).starts_with("dexscreener.chain"));
        assert!(try_new("solana", "a\nb: c", 5_000, 1_024).starts_with("dexscreener.user_agent"));
        assert!(try_new("solana", "", 5_000, 1_024).starts_with("dexscreener.user_agent"));
        assert_eq!(try_new("solana", "ttm/1", 10, 1_024), "dexscreener.timeout = 10ms: 50ms to 60s");
        assert!(try_new("solana", "ttm/1", 60_001, 1_024).ends_with("50ms to 60s"));
        assert_eq!(try_new("solana", "ttm/1", 50, 7), "dexscreener.max_body_bytes = 7: 1024 to 67108864");
    }
}
