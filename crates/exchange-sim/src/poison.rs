//! Poisoned mints: every request that contains one fails, as a single token with odd data can cause in production. A
//! poisoned mint stays so for as long as the stand-in runs.

use std::collections::BTreeMap;

use hyper::{Response, StatusCode};
use ttm_market::Mint;

use crate::body::Body;
use crate::response::{BUSY_PAGE, as_json, text};

/// The response to any request with a poisoned mint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Poison {
    /// This status, 400 to 599; any other number means 500.
    Status(u16),
    /// 200 and `application/json`, but not JSON.
    Undecodable,
}

/// Bytes that are neither text nor JSON.
const NOT_JSON: &[u8] = b"\xfe\x01{]pairs";

impl Poison {
    /// The response.
    pub(crate) fn answer(self) -> Response<Body> {
        match self {
            Self::Status(status) => {
                let status = StatusCode::from_u16(status).ok().filter(|_| (400..600).contains(&status));
                text(status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), "text/html", BUSY_PAGE)
            }
            Self::Undecodable => as_json(Body::whole(NOT_JSON)),
        }
    }
}

/// The poison of a request for these mints: that of the smallest poisoned one, independent of their order.
pub(crate) fn of(poisoned: &BTreeMap<Mint, Poison>, asked: &[Mint]) -> Option<Poison> {
    let found = asked.iter().filter_map(|mint| poisoned.get_key_value(mint));
    found.min_by_key(|(mint, _)| **mint).map(|(_, poison)| *poison)
}
