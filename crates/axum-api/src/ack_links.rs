//! Links that acknowledge an alert: whoever has one may, until it expires, and may do nothing else.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::http::Uri;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use sha2::Sha256;
use ttm_alert::{EpisodeId, Identity};

use crate::parameters::Parameters;

/// Where links point.
pub(crate) const PATH: &str = "/alerts/ack";

/// Signs links, and checks them. A link is about one episode of one alert, the same for every channel.
///
/// The key is made from a secret, so that every process that has the secret takes the links of every other. Who has a link can
/// try secrets against its signature, at leisure: a secret that a person thought of is not enough.
#[derive(Clone)]
pub struct AckLinks {
    key: Arc<SecretSlice<u8>>,
    lifetime: Duration,
}

impl AckLinks {
    /// How long a link is valid, unless [`lasting`](Self::lasting) says.
    pub const LIFETIME: Duration = Duration::from_hours(7 * 24);

    /// Links that are signed with a key made from this secret. With another one, all links that were given out are invalid.
    pub fn new(secret: &SecretString) -> Self {
        // A key of its own: what signs links signs nothing else, whatever else the secret is for.
        let mut derived = mac(secret.expose_secret().as_bytes());
        derived.update(b"ttm: links that acknowledge an alert");
        let key = derived.finalize().into_bytes().to_vec();
        Self { key: Arc::new(SecretSlice::from(key)), lifetime: Self::LIFETIME }
    }

    /// The same links, valid for so long.
    #[must_use]
    pub fn lasting(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// The link that acknowledges an episode, for people who reach the API under this URL, which has no slash at the end.
    pub fn link(&self, public_url: &str, id: Identity, episode: EpisodeId, now: Timestamp) -> String {
        let until = now.checked_add(self.lifetime).unwrap_or(Timestamp::MAX).as_second();
        let signature = URL_SAFE_NO_PAD.encode(self.signed(id, episode, until).finalize().into_bytes());
        format!("{public_url}{PATH}?id={id}&episode={episode}&until={until}&signature={signature}")
    }

    /// What a link is about.
    pub(crate) fn check(&self, link: &Uri, now: Timestamp) -> Result<(Identity, EpisodeId), BadLink> {
        let (id, episode, until, signature) = parts(link).ok_or(BadLink::Wrong)?;
        // Compares in constant time.
        self.signed(id, episode, until).verify_slice(&signature).map_err(|_| BadLink::Wrong)?;
        if now.as_second() >= until { Err(BadLink::Expired(id)) } else { Ok((id, episode)) }
    }

    fn signed(&self, id: Identity, episode: EpisodeId, until: i64) -> Hmac<Sha256> {
        let mut mac = mac(self.key.expose_secret());
        mac.update(format!("{id}\n{episode}\n{until}").as_bytes());
        mac
    }
}

/// Why a link does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadLink {
    /// No process with this secret has made it.
    Wrong,
    /// It was valid once, for this alert.
    Expired(Identity),
}

impl fmt::Debug for AckLinks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AckLinks").field("lifetime", &self.lifetime).finish_non_exhaustive()
    }
}

fn mac(key: &[u8]) -> Hmac<Sha256> {
    let Ok(mac) = Hmac::new_from_slice(key) else { unreachable!("HMAC takes keys of every length") };
    mac
}

fn parts(link: &Uri) -> Option<(Identity, EpisodeId, i64, Vec<u8>)> {
    let given = Parameters::of(link, &["id", "episode", "until", "signature"]).ok()?;
    let id = Identity::parse(given.text("id")?)?;
    let episode = EpisodeId::parse(given.text("episode")?)?;
    let until = given.text("until")?.parse().ok()?;
    Some((id, episode, until, URL_SAFE_NO_PAD.decode(given.text("signature")?).ok()?))
}

#[cfg(test)]
mod tests {
    use ttm_alert::Labels;
    use ttm_kernel::Epoch;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("in range")
    }

    fn link(links: &AckLinks) -> String {
        let id = Identity::of("cpu", &Labels::none());
        links.link("https://ops.example.org/ttm", id, EpisodeId { epoch: Epoch::new(12), number: 3 }, at(100))
    }

    #[test]
    fn a_link_is_the_same_in_every_process_with_the_secret() {
        let links = AckLinks::new(&"hunter2".into());
        let id = "2c7b75c0c4cd3ae0d6d9dbb8ac3ab25f";
        let made = link(&links);
        assert_eq!(made, link(&AckLinks::new(&"hunter2".into())));
        assert_ne!(made, link(&AckLinks::new(&"hunter3".into())));
        assert!(made.starts_with("https://ops.example.org/ttm/alerts/ack?id="), "{made} {id}");
        assert!(made.contains("&episode=12-3&until=604900&signature="), "{made}");
        assert!(!format!("{links:?} {made}").contains("hunter2"));
    }

    #[test]
    fn a_link_is_valid_until_it_expires_and_in_no_other_form() {
        let links = AckLinks::new(&"hunter2".into()).lasting(Duration::from_mins(1));
        let made = link(&links);
        let check = |text: &str, second| links.check(&text.parse().expect("a URI"), at(second));
        let (id, episode) = check(&made, 159).expect("valid");
        assert_eq!((id, episode.to_string().as_str()), (Identity::of("cpu", &Labels::none()), "12-3"));
        assert_eq!(check(&made, 160), Err(BadLink::Expired(id)));
        let (before, signature) = made.split_once("signature=").expect("signed");
        let other = if signature.starts_with('A') { "B" } else { "A" };
        let wrong = [
            made.replace("until=160", "until=161"),
            made.replace("until=160", "until=+160"),
            made.replace("episode=12-3", "episode=12-4"),
            made.replace(&id.to_string(), &Identity::of("memory", &Labels::none()).to_string()),
            format!("{before}signature={other}{}", &signature[1..]),
            format!("{before}signature={}", &signature[..42]),
            format!("{before}signature="),
            before.trim_end_matches('&').to_owned(),
            format!("{made}&until=161"),
            format!("{made}&more=1"),
        ];
        for wrong in wrong {
            assert_eq!(check(&wrong, 101), Err(BadLink::Wrong), "{wrong}");
        }
        assert_eq!(
            AckLinks::new(&"hunter3".into()).check(&made.parse().expect("a URI"), at(101)),
            Err(BadLink::Wrong)
        );
    }
}
