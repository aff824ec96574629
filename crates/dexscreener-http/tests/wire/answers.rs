//! The adapter against real sockets: what it sends, and what each kind of response means to the caller.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::time::Duration;

use crate::bodies::{ASKED, OTHER, full_pair};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;
use ttm_dexscreener_http::{DexscreenerConfig, DexscreenerSource};
use ttm_market::{MAX_BATCH, Mint, PairBatch, PairSource, PairSourceError, ProfileSource};
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

const MAX_BODY_BYTES: usize = 64 * 1_024;

pub(crate) fn source(base_url: &str) -> DexscreenerSource {
    let timeout = Duration::from_secs(20);
    let config = DexscreenerConfig::try_new(base_url, "solana", "ttm/test", timeout, MAX_BODY_BYTES);
    DexscreenerSource::new(config.expect("valid")).expect("a client")
}

/// Requests one token and gets this response.
async fn ask(answer: ResponseTemplate) -> Result<PairBatch, PairSourceError> {
    let server = MockServer::start().await;
    Mock::given(method("GET")).respond_with(answer).mount(&server).await;
    source(&server.uri()).primary_pairs(&[ASKED]).await
}

pub(crate) fn json_text(text: &str) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_raw(text.as_bytes().to_vec(), "application/json; charset=utf-8")
}

#[tokio::test]
async fn a_batch_is_one_request_for_unique_mints_with_a_user_agent() {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .and(path(format!("/tokens/v1/solana/{ASKED},{OTHER}")))
        .and(header("user-agent", "ttm/test"))
        .and(header("accept", "application/json"))
        .respond_with(json_text(&json!([full_pair(OTHER), full_pair(ASKED)]).to_string()))
        .expect(1)
        .mount(&server)
        .await;
    let batch = source(&server.uri()).primary_pairs(&[OTHER, ASKED, OTHER]).await.expect("a result");
    assert_eq!(batch.pairs.iter().map(|pair| pair.base.mint).collect::<Vec<_>>(), [OTHER, ASKED]);
}

#[tokio::test]
async fn all_pools_of_a_token_are_requested_from_their_own_path_below_the_base_url() {
    let server = MockServer::start().await;
    Mock::given(path(format!("/mirror/token-pairs/v1/solana/{ASKED}")))
        .respond_with(json_text(&json!([full_pair(ASKED), full_pair(ASKED)]).to_string()))
        .expect(1)
        .mount(&server)
        .await;
    let batch = source(&format!("{}/mirror/", server.uri())).all_pairs(ASKED).await.expect("a result");
    assert_eq!(batch.pairs.len(), 2);
}

#[tokio::test]
async fn profiles_are_a_list_of_mints_and_a_bad_one_is_skipped_alone() {
    let server = MockServer::start().await;
    let of =
        |chain, address: &str| json!({"url": "x", "chainId": chain, "tokenAddress": address, "links": []});
    let body = json!([
        of("solana", &ASKED.to_string()),
        of("base", "0x532f27101965dd16442e59d40670faf5ebb142e4"),
        of("solana", &OTHER.to_string()),
        of("solana", &ASKED.to_string()),
        of("solana", "0x532f27101965dd16442e59d40670faf5ebb142e4"),
        {"chainId": "solana"},
        7,
    ]);
    Mock::given(path("/token-profiles/latest/v1"))
        .respond_with(json_text(&body.to_string()))
        .expect(1)
        .mount(&server)
        .await;
    let listing = source(&server.uri()).latest_profiles().await.expect("a result");
    assert_eq!(listing.mints, BTreeSet::from([ASKED, OTHER]));
    assert_eq!(listing.unusable.count(), 3);
    assert_eq!(listing.unusable.shown().iter().map(|entry| entry.number).collect::<Vec<_>>(), [5, 6, 7]);
}

#[tokio::test]
async fn a_body_without_profiles_is_an_error_as_for_pairs() {
    let ask = async |answer: ResponseTemplate| {
        let server = MockServer::start().await;
        Mock::given(method("GET")).respond_with(answer).mount(&server).await;
        source(&server.uri()).latest_profiles().await
    };
    assert!(ask(json_text("[]")).await.expect("a result").mints.is_empty());
    assert!(matches!(ask(json_text("null")).await, Err(PairSourceError::Transient { .. })));
    for body in [r#"{"pairs":[]}"#, "", "[1", "7"] {
        assert!(matches!(ask(json_text(body)).await, Err(PairSourceError::Malformed { .. })), "{body}");
    }
    let limited = ResponseTemplate::new(429).set_body_string("error code: 1015");
    assert!(matches!(ask(limited).await, Err(PairSourceError::RateLimited { .. })));
}

#[tokio::test]
async fn no_mints_or_too_many_are_refused_without_a_request() {
    let server = MockServer::start().await;
    let source = source(&server.uri());
    let mints: Vec<Mint> =
        (0..=MAX_BATCH).map(|n| Mint::from_bytes([u8::try_from(n).expect("small"); 32])).collect();
    for asked in [&mints[..0], &mints[..]] {
        assert!(matches!(source.primary_pairs(asked).await, Err(PairSourceError::Rejected { .. })));
    }
    assert_eq!(server.received_requests().await.map(|requests| requests.len()), Some(0));
}

#[tokio::test]
async fn an_empty_list_is_a_result_and_null_is_transient() {
    assert_eq!(ask(json_text("[]")).await.expect("a result"), PairBatch::default());
    for body in ["null", r#"{"pairs":null}"#, r#"{"schemaVersion":"1.0.0","pairs":null,"pair":null}"#] {
        assert!(matches!(ask(json_text(body)).await, Err(PairSourceError::Transient { .. })), "{body}");
    }
}

#[tokio::test]
async fn a_429_is_a_rate_limit_with_the_wait_that_it_names() {
    let plain = ResponseTemplate::new(429).set_body_string("error code: 1015");
    assert!(matches!(ask(plain).await, Err(PairSourceError::RateLimited { retry_after: None, .. })));

    let seconds = ResponseTemplate::new(429).insert_header("retry-after", "30");
    let Err(PairSourceError::RateLimited { retry_after, .. }) = ask(seconds).await else {
        panic!("a rate limit")
    };
    assert_eq!(retry_after, Some(Duration::from_secs(30)));

    let date = ResponseTemplate::new(429)
        .insert_header("date", "Fri, 06 Nov 2026 12:00:00 GMT")
        .insert_header("retry-after", "Fri, 06 Nov 2026 12:00:10 GMT");
    let Err(PairSourceError::RateLimited { retry_after, .. }) = ask(date).await else {
        panic!("a rate limit")
    };
    assert_eq!(retry_after, Some(Duration::from_secs(10)));

    let disguised = ResponseTemplate::new(200).set_body_string("error code: 1015");
    assert!(matches!(ask(disguised).await, Err(PairSourceError::RateLimited { .. })));
}

#[tokio::test]
async fn each_status_maps_to_what_the_caller_does_next() {
    let status = |code| ask(ResponseTemplate::new(code).set_body_string("why"));
    assert!(matches!(status(403).await, Err(PairSourceError::Forbidden { .. })));
    assert!(matches!(status(401).await, Err(PairSourceError::Forbidden { .. })));
    assert!(matches!(status(400).await, Err(PairSourceError::Rejected { .. })));
    assert!(matches!(status(404).await, Err(PairSourceError::Rejected { .. })));
    let Err(PairSourceError::Transient { message, .. }) = status(503).await else { panic!("transient") };
    assert_eq!(message, "503, text/plain: \"why\"");

    let with_wait = ResponseTemplate::new(503).insert_header("retry-after", "7");
    let Err(PairSourceError::Transient { retry_after, .. }) = ask(with_wait).await else {
        panic!("transient")
    };
    assert_eq!(retry_after, Some(Duration::from_secs(7)));
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_reported_without_secrets() {
    let to = async |location: &str| {
        let server = MockServer::start().await;
        let elsewhere = ResponseTemplate::new(302).insert_header("location", location);
        Mock::given(method("GET")).respond_with(elsewhere).expect(1).mount(&server).await;
        match source(&server.uri()).primary_pairs(&[ASKED]).await {
            Err(PairSourceError::Malformed { message }) => message.replace(&server.uri(), "HERE"),
            other => panic!("{other:?}"),
        }
    };
    let told = to("https://user:secret@example.com:8443/blocked?token=secret#secret").await;
    assert_eq!(told, "302, a redirect to https://example.com:8443/blocked");
    assert_eq!(to("/login?back=secret").await, "302, a redirect to HERE/login");
    assert_eq!(to("https://[").await, "302, a redirect to an unknown location");
    assert!(to(&format!("https://example.com/{}", "x".repeat(5_000))).await.len() < 250);
}

#[tokio::test]
async fn every_error_has_the_status_and_what_was_received() {
    let page = "<!DOCTYPE html><html><title>Just a moment...</title></html>";
    for (status, content_type, body, told) in [
        (403, "text/html", page, "403, an HTML page: the API refuses this client"),
        (429, "text/html", page, "429, an HTML page: the API limits this client's rate"),
        (
            429,
            "text/plain",
            "error code: 1015",
            "429, Cloudflare's error code 1015: the API limits this client's rate",
        ),
        (
            400,
            "application/json",
            r#"{"message":"bad"}"#,
            r#"400, application/json: "{\"message\":\"bad\"}": the API rejects the request"#,
        ),
        (502, "text/html", page, "502, an HTML page"),
        (200, "text/html", page, "200, an HTML page"),
        (200, "application/json", "null", "200, null instead of a list"),
        (200, "application/json", "7", r#"200, not a list, it starts with "7": the answer cannot be used"#),
        (
            200,
            "application/json",
            "[1,2]",
            r#"200, none of its 2 entries is readable, the first one starts with "1": the answer cannot be used"#,
        ),
    ] {
        let answer = ResponseTemplate::new(status).set_body_raw(body.as_bytes().to_vec(), content_type);
        assert_eq!(ask(answer).await.expect_err(told).to_string(), told);
    }
}

#[tokio::test]
async fn an_html_page_is_transient_whatever_its_content_type() {
    let page = b"\n <!DOCTYPE html><html></html>".to_vec();
    for content_type in ["text/html; charset=UTF-8", "application/json"] {
        let answer = ask(ResponseTemplate::new(200).set_body_raw(page.clone(), content_type)).await;
        assert!(matches!(answer, Err(PairSourceError::Transient { .. })), "{content_type}");
    }
}

#[tokio::test]
async fn json_of_another_shape_is_malformed_but_a_bad_pair_is_not() {
    for body in ["", "[{", r#"{"orders":[]}"#, "7", r#""text""#] {
        assert!(matches!(ask(json_text(body)).await, Err(PairSourceError::Malformed { .. })), "{body}");
    }
    let batch = ask(json_text(&json!([{}, full_pair(ASKED)]).to_string())).await.expect("a result");
    assert_eq!((batch.pairs.len(), batch.skipped.total()), (1, 1));
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused() {
    let huge = " ".repeat(MAX_BODY_BYTES) + "[]";
    assert!(matches!(ask(json_text(&huge)).await, Err(PairSourceError::Malformed { .. })));
    let just_fits = " ".repeat(MAX_BODY_BYTES - 2) + "[]";
    assert_eq!(ask(json_text(&just_fits)).await.expect("a result"), PairBatch::default());
}

/// A body as one or more members of gzip.
fn gzipped(members: &[&[u8]]) -> Vec<u8> {
    let pack = |text: &&[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).expect("memory takes it");
        encoder.finish().expect("memory takes it")
    };
    members.iter().flat_map(pack).collect()
}

#[tokio::test]
async fn a_body_is_decompressed_under_either_name_of_gzip_with_all_its_members() {
    let body = json!([full_pair(ASKED)]).to_string().into_bytes();
    let (front, back) = body.split_at(body.len() / 2);
    for encoding in ["gzip", "x-gzip"] {
        let answer = ResponseTemplate::new(200)
            .set_body_raw(gzipped(&[front, back]), "application/json")
            .insert_header("content-encoding", encoding);
        assert_eq!(ask(answer).await.expect("a result").pairs.len(), 1, "{encoding}");
    }
}

#[tokio::test]
async fn only_gzip_is_requested_and_any_other_encoding_is_malformed() {
    let server = MockServer::start().await;
    let answer = json_text("[]").insert_header("content-encoding", "br");
    Mock::given(header("accept-encoding", "gzip")).respond_with(answer).expect(1).mount(&server).await;
    let error = source(&server.uri()).primary_pairs(&[ASKED]).await.expect_err("brotli was not requested");
    let told = r#"200, the body is encoded as "br", expected gzip or none: the answer cannot be used"#;
    assert_eq!(error.to_string(), told);
}

#[tokio::test]
async fn the_limit_of_a_body_applies_after_decompression() {
    let bomb = gzipped(&[&vec![b' '; 2_000_000]]);
    assert!(bomb.len() < MAX_BODY_BYTES);
    let answer = ResponseTemplate::new(200)
        .set_body_raw(bomb, "application/json")
        .insert_header("content-encoding", "gzip");
    assert!(matches!(ask(answer).await, Err(PairSourceError::Malformed { .. })));
}

#[tokio::test]
async fn a_rate_limit_of_cloudflare_is_found_in_a_compressed_error() {
    let answer = ResponseTemplate::new(403)
        .set_body_raw(gzipped(&[b"error code: 1015"]), "text/plain")
        .insert_header("content-encoding", "gzip");
    assert!(matches!(ask(answer).await, Err(PairSourceError::RateLimited { .. })));
}
