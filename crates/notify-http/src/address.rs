//! The address of a receiver, which may be a secret itself.

use std::fmt;

use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret, SecretString};
use ttm_kernel::InvalidSetting;
use url::{Host, Url};

use crate::secrets::Secrets;

/// Where plain HTTP will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Insecure {
    /// On this machine alone: the address or what is sent to it is a secret of somebody's service.
    Loopback,
    /// Anywhere: the receiver is the operator's own.
    Anywhere,
}

/// Segments of paths that services give to everybody, and that stand in their messages.
const PUBLIC: [&str; 10] = [
    "alert",
    "alerts",
    "hook",
    "hooks",
    "services",
    "triggers",
    "webhook",
    "webhooks",
    "workflow",
    "workflows",
];

/// A usable address. `Debug` shows its host alone.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Address {
    /// As it was given.
    given: Url,
    /// With the path of the endpoint.
    url: Url,
}

impl Address {
    /// The address that is written like this.
    ///
    /// # Errors
    /// The setting `key`, without its value.
    pub(crate) fn parse(
        key: &'static str,
        text: &SecretString,
        insecure: Insecure,
    ) -> Result<Self, InvalidSetting> {
        let url = Url::parse(text.expose_secret().trim()).ok();
        let address = url.map(|url| Self { given: url.clone(), url });
        address.filter(|address| address.is_usable(insecure)).ok_or_else(|| InvalidSetting {
            key,
            value: "(hidden)".to_owned(),
            bound: match insecure {
                Insecure::Loopback => {
                    "an https:// address with a host and without a #fragment (http:// on loopback alone)"
                }
                Insecure::Anywhere => "an http:// or https:// address with a host and without a #fragment",
            },
        })
    }

    fn is_usable(&self, insecure: Insecure) -> bool {
        let may_be_plain = insecure == Insecure::Anywhere || self.is_loopback();
        let is_web = self.is_https() || self.url.scheme() == "http" && may_be_plain;
        is_web && self.url.has_host() && self.url.fragment().is_none()
    }

    /// The address of an endpoint below this one. `path` is in need of no escaping.
    pub(crate) fn join(mut self, path: &str) -> Self {
        let path = format!("{}/{path}", self.url.path().trim_end_matches('/'));
        self.url.set_path(&path);
        self
    }

    /// The same with one more pair in its query.
    pub(crate) fn with_query(mut self, key: &str, value: &str) -> Self {
        self.url.query_pairs_mut().append_pair(key, value);
        self
    }

    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    pub(crate) fn is_loopback(&self) -> bool {
        match self.url.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        }
    }

    pub(crate) fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// Adds all that may be secret of what was given: who the user is, the segments of the path that are nobody else's, and the
    /// query, also as they are decoded.
    pub(crate) fn add_to(&self, secrets: &mut Secrets) {
        let url = &self.given;
        let path = url.path_segments().into_iter().flatten();
        let query = url.query().into_iter().flat_map(|query| query.split(['&', '=']));
        let path = path.filter(|segment| !PUBLIC.contains(segment));
        for part in path.chain(query).chain([url.username(), url.password().unwrap_or_default()]) {
            secrets.add(part);
            if part.contains('%') {
                secrets.add(&percent_decode_str(part).decode_utf8_lossy());
            }
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}/…", self.url.scheme(), self.url.host_str().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, insecure: Insecure) -> Result<Address, InvalidSetting> {
        Address::parse("url", &text.into(), insecure)
    }

    #[test]
    fn an_address_that_cannot_be_used_is_refused_and_not_repeated() {
        for wrong in ["", "hunter2", "ftp://hunter2", "https://", "https://h/hunter2#x", "file:///hunter2"] {
            let error = parse(wrong, Insecure::Anywhere).expect_err(wrong).to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
        assert!(parse("http://hooks.example/hunter2", Insecure::Anywhere).is_ok());
        assert!(parse("http://hooks.example/hunter2", Insecure::Loopback).is_err());
        for loopback in ["http://127.0.0.1:9/x", "http://[::1]/x", "http://localhost/x"] {
            assert!(parse(loopback, Insecure::Loopback).is_ok(), "{loopback}");
        }
    }

    #[test]
    fn what_may_be_secret_in_it_is_neither_shown_nor_told() {
        let address =
            parse("https://ada:hunter2@h.example/hooks/T00SECRET?key=a%40b%41c%42d", Insecure::Loopback);
        let address = address.expect("valid");
        assert_eq!(format!("{address:?}"), "https://h.example/…");
        let mut secrets = Secrets::default();
        address.add_to(&mut secrets);
        for told in ["hunter2", "POST /hooks/t00secret", "a%40b%41c%42d", "a@bAcBd"] {
            assert!(secrets.without(told).contains("repeat"), "{told}");
        }
        assert_eq!(secrets.without("no such channel"), "no such channel");
    }

    #[test]
    fn an_endpoint_lies_below_and_keeps_the_query() {
        let join = |text| parse(text, Insecure::Anywhere).expect("valid").join("api/x").url().to_string();
        assert_eq!(join("http://h"), "http://h/api/x");
        assert_eq!(join("http://h/am/?a=b"), "http://h/am/api/x?a=b");
        let with = parse("http://h/x?a=b", Insecure::Anywhere).expect("valid").with_query("wait", "true");
        assert_eq!(with.url().as_str(), "http://h/x?a=b&wait=true");
    }
}
