//! From a request to its answer: limits, latency, faults, and the market behind the API's paths.
//!
//! It knows no sockets; what only a socket can do (resetting it) it asks for with [`ResetConnection`].

use std::future::pending;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, USER_AGENT};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use ttm_kernel::{Entropy, Moment, Runtime};
use ttm_market::synthetic::{SyntheticMarket, SyntheticPool};
use ttm_market::{MAX_BATCH, Mint};

use crate::body::Body;
use crate::limit::SlidingMinute;
use crate::{Endpoint, ExchangeConfig, ExchangeStats, FaultKind, Outcome, wire};

/// The server is to drop the connection without an answer.
#[derive(Debug, thiserror::Error)]
#[error("reset by the script")]
pub(crate) struct ResetConnection;

/// The limits of the real API, per minute and address; everyone comes from one address here.
const REQUESTS_PER_MINUTE: usize = 300;
const PROMOTION_REQUESTS_PER_MINUTE: usize = 60;
/// `/latest/dex/tokens` answers so many pairs in all, `/token-pairs/v1` so many of one token.
const MOST_PAIRS: usize = 30;

const RATE_LIMIT_TEXT: &str = "error code: 1015";
const BUSY_PAGE: &str =
    "<!DOCTYPE html><html><head><title>Error</title></head><body>Try again later.</body></html>";
const NULL_PAIRS: &str = r#"{"schemaVersion":"1.0.0","pairs":null}"#;

/// The API's side of every connection.
pub(crate) struct Api {
    config: ExchangeConfig,
    market: SyntheticMarket,
    runtime: Arc<dyn Runtime>,
    latency: Arc<dyn Entropy>,
    started: Moment,
    books: Mutex<Books>,
}

/// What is remembered between requests.
struct Books {
    stats: ExchangeStats,
    main: SlidingMinute,
    promotion: SlidingMinute,
}

/// A path that was understood.
enum Question {
    Tokens(Vec<Mint>),
    TokenPairs(Vec<Mint>),
    LatestTokens(Vec<Mint>),
    Profiles,
    Orders,
    Unknown,
}

impl Question {
    /// Reads a path. What is no mint is as unknown as a mint that nobody listed, and so is everything on another chain;
    /// addresses beyond the thirtieth are dropped.
    fn read(path: &str, chain: &str) -> Self {
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        let on_chain = |asked: &str, list: &str| if asked == chain { mints(list) } else { Vec::new() };
        match segments[..] {
            ["tokens", "v1", asked, list] => Self::Tokens(on_chain(asked, list)),
            ["token-pairs", "v1", asked, address] => Self::TokenPairs(on_chain(asked, address)),
            ["latest", "dex", "tokens", list] => Self::LatestTokens(mints(list)),
            ["token-profiles", "latest", "v1"] | ["token-boosts", "latest" | "top", "v1"] => Self::Profiles,
            ["orders", "v1", _, _] => Self::Orders,
            _ => Self::Unknown,
        }
    }

    const fn endpoint(&self) -> Endpoint {
        match self {
            Self::Tokens(_) => Endpoint::Tokens,
            Self::TokenPairs(_) => Endpoint::TokenPairs,
            Self::LatestTokens(_) => Endpoint::LatestTokens,
            Self::Profiles | Self::Orders => Endpoint::Promotion,
            Self::Unknown => Endpoint::Unknown,
        }
    }
}

fn mints(list: &str) -> Vec<Mint> {
    list.split(',').take(MAX_BATCH).filter_map(|address| address.parse().ok()).collect()
}

impl Api {
    /// An API whose script starts now.
    pub(crate) fn new(config: ExchangeConfig, runtime: Arc<dyn Runtime>) -> Self {
        Self {
            market: SyntheticMarket::new(config.seed, config.tokens),
            latency: runtime.entropy("exchange-latency"),
            started: runtime.now(),
            books: Mutex::new(Books {
                stats: ExchangeStats::default(),
                main: SlidingMinute::new(REQUESTS_PER_MINUTE),
                promotion: SlidingMinute::new(PROMOTION_REQUESTS_PER_MINUTE),
            }),
            config,
            runtime,
        }
    }

    /// The market that it serves.
    pub(crate) const fn market(&self) -> SyntheticMarket {
        self.market
    }

    /// The counts so far.
    pub(crate) fn stats(&self) -> ExchangeStats {
        let books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        ExchangeStats {
            busiest_minute: books.main.busiest(),
            busiest_promotion_minute: books.promotion.busiest(),
            ..books.stats.clone()
        }
    }

    /// Answers one request, after the latency.
    pub(crate) async fn answer<B>(&self, request: Request<B>) -> Result<Response<Body>, ResetConnection> {
        let now = self.runtime.now();
        let question = Question::read(request.uri().path(), &self.config.chain);
        let fault =
            self.config.faults.iter().find(|fault| fault.is_on(self.started, now)).map(|fault| fault.kind);
        let outcome = self.register(now, &question, &request, fault);

        self.runtime.sleep_until(now + self.config.latency.draw(&*self.latency)).await;
        match (outcome, fault) {
            (Outcome::Forbidden, _) => Ok(text(StatusCode::FORBIDDEN, "text/html", BUSY_PAGE)),
            (Outcome::OverLimit, _) => Ok(text(StatusCode::TOO_MANY_REQUESTS, "text/plain", RATE_LIMIT_TEXT)),
            (Outcome::Faulted, Some(kind)) => self.go_wrong(kind, question).await,
            (Outcome::Rejected | Outcome::Answered | Outcome::Faulted, _) => Ok(self.tell(question)),
        }
    }

    /// Decides how a request ends and writes that down.
    fn register<B>(
        &self,
        now: Moment,
        question: &Question,
        request: &Request<B>,
        fault: Option<FaultKind>,
    ) -> Outcome {
        let endpoint = question.endpoint();
        let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        let budget = if endpoint == Endpoint::Promotion { &mut books.promotion } else { &mut books.main };
        let outcome = if !budget.admit(now) {
            Outcome::OverLimit
        } else if !names_itself(request.headers()) {
            Outcome::Forbidden
        } else if fault.is_some() {
            Outcome::Faulted
        } else if endpoint == Endpoint::Unknown || request.method() != Method::GET {
            Outcome::Rejected
        } else {
            Outcome::Answered
        };
        *books.stats.requests.entry((endpoint, outcome)).or_default() += 1;
        outcome
    }

    /// What the script makes of a request.
    async fn go_wrong(&self, kind: FaultKind, question: Question) -> Result<Response<Body>, ResetConnection> {
        Ok(match kind {
            FaultKind::Unavailable => text(StatusCode::SERVICE_UNAVAILABLE, "text/html", BUSY_PAGE),
            FaultKind::RateLimited { retry_after } => {
                let mut response = text(StatusCode::TOO_MANY_REQUESTS, "text/html", BUSY_PAGE);
                if let Some(wait) = retry_after {
                    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait.as_secs()));
                }
                response
            }
            FaultKind::Hang => pending().await,
            FaultKind::SlowDrip => json(Body::drip(self.json(question), Arc::clone(&self.runtime))),
            FaultKind::Truncate => json(Body::cut(self.json(question))),
            FaultKind::Nulls => json(Body::whole(NULL_PAIRS)),
            FaultKind::Html => text(StatusCode::OK, "text/html", BUSY_PAGE),
            FaultKind::HalfBatch => self.tell(halved(question)),
            FaultKind::Reset => return Err(ResetConnection),
        })
    }

    /// The true answer.
    fn tell(&self, question: Question) -> Response<Body> {
        match question {
            Question::Unknown => text(StatusCode::NOT_FOUND, "text/plain", "not found"),
            known => json(Body::whole(self.json(known))),
        }
    }

    /// The body of the true answer.
    fn json(&self, question: Question) -> Bytes {
        let at = self.runtime.wall();
        match question {
            Question::Tokens(asked) => self
                .list(&asked.iter().filter_map(|mint| self.market.primary_of(mint, at)).collect::<Vec<_>>()),
            Question::TokenPairs(asked) => self.list(&self.pools(&asked)),
            Question::LatestTokens(asked) => {
                let pools = self.pools(&asked);
                let pairs = pools.iter().map(|pool| wire::pair(&self.config.chain, pool)).collect();
                let pairs = (!pools.is_empty()).then_some(pairs);
                to_json(&wire::Envelope { schema_version: "1.0.0", pairs })
            }
            Question::Profiles => Bytes::from_static(b"[]"),
            Question::Orders => Bytes::from_static(br#"{"orders":[],"boosts":[]}"#),
            Question::Unknown => Bytes::new(),
        }
    }

    /// All pools of some mints, as many as one answer holds.
    fn pools(&self, asked: &[Mint]) -> Vec<SyntheticPool> {
        let at = self.runtime.wall();
        asked.iter().flat_map(|mint| self.market.pools_of(mint, at)).take(MOST_PAIRS).collect()
    }

    fn list(&self, pools: &[SyntheticPool]) -> Bytes {
        to_json(&pools.iter().map(|pool| wire::pair(&self.config.chain, pool)).collect::<Vec<_>>())
    }
}

/// Whether a request has a `User-Agent`; the real API refuses those without.
fn names_itself(headers: &HeaderMap) -> bool {
    headers.get(USER_AGENT).is_some_and(|value| !value.as_bytes().trim_ascii().is_empty())
}

/// A batch without its second half.
fn halved(question: Question) -> Question {
    match question {
        Question::Tokens(mut asked) if asked.len() > 1 => {
            asked.truncate(asked.len() / 2);
            Question::Tokens(asked)
        }
        other => other,
    }
}

fn to_json<T: serde::Serialize>(value: &T) -> Bytes {
    serde_json::to_vec(value).expect("finite numbers and text are always JSON").into()
}

fn json(body: Body) -> Response<Body> {
    answer(StatusCode::OK, "application/json; charset=utf-8", body)
}

fn text(status: StatusCode, content_type: &'static str, text: &'static str) -> Response<Body> {
    answer(status, content_type, Body::whole(text))
}

fn answer(status: StatusCode, content_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
