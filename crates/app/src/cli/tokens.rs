//! `ttm tokens`: edits the set of tokens in the store. All of a change or nothing.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use ttm_market::{Mint, Token, TokenStore, parse_mints};

use super::Failure;
use crate::compose::{self, ComposeError};
use crate::config::Settings;
use crate::planes::Threads;

#[derive(Debug, Subcommand)]
pub(super) enum TokensCommand {
    /// Adds tokens by their mints; one that a source lists stays from then on when it is no longer listed
    #[command(after_help = "Example:\n  ttm tokens add EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v")]
    Add {
        /// Their mints
        #[arg(required = true)]
        mints: Vec<String>,
    },
    /// Removes tokens by their mints; one that a source still lists comes back at its next look
    #[command(after_help = "Example:\n  ttm tokens remove EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v")]
    Remove {
        /// Their mints
        #[arg(required = true)]
        mints: Vec<String>,
    },
    /// Lists the stored tokens, the highest score first
    #[command(after_help = "Example:\n  ttm tokens list --limit 20")]
    List {
        /// At most this many
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// Adds the mints of a file, one a line; `#` begins a comment
    #[command(after_help = "Example:\n  ttm tokens import mints.txt")]
    Import {
        /// The file
        file: PathBuf,
    },
}

/// Mints of one call to the store.
const BATCH: usize = 5_000;

pub(super) fn execute(command: TokensCommand, settings: &Settings) -> Result<ExitCode, Failure> {
    // Arguments are judged before the store is touched.
    let edit = match command {
        TokensCommand::Add { mints } => Edit::Add(parse_arguments(&mints)?),
        TokensCommand::Import { file } => Edit::Add(parse_file(&file)?),
        TokensCommand::Remove { mints } => Edit::Remove(parse_arguments(&mints)?),
        TokensCommand::List { limit } => Edit::List(limit),
    };
    let threads =
        Threads::start().map_err(|error| Failure::Told(format!("threads cannot start: {error}")))?;
    let planes = threads.planes();
    threads.block_on(async {
        let store = compose::open_tokens(&settings.store).await?;
        apply(edit, &*store, &*planes.work).await.map_err(|error| ComposeError::Store(error.to_string()))
    })?;
    Ok(ExitCode::SUCCESS)
}

enum Edit {
    Add(Vec<Mint>),
    Remove(Vec<Mint>),
    List(usize),
}

async fn apply(
    edit: Edit,
    store: &dyn TokenStore,
    clock: &dyn ttm_kernel::Runtime,
) -> Result<(), ttm_kernel::StoreError> {
    match edit {
        Edit::Add(mints) => {
            let added = store.add(&mints, clock.wall()).await?;
            anstream::println!(
                "{} added, {} taken out of the archive, {} known already",
                added.new,
                added.revived,
                added.known
            );
        }
        Edit::Remove(mints) => {
            let removed = store.remove(&mints).await?;
            anstream::println!("{removed} removed, {} not there", mints.len() as u64 - removed);
        }
        Edit::List(limit) => list(store, limit).await?,
    }
    Ok(())
}

async fn list(store: &dyn TokenStore, limit: usize) -> Result<(), ttm_kernel::StoreError> {
    let mut tokens: Vec<Token> = Vec::new();
    loop {
        let page = store.load(tokens.last().map(|token| token.mint), BATCH).await?;
        let last = page.len() < BATCH;
        tokens.extend(page);
        if last {
            break;
        }
    }
    let total = tokens.len();
    tokens.sort_by(|a, b| {
        let height = |token: &Token| token.smoothed_score().unwrap_or(f64::NEG_INFINITY);
        height(b).total_cmp(&height(a)).then(a.mint.cmp(&b.mint))
    });
    anstream::println!("{:44}  {:10}  {:9}  {:>8}  UPDATED", "MINT", "SYMBOL", "STATUS", "SCORE");
    for token in tokens.iter().take(limit) {
        let smoothed = token.smoothed_score().map_or_else(|| "-".to_owned(), |score| format!("{score:.4}"));
        let updated = token.score.map_or_else(|| "never".to_owned(), |score| format!("{:.0}", score.at));
        let symbol: String = printable(token.symbol.as_deref().unwrap_or("-"), 10);
        anstream::println!("{:44}  {symbol:10}  {:9}  {smoothed:>8}  {updated}", token.mint, token.status);
    }
    if total > limit {
        anstream::println!("and {} more; --limit shows them", total - limit);
    }
    Ok(())
}

/// A name from outside, cut and without anything that could steer a terminal.
pub(crate) fn printable(name: &str, width: usize) -> String {
    name.chars().filter(|c| !c.is_control()).take(width).collect()
}

fn parse_arguments(words: &[String]) -> Result<Vec<Mint>, Failure> {
    let mut mints = BTreeSet::new();
    for word in words {
        let mint = word.parse().map_err(|error| Failure::Told(format!("{word:?} is no mint: {error}")))?;
        mints.insert(mint);
    }
    Ok(mints.into_iter().collect())
}

fn parse_file(path: &Path) -> Result<Vec<Mint>, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::Told(format!("{}: cannot be read: {error}", path.display())))?;
    let listing = parse_mints(&text);
    match listing.unusable.complaint(&path.display().to_string(), "nothing was imported") {
        Some(complaint) => Err(Failure::Told(complaint)),
        None => Ok(listing.mints.into_iter().collect()),
    }
}
