//! The demo: the real service and the real HTTP adapter against the built-in exchange, with an outage on a script.
//! Everything but the exchange and the numbers below is what `ttm run` runs.

use std::fs::{File, TryLockError};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anstyle::AnsiColor;
use clap::Args;
use jiff::fmt::friendly::SpanParser;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::oneshot;
use ttm_exchange_sim::{Exchange, ExchangeConfig, Fault, FaultKind};
use ttm_health::{BreakerState, HealthView};
use ttm_kernel::{LeaseError, Moment, Runtime};
use ttm_market::{Mint, TokenQuery, TokenView};

use super::failure::Failure;
use super::output::{OutputError, printable, row, say};
use super::run::start_threads;
use crate::compose::{self, ComposeError, Managed, Orders, Process, StateLease};
use crate::config::Settings;
use ttm_service::Board;
use ttm_service::Planes;

const TOKENS: usize = 600;
/// Ages of the tokens, in hours.
const AGES: usize = 12;
/// Any; the same market at every demo makes two of them comparable.
const SEED: u64 = 2026;
const OUTAGE: Fault =
    Fault { from: Duration::from_mins(1), lasts: Duration::from_secs(30), kind: FaultKind::Unavailable };
/// Shorter than in production, so that one sees the breaker close again before one's coffee is cold.
const RECOVERY: &str = "15s";
const SHOW_EVERY: Duration = Duration::from_secs(10);
const SHOWN: usize = 10;
const DATABASE: &str = "ttm-data/demo.db";

#[derive(Debug, Args)]
pub(super) struct DemoArguments {
    /// Where health, metrics and the API answer
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080", value_parser = loopback)]
    listen: SocketAddr,

    /// Ends by itself after this long; without it, at Ctrl-C
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    lasts: Option<Duration>,
}

fn duration(text: &str) -> Result<Duration, String> {
    SpanParser::new()
        .parse_unsigned_duration(text)
        .map_err(|_| "expected a duration such as 30s or 2m".to_owned())
}

/// The demo has no token, so nobody else may ask it.
fn loopback(text: &str) -> Result<SocketAddr, String> {
    match text.parse::<SocketAddr>() {
        Ok(address) if address.ip().is_loopback() => Ok(address),
        Ok(_) => Err("the demo answers on loopback alone, such as 127.0.0.1:8090".to_owned()),
        Err(_) => Err("expected an address and port such as 127.0.0.1:8090".to_owned()),
    }
}

pub(super) fn execute(arguments: &DemoArguments) -> Result<ExitCode, Failure> {
    let threads = start_threads()?;
    let planes = threads.planes();
    threads.block_on(run(planes, arguments.listen, arguments.lasts))?;
    Ok(ExitCode::SUCCESS)
}

async fn run(planes: Arc<dyn Planes>, listen: SocketAddr, lasts: Option<Duration>) -> Result<(), Failure> {
    // First: an order that comes while the demo is set up ends it as soon as it runs.
    let orders = Orders::listen()?;
    let config = ExchangeConfig::new(SEED, TOKENS).faults(vec![OUTAGE]);
    let runtime = planes.supervision();
    let exchange = Exchange::start(config, planes.io())
        .await
        .map_err(|error| ComposeError::Process(format!("the built-in exchange cannot start: {error}")))?;
    let settings = settings(&exchange.base_url(), listen)?;
    // Held until the demo is over.
    let _alone = forget_last_demo(&settings).await?;
    add_tokens(&settings, &exchange.mints().collect::<Vec<_>>(), runtime.wall()).await?;
    let process = Process::compose(settings, planes, Managed::by_nobody(), orders).await?;
    let (board, clock, address, started) =
        (process.board(), runtime.clone(), process.address(), process.started());
    let (fails, failed) = oneshot::channel();
    // A task of its own: a screen that takes nothing more, as that of a pager does, delays no stop.
    let shown = runtime.spawn(
        "screen",
        Box::pin(async move {
            started.await;
            if let Err(error) = show(&board, &*clock, address).await {
                // Dropped unheard once the demo is over.
                drop(fails.send(error));
            }
        }),
    );
    let end = lasts.map_or(Moment::MAX, |lasts| runtime.now() + lasts);
    let mut unshown = None;
    let over = async {
        tokio::select! {
            biased;
            () = runtime.sleep_until(end) => {}
            Ok(error) = failed => unshown = Some(error),
        }
    };
    let ended = Box::pin(process.run(over)).await;
    shown.abort();
    exchange.shutdown().await;
    ended?;
    unshown.map_or(Ok(()), |error| Err(error.into()))
}

/// Adds the tokens as if they had been found over the last hours: a new token is hot by its freshness alone, and both
/// lanes should have something to do.
async fn add_tokens(settings: &Settings, mints: &[Mint], now: Timestamp) -> Result<(), ComposeError> {
    let store = compose::open_tokens(&settings.store).await?;
    for (hours, mints) in (0..).zip(mints.chunks(TOKENS.div_ceil(AGES))) {
        let first_seen = now - SignedDuration::from_hours(hours);
        store.add(mints, first_seen).await.map_err(|error| ComposeError::Store(error.to_string()))?;
    }
    store.close().await;
    Ok(())
}

/// The production defaults, but for the exchange, the place of the data and the breaker's patience.
fn settings(base_url: &str, listen: SocketAddr) -> Result<Settings, ComposeError> {
    let overrides = [
        ("TTM_DEXSCREENER__BASE_URL", base_url),
        ("TTM_STORE__URL", &format!("sqlite://{DATABASE}")),
        ("TTM_BREAKER__DEXSCREENER__RECOVERY_TIMEOUT", RECOVERY),
    ];
    let overrides = overrides.map(|(name, value)| (name.into(), value.into()));
    let mut settings = crate::config::load(None, overrides.into_iter())
        .map_err(|errors| ComposeError::Config(errors.to_string()))?;
    settings.api.listen = listen;
    Ok(settings)
}

/// Every demo starts from nothing; the database of the last one is not of interest to anybody, unless somebody works with
/// it still. Two demos that start at once are kept apart by the file that is returned, for as long as it is open.
async fn forget_last_demo(settings: &Settings) -> Result<File, ComposeError> {
    let lease = StateLease::new(&settings.store)?.port();
    let lock = format!("{DATABASE}.demo");
    let alone = File::create(&lock).map_err(|error| ComposeError::Process(format!("{lock}: {error}")))?;
    match alone.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(ComposeError::Held(format!("{DATABASE}: another demo runs in this folder")));
        }
        Err(TryLockError::Error(error)) => {
            return Err(ComposeError::Process(format!("{lock} cannot be locked: {error}")));
        }
    }
    lease.acquire().await.map_err(|error| match error {
        held @ LeaseError::Held { .. } => ComposeError::Held(format!("{}: {held}", settings.store)),
        other => ComposeError::Store(format!("{}: {other}", settings.store)),
    })?;
    for suffix in ["", "-wal", "-shm"] {
        // Usually there is none; one that cannot be removed is told by the store that opens it.
        drop(std::fs::remove_file(format!("{DATABASE}{suffix}")));
    }
    // Only now: whoever has the lease may use the files.
    let released = lease.release().await;
    released.map_err(|error| ComposeError::Store(format!("{}: {error}", settings.store)))?;
    Ok(alone)
}

/// Who has closed the screen has seen enough; the demo goes on.
fn unless_closed(printed: Result<(), OutputError>) -> Result<(), OutputError> {
    printed.or_else(|error| if error.is_closed() { Ok(()) } else { Err(error) })
}

/// Says what there is to see, then prints the state and the best tokens, again and again. Ends when that is not possible.
async fn show(board: &Board, runtime: &dyn Runtime, address: SocketAddr) -> Result<(), OutputError> {
    unless_closed(say!(
        "{TOKENS} tokens of a made-up market; the exchange fails from 1:00 to 1:30.\n\
         Scores, every 10 s:      http://{address}/api/v1/tokens?limit=10\n\
         Health and breaker:      http://{address}/health/detailed\n\
         The same on one screen:  ttm status --url http://{address}\n\
         Kept in:                 {DATABASE}"
    ))?;
    let started = runtime.now();
    loop {
        runtime.sleep_until(runtime.now() + SHOW_EVERY).await;
        unless_closed(print(board, runtime.now() - started))?;
    }
}

fn print(board: &Board, elapsed: Duration) -> Result<(), OutputError> {
    const BOLD: anstyle::Style = anstyle::Style::new().bold();
    let report = board.report();
    let breaker = report.apis.circuit_breaker_state.unwrap_or(BreakerState::Closed);
    let colour = match breaker {
        BreakerState::Closed => AnsiColor::Green,
        BreakerState::HalfOpen => AnsiColor::Yellow,
        BreakerState::Open | BreakerState::ForcedOpen | BreakerState::Disabled => AnsiColor::Red,
    }
    .on_default();
    let seconds = elapsed.as_secs();
    let rate = report
        .scheduler
        .tokens_processed_per_minute
        .map_or_else(|| "-".to_owned(), |rate| format!("{rate:.0}"));
    say!("")?;
    row(format_args!(
        "{BOLD}{:>2}:{:02}{BOLD:#}  breaker {colour}{}{colour:#}   scored/min {rate}   hot {}{}   cold {}{}   {}",
        seconds / 60,
        seconds % 60,
        breaker.as_str(),
        report.data.hot.tokens,
        stale(report.data.hot.stale),
        report.data.cold.tokens,
        stale(report.data.cold.stale),
        report.status,
    ))?;
    let best = board.page(&TokenQuery { limit: SHOWN, ..TokenQuery::default() });
    row(format_args!(
        "  {:8} {:>8} {:>8}  {:5} {:7} {:>5}  MINT",
        "SYMBOL", "SCORE", "SMOOTH", "LANE", "BASIS", "AGE"
    ))?;
    for token in best.tokens {
        let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"));
        let age = token.age.map_or_else(|| "-".to_owned(), |age| format!("{}s", age.as_secs()));
        row(format_args!(
            "  {:8} {:>8} {:>8}  {:5} {:7} {age:>5}{} {}",
            printable(token.symbol.as_deref().unwrap_or("-"), 8),
            number(token.score),
            number(token.smoothed_score),
            token.lane.map_or("-", |lane| lane.as_str()),
            token.basis.map_or("-", |basis| basis.as_str()),
            if token.stale { "!" } else { " " },
            short(&token.mint.to_string()),
        ))?;
    }
    Ok(())
}

fn stale(tokens: u64) -> String {
    if tokens == 0 { String::new() } else { format!(" ({tokens} stale)") }
}

/// Both ends of a made-up mint, so that a row fits a terminal of 80 columns.
fn short(mint: &str) -> String {
    let from = mint.len().saturating_sub(6);
    match (mint.get(..6), mint.get(from..)) {
        (Some(first), Some(last)) if from > 6 => format!("{first}…{last}"),
        _ => mint.to_owned(),
    }
}
