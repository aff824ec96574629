//! The command line: parses arguments, runs one command, and turns its failure into one line and an exit code. The
//! commands themselves are in the modules beside it.

mod config;
pub(crate) mod output;
mod run;
mod status;
mod status_request;
mod tokens;

pub(crate) use tokens::printable;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::compose::ComposeError;
use crate::config::{ConfigErrors, Draft, Settings};
use crate::log::{Log, LogFilter};
use output::OutputError;
use tracing_subscriber::filter::LevelFilter;

/// Keeps the scores of Solana tokens fresh.
#[derive(Debug, Parser)]
#[command(
    name = "ttm",
    version,
    propagate_version = true,
    max_term_width = 110,
    after_help = "\
Examples:
  ttm demo                                 see it work, without network, database or config
  ttm tokens import mints.txt
  ttm run --config ttm.toml                the service
  ttm status                               one screen about a running service"
)]
struct Arguments {
    /// The config file; without one, every key has its default
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,

    /// What to log: a level, or directives such as info,ttm_app=debug
    #[arg(long, global = true, value_name = "FILTER")]
    log: Option<LogFilter>,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Everything in one process: a built-in exchange with an outage on a script, an embedded store, no network
    #[command(after_help = "Example:\n  ttm demo --for 2m --listen 127.0.0.1:8090")]
    Demo(run::DemoArguments),
    /// The service
    #[command(after_help = "Example:\n  TTM_SCHEDULER__HOT_INTERVAL=5s ttm run --config /etc/ttm/ttm.toml")]
    Run,
    /// Checks, prints and explains the configuration
    #[command(subcommand, after_help = "Example:\n  ttm config explain scheduler.hot_interval")]
    Config(config::ConfigCommand),
    /// Edits the set of tokens; a running service notices within 10 s
    #[command(subcommand, after_help = "Example:\n  ttm tokens import mints.txt")]
    Tokens(tokens::TokensCommand),
    /// One screen about a running service; exit code 0 healthy, 1 degraded, 2 critical, 3 no answer or unknown
    #[command(after_help = "Example:\n  ttm status --url http://127.0.0.1:8080")]
    Status(status::StatusArguments),
    /// Applies the migrations of the store; makes no SQLite database, which `run` and `tokens import` do
    #[command(after_help = "Example:\n  TTM_STORE__URL=postgres://ttm@localhost/ttm ttm migrate")]
    Migrate,
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    /// The parts could not be put together.
    #[error(transparent)]
    Compose(#[from] ComposeError),
    /// The arguments cannot be used.
    #[error("{0}")]
    Arguments(String),
    /// The answer cannot be printed.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// Anything else, as the one line that a person reads.
    #[error("{0}")]
    Told(String),
}

impl Failure {
    /// 78 is `EX_CONFIG`: systemd must not restart a service that cannot start.
    const CONFIG: u8 = 78;
    /// `EX_TEMPFAIL`: another process has the store.
    const HELD: u8 = 75;
    const ARGUMENTS: u8 = 2;

    fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) => Self::CONFIG,
            Self::Compose(error) if error.is_config() => Self::CONFIG,
            Self::Compose(ComposeError::Held(_)) => Self::HELD,
            Self::Arguments(_) => Self::ARGUMENTS,
            Self::Compose(_) | Self::Output(_) | Self::Told(_) => 1,
        }
    }
}

/// Runs the program.
pub fn main() -> ExitCode {
    let done = match Arguments::try_parse() {
        Ok(arguments) => dispatch(arguments),
        // A mistake in the call.
        Err(error) if error.use_stderr() => {
            output::tell(format_args!("{}", error.render().ansi()));
            return ExitCode::from(Failure::ARGUMENTS);
        }
        // Help and version are answers.
        Err(answer) => output::print(format_args!("{}", answer.render().ansi()))
            .map(|()| ExitCode::SUCCESS)
            .map_err(Failure::from),
    };
    match done {
        Ok(code) => code,
        Err(Failure::Output(error)) if error.is_closed() => ExitCode::SUCCESS,
        Err(failure) => {
            let code = failure.exit_code();
            for line in failure.to_string().lines() {
                output::tell(format_args!("{ERROR}error:{ERROR:#} {line}\n"));
            }
            ExitCode::from(code)
        }
    }
}

const ERROR: anstyle::Style = anstyle::AnsiColor::Red.on_default().bold();

fn dispatch(arguments: Arguments) -> Result<ExitCode, Failure> {
    let Arguments { config: file, log, command } = arguments;
    // Kept until the command has ended, so that a failure comes after the log.
    let log = |level: LevelFilter| -> Result<Log, Failure> {
        crate::log::start(log.unwrap_or_else(|| LogFilter::level(level))).map_err(Failure::Told)
    };
    match command {
        Command::Demo(arguments) => {
            let _log = log(LevelFilter::WARN)?;
            run::demo(&arguments)
        }
        Command::Run => {
            let settings = load(file.as_deref())?;
            let _log = log(LevelFilter::INFO)?;
            run::run(&settings)
        }
        Command::Config(command) => config::execute(&command, file.as_deref()),
        Command::Tokens(command) => {
            let _log = log(LevelFilter::WARN)?;
            tokens::execute(command, || load(file.as_deref()))
        }
        Command::Status(arguments) => status::execute(&arguments, file.as_deref()),
        Command::Migrate => {
            let settings = load(file.as_deref())?;
            let _log = log(LevelFilter::INFO)?;
            run::migrate(&settings)
        }
    }
}

/// What a command that needs a store is told by the config, with all that is wrong with it.
fn load(file: Option<&Path>) -> Result<Settings, Failure> {
    Ok(crate::compose::check_urls(draft(file))?)
}

#[expect(clippy::disallowed_methods, reason = "the environment is read here, once, and handed on")]
fn draft(file: Option<&Path>) -> Draft {
    Draft::read(file, std::env::vars_os())
}
