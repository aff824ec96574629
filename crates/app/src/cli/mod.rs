//! The command line: parses arguments, runs one command, and turns its failure into one line and an exit code. Each
//! command has a module.

mod alerts;
mod breaker;
mod client;
mod config;
mod demo;
mod failure;
mod load;
mod output;
mod quote;
mod recovery;
mod recovery_table;
mod restart;
mod run;
mod status;
mod status_request;
mod tokens;
mod values;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::log::{Log, LogFilter};
use client::ServiceArguments;
use failure::Failure;
use load::load;
use tracing_subscriber::filter::LevelFilter;

/// Keep the scores of Solana tokens fresh.
#[derive(Debug, Parser)]
#[command(
    name = "ttm",
    version,
    propagate_version = true,
    max_term_width = 110,
    after_help = "\
Examples:
  ttm demo                      try it out: no network, database or config
  ttm tokens import mints.txt   add tokens to the store
  ttm run --config ttm.toml     run the service
  ttm status                    see how a running service is doing"
)]
struct Arguments {
    /// The config file; without one, all keys have their defaults
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,

    /// What to log: a level, or directives such as info,ttm_app=debug
    #[arg(long, global = true, value_name = "FILTER")]
    log: Option<LogFilter>,

    #[command(flatten)]
    service: ServiceArguments,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the service against a built-in exchange with a scripted outage, without network or database
    #[command(after_help = "Example:\n  ttm demo --for 2m --listen 127.0.0.1:8090")]
    Demo(demo::DemoArguments),
    /// Run the service
    #[command(after_help = "Example:\n  TTM_SCHEDULER__HOT_INTERVAL=5s ttm run --config /etc/ttm/ttm.toml")]
    Run,
    /// Check, print and explain the configuration
    #[command(subcommand, after_help = "Example:\n  ttm config explain scheduler.hot_interval")]
    Config(config::ConfigCommand),
    /// Show what is wrong in the running service, acknowledge it, silence it, and try out who is told
    #[command(
        subcommand,
        after_help = "Examples:\n  ttm alerts list\n  ttm alerts show store_down\n  \
                      ttm alerts silence --rule disk --for 2h --reason 'new disks'"
    )]
    Alerts(alerts::AlertsCommand),
    /// Edit the tokens in the store; a running service notices within 10 s
    #[command(subcommand, after_help = "Example:\n  ttm tokens import mints.txt")]
    Tokens(tokens::TokensCommand),
    /// Show the status of a running service; exit code 0 healthy, 1 degraded, 2 critical, 3 no answer or unknown
    #[command(after_help = "Example:\n  ttm status --url http://127.0.0.1:8080")]
    Status(status::StatusArguments),
    /// Show what self-healing did and why, from the running service, or from its store if none answers
    #[command(after_help = "Examples:\n  ttm recovery --limit 5\n  ttm recovery show 12-3")]
    Recovery(recovery::RecoveryArguments),
    /// Restart a part of the running service; needs its token
    #[command(after_help = "Example:\n  ttm restart hot-group")]
    Restart(restart::RestartArguments),
    /// Show the circuit breakers of the running service, or overrule one, which needs its token
    #[command(
        after_help = "Examples:\n  ttm breaker\n  ttm breaker dexscreener force-open\n  ttm breaker dexscreener reset"
    )]
    Breaker(breaker::BreakerArguments),
    /// Migrate the store to the schema of this version; does not create an SQLite database
    #[command(after_help = "Example:\n  TTM_STORE__URL=postgres://ttm@localhost/ttm ttm migrate")]
    Migrate,
}

impl Command {
    const fn asks_the_service(&self) -> bool {
        match self {
            Self::Status(_) | Self::Recovery(_) | Self::Restart(_) | Self::Breaker(_) => true,
            Self::Alerts(command) => command.asks_the_service(),
            Self::Demo(_) | Self::Run | Self::Config(_) | Self::Tokens(_) | Self::Migrate => false,
        }
    }
}

/// Runs the program.
pub fn main() -> ExitCode {
    let done = match Arguments::try_parse() {
        Ok(arguments) => dispatch(arguments),
        // Invalid arguments.
        Err(error) if error.use_stderr() => {
            output::tell(format_args!("{}", error.render().ansi()));
            return ExitCode::from(Failure::ARGUMENTS);
        }
        // Help and version are output, not errors.
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

/// Whether these words are a command line of the program, for documents that name some.
///
/// # Errors
/// What is wrong with them.
#[cfg(test)]
pub(crate) fn check_words(words: &[&str]) -> Result<(), clap::Error> {
    Arguments::try_parse_from(words).map(drop)
}

const ERROR: anstyle::Style = anstyle::AnsiColor::Red.on_default().bold();

fn dispatch(arguments: Arguments) -> Result<ExitCode, Failure> {
    let Arguments { config: file, log, service, command } = arguments;
    let file = file.as_deref();
    if !command.asks_the_service() {
        service.refuse()?;
    }
    // Dropped, and so flushed, before a failure is printed.
    let log = |level: LevelFilter| -> Result<Log, Failure> {
        crate::log::start(log.unwrap_or_else(|| LogFilter::level(level))).map_err(Failure::Told)
    };
    match command {
        Command::Demo(arguments) => {
            let _log = log(LevelFilter::WARN)?;
            demo::execute(&arguments)
        }
        Command::Run => {
            let settings = load(file)?;
            let _log = log(LevelFilter::INFO)?;
            run::run(settings)
        }
        Command::Config(command) => config::execute(&command, file),
        Command::Alerts(command) => {
            // One of the channels that can be tried out is the log.
            let _log = log(LevelFilter::INFO)?;
            alerts::execute(&command, &service, file)
        }
        Command::Tokens(command) => {
            let _log = log(LevelFilter::WARN)?;
            tokens::execute(command, || load(file))
        }
        Command::Status(arguments) => status::execute(&arguments, &service, file),
        Command::Recovery(arguments) => recovery::execute(&arguments, &service, file),
        Command::Restart(arguments) => restart::execute(&arguments, &service, file),
        Command::Breaker(arguments) => breaker::execute(&arguments, &service, file),
        Command::Migrate => {
            let settings = load(file)?;
            let _log = log(LevelFilter::INFO)?;
            run::migrate(&settings)
        }
    }
}
