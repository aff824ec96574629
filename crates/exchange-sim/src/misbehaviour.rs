//! The response of each fault.

use std::future::pending;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use hyper::header::{HeaderName, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use serde_json::{Map, Value, json};

use crate::answer::{Api, ResetConnection};
use crate::body::Body;
use crate::question::Question;
use crate::response::{BUSY_PAGE, RATE_LIMIT_TEXT, answer, as_json, text};
use crate::{FaultKind, wire};

const NULL_PAIRS: &str = r#"{"schemaVersion":"1.0.0","pairs":null}"#;
const CHALLENGE_PAGE: &str = "<!DOCTYPE html><html lang=\"en-US\"><head><title>Just a moment...</title>\
     <meta name=\"robots\" content=\"noindex,nofollow\"></head><body><noscript>Enable JavaScript and cookies to \
     continue</noscript><script src=\"/cdn-cgi/challenge-platform/h/b/orchestrate/chl_page/v1\"></script></body></html>";
/// Twice what a client reads by default.
const TOO_MANY_BLANKS: usize = 8 * 1_024 * 1_024;
/// The optional keys of a pair; the reference allows `null` for them.
const OPTIONAL_KEYS: [&str; 8] =
    ["priceUsd", "liquidity", "fdv", "marketCap", "pairCreatedAt", "labels", "info", "boosts"];

impl Api {
    /// The response of a fault to a request.
    pub(crate) async fn misbehave(
        &self,
        kind: FaultKind,
        question: Question,
    ) -> Result<Response<Body>, ResetConnection> {
        Ok(match kind {
            FaultKind::Unavailable => text(StatusCode::SERVICE_UNAVAILABLE, "text/html", BUSY_PAGE),
            FaultKind::ServerError { status } => {
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                text(status, "text/html", BUSY_PAGE)
            }
            FaultKind::Challenge => {
                let mut response = text(StatusCode::FORBIDDEN, "text/html", CHALLENGE_PAGE);
                let header = HeaderName::from_static("cf-mitigated");
                response.headers_mut().insert(header, HeaderValue::from_static("challenge"));
                response
            }
            FaultKind::RateLimited { retry_after } => limited("text/html", BUSY_PAGE, retry_after),
            FaultKind::RateLimitedText { retry_after } => limited("text/plain", RATE_LIMIT_TEXT, retry_after),
            FaultKind::Hang => pending().await,
            FaultKind::SlowDrip => as_json(Body::drip(self.json(&question), Arc::clone(self.runtime()))),
            FaultKind::Truncate => as_json(Body::cut(self.json(&question))),
            FaultKind::Malformed => {
                let mut body = self.json(&question);
                as_json(Body::whole(body.split_to(body.len() / 2)))
            }
            FaultKind::Nulls => as_json(Body::whole(NULL_PAIRS)),
            FaultKind::FlakyNulls(share) if self.happens(share) => as_json(Body::whole(NULL_PAIRS)),
            FaultKind::EmptyBatch(share) if question.is_batch() && self.happens(share) => {
                as_json(Body::whole("[]"))
            }
            FaultKind::FlakyNulls(_) | FaultKind::EmptyBatch(_) => self.respond(&question),
            FaultKind::Html => text(StatusCode::OK, "text/html", BUSY_PAGE),
            FaultKind::WrongType => answer(StatusCode::OK, "text/html", Body::whole(self.json(&question))),
            FaultKind::TooLarge => as_json(Body::whole(padded(&self.json(&question)))),
            FaultKind::HalfBatch => self.respond(&question.halved()),
            FaultKind::Delisted(share) => {
                let known =
                    |mint: &ttm_market::Mint| wire::roll(&mint.to_string()) * 100.0 >= f64::from(share);
                self.respond(&question.only(known))
            }
            FaultKind::Stale(age) => {
                let then = self.runtime().wall().checked_sub(age).unwrap_or(jiff::Timestamp::MIN);
                as_json(Body::whole(self.json_at(&question, then)))
            }
            FaultKind::ExtraPairs => as_json(Body::whole(self.with_extra_pairs(&question))),
            FaultKind::BadPairs(share) => as_json(Body::whole(rewritten(&self.json(&question), |pair| {
                if self.happens(share) {
                    spoil(pair, self.happens(50));
                }
            }))),
            FaultKind::OddKeys => as_json(Body::whole(rewritten(&self.json(&question), add_odd_keys))),
            FaultKind::Reset => return Err(ResetConnection),
        })
    }

    /// All pools of a batch, preceded by one of another chain.
    fn with_extra_pairs(&self, question: &Question) -> Bytes {
        let Question::Tokens(asked) = question else { return self.json(question) };
        let everything = self.all_pools(asked);
        let mut pairs: Vec<Value> = serde_json::from_slice(&everything).unwrap_or_default();
        if let Some(mut foreign) = pairs.first().cloned() {
            foreign["chainId"] = json!("ethereum");
            foreign["baseToken"]["address"] = json!("0x6982508145454Ce325dDbE47a25d4ec3d2311933");
            pairs.insert(0, foreign);
        }
        wire::to_bytes(&pairs)
    }
}

fn limited(
    content_type: &'static str,
    body: &'static str,
    retry_after: Option<std::time::Duration>,
) -> Response<Body> {
    let mut response = text(StatusCode::TOO_MANY_REQUESTS, content_type, body);
    if let Some(wait) = retry_after {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait.as_secs()));
    }
    response
}

/// Trailing blanks keep the JSON valid, so only the size is wrong.
fn padded(body: &Bytes) -> Bytes {
    let mut padded = BytesMut::with_capacity(body.len() + TOO_MANY_BLANKS);
    padded.extend_from_slice(body);
    padded.resize(body.len() + TOO_MANY_BLANKS, b' ');
    padded.freeze()
}

/// Changes every pair of a body; a body without pairs is unchanged.
fn rewritten(body: &Bytes, mut change: impl FnMut(&mut Map<String, Value>)) -> Bytes {
    let Ok(mut tree) = serde_json::from_slice::<Value>(body) else { return body.clone() };
    let pairs = if tree.is_array() { tree.as_array_mut() } else { tree["pairs"].as_array_mut() };
    pairs.into_iter().flatten().filter_map(Value::as_object_mut).for_each(&mut change);
    wire::to_bytes(&tree)
}

fn spoil(pair: &mut Map<String, Value>, in_its_price: bool) {
    if in_its_price {
        pair.insert("priceUsd".to_owned(), json!("NaN"));
    } else {
        pair.insert("baseToken".to_owned(), json!({ "address": "0OIl", "name": "?", "symbol": "?" }));
    }
}

fn add_odd_keys(pair: &mut Map<String, Value>) {
    for key in OPTIONAL_KEYS {
        pair.entry(key).or_insert(Value::Null);
    }
    if pair.get("priceChange") == Some(&json!({})) {
        pair.insert("priceChange".to_owned(), Value::Null);
    }
    pair.insert("moonshot".to_owned(), json!({ "progress": 99.5, "creator": null, "pairs": [1, "2", {}] }));
    if let Some(Value::Object(token)) = pair.get_mut("baseToken") {
        token.insert("decimals".to_owned(), json!(6));
    }
}
