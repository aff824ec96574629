//! Token profiles as the API lists them, generated from the address of the token.

use bytes::Bytes;
use serde::Serialize;
use ttm_market::Mint;

use crate::wire::{roll, to_bytes};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ProfileJson<'a> {
    url: String,
    chain_id: &'a str,
    token_address: &'a str,
    icon: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    header: Option<String>,
    open_graph: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    links: Option<Vec<LinkJson>>,
}

/// A web page has a label, a social account a type.
#[derive(Serialize)]
struct LinkJson {
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<&'static str>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    url: String,
}

/// The bare list of profiles of these tokens.
pub(crate) fn list(chain: &str, mints: &[Mint]) -> Bytes {
    let addresses: Vec<String> = mints.iter().map(Mint::to_string).collect();
    to_bytes(&addresses.iter().map(|address| profile(chain, address)).collect::<Vec<_>>())
}

fn profile<'a>(chain: &'a str, address: &'a str) -> ProfileJson<'a> {
    let roll = roll(address);
    let name = address.get(..6).unwrap_or(address).to_lowercase();
    let picture = format!("https://dd.dexscreener.com/ds-data/tokens/{chain}/{address}");
    ProfileJson {
        url: format!("https://dexscreener.com/{chain}/{}", address.to_lowercase()),
        chain_id: chain,
        token_address: address,
        icon: format!("{picture}.png"),
        header: (roll < 0.9).then(|| format!("{picture}/header.png")),
        open_graph: format!("https://cdn.dexscreener.com/token-images/og/{chain}/{address}"),
        description: (roll < 0.95).then(|| format!("The \"official\" {name} 🚀\nTo the moon.")),
        links: (roll < 0.8).then(|| links(&name, roll)),
    }
}

fn links(name: &str, roll: f64) -> Vec<LinkJson> {
    let account =
        |kind, host| LinkJson { label: None, kind: Some(kind), url: format!("https://{host}/{name}") };
    let page = LinkJson { label: Some("Website"), kind: None, url: format!("https://{name}.example/") };
    let mut links = vec![page, account("twitter", "x.com")];
    if roll < 0.5 {
        links.push(account("telegram", "t.me"));
    }
    links
}
