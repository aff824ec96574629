//! Answers requests: limits, latency, faults, and the market behind the paths of the API.
//!
//! Independent of sockets: to have its connection reset, a request returns the error [`ResetConnection`].

use std::sync::Arc;

use bytes::Bytes;
use hyper::header::USER_AGENT;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use jiff::Timestamp;
use parking_lot::Mutex;
use ttm_kernel::{Entropy, Moment, Runtime};
use ttm_market::Mint;
use ttm_market::synthetic::{SyntheticMarket, SyntheticPool};

use crate::body::Body;
use crate::fault::Percent;
use crate::limit::SlidingMinute;
use crate::question::Question;
use crate::response::{BUSY_PAGE, RATE_LIMIT_TEXT, as_json, text};
use crate::{Endpoint, ExchangeConfig, ExchangeStats, Outcome, poison, profile, wire};

/// The server has to reset the connection instead of responding.
#[derive(Debug, thiserror::Error)]
#[error("reset by the script")]
pub(crate) struct ResetConnection;

/// The rate limits of the real API, per minute and client address; here all clients share one address.
const REQUESTS_PER_MINUTE: usize = 300;
const PROMOTION_REQUESTS_PER_MINUTE: usize = 60;
/// The maximum number of pairs in a response of `/latest/dex/tokens` or `/token-pairs/v1`.
const MOST_PAIRS: usize = 30;

/// The number of profiles in a response.
const MOST_PROFILES: usize = 30;

/// The API behind all connections.
pub(crate) struct Api {
    config: ExchangeConfig,
    market: SyntheticMarket,
    runtime: Arc<dyn Runtime>,
    latency: Arc<dyn Entropy>,
    fault_entropy: Arc<dyn Entropy>,
    started: Moment,
    books: Mutex<Books>,
}

/// The state between requests.
struct Books {
    stats: ExchangeStats,
    main: SlidingMinute,
    promotion: SlidingMinute,
}

impl Api {
    /// An API whose fault script starts now.
    pub(crate) fn new(config: ExchangeConfig, runtime: Arc<dyn Runtime>) -> Self {
        Self {
            market: SyntheticMarket::new(config.seed, config.tokens),
            latency: runtime.entropy("exchange-latency"),
            fault_entropy: runtime.entropy("exchange-faults"),
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
        let books = self.books.lock();
        ExchangeStats {
            busiest_minute: books.main.busiest(),
            busiest_promotion_minute: books.promotion.busiest(),
            ..books.stats.clone()
        }
    }

    /// Responds to one request, after the latency.
    pub(crate) async fn answer<B>(&self, request: Request<B>) -> Result<Response<Body>, ResetConnection> {
        let now = self.runtime.now();
        let question = Question::read(request.uri().path(), &self.config.chain);
        let fault = self
            .config
            .faults
            .iter()
            .find(|fault| fault.is_active(self.started, now))
            .map(|fault| fault.kind);
        let poison = poison::of(&self.config.poisoned, question.mints());
        let is_faulty = fault.is_some() || poison.is_some();
        let outcome = self.register(now, &question, &request, is_faulty);

        self.runtime.sleep_until(now + self.config.latency.draw(&*self.latency)).await;
        match (outcome, fault, poison) {
            (Outcome::Forbidden, ..) => Ok(text(StatusCode::FORBIDDEN, "text/html", BUSY_PAGE)),
            (Outcome::OverLimit, ..) => {
                Ok(text(StatusCode::TOO_MANY_REQUESTS, "text/plain", RATE_LIMIT_TEXT))
            }
            (Outcome::Faulted, Some(kind), _) => self.misbehave(kind, question).await,
            (Outcome::Faulted, None, Some(poison)) => Ok(poison.answer()),
            (Outcome::Rejected | Outcome::Answered | Outcome::Faulted, ..) => Ok(self.respond(&question)),
        }
    }

    /// Decides the outcome of a request and counts it.
    fn register<B>(
        &self,
        now: Moment,
        question: &Question,
        request: &Request<B>,
        is_faulty: bool,
    ) -> Outcome {
        let endpoint = question.endpoint();
        let mut books = self.books.lock();
        let budget = if endpoint == Endpoint::Promotion { &mut books.promotion } else { &mut books.main };
        let outcome = if !budget.admit(now) {
            Outcome::OverLimit
        } else if !has_user_agent(request.headers()) {
            Outcome::Forbidden
        } else if is_faulty {
            Outcome::Faulted
        } else if endpoint == Endpoint::Unknown || request.method() != Method::GET {
            Outcome::Rejected
        } else {
            Outcome::Answered
        };
        *books.stats.requests.entry((endpoint, outcome)).or_default() += 1;
        if let (Question::Tokens(asked), Outcome::Answered) = (question, outcome) {
            books.stats.batched += asked.len() as u64;
        }
        outcome
    }

    /// The correct response.
    pub(crate) fn respond(&self, question: &Question) -> Response<Body> {
        match question {
            Question::Unknown => text(StatusCode::NOT_FOUND, "text/plain", "not found"),
            known => as_json(Body::whole(self.json(known))),
        }
    }

    /// The body of the correct response.
    pub(crate) fn json(&self, question: &Question) -> Bytes {
        self.json_at(question, self.runtime.wall())
    }

    /// The body of the response that was correct at this time.
    pub(crate) fn json_at(&self, question: &Question, at: Timestamp) -> Bytes {
        match question {
            Question::Tokens(asked) => self
                .list(&asked.iter().filter_map(|mint| self.market.primary_of(mint, at)).collect::<Vec<_>>()),
            Question::TokenPairs(asked) => self.list(&self.pools(asked, at)),
            Question::LatestTokens(asked) => {
                let pools = self.pools(asked, at);
                let pairs = pools.iter().map(|pool| wire::pair(&self.config.chain, pool)).collect();
                let pairs = (!pools.is_empty()).then_some(pairs);
                wire::to_bytes(&wire::Envelope { schema_version: "1.0.0", pairs })
            }
            Question::Profiles => self.profiles(at),
            Question::Boosts => Bytes::from_static(b"[]"),
            Question::Orders => Bytes::from_static(br#"{"orders":[],"boosts":[]}"#),
            Question::Unknown => Bytes::new(),
        }
    }

    /// All pools of some mints, without the limit of a response.
    pub(crate) fn all_pools(&self, asked: &[Mint]) -> Bytes {
        let at = self.runtime.wall();
        self.list(&asked.iter().flat_map(|mint| self.market.pools_of(mint, at)).collect::<Vec<_>>())
    }

    /// True with this probability.
    pub(crate) fn happens(&self, share: Percent) -> bool {
        self.fault_entropy.below(100) < u64::from(share)
    }

    pub(crate) const fn runtime(&self) -> &Arc<dyn Runtime> {
        &self.runtime
    }

    /// The pools of some mints, up to the limit of a response.
    fn pools(&self, asked: &[Mint], at: Timestamp) -> Vec<SyntheticPool> {
        asked.iter().flat_map(|mint| self.market.pools_of(mint, at)).take(MOST_PAIRS).collect()
    }

    fn list(&self, pools: &[SyntheticPool]) -> Bytes {
        wire::to_bytes(&pools.iter().map(|pool| wire::pair(&self.config.chain, pool)).collect::<Vec<_>>())
    }

    /// The newest profiles first, with a new one every minute; after the last token, the first one gets a new profile.
    fn profiles(&self, at: Timestamp) -> Bytes {
        let minutes = usize::try_from(at.as_second().max(0) / 60).unwrap_or(0);
        let oldest = minutes.checked_rem(self.config.tokens).unwrap_or(0);
        let latest = self
            .market
            .mints()
            .chain(self.market.mints())
            .skip(oldest)
            .take(MOST_PROFILES.min(self.config.tokens));
        let mut listed: Vec<Mint> = latest.filter(|mint| self.market.is_listed(mint)).collect();
        listed.reverse();
        profile::list(&self.config.chain, &listed)
    }
}

/// Whether a request has a `User-Agent`; the real API refuses requests without one.
fn has_user_agent(headers: &HeaderMap) -> bool {
    headers.get(USER_AGENT).is_some_and(|value| !value.as_bytes().trim_ascii().is_empty())
}
