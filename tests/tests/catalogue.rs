//! `docs/metrics.md` against what the program writes to its history: everything that is listed, and nothing else.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use rustix::process::Signal;
use serde_json::Value;
use ttm_e2e::{Market, Program, get, market, ttm};

const TOKENS: usize = 20;
/// What is written only once something has gone wrong, which happens in the simulator.
const OF_BAD_DAYS: [&str; 6] = [
    "api.endpoint_errors{endpoint,error,instance}",
    "api.rate_limit_pauses{api,instance}",
    "api.breaker_transitions{api,instance,to}",
    "api.pairs_skipped{instance,reason}",
    "resource.store_errors{instance,use}",
    "recovery.step{instance,part,step}",
];

/// The shapes of all keys in the document: names with the names of their labels.
fn listed() -> BTreeSet<String> {
    let text = fs::read_to_string("../docs/metrics.md").expect("the document");
    let series = text.split("\n## Labels").next().expect("the part before");
    let rows = series.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    rows.map(str::to_owned).collect()
}

/// Every key of the history.
fn written(address: SocketAddr) -> Vec<String> {
    let (mut keys, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = get(address, &format!("/api/v1/metrics?limit=100{cursor}")).json();
        let series = page["series"].as_array().expect("a list");
        keys.extend(series.iter().map(|key| key.as_str().expect("a key").to_owned()));
        let Some(next) = page["next"].as_str() else { return keys };
        cursor = format!("&cursor={}", next.replace('{', "%7B").replace('}', "%7D"));
    }
}

fn shape(key: &str) -> String {
    let Some((name, labels)) = key.split_once('{') else { return key.to_owned() };
    let labels = labels.trim_end_matches('}').split(',').filter_map(|label| label.split('=').next());
    format!("{name}{{{}}}", labels.collect::<Vec<_>>().join(","))
}

fn start(folder: &Path, market: &Market) -> Program {
    let mints: Vec<String> = market.mints().iter().map(ToString::to_string).collect();
    fs::write(folder.join("mints.txt"), mints.join("\n")).expect("written");
    let mut command = ttm(folder);
    command.args(["run", "--log", "info"]).envs([
        ("TTM_SERVICE__INSTANCE", "fra1"),
        ("TTM_API__LISTEN", "127.0.0.1:0"),
        ("TTM_DEXSCREENER__BASE_URL", market.base_url().as_str()),
        ("TTM_SOURCES__FILE", "mints.txt"),
        ("TTM_SCHEDULER__HOT_INTERVAL", "1s"),
        ("TTM_SCHEDULER__COLD_INTERVAL", "1s"),
        ("TTM_MONITORING__HEALTH_CHECK_INTERVAL", "1s"),
        ("TTM_MONITORING__RESOURCE_CHECK_INTERVAL", "1s"),
        ("TTM_MONITORING__PERFORMANCE_CHECK_INTERVAL", "1s"),
    ]);
    Program::start(&mut command)
}

#[test]
fn the_program_writes_what_the_document_lists_and_nothing_else() {
    let (folder, market) = (tempfile::tempdir().expect("a folder"), market(TOKENS));
    let mut program = start(folder.path(), &market);
    let address = program.address();
    let listed = listed();
    assert!(OF_BAD_DAYS.iter().all(|shape| listed.contains(*shape)), "{listed:?}");
    let mut expected = listed.clone();
    expected.retain(|shape| !OF_BAD_DAYS.contains(&&**shape));
    let (mut keys, mut shapes) = (Vec::new(), BTreeSet::new());
    for _ in 0..90 {
        program.wait_for("a run", |entry| entry["message"] == "run ended");
        keys = written(address);
        shapes = keys.iter().map(|key| shape(key)).collect();
        if shapes.is_superset(&expected) {
            break;
        }
    }
    let missing: Vec<_> = expected.difference(&shapes).collect();
    let unknown: Vec<_> = shapes.difference(&listed).collect();
    assert!(missing.is_empty() && unknown.is_empty(), "missing {missing:?}, unknown {unknown:?}");
    let of_others = keys.iter().filter(|key| key.contains("instance=") && !key.contains("instance=fra1"));
    assert_eq!(of_others.count(), 0, "{keys:?}");
    // Who leaves out the instance means this one.
    let answer = get(address, "/api/v1/metrics/resource.memory_bytes?from=5m").json();
    assert_eq!(answer["series"], "resource.memory_bytes{instance=fra1}");
    assert_ne!(answer["points"], Value::Array(Vec::new()));
    program.signal(Signal::TERM);
    assert_eq!(program.end().code, Some(0));
}
