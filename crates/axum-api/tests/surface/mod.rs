//! The router over fakes, called in memory: no socket, and a manual clock.
#![allow(dead_code, reason = "each test file uses a part of it")]

pub(crate) mod alerts;
pub(crate) mod orders;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use ttm_kernel::StoreError;

use async_trait::async_trait;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use jiff::Timestamp;
use serde_json::Value;
use tower::ServiceExt;
use ttm_alert::AlertControl;
use ttm_alert::testing::MockAlertControl;
use ttm_axum_api::{AckLinks, ApiConfig, ApiState, Controls, Stores, router};
use ttm_breaker::testing::FakeBreakerControl;
use ttm_health::testing::{FakeHealthView, healthy_facts};
use ttm_health::{Facts, Thresholds, assess};
use ttm_market::{
    MarketConfig, MarketSettings, Mint, Token, TokenIndex, TokenPage, TokenQuery, TokenRow, TokenView,
};
use ttm_perf::testing::{FakeEventStore, FakeMetricStore};
use ttm_perf::{Appended, MetricStore, Point, RangeQuery, Sample, SeriesKey};
use ttm_recovery::RecoveryControl;
use ttm_recovery::testing::MockRecoveryControl;
use ttm_testkit::{ManualRuntime, Recorder};

pub(crate) const LOOPBACK: &str = "127.0.0.1:8080";
pub(crate) const PUBLIC: &str = "0.0.0.0:8080";
/// The second is named as those of a registry are.
pub(crate) const BREAKERS: [&str; 2] = ["dexscreener", "dexscreener/token-pairs"];
pub(crate) const TOKEN: &str = "correct horse battery staple";

/// The router and the fakes behind it.
pub(crate) struct Surface {
    pub(crate) runtime: ManualRuntime,
    pub(crate) health: FakeHealthView,
    pub(crate) history: FakeMetricStore,
    pub(crate) events: FakeEventStore,
    pub(crate) breakers: Arc<FakeBreakerControl>,
    pub(crate) served: Arc<Recorder<(String, Duration)>>,
    listen: SocketAddr,
    token: Option<String>,
    links: Option<AckLinks>,
    state: ApiState,
}

/// A response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Surface {
    /// On loopback, with a healthy service and these tokens.
    pub(crate) fn new(tokens: Vec<Token>) -> Self {
        let runtime = ManualRuntime::new(1);
        let health = FakeHealthView::new(assess(&healthy_facts(), &Thresholds::default()));
        let (history, events) = (FakeMetricStore::new(), FakeEventStore::new());
        let breakers = Arc::new(FakeBreakerControl::new(BREAKERS, Timestamp::UNIX_EPOCH));
        let served = Arc::new(Recorder::default());
        let recorder = served.clone();
        let state = ApiState {
            health: Arc::new(health.clone()),
            tokens: Arc::new(Tokens::new(tokens)),
            stores: opened(Arc::new(history.clone()), Arc::new(events.clone())),
            controls: controls(&breakers, MockRecoveryControl::new(), MockAlertControl::new()),
            own_series: Arc::new(|asked| match asked.labels().next() {
                None if asked.name().starts_with("resource.") => asked.with_label("instance", "fra1").ok(),
                _ => None,
            }),
            served: Arc::new(move |route, took| recorder.record((route.to_owned(), took))),
            event_kinds: &["breaker.changed", "service.started", "token.archived"],
            runtime: Arc::new(runtime.clone()),
            metrics: Arc::new(|| "ttm_uptime_seconds 1\n".to_owned()),
        };
        let listen = LOOPBACK.parse().expect("an address");
        Self { runtime, health, history, events, breakers, served, listen, token: None, links: None, state }
    }

    /// The same on another listener.
    pub(crate) fn on(mut self, listen: &str, token: Option<&str>) -> Self {
        self.listen = listen.parse().expect("an address");
        self.token = token.map(str::to_owned);
        self
    }

    /// The same on another history.
    pub(crate) fn over(mut self, history: Arc<dyn MetricStore>) -> Self {
        self.state.stores = opened(history, Arc::new(self.events.clone()));
        self
    }

    /// The same with self-healing that does as it is told.
    pub(crate) fn with_recovery(mut self, recovery: impl RecoveryControl + 'static) -> Self {
        self.state.controls = controls(&self.breakers, recovery, MockAlertControl::new());
        self
    }

    /// The same with these alerts.
    pub(crate) fn with_alerts(mut self, alerts: impl AlertControl + 'static) -> Self {
        self.state.controls = controls(&self.breakers, MockRecoveryControl::new(), alerts);
        self
    }

    /// The same with links that acknowledge alerts.
    pub(crate) fn with_links(mut self, links: AckLinks) -> Self {
        self.links = Some(links);
        self
    }

    /// The same with a count of how often the metrics were rendered.
    pub(crate) fn counting(mut self, written: &Arc<AtomicUsize>) -> Self {
        let written = written.clone();
        self.state.metrics = Arc::new(move || {
            written.fetch_add(1, Ordering::Relaxed);
            String::new()
        });
        self
    }

    /// The same before the stores are open.
    pub(crate) fn starting(mut self) -> Self {
        (self.state.stores, self.state.controls) = (Arc::default(), Arc::default());
        self
    }

    /// Publishes the report of healthy facts that were changed.
    pub(crate) fn publish(&self, change: impl FnOnce(&mut Facts)) {
        let mut facts = healthy_facts();
        change(&mut facts);
        self.health.publish(assess(&facts, &Thresholds::default()));
    }

    pub(crate) fn router(&self) -> axum::Router {
        let config = ApiConfig::new(self.listen, self.token.clone().map(Into::into));
        router(self.state.clone(), config.with_ack_links(self.links.clone()))
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, &[])
    }

    pub(crate) fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if headers.iter().all(|(name, _)| *name != "host") {
            request = request.header("host", "localhost");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Body::empty()).expect("a request"))
    }

    pub(crate) fn send(&self, request: Request<Body>) -> Answer {
        let router = self.router();
        self.runtime.block_on(async {
            let response = router.oneshot(request).await.expect("the router never fails");
            let (parts, body) = response.into_parts();
            let bytes = body.collect().await.expect("a body in memory").to_bytes();
            let body = String::from_utf8(bytes.to_vec()).expect("text");
            Answer { status: parts.status, headers: parts.headers, body }
        })
    }
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("ASCII"))
    }

    /// The detail of a problem document, after checking its other fields.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{}", self.body);
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        let problem = self.json();
        assert_eq!(keys(&problem), ["detail", "status", "title", "type"]);
        assert_eq!(problem["status"], status);
        assert_eq!(problem["title"].as_str(), self.status.canonical_reason());
        problem["detail"].as_str().expect("a sentence").to_owned()
    }
}

/// The names in an object, ascending.
pub(crate) fn keys(object: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = object.as_object().expect("an object").keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

/// Whether an object has all of these names.
#[track_caller]
pub(crate) fn assert_has(object: &Value, names: &str) {
    for name in names.split([' ', ',']).filter(|name| !name.is_empty()) {
        assert!(object.get(name).is_some(), "{name} is missing in {object}");
    }
}

fn opened(history: Arc<dyn MetricStore>, events: Arc<FakeEventStore>) -> Arc<OnceLock<Stores>> {
    Arc::new(OnceLock::from(Stores { history, events }))
}

fn controls(
    breakers: &Arc<FakeBreakerControl>,
    recovery: impl RecoveryControl + 'static,
    alerts: impl AlertControl + 'static,
) -> Arc<OnceLock<Controls>> {
    let (recovery, alerts) = (Arc::new(recovery), Arc::new(alerts));
    Arc::new(OnceLock::from(Controls { breakers: breakers.clone(), recovery, alerts }))
}

struct Tokens(TokenIndex);

impl Tokens {
    fn new(tokens: Vec<Token>) -> Self {
        let mut index = TokenIndex::new(Self::config());
        for token in tokens {
            index.insert(Arc::new(token));
        }
        Self(index)
    }

    /// From a smoothed score of 0.55 on, tokens are hot.
    fn config() -> MarketConfig {
        let settings = MarketSettings { hot_threshold: 0.55, ..MarketSettings::default() };
        MarketConfig::try_new(settings).expect("valid settings")
    }

    /// Two and a half seconds after the first minute.
    fn now() -> Timestamp {
        Timestamp::from_millisecond(62_500).expect("in range")
    }
}

impl TokenView for Tokens {
    fn page(&self, query: &TokenQuery) -> TokenPage {
        let (tokens, next) = self.0.page(query);
        let row = |token| ttm_market::row(token, Self::now(), self.0.config());
        TokenPage { tokens: tokens.iter().map(|token| row(token)).collect(), next }
    }

    fn get(&self, mint: &Mint) -> Option<TokenRow> {
        Some(ttm_market::row(self.0.get(mint)?, Self::now(), self.0.config()))
    }
}

/// A history that never answers.
pub(crate) struct Hanging;

#[async_trait]
impl MetricStore for Hanging {
    async fn append(&self, _samples: &[Sample]) -> Result<Appended, StoreError> {
        std::future::pending().await
    }

    async fn range(&self, _query: &RangeQuery) -> Result<Vec<Point>, StoreError> {
        std::future::pending().await
    }

    async fn series(
        &self,
        _prefix: &str,
        _after: Option<SeriesKey>,
        _limit: usize,
    ) -> Result<Vec<SeriesKey>, StoreError> {
        std::future::pending().await
    }
}
