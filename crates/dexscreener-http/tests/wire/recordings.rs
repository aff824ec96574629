//! Every recorded body decodes, or is refused for an expected reason; and recorded pools get the same scores as in the
//! previous system. The recordings are kept outside the repository; without them, the tests only report that.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use jiff::SignedDuration;
use serde_json::Value;
use ttm_dexscreener_http::{Decoded, Undecodable, decode, decode_profiles};
use ttm_market::{MarketConfig, Mint, Pair, SkipReason, score, summarize};

/// Relative to the crate, where cargo runs its tests. The place of the build would not do: checkouts may share it.
const FOLDER: &str = "../../../shared/dexscreener";

/// The expected result of a file.
enum Verdict {
    /// A list of this many pairs; those of other chains are skipped, all on Solana are kept.
    Pairs(usize),
    /// All pools of one token: the total, and in how many it is the quote.
    Pools { all: usize, quote_side: usize },
    /// `null` instead of a list.
    Null,
    /// A list of profiles: the total, and how many are of tokens on Solana.
    Profiles { all: usize, solana: usize },
    /// JSON without pairs.
    OtherObject,
    /// Not JSON: a page or a line of a proxy.
    NotJson,
}

/// The expected result of each file, by the start of its name.
fn verdict(name: &str) -> Option<Verdict> {
    const VERDICTS: [(&str, Verdict); 23] = [
        ("golden_scores.json", Verdict::OtherObject),
        ("http403_cloudflare_access_denied.html", Verdict::NotJson),
        ("http429_cloudflare_1015.html", Verdict::NotJson),
        ("http429_cloudflare_1015_plaintext.txt", Verdict::NotJson),
        ("latest-dex-pairs_solana_single", Verdict::Pairs(1)),
        ("latest-dex-pairs_unknown", Verdict::Null),
        ("latest-dex-tokens_luna", Verdict::Pairs(2)),
        ("latest-dex-tokens_solana_pairsarray_3KHMZh", Verdict::Pools { all: 16, quote_side: 2 }),
        ("latest-dex-tokens_solana_pairsarray_7HgfXf", Verdict::Pools { all: 10, quote_side: 1 }),
        ("latest-dex-tokens_solana_pairsarray_8J69rb", Verdict::Pools { all: 28, quote_side: 10 }),
        ("latest-dex-tokens_solana_pairsarray_BcHEaa", Verdict::Pools { all: 19, quote_side: 2 }),
        ("latest-dex-tokens_solana_pairsarray_HfAFNs", Verdict::Pools { all: 7, quote_side: 1 }),
        ("latest-dex-tokens_unknown", Verdict::Null),
        ("orders_v1", Verdict::OtherObject),
        ("pairs_by_mint.json", Verdict::OtherObject),
        ("search_trending_11pairs", Verdict::Pairs(11)),
        ("search_trending_22pairs", Verdict::Pairs(22)),
        ("search_trending_25pairs", Verdict::Pairs(25)),
        ("search_", Verdict::Pairs(30)),
        ("token-profiles", Verdict::Profiles { all: 38, solana: 26 }),
        ("tokens_v1_solana_2tokens", Verdict::Pairs(2)),
        ("tokens_v1_unknown", Verdict::Pairs(0)),
        ("FACTS.md", Verdict::NotJson),
    ];
    VERDICTS.into_iter().find(|(start, _)| name.starts_with(start)).map(|(_, verdict)| verdict)
}

/// Writes a line that is shown even if the test passes, unlike printed ones.
fn report(line: &str) {
    writeln!(io::stderr(), "{line}").expect("a test has a stderr");
}

/// The recordings; reports if there are none.
fn recordings() -> Vec<PathBuf> {
    let Ok(folder) = fs::read_dir(FOLDER) else {
        report("no recordings beside the repository: 0 ran");
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = folder.map(|entry| entry.expect("a readable folder").path()).collect();
    files.sort();
    files
}

fn name(file: &Path) -> String {
    file.file_name().expect("a file has a name").to_string_lossy().into_owned()
}

/// The base mints of the pairs on Solana, anywhere in the body.
fn bases(body: &Value) -> BTreeSet<Mint> {
    match body {
        Value::Array(items) => items.iter().flat_map(bases).collect(),
        Value::Object(fields) if fields.contains_key("baseToken") => {
            let address = fields["baseToken"]["address"].as_str().expect("an address");
            address.parse().ok().filter(|_| fields["chainId"] == "solana").into_iter().collect()
        }
        Value::Object(fields) => fields.values().flat_map(bases).collect(),
        _ => BTreeSet::new(),
    }
}

#[test]
fn every_recorded_body_decodes_or_is_refused_for_an_expected_reason() {
    let mut ran = 0;
    for file in recordings() {
        let name = name(&file);
        if name == "SOURCES.md" {
            continue;
        }
        let verdict = verdict(&name).unwrap_or_else(|| panic!("{name} is new: say what is expected of it"));
        let body = fs::read(&file).expect("a readable file");
        let known: Vec<Mint> = serde_json::from_slice(&body)
            .map(|value: Value| bases(&value).into_iter().collect())
            .unwrap_or_default();
        check(&name, &verdict, &body, &known);
        ran += 1;
    }
    report(&format!("{ran} recorded bodies ran"));
}

fn check(name: &str, verdict: &Verdict, body: &[u8], bases: &[Mint]) {
    match (verdict, decode(body, "solana", bases)) {
        (Verdict::Pairs(all), Ok(Decoded::Pairs(batch))) => {
            let elsewhere = batch.skipped.count(SkipReason::OtherChain);
            assert_eq!(batch.skipped.total(), elsewhere, "{name}: {:?}", batch.skipped);
            assert_eq!(batch.pairs.len() as u64 + elsewhere, *all as u64, "{name}");
        }
        (Verdict::Pools { all, quote_side }, Ok(Decoded::Pairs(everything))) => {
            assert_eq!(everything.pairs.len(), *all, "{name}");
            let prefix = name.split('_').nth(3).expect("the start of the mint");
            let mint = bases.iter().find(|mint| mint.to_string().starts_with(prefix)).expect("its own base");
            let Ok(Decoded::Pairs(batch)) = decode(body, "solana", &[*mint]) else { panic!("{name}") };
            assert_eq!(batch.skipped.count(SkipReason::QuoteSide), *quote_side as u64, "{name}");
            assert_eq!(batch.pairs.len() + quote_side, *all, "{name}");
        }
        (Verdict::Profiles { all, solana }, Err(Undecodable::NoneReadable { entries, .. })) => {
            assert_eq!(entries, *all, "{name}");
            let listing = decode_profiles(body, "solana").expect("a list").expect("no null");
            assert_eq!(listing.mints.len(), *solana, "{name}");
            assert_eq!(listing.unusable.count(), 0, "{name}");
        }
        (Verdict::Null, Ok(Decoded::Null))
        | (Verdict::OtherObject, Err(Undecodable::NoList { .. }))
        | (Verdict::NotJson, Err(Undecodable::NotJson(_))) => {}
        (_, other) => panic!("{name}: {other:?}"),
    }
}

/// The pools of one recorded token, through the decoder.
fn pools(pairs_by_mint: &Value, mint: Mint) -> Vec<Pair> {
    let body = pairs_by_mint[mint.to_string()].to_string();
    match decode(body.as_bytes(), "solana", &[mint]) {
        Ok(Decoded::Pairs(batch)) => batch.pairs,
        other => panic!("{mint}: {other:?}"),
    }
}

#[test]
fn recorded_pools_score_as_in_the_previous_system() {
    let read = |name: &str| fs::read(Path::new(FOLDER).join(name)).ok();
    let (Some(golden), Some(pairs)) = (read("golden_scores.json"), read("pairs_by_mint.json")) else {
        report("no recordings beside the repository: 0 scores compared");
        return;
    };
    let golden: Value = serde_json::from_slice(&golden).expect("JSON");
    let pairs: Value = serde_json::from_slice(&pairs).expect("JSON");
    let recorded = golden["recorded"].as_array().expect("a list");
    for expected in recorded {
        let mint: Mint = expected["mint"].as_str().expect("a mint").parse().expect("a valid mint");
        let summary = summarize(mint, &pools(&pairs, mint), &MarketConfig::default());
        assert_eq!(u64::from(summary.pools), expected["pools_used"], "{mint}");
        let age = SignedDuration::from_secs_f64(expected["age_hours"].as_f64().expect("hours") * 3_600.0);
        let scored = score(&summary.inputs, age);

        let agree = |got: f64, wanted: &Value, tolerance: f64| {
            let wanted = wanted.as_f64().expect("a number");
            assert!((got - wanted).abs() <= tolerance, "{mint}: {got} instead of {wanted}");
        };
        let (parts, wanted) = (scored.score.components, &expected["components"]);
        agree(parts.tx_accel, &wanted["tx_accel"], 1e-9);
        agree(parts.vol_momentum, &wanted["vol_momentum"], 1e-9);
        agree(parts.freshness, &wanted["token_freshness"], 1e-9);
        agree(parts.orderflow, &wanted["orderflow_imbalance"], 1e-9);
        agree(scored.score.value, &expected["score"], 1e-6);
    }
    report(&format!("{} recorded scores compared", recorded.len()));
}
