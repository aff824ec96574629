//! The work of the market: `cargo xtask bench market`.
//!
//! Decoding, scoring and planning alone, then the whole program against the stand-in for minutes: with as many tokens as the
//! budget allows, with many more, and during an outage. A part of a name as argument runs only the matching ones.
//!
//! The bodies are recordings of the real API, which are kept outside the repository; without them the rows that need them are
//! skipped, which is reported first.

mod planner;
mod service;

use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use ttm_bench::{Row, Subject};
use ttm_dexscreener_http::{Decoded, decode};
use ttm_market::synthetic::SyntheticMarket;
use ttm_market::{MarketConfig, Mint, Pair, score, summarize};

/// Relative to the crate, where cargo runs its benchmarks.
const RECORDINGS: &str = "../../../shared/dexscreener";
const OURS: &str = "ours";

fn main() -> Result<(), Box<dyn Error>> {
    let mut rows: Vec<fn() -> Row> = vec![scoring, planner::row];
    if Path::new(RECORDINGS).is_dir() {
        rows.insert(0, decoding);
    } else {
        anstream::eprintln!("there are no recordings: decoding is not measured");
    }
    ttm_bench::run("market", env!("CARGO_TARGET_TMPDIR"), &rows, &service::SCENARIOS)
}

/// Recorded bodies with pairs, each with the requested mints.
fn recordings() -> Vec<(Vec<u8>, Vec<Mint>)> {
    let files = fs::read_dir(RECORDINGS).expect("the folder exists").filter_map(Result::ok);
    let mut paths: Vec<_> = files.map(|file| file.path()).collect();
    paths.sort();
    let bodies = paths.iter().filter_map(|path| {
        let name = path.file_name()?.to_str()?;
        let is_body = name.starts_with("search_") || name.starts_with("latest-dex-tokens_solana");
        let body = fs::read(path).ok().filter(|_| is_body)?;
        let mints = mints(&serde_json::from_slice(&body).ok()?);
        Some((body, mints))
    });
    bodies.collect()
}

/// The base tokens of a body: those that must have been requested.
fn mints(body: &Value) -> Vec<Mint> {
    let pairs = body.as_array().or_else(|| body["pairs"].as_array()).map_or(&[][..], Vec::as_slice);
    let mut mints: Vec<Mint> =
        pairs.iter().filter_map(|pair| pair["baseToken"]["address"].as_str()?.parse().ok()).collect();
    mints.sort_unstable();
    mints.dedup();
    mints
}

/// Decodes a body per call into pairs of the market; the peer only builds a tree.
fn decoding() -> Row {
    let bodies = recordings();
    let bytes: usize = bodies.iter().map(|(body, _)| body.len()).sum();
    anstream::println!(
        "decode: a call is one of {} recorded bodies, {} bytes on average",
        bodies.len(),
        bytes / bodies.len()
    );
    let for_tree = bodies.clone();
    let nth = |number: u64, all: usize| usize::try_from(number).expect("fits") % all;
    let ours = Subject::each(OURS, move |number| {
        let (body, asked) = &bodies[nth(number, bodies.len())];
        matches!(black_box(decode(body, "solana", asked)), Ok(Decoded::Pairs(_)))
    });
    let tree = Subject::each("serde_json::Value", move |number| {
        let (body, _) = &for_tree[nth(number, for_tree.len())];
        black_box(serde_json::from_slice::<Value>(body)).is_ok()
    });
    Row::new("decode a body", 1, ours).peers([tree]).target(1.0 / 3.0, "serde_json::Value")
}

/// Scores a token with thirty pools.
fn scoring() -> Row {
    let (mint, pools) = thirty_pools();
    let config = MarketConfig::default();
    let ours = Subject::each(OURS, move |_| {
        let summary = summarize(mint, black_box(&pools), &config);
        black_box(score(&summary.inputs, SignedDuration::from_hours(1)));
        true
    });
    Row::new("score 30 pools", 1, ours)
}

fn thirty_pools() -> (Mint, Vec<Pair>) {
    let market = SyntheticMarket::new(1, 1_000);
    let mint = market.mints().next().expect("it has tokens");
    let all = market.mints().flat_map(|each| market.pools_of(&each, at()));
    let pools: Vec<Pair> = all
        .map(|pool| pool.pair)
        .filter(|pair| pair.quote == Mint::WSOL || pair.quote == Mint::USDC)
        .take(30)
        .map(|mut pair| {
            pair.base.mint = mint;
            pair
        })
        .collect();
    (mint, pools)
}

fn at() -> Timestamp {
    Timestamp::from_second(1_800_000_000).expect("in range")
}
