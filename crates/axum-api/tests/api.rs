//! Tokens, history and metrics against the contract, and every kind of invalid request.

mod surface;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use surface::{Hanging, Surface, keys};
use ttm_kernel::{Clock, StoreError};
use ttm_market::{Basis, Components, Mint, Score, ScoreState, Smoothed, Token};
use ttm_perf::{MetricStore, Sample, SeriesKey};

fn token(number: u8) -> Token {
    let at = Timestamp::from_second(60).expect("in range");
    let components = Components { tx_accel: 1.0, vol_momentum: 0.5, freshness: 0.25, orderflow: -0.5 };
    let smoothed = Smoothed { value: f64::from(number) / 10.0, components };
    let raw = Score { value: 0.5, components };
    Token {
        symbol: Some("TEST".into()),
        score: Some(ScoreState { raw, smoothed, basis: Basis::All { listed_at: at }, pools: 3, at }),
        ..Token::new(Mint::from_bytes([number; 32]), at)
    }
}

/// Half of them hot, as in the market of [`Surface`].
fn ten_tokens() -> Surface {
    Surface::new((1..=10).map(token).collect())
}

/// One sample a minute for three hours, its value the number of the minute; the clock stands at the end.
fn three_hours() -> Surface {
    let surface = Surface::new(Vec::new());
    let series: SeriesKey = "run.duration_ms{group=hot}".parse().expect("a series");
    let samples: Vec<Sample> = (0..180_i16)
        .map(|minute| {
            let at = Timestamp::from_second(i64::from(minute) * 60).expect("in range");
            Sample::try_new(series.clone(), at, f64::from(minute)).expect("finite")
        })
        .collect();
    surface.runtime.block_on(surface.history.append(&samples)).expect("the fake works");
    surface.runtime.clock().advance(Duration::from_hours(3));
    surface
}

#[test]
fn a_token_has_the_fields_of_the_contract() {
    let surface = ten_tokens();
    let mint = Mint::from_bytes([7; 32]);
    let answer = surface.get(&format!("/api/v1/tokens/{mint}"));
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.json(),
        json!({
            "mint": mint.to_string(), "symbol": "TEST", "score": 0.5, "smoothed_score": 0.7,
            "components": {"tx_accel": 1.0, "vol_momentum": 0.5, "freshness": 0.25, "orderflow": -0.5},
            "basis": "all", "listed_at": "1970-01-01T00:01:00Z", "pools": 3, "lane": "hot",
            "status": "monitored", "unlisted": false, "updated_at": "1970-01-01T00:01:00Z",
            "age_seconds": 2.5, "stale": false
        })
    );
}

#[test]
fn following_next_gives_every_token_once() {
    let surface = ten_tokens();
    let mut scores = Vec::new();
    let mut path = "/api/v1/tokens?limit=3".to_owned();
    loop {
        let page = surface.get(&path).json();
        assert_eq!(keys(&page), ["next", "tokens"]);
        let tokens = page["tokens"].as_array().expect("a list").clone();
        scores.extend(tokens.iter().map(|token| token["smoothed_score"].as_f64().expect("a score")));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/api/v1/tokens?limit=3&cursor={next}");
    }
    assert_eq!(scores, [1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1]);
}

#[test]
fn tokens_are_chosen_by_lane_and_status_and_sorted_as_asked() {
    let surface = ten_tokens();
    let mints = |path: &str| -> Vec<String> {
        let tokens = surface.get(path).json()["tokens"].as_array().expect("a list").clone();
        tokens.iter().map(|token| token["mint"].as_str().expect("a mint").to_owned()).collect()
    };
    assert_eq!(mints("/api/v1/tokens?lane=hot").len(), 5);
    assert_eq!(mints("/api/v1/tokens?status=active").len(), 0);
    let by_mint: Vec<String> = (1..=10).map(|number| Mint::from_bytes([number; 32]).to_string()).collect();
    assert_eq!(mints("/api/v1/tokens?sort=mint&status=monitored"), by_mint);
}

#[test]
fn an_invalid_request_for_tokens_says_what_was_expected() {
    let surface = ten_tokens();
    for (query, sentence) in [
        ("limit=0", r#"the parameter limit is "0", expected a whole number from 1 to 1000"#),
        ("limit=1001", r#"the parameter limit is "1001", expected a whole number from 1 to 1000"#),
        ("lane=warm", r#"the parameter lane is "warm", expected hot or cold"#),
        ("status=dead", r#"the parameter status is "dead", expected monitored, active or archived"#),
        ("sort=size", r#"the parameter sort is "size", expected score, age or mint"#),
        (
            "cursor=x%0Ay",
            r#"the parameter cursor is "x\ny", expected the value of next from the previous page"#,
        ),
        (
            "sort=age&cursor=mint~~So11111111111111111111111111111111111111112",
            "the parameter cursor is \"mint~~So11111111111111111111111111111111111111112\", expected the value of next from the previous page",
        ),
        ("lane=hot&lane=cold", "the parameter lane is given twice"),
        ("limt=5", r#"unknown parameter "limt", expected one of: limit, cursor, lane, status, sort"#),
    ] {
        assert_eq!(surface.get(&format!("/api/v1/tokens?{query}")).problem(400), sentence);
    }
    assert_eq!(
        surface.get("/api/v1/tokens/So1").problem(400),
        r#""So1" is not a valid mint: 3 characters, expected 32 to 44 of base58"#
    );
    assert_eq!(surface.get("/api/v1/tokens/%FF").problem(400), "the mint is not valid UTF-8");
    assert_eq!(
        surface.get(&format!("/api/v1/tokens/{}", Mint::WSOL)).problem(404),
        "the token So11111111111111111111111111111111111111112 is not watched"
    );
}

#[test]
fn history_is_the_last_hour_by_the_minute_by_default() {
    let surface = three_hours();
    let answer = surface.get("/api/v1/metrics/run.duration_ms%7Bgroup=hot%7D").json();
    assert_eq!(keys(&answer), ["agg", "from", "points", "series", "step_seconds", "to"]);
    assert_eq!(answer["from"], "1970-01-01T02:00:00Z");
    assert_eq!(answer["to"], "1970-01-01T03:00:00Z");
    assert_eq!((&answer["step_seconds"], &answer["agg"]), (&json!(60), &json!("avg")));
    let points = answer["points"].as_array().expect("a list");
    assert_eq!(points.len(), 60);
    assert_eq!(points[0], json!({"at": "1970-01-01T02:00:00Z", "value": 120.0, "count": 1}));
}

#[test]
fn history_takes_relative_and_absolute_times_a_step_and_an_aggregate() {
    let surface = three_hours();
    let series = "/api/v1/metrics/run.duration_ms%7Bgroup%3Dhot%7D";
    for query in [
        "from=2h&to=now-1h&step=30m&agg=max",
        "from=now-2h&to=7200&step=1800s&agg=max",
        "from=1970-01-01T01:00:00Z&to=1970-01-01T03:00:00%2B01:00&step=30m&agg=max",
    ] {
        let answer = surface.get(&format!("{series}?{query}")).json();
        assert_eq!(
            answer["points"],
            json!([
                {"at": "1970-01-01T01:00:00Z", "value": 89.0, "count": 30},
                {"at": "1970-01-01T01:30:00Z", "value": 119.0, "count": 30}
            ]),
            "{query}"
        );
    }
}

#[test]
fn an_invalid_request_for_history_says_what_was_expected() {
    let surface = three_hours();
    for (question, sentence) in [
        ("a?step=1x", r#"the parameter step is "1x", expected a duration such as 30s, 1m, 24h or 1h30m"#),
        ("a?agg=mean", r#"the parameter agg is "mean", expected avg, min, max, sum, count, p50, p95, p99"#),
        ("a?from=1h&to=2h", "from (1970-01-01T02:00:00Z) must be before to (1970-01-01T01:00:00Z)"),
        ("a?step=0s", "step is 0ns, expected whole seconds, at least 1s"),
        ("a?from=0&step=1s", "10801 points, expected at most 10000; use a longer step or a shorter range"),
        (
            "a%20b",
            r#""a b" is not a valid series: ' ' at byte 1 is not allowed; expected a name like `run.duration_ms{group=hot}`"#,
        ),
    ] {
        assert_eq!(surface.get(&format!("/api/v1/metrics/{question}")).problem(400), sentence);
    }
    let sentence = surface.get("/api/v1/metrics/a?from=yesterday").problem(400);
    assert!(
        sentence.starts_with(r#"the parameter from is "yesterday", expected a time such as"#),
        "{sentence}"
    );
}

#[test]
fn an_unknown_series_gets_a_suggestion() {
    let surface = three_hours();
    assert_eq!(
        surface.get("/api/v1/metrics/run.duration_ms%7Bgroup=hott%7D").problem(404),
        "unknown series \"run.duration_ms{group=hott}\"; did you mean \"run.duration_ms{group=hot}\"?; \
         /api/v1/metrics lists the known ones"
    );
    assert_eq!(
        surface.get("/api/v1/metrics/zzz").problem(404),
        "unknown series \"zzz\"; /api/v1/metrics lists the known ones"
    );
    let known = surface.get("/api/v1/metrics/run.duration_ms%7Bgroup=hot%7D?from=0&to=1&step=1s");
    assert_eq!(known.status, 200);
    surface.runtime.clock().advance(Duration::from_hours(3));
    let quiet = surface.get("/api/v1/metrics/run.duration_ms%7Bgroup=hot%7D");
    assert_eq!(quiet.json()["points"], json!([]), "a known series may be empty");
}

#[test]
fn a_series_without_its_instance_is_that_of_this_process_and_goes_back_to_before_the_names_had_one() {
    let surface = Surface::new(Vec::new());
    let minutes = |series: &str, minutes: Range<i64>, value| -> Vec<Sample> {
        let series: SeriesKey = series.parse().expect("a series");
        let at = |minute: i64| Timestamp::from_second(60 * minute).expect("in range");
        minutes.map(|minute| Sample::try_new(series.clone(), at(minute), value).expect("finite")).collect()
    };
    let samples = [
        minutes("resource.old", 0..3, 1.0),
        minutes("resource.old{instance=fra1}", 2..4, 2.0),
        minutes("resource.old{instance=fra2}", 0..9, 3.0),
        minutes("resource.new{instance=fra1}", 5..6, 4.0),
    ];
    surface.runtime.block_on(surface.history.append(&samples.concat())).expect("the fake works");
    let get = |series: &str| surface.get(&format!("/api/v1/metrics/{series}?from=0&to=600"));
    let values = |answer: &Value| -> Vec<f64> {
        let points = answer["points"].as_array().expect("a list");
        points.iter().map(|point| point["value"].as_f64().expect("a number")).collect()
    };
    let joined = get("resource.old").json();
    assert_eq!(joined["series"], "resource.old{instance=fra1}", "the answer says where it went");
    assert_eq!(values(&joined), [1.0, 1.0, 2.0, 2.0]);
    assert_eq!(values(&get("resource.new").json()), [4.0]);
    assert_eq!(values(&get("resource.old%7Binstance=fra2%7D").json()), [3.0; 9]);
    let quiet = surface.get("/api/v1/metrics/resource.new?from=0&to=60");
    assert_eq!(quiet.json()["points"], json!([]), "a known series may be empty");
    assert_eq!(
        get("resource.neww").problem(404),
        "unknown series \"resource.neww\"; did you mean \"resource.new\"?; \
         /api/v1/metrics lists the known ones"
    );
}

#[test]
fn series_are_listed_by_prefix() {
    let surface = three_hours();
    let list = |query: &str| surface.get(&format!("/api/v1/metrics{query}")).json();
    assert_eq!(list(""), json!({"series": ["run.duration_ms{group=hot}"], "next": null}));
    assert_eq!(list("?prefix=api."), json!({"series": [], "next": null}));
    assert_eq!(list("?prefix=run&limit=1")["series"].as_array().map(Vec::len), Some(1));
}

#[test]
fn following_next_gives_every_series_once() {
    let surface = three_hours();
    let samples: Vec<Sample> = (0..7)
        .map(|number| {
            let series = format!("api.calls{{endpoint=e{number}}}").parse().expect("a series");
            Sample::try_new(series, Timestamp::UNIX_EPOCH, 1.0).expect("finite")
        })
        .collect();
    surface.runtime.block_on(surface.history.append(&samples)).expect("the fake works");
    let (mut seen, mut query) = (Vec::new(), "limit=3".to_owned());
    loop {
        let page = surface.get(&format!("/api/v1/metrics?{query}")).json();
        let series = page["series"].as_array().expect("a list").clone();
        assert!(series.len() <= 3);
        seen.extend(series);
        let Some(next) = page["next"].as_str() else { break };
        query = format!("limit=3&cursor={}", next.replace('{', "%7B").replace('}', "%7D"));
    }
    assert_eq!(seen.len(), 8);
    assert!(seen.is_sorted_by(|a, b| a.as_str() < b.as_str()));
    surface.get("/api/v1/metrics?cursor=a%20b").problem(400);
}

#[test]
fn an_error_of_the_store_is_a_problem_with_its_status() {
    let surface = three_hours();
    surface.history.fail_with(|| StoreError::transient("connection refused"));
    let answer = surface.get("/api/v1/metrics/a");
    assert_eq!(answer.problem(503), "the store is unavailable: connection refused");
    assert_eq!(answer.header("retry-after"), Some("1"));
    surface.history.fail_with(|| StoreError::corrupt("no table"));
    assert_eq!(surface.get("/api/v1/metrics").problem(500), "the store is unusable: no table");
    assert_eq!(surface.get("/health").status, 200, "health does not query the store");
}

#[test]
fn a_query_to_a_store_that_hangs_times_out_after_two_seconds() {
    let surface = Surface::new(Vec::new()).over(Arc::new(Hanging));
    let sentence = surface.get("/api/v1/metrics/a").problem(504);
    assert_eq!(sentence, "the metric store did not answer within 2 s");
    assert_eq!(surface.runtime.now().since_origin(), Duration::from_secs(2));
}

#[test]
fn metrics_are_prometheus_text() {
    let answer = ten_tokens().get("/metrics");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert_eq!(answer.body, "ttm_uptime_seconds 1\n");
}

#[test]
fn every_answer_is_told_by_its_route_whatever_was_asked() {
    let surface = three_hours();
    for path in [
        "/health/live",
        "/api/v1/tokens/x",
        "/api/v1/tokens/y",
        "/api/v1/metrics/run.duration_ms%7Bgroup=hot%7D",
        "/nothing/here",
        "/api/v1/breakers/x/reset",
    ] {
        surface.get(path);
    }
    let routes: Vec<String> = surface.served.take().into_iter().map(|(route, _)| route).collect();
    assert_eq!(
        routes,
        [
            "/health/live",
            "/api/v1/tokens/:mint",
            "/api/v1/tokens/:mint",
            "/api/v1/metrics/:series",
            "other",
            "/api/v1/breakers/:name/reset",
        ]
    );
    for route in routes {
        format!("http.requests{{route={route}}}").parse::<SeriesKey>().expect("the value of a label");
    }
}
