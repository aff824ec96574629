//! What applies to every request: access, unknown methods and paths, limits, panics, headers.

mod surface;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use ttm_kernel::StoreError;

use async_trait::async_trait;
use axum::body::Body;
use axum::http::{Method, Request, Version};
use surface::{Hanging, PUBLIC, Surface, TOKEN, keys};
use tower::ServiceExt;
use ttm_perf::{Appended, MetricStore, Point, RangeQuery, Sample, SeriesKey};

const HEALTH: [&str; 6] = [
    "/health",
    "/health/detailed",
    "/health/scheduler",
    "/health/resources",
    "/health/apis",
    "/health/data-freshness",
];

fn public() -> Surface {
    Surface::new(Vec::new()).on(PUBLIC, Some(TOKEN))
}

#[test]
fn without_the_token_a_public_listener_shows_the_status_of_health_alone() {
    let surface = public();
    for path in HEALTH.into_iter().chain(["/health/live", "/health/ready", "/health/startup"]) {
        let answer = surface.get(path);
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(keys(&answer.json()), ["status"], "{path}");
    }
    surface.publish(|facts| facts.store.uses[0].losing = true);
    let answer = surface.get("/health");
    assert_eq!((answer.status.as_u16(), &*answer.body), (503, r#"{"status":"fail"}"#));
}

#[test]
fn without_the_token_a_public_listener_refuses_everything_but_health() {
    for surface in [public(), Surface::new(Vec::new()).on(PUBLIC, None)] {
        for path in ["/metrics", "/api/v1/tokens", "/api/v1/metrics/a", "/nothing", "/healthy"] {
            for headers in [&[][..], &[("authorization", "Bearer wrong")], &[("authorization", "Bearer ")]] {
                let answer = surface.ask(Method::GET, path, headers);
                answer.problem(401);
                assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
            }
        }
    }
}

#[test]
fn the_token_opens_a_public_listener() {
    let surface = public();
    let bearer = format!("Bearer {TOKEN}");
    let ask = |path: &str| surface.ask(Method::GET, path, &[("authorization", &bearer)]);
    for path in ["/metrics", "/api/v1/tokens", "/api/v1/metrics"] {
        assert_eq!(ask(path).status, 200, "{path}");
    }
    for path in HEALTH {
        assert!(keys(&ask(path).json()).len() > 1, "{path}");
    }
}

#[test]
fn a_loopback_listener_is_open_to_read_until_there_is_a_token() {
    for listen in ["127.0.0.1:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
        let open = Surface::new(Vec::new()).on(listen, None);
        assert_eq!(open.get("/api/v1/tokens").status, 200, "{listen}");
        let guarded = Surface::new(Vec::new()).on(listen, Some(TOKEN));
        guarded.get("/api/v1/tokens").problem(401);
        assert_eq!(keys(&guarded.get("/health/detailed").json()), ["status"], "{listen}");
        let bearer = format!("Bearer {TOKEN}");
        let answer = guarded.ask(Method::GET, "/api/v1/tokens", &[("authorization", &bearer)]);
        assert_eq!(answer.status, 200, "{listen}");
    }
}

#[test]
fn an_open_listener_accepts_only_hosts_of_this_machine() {
    let surface = Surface::new(Vec::new());
    let under = |host: &str, path: &str| surface.ask(Method::GET, path, &[("host", host)]);
    for host in ["localhost:8080", "127.0.0.1:8080", "[::1]", "LOCALHOST", "ttm.localhost:99"] {
        assert_eq!(under(host, "/api/v1/tokens").status, 200, "{host}");
    }
    for host in
        ["evil.example", "evil.example:8080", "localhost.evil.example", "192.0.2.1:8080", "127.0.0.1.nip.io"]
    {
        for path in ["/api/v1/tokens", "/health", "/health/live", "/nothing"] {
            let sentence = under(host, path).problem(421);
            assert!(sentence.contains("api.token_file"), "{sentence}");
        }
    }
    // The authority of the target takes precedence over the header.
    under("localhost", "http://evil.example/health").problem(421);
    assert_eq!(under("evil.example", "http://localhost/health").status, 200);
    assert_eq!(public().ask(Method::GET, "/health", &[("host", "ttm.example")]).status, 200);
}

#[test]
fn a_request_has_exactly_one_valid_host() {
    let surface = Surface::new(Vec::new());
    let without = |version| {
        let request = Request::get("/health/live").version(version).body(Body::empty()).expect("a request");
        surface.send(request)
    };
    let sentence = without(Version::HTTP_11).problem(400);
    assert_eq!(sentence, "the header Host is missing; HTTP/1.1 requires it");
    assert_eq!(without(Version::HTTP_10).status, 200);
    for hosts in [&[("host", "localhost"), ("host", "localhost")][..], &[("host", "")], &[("host", "a b")]] {
        surface.ask(Method::GET, "/health/live", hosts).problem(400);
    }
    let sentence = surface.ask(Method::GET, "/health", &[("host", "me@localhost")]).problem(400);
    assert_eq!(sentence, "the header Host is \"me@localhost\", expected a host or host:port");
}

#[test]
fn a_second_authorization_is_refused_on_every_path() {
    let surface = public();
    for path in ["/api/v1/tokens", "/health/live"] {
        let twice = [("authorization", "Bearer one"), ("authorization", "Bearer other")];
        let sentence = surface.ask(Method::GET, path, &twice).problem(400);
        assert_eq!(sentence, "the header Authorization is given twice");
    }
}

#[test]
fn a_request_that_is_too_large_is_a_problem_with_its_status() {
    let surface = Surface::new(Vec::new());
    let sentence = surface.get(&format!("/api/v1/tokens?cursor={}", "x".repeat(9000))).problem(414);
    assert_eq!(sentence, "the target has 9022 bytes, expected at most 8192");
    let large = Request::post("/api/v1/tokens").header("host", "localhost").body(Body::from(vec![0; 70_000]));
    let sentence = surface.send(large.expect("a request")).problem(413);
    assert_eq!(sentence, "the body has 70000 bytes, expected at most 65536");
}

#[test]
fn an_unknown_path_is_a_problem_that_lists_the_known_ones() {
    let surface = Surface::new(Vec::new());
    for path in ["/nothing", "/health/nothing", "/api/v1/tokens/a/b"] {
        let sentence = surface.get(path).problem(404);
        assert!(sentence.starts_with(&format!("no such path \"{path}\"")), "{sentence}");
    }
}

#[test]
fn every_response_has_the_time_of_the_service_s_own_clock() {
    let surface = Surface::new(Vec::new());
    for path in ["/health/live", "/nothing", "/api/v1/tokens?limit=x"] {
        assert_eq!(surface.get(path).header("date"), Some("Thu, 01 Jan 1970 00:00:00 GMT"), "{path}");
    }
}

#[test]
fn an_unsupported_method_is_a_problem_with_an_allow_header() {
    let surface = Surface::new(Vec::new());
    for path in HEALTH.into_iter().chain(["/metrics", "/api/v1/tokens", "/api/v1/metrics/a"]) {
        for method in [Method::POST, Method::DELETE] {
            let answer = surface.ask(method, path, &[]);
            answer.problem(405);
            assert_eq!(answer.header("allow"), Some("GET,HEAD"), "{path}");
        }
    }
}

#[test]
fn head_is_get_without_a_body() {
    let surface = Surface::new(Vec::new());
    surface.publish(|facts| facts.store.uses[0].losing = true);
    for (path, code) in [("/health/ready", 503), ("/health/live", 200), ("/metrics", 200)] {
        let answer = surface.ask(Method::HEAD, path, &[]);
        assert_eq!((answer.status.as_u16(), &*answer.body), (code, ""), "{path}");
    }
}

#[test]
fn every_response_has_the_security_headers_and_is_not_cached() {
    let surface = public();
    for path in ["/health", "/nothing"] {
        let answer = surface.get(path);
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(
            answer.header("content-security-policy"),
            Some("default-src 'none'; frame-ancestors 'none'")
        );
    }
}

#[test]
fn requests_above_the_limit_are_shed_and_health_is_not() {
    let surface = Surface::new(Vec::new()).over(Arc::new(Hanging));
    let router = surface.router();
    surface.runtime.block_on(async {
        let ask = |path: &str| {
            let request =
                Request::get(path).header("host", "localhost").body(Body::empty()).expect("a request");
            Box::pin(router.clone().oneshot(request))
        };
        let mut flood: Vec<_> = (0..64).map(|_| ask("/api/v1/metrics/a")).collect();
        for request in &mut flood {
            assert!(is_pending(request).await, "the store hangs");
        }
        let shed = ask("/api/v1/tokens").await.expect("an answer");
        assert_eq!((shed.status().as_u16(), shed.headers()["retry-after"].as_bytes()), (503, &b"1"[..]));
        assert_eq!(ask("/health").await.expect("an answer").status(), 200);
        drop(flood);
        assert_eq!(ask("/api/v1/tokens").await.expect("an answer").status(), 200, "the slots are free again");
    });
}

#[test]
fn the_response_after_a_panic_does_not_contain_its_message() {
    let surface = Surface::new(Vec::new()).over(Arc::new(Panicking));
    let sentence = surface.get("/api/v1/metrics/a").problem(500);
    assert_eq!(sentence, "internal error; the log of the service has the details");
}

/// Polls a future once; whether it is pending.
async fn is_pending<F: Future + Unpin>(future: &mut F) -> bool {
    std::future::poll_fn(|cx| std::task::Poll::Ready(std::pin::Pin::new(&mut *future).poll(cx).is_pending()))
        .await
}

/// A history with a defect.
struct Panicking;

#[async_trait]
impl MetricStore for Panicking {
    async fn append(&self, _samples: &[Sample]) -> Result<Appended, StoreError> {
        panic!("password=hunter2")
    }

    async fn range(&self, _query: &RangeQuery) -> Result<Vec<Point>, StoreError> {
        panic!("password=hunter2")
    }

    async fn series(
        &self,
        _prefix: &str,
        _after: Option<SeriesKey>,
        _limit: usize,
    ) -> Result<Vec<SeriesKey>, StoreError> {
        panic!("password=hunter2")
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_probe_waits_for_at_most_one_slow_response_of_many() {
    let written = Arc::default();
    let router = Surface::new(Vec::new()).counting(&written).router();
    let mut asked = tokio::task::JoinSet::new();
    for path in std::iter::repeat_n("/metrics", 50).chain(["/health/live"]) {
        let request = Request::get(path).header("host", "localhost").body(Body::empty());
        let answer = router.clone().oneshot(request.expect("a request"));
        asked.spawn(async move { (path, answer.await.expect("the router never fails").status()) });
    }
    let mut before_the_probe = None;
    while let Some(answer) = asked.join_next().await {
        let (path, status) = answer.expect("no panic");
        assert_eq!(status, 200, "{path}");
        if path == "/health/live" {
            before_the_probe = Some(written.load(Ordering::Relaxed));
        }
    }
    assert!(before_the_probe.is_some_and(|made| made <= 3), "{before_the_probe:?} of 50 were rendered first");
    assert_eq!(written.load(Ordering::Relaxed), 50);
}
