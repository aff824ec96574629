//! Mints that spoil every request that names one of them, as one token with odd data does in production. It knows no
//! script: a poisoned mint is poisoned for as long as the stand-in runs.

use std::collections::BTreeMap;

use hyper::{Response, StatusCode};
use ttm_market::Mint;

use crate::body::Body;
use crate::response::{BUSY_PAGE, as_json, text};

/// What a poisoned mint makes of the whole answer, whatever else was asked for beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Poison {
    /// This status instead of 200, 400 to 599; another number is 500.
    Status(u16),
    /// 200 and `application/json`, but no JSON: nothing in it can be decoded.
    Undecodable,
}

/// What comes instead of JSON: bytes that are neither text nor the start of anything.
const NO_JSON: &[u8] = b"\xfe\x01{]pairs";

impl Poison {
    /// The answer that comes instead of the true one.
    pub(crate) fn answer(self) -> Response<Body> {
        match self {
            Self::Status(status) => {
                let status = StatusCode::from_u16(status).ok().filter(|_| (400..600).contains(&status));
                text(status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), "text/html", BUSY_PAGE)
            }
            Self::Undecodable => as_json(Body::whole(NO_JSON)),
        }
    }
}

/// What becomes of a request for these mints: that of the smallest poisoned mint, so that the order of the mints changes nothing.
pub(crate) fn of(poisoned: &BTreeMap<Mint, Poison>, asked: &[Mint]) -> Option<Poison> {
    let found = asked.iter().filter_map(|mint| poisoned.get_key_value(mint));
    found.min_by_key(|(mint, _)| **mint).map(|(_, poison)| *poison)
}
