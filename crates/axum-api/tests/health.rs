//! The health endpoints against the contract: field names, values and status codes.

mod surface;

use std::time::Duration;

use serde_json::{Value, json};
use surface::{Surface, assert_has, keys};
use ttm_health::{BreakerState, Phase};

fn service() -> Surface {
    Surface::new(Vec::new())
}

#[test]
fn probes_answer_with_a_status_and_its_code() {
    let surface = service();
    for path in ["/health/live", "/health/ready", "/health/startup"] {
        let answer = surface.get(path);
        assert_eq!((answer.status.as_u16(), &*answer.body), (200, r#"{"status":"healthy"}"#), "{path}");
    }
    surface.publish(|facts| facts.phase = Phase::Starting);
    let codes =
        ["/health/live", "/health/ready", "/health/startup"].map(|path| surface.get(path).status.as_u16());
    assert_eq!(codes, [200, 503, 503]);
    surface.publish(|facts| facts.store.uses[0].losing = true);
    assert_eq!(surface.get("/health/ready").body, r#"{"status":"critical"}"#);
    assert_eq!(surface.get("/health/live").status, 200);
    surface.publish(|facts| facts.hot.since_progress = Some(Duration::from_mins(10)));
    assert_eq!(surface.get("/health/live").status, 503);
}

#[test]
fn only_endpoints_that_query_a_store_are_unavailable_before_it_is_open() {
    let surface = service().starting();
    surface.publish(|facts| facts.phase = Phase::Starting);
    for path in ["/api/v1/metrics", "/api/v1/metrics/a", "/api/v1/events"] {
        let answer = surface.get(path);
        let sentence = answer.problem(503);
        assert!(sentence.starts_with("the service is starting"), "{path}: {sentence}");
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
    let codes = ["/health/ready", "/health/startup", "/metrics", "/api/v1/tokens"]
        .map(|path| surface.get(path).status.as_u16());
    assert_eq!(codes, [503, 503, 200, 200]);
    assert_eq!(surface.get("/api/v1/metrics?limit=0").status, 400, "an invalid request stays invalid");
}

#[test]
fn health_passes_warns_and_fails_with_the_status_code_of_the_draft() {
    let surface = service();
    let answer = surface.get("/health");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/health+json"));
    assert_eq!(answer.json()["status"], "pass");
    assert_eq!(
        keys(&answer.json()["checks"]),
        ["data-freshness", "dexscreener", "resources", "scheduler", "store"]
    );

    surface.publish(|facts| facts.api.breaker = Some(BreakerState::Open));
    let answer = surface.get("/health");
    assert_eq!((answer.status.as_u16(), &answer.json()["status"]), (200, &"warn".into()));
    assert_eq!(answer.json()["notes"][0], "DexScreener: the circuit breaker is open");
    assert_eq!(answer.json()["checks"]["dexscreener"][0]["status"], "warn");

    surface.publish(|facts| facts.store.uses[0].losing = true);
    let answer = surface.get("/health");
    assert_eq!((answer.status.as_u16(), &answer.json()["status"]), (503, &"fail".into()));
}

#[test]
fn the_scheduler_model_has_the_fields_of_the_contract() {
    let model = service().get("/health/scheduler").json();
    assert_has(
        &model,
        "status, hot_group_last_run, cold_group_last_run, hot_group_processing_time, cold_group_processing_time, \
         tokens_processed_per_minute, error_rate, alerts",
    );
    assert_eq!(model["status"], "healthy");
    assert_eq!(model["hot_group_last_run"], "1970-01-01T00:00:00Z");
    assert_eq!(model["hot_group_processing_time"], 1.5, "seconds");
    assert_eq!(model["alerts"], serde_json::json!([]));
}

#[test]
fn the_resources_model_has_the_fields_of_the_contract_and_null_for_unknown_values() {
    let surface = service();
    let model = surface.get("/health/resources").json();
    assert_has(
        &model,
        "memory_usage_mb, cpu_usage_percent, disk_usage_percent, database_connections, open_file_descriptors, status",
    );
    assert_eq!(model["memory_usage_mb"], 64.0);
    assert_eq!(model["database_connections"], 1);
    surface.publish(|facts| facts.resources = None);
    let model = surface.get("/health/resources").json();
    assert_eq!(model["status"], "unknown");
    assert!(model["memory_usage_mb"].is_null());
}

#[test]
fn the_apis_model_has_the_fields_of_the_contract() {
    let model = service().get("/health/apis").json();
    assert_has(
        &model,
        "dexscreener_status, average_response_time, error_rate, circuit_breaker_state, cache_hit_rate, \
         requests_per_minute",
    );
    assert_eq!(model["average_response_time"], 120.0, "milliseconds");
    assert_eq!(model["circuit_breaker_state"], "closed");
    assert!(model["cache_hit_rate"].is_null());
}

#[test]
fn the_freshness_model_has_both_lanes_with_their_ages() {
    let model = service().get("/health/data-freshness").json();
    assert_eq!(model["status"], "healthy");
    assert_eq!(model["unlisted"], 3);
    for lane in ["hot", "cold"] {
        assert_eq!(model[lane]["age_p95_seconds"], 9.0);
        assert_eq!(model[lane]["age_max_seconds"], 30.0);
    }
}

#[test]
fn the_detailed_model_holds_all_the_others() {
    let surface = service();
    let model = surface.get("/health/detailed").json();
    for (part, path) in [
        ("scheduler", "/health/scheduler"),
        ("resources", "/health/resources"),
        ("apis", "/health/apis"),
        ("data_freshness", "/health/data-freshness"),
    ] {
        assert_eq!(model[part], surface.get(path).json(), "{part}");
    }
    assert_has(&model, "status, at, uptime_seconds, phase, live, ready, started, reasons, store");
    assert_eq!(model["phase"], "running");
    assert_eq!(model["uptime_seconds"], 3600.0);
}

#[test]
fn each_source_is_shown_with_its_tokens_and_its_problem() {
    let surface = service();
    let sources = || surface.get("/health/detailed").json()["sources"].clone();
    let list = json!({"origin": "file", "tokens": 3, "problem": null});
    assert_eq!(sources(), json!({"status": "healthy", "lists": [list], "findings": []}));
    surface.publish(|facts| facts.sources[0].problem = Some("mints.txt:3: bad".to_owned()));
    let list = json!({"origin": "file", "tokens": 3, "problem": "mints.txt:3: bad"});
    let finding = json!({
        "kind": "source_failing", "subject": "file", "status": "degraded", "value": null, "limit": null, "unit": null,
        "sentence": "the tokens of source file are those of its last good list: mints.txt:3: bad",
    });
    assert_eq!(sources(), json!({"status": "degraded", "lists": [list], "findings": [finding]}));
}

#[test]
fn each_model_has_what_is_wrong_as_data_and_as_the_same_sentences() {
    let surface = service();
    surface.publish(|facts| {
        facts.resources.iter_mut().for_each(|sample| sample.disk_usage_percent = Some(91.5));
        facts.hot.since_progress = Some(Duration::from_secs(75));
        facts.api.breaker = Some(BreakerState::Open);
        facts.data.cold.stale = 3;
        facts.store.uses[0].losing = true;
        facts.recovery.needs_a_person = Some("it leaks".to_owned());
    });
    let disk = json!({
        "kind": "disk", "subject": null, "status": "critical", "value": 91.5, "limit": {"enter": 90.0, "exit": 85.0},
        "unit": "percent",
        "sentence": "disk in use: 91.5 % of the data path's file system; limit 90 %, clears below 85 %",
    });
    assert_eq!(surface.get("/health/resources").json()["findings"], json!([disk]));
    let detailed = surface.get("/health/detailed").json();
    let kinds = |model: &Value| {
        let findings = model["findings"].as_array().expect("a list").iter();
        findings.map(|finding| (finding["kind"].clone(), finding["subject"].clone())).collect::<Vec<_>>()
    };
    for (part, kind, subject) in [
        ("scheduler", "processing_stopped", json!("hot")),
        ("apis", "breaker_open", json!("dexscreener")),
        ("data_freshness", "data_stale", json!("cold")),
        ("store", "samples_lost", json!("token writes")),
        ("recovery", "restart_budget_spent", json!("process")),
    ] {
        assert_eq!(kinds(&detailed[part]), [(json!(kind), subject)], "{part}");
    }
    let worst_first =
        ["restart_budget_spent", "samples_lost", "disk", "processing_stopped", "breaker_open", "data_stale"];
    let found: Vec<Value> = kinds(&detailed).into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(found, worst_first);
    for (model, sentences) in [
        (&detailed, "reasons"),
        (&detailed["scheduler"], "alerts"),
        (&detailed["apis"], "alerts"),
        (&detailed["recovery"], "alerts"),
    ] {
        let findings = model["findings"].as_array().expect("a list").iter();
        let said: Vec<&Value> = findings.map(|finding| &finding["sentence"]).collect();
        assert_eq!(json!(said), model[sentences]);
    }
}

#[test]
fn a_model_is_always_answered_with_200() {
    let surface = service();
    surface.publish(|facts| facts.store.uses[0].losing = true);
    let answer = surface.get("/health/detailed");
    assert_eq!((answer.status.as_u16(), &answer.json()["status"]), (200, &"critical".into()));
}
