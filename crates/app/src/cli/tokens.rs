//! `ttm tokens`: edits the tokens in the store. All arguments are validated before anything is changed.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use indicatif::{HumanFloatCount, ProgressBar, ProgressState, ProgressStyle};
use ttm_kernel::Runtime;
use ttm_market::{Added, Listing, Mint, Token, TokenStore, parse_mints};

use super::failure::Failure;
use super::output::{printable, row, say};
use super::run::{ended_by, missing, start_threads, unless_ordered};
use crate::compose::{self, ComposeError, Orders};
use crate::config::Settings;

#[derive(Debug, Subcommand)]
pub(super) enum TokensCommand {
    /// Add tokens by mint; they stay even if a source stops listing them
    #[command(after_help = "Example:\n  ttm tokens add EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v")]
    Add {
        /// The mints
        #[arg(required = true)]
        mints: Vec<String>,
    },
    /// Remove tokens by mint; one that a source still lists is added again at the next poll
    #[command(after_help = "Example:\n  ttm tokens remove EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v")]
    Remove {
        /// The mints
        #[arg(required = true)]
        mints: Vec<String>,
    },
    /// List the stored tokens by descending score
    #[command(after_help = "Example:\n  ttm tokens list --limit 20")]
    List {
        /// The maximum number of tokens
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// Add the mints of a file, one per line; `#` starts a comment
    #[command(
        after_help = "Examples:\n  ttm tokens import mints.txt\n  sort -u a.txt b.txt | ttm tokens import -"
    )]
    Import {
        /// The file; - is standard input
        file: PathBuf,
    },
}

/// Mints per call to the store: few enough that a running service is never blocked for long.
const CHUNK: usize = 2_500;
/// Tokens per read.
const PAGE: usize = 5_000;
/// The file name that means standard input.
const STDIN: &str = "-";

pub(super) fn execute(
    command: TokensCommand,
    load: impl FnOnce() -> Result<Settings, Failure>,
) -> Result<ExitCode, Failure> {
    // Validate the arguments before the store is opened.
    let edit = match command {
        TokensCommand::Add { mints } => Edit::Add(parse_arguments(&mints)?),
        TokensCommand::Import { file } => Edit::Add(parse_file(&file)?),
        TokensCommand::Remove { mints } => Edit::Remove(parse_arguments(&mints)?),
        TokensCommand::List { limit } => return list(limit, &load()?),
    };
    let settings = load()?;
    // Removing must not create a database.
    if let Edit::Remove(_) = edit {
        check_exists(&settings)?;
    }
    let threads = start_threads()?;
    let planes = threads.planes();
    threads.block_on(async {
        let mut orders = Orders::listen()?;
        let open = async {
            Ok(match edit {
                Edit::Add(_) => compose::open_tokens(&settings.store).await?,
                Edit::Remove(_) => compose::open_existing_tokens(&settings.store).await?,
            })
        };
        let store = unless_ordered(&mut orders, Box::pin(open)).await?;
        let outcome = match edit {
            Edit::Add(mints) => add(&mints, &*store, &*planes.supervision(), &mut orders).await,
            Edit::Remove(mints) => unless_ordered(&mut orders, remove(&mints, &*store)).await,
        };
        // Even after an error: closing merges the write-ahead log into the database file.
        store.close().await;
        outcome
    })?;
    Ok(ExitCode::SUCCESS)
}

enum Edit {
    Add(Vec<Mint>),
    Remove(Vec<Mint>),
}

/// Refuses a database that does not exist.
fn check_exists(settings: &Settings) -> Result<(), Failure> {
    missing(settings).map_or(Ok(()), |complaint| Err(Failure::Told(complaint)))
}

fn told(error: impl std::fmt::Display) -> Failure {
    Failure::Compose(ComposeError::Store(error.to_string()))
}

/// Prints what was done. If standard output fails, the error contains it.
fn done(what: &str) -> Result<(), Failure> {
    match say!("{what}") {
        Ok(()) => Ok(()),
        Err(error) if error.is_closed() => Ok(()),
        Err(error) => Err(Failure::Told(format!("{what}; but {error}"))),
    }
}

/// Adds the mints in chunks. Adding is idempotent, so an interrupted import can be run again.
async fn add(
    mints: &[Mint],
    store: &dyn TokenStore,
    clock: &dyn Runtime,
    orders: &mut Orders,
) -> Result<(), Failure> {
    let bar = if mints.len() > CHUNK { ProgressBar::new(mints.len() as u64) } else { ProgressBar::hidden() };
    bar.set_style(style());
    let mut sum = Added::default();
    for chunk in mints.chunks(CHUNK) {
        let added = tokio::select! {
            biased;
            order = orders.next() => Err(ended_by(order)),
            added = store.add(chunk, clock.wall()) => added.map_err(|error| error.to_string()),
        };
        match added {
            Ok(added) => {
                sum.new += added.new;
                sum.revived += added.revived;
                sum.known += added.known;
                bar.inc(chunk.len() as u64);
            }
            Err(error) => {
                bar.abandon();
                let (so_far, all) = (sum.new + sum.revived + sum.known, mints.len());
                return Err(told(if so_far == 0 {
                    error
                } else {
                    format!(
                        "{error}; {so_far} of {all} mints are stored, run the same command again for the rest"
                    )
                }));
            }
        }
    }
    bar.finish_and_clear();
    let Added { new, revived, known } = sum;
    done(&format!("{new} added, {revived} unarchived, {known} already there"))
}

async fn remove(mints: &[Mint], store: &dyn TokenStore) -> Result<(), Failure> {
    let removed = store.remove(mints).await.map_err(told)?;
    let left = mints.len() as u64 - removed;
    done(&format!("{removed} removed, {left} not found"))
}

/// indicatif draws on standard error, and only if that is a terminal.
fn style() -> ProgressStyle {
    let template = "{bar:30} {human_pos} of {human_len} mints, {rate}/s, {eta} left";
    let style = ProgressStyle::with_template(template).expect("the template is well-formed");
    // Decimals would change too fast to be read.
    style.with_key("rate", |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        // Writing to a string cannot fail.
        let _ = write!(out, "{}", HumanFloatCount(state.per_sec().round()));
    })
}

/// Lists the tokens. It needs no graceful shutdown, so signals are not caught: they end it even while it waits for a reader
/// that has stopped reading.
fn list(limit: usize, settings: &Settings) -> Result<ExitCode, Failure> {
    check_exists(settings)?;
    let mut tokens = start_threads()?.block_on(async {
        let store = compose::open_existing_tokens(&settings.store).await?;
        let tokens = load_all(&*store).await;
        store.close().await;
        tokens
    })?;
    let total = tokens.len();
    tokens.sort_by(|a, b| {
        let height = |token: &Token| token.smoothed_score().unwrap_or(f64::NEG_INFINITY);
        height(b).total_cmp(&height(a)).then(a.mint.cmp(&b.mint))
    });
    row(format_args!("{:44}  {:10}  {:9}  {:>8}  UPDATED", "MINT", "SYMBOL", "STATUS", "SCORE"))?;
    for token in tokens.iter().take(limit) {
        let smoothed = token.smoothed_score().map_or_else(|| "-".to_owned(), |score| format!("{score:.4}"));
        let updated = token.score.map_or_else(|| "never".to_owned(), |score| format!("{:.0}", score.at));
        let symbol: String = printable(token.symbol.as_deref().unwrap_or("-"), 10);
        let (mint, status) = (token.mint, token.status);
        row(format_args!("{mint:44}  {symbol:10}  {status:9}  {smoothed:>8}  {updated}"))?;
    }
    if total > limit {
        say!("and {} more; use --limit to show them", total - limit)?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn load_all(store: &dyn TokenStore) -> Result<Vec<Token>, Failure> {
    let mut tokens: Vec<Token> = Vec::new();
    loop {
        let page = store.load(tokens.last().map(|token| token.mint), PAGE).await.map_err(told)?;
        let last = page.len() < PAGE;
        tokens.extend(page);
        if last {
            return Ok(tokens);
        }
    }
}

fn parse_arguments(words: &[String]) -> Result<Vec<Mint>, Failure> {
    let mut listing = Listing::default();
    (1..).zip(words).for_each(|(number, word)| listing.take(number, word));
    let unusable = &listing.unusable;
    if unusable.count() == 0 {
        return Ok(listing.mints.into_iter().collect());
    }
    let shown = unusable.shown();
    let more = unusable.count() - shown.len() as u64;
    let more = (more > 0).then(|| format!("and {more} more"));
    let told: Vec<String> = shown.iter().map(ToString::to_string).chain(more).collect();
    Err(Failure::Arguments(told.join("\n")))
}

fn parse_file(path: &Path) -> Result<Vec<Mint>, Failure> {
    let (name, text) = if path == Path::new(STDIN) {
        ("standard input".to_owned(), crate::config::text(std::io::stdin()))
    } else {
        (path.display().to_string(), crate::config::read_text(path))
    };
    let text = text.map_err(|error| Failure::Told(format!("{name}: cannot be read: {error}")))?;
    let listing = parse_mints(&text);
    match listing.unusable.complaint(&name, "nothing was imported") {
        Some(complaint) => Err(Failure::Told(complaint)),
        None if listing.mints.is_empty() => {
            Err(Failure::Told(format!("{name}: contains no mints, expected at least one, one per line")))
        }
        None => Ok(listing.mints.into_iter().collect()),
    }
}
