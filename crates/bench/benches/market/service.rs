//! The program against the stand-in for minutes: the use of the request budget, the freshness of the tokens, CPU and memory,
//! and the behaviour during an outage.

use std::error::Error;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::runtime::Runtime;
use ttm_bench::{Bound, Figure, Figures, Scenario, Shown, now};
use ttm_e2e::{get, ttm};
use ttm_exchange_sim::{Endpoint, Exchange, ExchangeConfig, ExchangeHandle, ExchangeStats, Outcome};
use ttm_kernel::FencingToken;
use ttm_market::{MarketConfig, Mint, Token, TokenStatus, TokenStore, score, summarize};
use ttm_sqlite_state::SqliteTokenStore;
use ttm_tokio_runtime::TokioRuntime;

pub(crate) const SCENARIOS: [Scenario; 4] = [
    Scenario { name: "nine thousand tokens", play: nine_thousand },
    Scenario { name: "nine thousand new tokens", play: nine_thousand_new },
    Scenario { name: "2,000 hot and 100,000 cold", play: crowd },
    Scenario { name: "five minutes of 503", play: outage },
];

/// Arbitrary; the same market makes runs comparable.
const SEED: u64 = 2026;
const MINUTE: Duration = Duration::from_mins(1);
/// The maximum number of tokens per minute: 300 batches of 30.
const LIMIT: f64 = 9_000.0;

/// A running program and its stand-in.
struct Run {
    child: Child,
    address: SocketAddr,
    exchange: ExchangeHandle,
    began: Instant,
    _runtime: Runtime,
    _folder: tempfile::TempDir,
}

impl Run {
    /// Starts the stand-in with this many tokens, stores the chosen ones, and starts the program.
    fn start(
        tokens: usize,
        fault: Option<&str>,
        chosen: impl Fn(&ExchangeHandle) -> Vec<Token>,
    ) -> Result<Self, Box<dyn Error>> {
        let runtime = Runtime::new()?;
        let faults = fault.map(str::parse).transpose()?.into_iter().collect();
        let config = ExchangeConfig::new(SEED, tokens).faults(faults);
        let clock = Arc::new(TokioRuntime::new(runtime.handle().clone()));
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        let database = folder.path().join("ttm.db");
        let exchange = runtime.block_on(Exchange::start(config, clock))?;
        runtime.block_on(fill(&database, &chosen(&exchange)))?;
        let began = now();
        // Released at once: the system does not reuse the port that soon.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let child = ttm(folder.path())
            .args(["--log", "warn", "run"])
            .env("TTM_DEXSCREENER__BASE_URL", exchange.base_url())
            .env("TTM_STORE__URL", format!("sqlite://{}", database.display()))
            .env("TTM_API__LISTEN", address.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()?;
        let run = Self { child, address, exchange, began, _runtime: runtime, _folder: folder };
        while std::net::TcpStream::connect(run.address).is_err() {
            pause(Duration::from_millis(50));
        }
        Ok(run)
    }

    /// Waits until then, and shows the progress every second.
    fn until(&self, end: Duration, shown: Shown<'_>, mut look: impl FnMut(&Self)) {
        while self.began.elapsed() < end {
            let left = end.saturating_sub(self.began.elapsed());
            let requests = self.exchange.stats().total();
            shown(&format!("{} s left, {requests} requests so far", left.as_secs()));
            pause(left.min(Duration::from_secs(1)));
            look(self);
        }
    }

    fn detailed(&self) -> Value {
        get(self.address, "/health/detailed").json()
    }

    /// The CPU seconds of the program so far, and its peak memory in MiB.
    fn usage(&self) -> Result<(f64, f64), Box<dyn Error>> {
        let folder = Path::new("/proc").join(self.child.id().to_string());
        let stat = fs::read_to_string(folder.join("stat"))?;
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = fields[11].parse::<f64>()? + fields[12].parse::<f64>()?;
        let status = fs::read_to_string(folder.join("status"))?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
        let kib: f64 = peak.trim().trim_end_matches("kB").trim().parse()?;
        Ok((ticks / 100.0, kib / 1024.0))
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // Fails if it has ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

async fn fill(database: &Path, tokens: &[Token]) -> Result<(), Box<dyn Error>> {
    let store = SqliteTokenStore::open(database).await?;
    let under = FencingToken::first(store.claim().await?);
    for some in tokens.chunks(5_000) {
        let mints: Vec<Mint> = some.iter().map(|token| token.mint).collect();
        store.add(&mints, some[0].first_seen).await?;
        store.save(under, some).await?;
    }
    Ok(())
}

/// Added a day ago, and not scored yet.
fn token(mint: Mint, status: TokenStatus) -> Token {
    Token { status, ..Token::new(mint, a_day_ago()) }
}

fn a_day_ago() -> Timestamp {
    wall() - SignedDuration::from_hours(24)
}

#[expect(clippy::disallowed_methods, reason = "the program runs in real time")]
fn wall() -> Timestamp {
    Timestamp::now()
}

#[expect(clippy::disallowed_methods, reason = "the program runs in real time")]
fn pause(time: Duration) {
    thread::sleep(time);
}

fn batches(stats: &ExchangeStats) -> f64 {
    stats.requests.get(&(Endpoint::Tokens, Outcome::Answered)).copied().unwrap_or_default() as f64
}

/// As in a system that has run for long: all tokens are active.
fn nine_thousand(shown: Shown<'_>) -> Figures {
    saturated(|mint| token(mint, TokenStatus::Active), shown)
}

/// As after an import: all tokens with liquidity may activate, which takes a request for each.
fn nine_thousand_new(shown: Shown<'_>) -> Figures {
    saturated(|mint| Token::new(mint, wall()), shown)
}

/// From the third minute to the tenth.
fn saturated(token: impl Fn(Mint) -> Token, shown: Shown<'_>) -> Figures {
    let run = Run::start(9_000, None, |exchange| exchange.mints().map(&token).collect())?;
    run.until(3 * MINUTE, shown, |_| {});
    let (before, (cpu_before, _)) = (run.exchange.stats(), run.usage()?);
    run.until(10 * MINUTE, shown, |_| {});
    let (after, (cpu, peak)) = (run.exchange.stats(), run.usage()?);
    let answered = (after.batched - before.batched) as f64 / 7.0;
    let batches = batches(&after) - batches(&before);
    let unlisted = run.detailed()["data_freshness"]["unlisted"].as_f64().unwrap_or(f64::NAN);
    Ok(vec![
        Figure::new("tokens answered per minute, % of 9,000", answered / LIMIT * 100.0, "%")
            .bound(Bound::AtLeast(95.0)),
        Figure::new("429 in ten minutes", after.ended(Outcome::OverLimit) as f64, "")
            .bound(Bound::AtMost(0.0)),
        Figure::new("tokens per batch", (after.batched - before.batched) as f64 / batches, "")
            .bound(Bound::AtLeast(29.5)),
        Figure::new("most requests in a sliding minute", after.busiest_minute as f64, "")
            .bound(Bound::AtMost(300.0)),
        Figure::new("tokens unknown to the API", unlisted, ""),
        Figure::new("peak memory", peak, "MiB"),
        Figure::new("CPU, % of one core", (cpu - cpu_before) / 420.0 * 100.0, "%"),
    ])
}

/// Some tokens that are hot regardless of their score, and many cold ones.
fn crowd(shown: Shown<'_>) -> Figures {
    shown("storing the tokens");
    let run = Run::start(160_000, None, |exchange| {
        let (market, config, at) = (exchange.market(), MarketConfig::default(), a_day_ago());
        let is_cold = |mint: &Mint| {
            let pools: Vec<_> = market.primary_of(mint, wall()).map(|pool| pool.pair).into_iter().collect();
            let summary = summarize(*mint, &pools, &config);
            !pools.is_empty() && score(&summary.inputs, wall().duration_since(at)).score.value < 0.05
        };
        let cold = exchange.mints().filter(is_cold).take(102_000).enumerate();
        let status = |number| if number < 2_000 { TokenStatus::Active } else { TokenStatus::Monitored };
        cold.map(|(number, mint)| token(mint, status(number))).collect()
    })?;
    run.until(2 * MINUTE, shown, |_| {});
    let (cpu_before, _) = run.usage()?;
    let mut worst = 0.0_f64;
    let mut last = Value::Null;
    run.until(8 * MINUTE, shown, |run| {
        last = run.detailed();
        worst = worst.max(last["data_freshness"]["hot"]["age_p99_seconds"].as_f64().unwrap_or(f64::INFINITY));
    });
    let (cpu, peak) = run.usage()?;
    let stats = run.exchange.stats();
    let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
    Ok(vec![
        Figure::new("99th percentile of hot ages, maximum", worst, "s").bound(Bound::AtMost(20.0)),
        Figure::new("peak memory", peak, "MiB").bound(Bound::AtMost(120.0)),
        Figure::new("CPU, % of one core", (cpu - cpu_before) / 360.0 * 100.0, "%").bound(Bound::AtMost(25.0)),
        Figure::new("429 in eight minutes", stats.ended(Outcome::OverLimit) as f64, "")
            .bound(Bound::AtMost(0.0)),
        Figure::new("hot tokens", number(&last["data_freshness"]["hot"]["tokens"]), ""),
        Figure::new(
            "computed cycle of cold tokens",
            number(&last["plan"]["cold"]["cycle_seconds"]) / 60.0,
            "min",
        ),
    ])
}

/// Two minutes without faults, five of 503, and then until it has recovered.
fn outage(shown: Shown<'_>) -> Figures {
    let (fails, heals) = (2 * MINUTE, 7 * MINUTE);
    let active =
        |exchange: &ExchangeHandle| exchange.mints().map(|mint| token(mint, TokenStatus::Active)).collect();
    let run = Run::start(3_000, Some("at 2m for 5m: 503"), active)?;
    // The stand-in started before the program.
    run.until(fails + Duration::from_secs(20), shown, |_| {});
    let before = run.exchange.stats().total();
    let mut served = (0_u64, 0_u64, 0_u64);
    run.until(heals.saturating_sub(Duration::from_secs(2)), shown, |run| {
        if run.began.elapsed() > fails + 2 * MINUTE && served.0 == 0 {
            served = hot_tokens(run.address);
        }
    });
    let during = (run.exchange.stats().total() - before) as f64 / (278.0 / 60.0);
    let answered = |run: &Run| run.exchange.stats().ended(Outcome::Answered);
    let known = answered(&run);
    // Every tenth of a second: the time of the first response, and the times and numbers of those since.
    let mut arrivals: Vec<(Duration, u64)> = Vec::new();
    while run.began.elapsed() < heals + 4 * MINUTE {
        shown("waiting for it to recover");
        pause(Duration::from_millis(100));
        arrivals.push((run.began.elapsed(), answered(&run) - known));
    }
    let first =
        arrivals.iter().find(|(_, answers)| *answers > 0).map_or(f64::INFINITY, |(at, _)| at.as_secs_f64());
    // The first five seconds since the recovery with 95 % of the budget.
    let full = arrivals.iter().find(|(at, answers)| {
        at.as_secs_f64() >= first && {
            let later = arrivals.iter().find(|(later, _)| *later >= *at + Duration::from_secs(5));
            later.is_some_and(|(_, then)| (then - answers) as f64 >= 0.95 * 294.0 / 12.0)
        }
    });
    let full = full.map_or(f64::INFINITY, |(at, _)| at.as_secs_f64());
    let (tokens, never_scored, unmarked) = served;
    Ok(vec![
        Figure::new("requests per minute while the breaker is open", during, "").bound(Bound::AtMost(2.0)),
        Figure::new("from its recovery to the full budget", full - first, "s").bound(Bound::AtMost(10.0)),
        Figure::new("from the end of the 503s to the first response", first - heals.as_secs_f64(), "s"),
        Figure::new("hot tokens served during the outage", tokens as f64, ""),
        Figure::new("hot tokens served without a score", never_scored as f64, "(including unlisted ones)"),
        Figure::new("old hot tokens not marked stale", unmarked as f64, "").bound(Bound::AtMost(0.0)),
        Figure::new("429", run.exchange.stats().ended(Outcome::OverLimit) as f64, "")
            .bound(Bound::AtMost(0.0)),
    ])
}

/// The numbers of served hot tokens, of those without a score, and of old ones that are not marked.
fn hot_tokens(address: SocketAddr) -> (u64, u64, u64) {
    let (mut tokens, mut without, mut unmarked) = (0, 0, 0);
    let mut path = "/api/v1/tokens?lane=hot&sort=mint&limit=1000".to_owned();
    loop {
        let page = get(address, &path).json();
        for token in page["tokens"].as_array().into_iter().flatten() {
            tokens += 1;
            without += u64::from(token["score"].is_null());
            let old = token["age_seconds"].as_f64().is_some_and(|age| age > 60.0);
            unmarked += u64::from(old && token["stale"] != true);
        }
        let Some(next) = page["next"].as_str() else { return (tokens, without, unmarked) };
        path = format!("/api/v1/tokens?lane=hot&sort=mint&limit=1000&cursor={next}");
    }
}
