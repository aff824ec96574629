//! `ttm alerts`: what is wrong, who was told of it and what hides it, from the running service, and an operator's orders to it.

mod channels;
mod explain;
mod find;
mod list;
mod order;
mod quiets;
mod show;
mod table;
mod test;

use std::path::Path;
use std::process::ExitCode;

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::Value;

use super::client::{Service, ServiceArguments};
use super::failure::Failure;
use super::run::start_threads;
use crate::planes::Threads;
pub(super) use quiets::{Maintenance, SilenceArguments};

#[derive(Debug, Subcommand)]
pub(super) enum AlertsCommand {
    /// List what is wrong, the worst first
    #[command(
        after_help = "Examples:\n  ttm alerts list\n  ttm alerts list --severity critical --state firing"
    )]
    List(ListArguments),
    /// Show one alert: since when, who knows, what hides it, what became of it and of the messages about it
    #[command(after_help = "Examples:\n  ttm alerts show 67602a9e\n  ttm alerts show store_down")]
    Show(OneArguments),
    /// Say that somebody is at it: it escalates no further unless it gets worse; its end is told all the same
    #[command(after_help = "Example:\n  ttm alerts ack 67602a9e --by anna")]
    Ack {
        #[command(flatten)]
        of: OneArguments,

        /// Who is at it; by default, $USER
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
    },
    /// Tell nobody of some alerts for a while; what still fires at the end is told then
    #[command(
        override_usage = "ttm alerts silence [OPTIONS] --rule <RULE> --for <TIME> --reason <TEXT>",
        after_help = "Examples:\n  ttm alerts silence --rule disk --for 2h --reason 'new disks'\n  \
                      ttm alerts silence --rule data_stale --label lane=cold --for 1d --reason x"
    )]
    Silence(SilenceArguments),
    /// List the silences
    #[command(after_help = "Example:\n  ttm alerts silences")]
    Silences(Json),
    /// End a silence
    #[command(after_help = "Example:\n  ttm alerts unsilence 3")]
    Unsilence(QuietArguments),
    /// Tell nobody of some alerts at some time of each week
    #[command(subcommand, after_help = quiets::MAINTENANCE_EXAMPLE)]
    Maintenance(Maintenance),
    /// Show the channels: which take messages, and how many wait
    #[command(after_help = "Example:\n  ttm alerts channels")]
    Channels(Json),
    /// List the messages that channels refused for good, the newest first
    #[command(after_help = "Example:\n  ttm alerts dead-letters --limit 5")]
    DeadLetters {
        /// The maximum number of messages
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
        limit: u16,

        #[command(flatten)]
        json: Json,
    },
    /// Tell a channel of an alert once more, as it is true now
    #[command(after_help = "Example:\n  ttm alerts tell-again 67602a9e ops")]
    TellAgain {
        #[command(flatten)]
        of: OneArguments,

        /// The channel, as `ttm alerts channels` lists it
        channel: String,
    },
    /// Print the runbook of a rule; asks no service
    #[command(after_help = "Example:\n  ttm alerts explain store_down")]
    Explain {
        /// The rule
        rule: String,
    },
    /// Send one message, marked as a test, and say what became of it; exit code 0 if it was delivered, 1 if not
    #[command(after_help = "Example:\n  ttm alerts test ops --config ttm.toml")]
    Test {
        /// The name of the channel, as in [alerts.channels.NAME]; `log` is always there
        channel: String,
    },
}

/// How an answer is printed.
#[derive(Debug, Args)]
pub(super) struct Json {
    /// Print the JSON of the API
    #[arg(long)]
    json: bool,
}

/// Which alerts are listed.
#[derive(Debug, Args)]
pub(super) struct ListArguments {
    /// Only those in this state
    #[arg(long, value_parser = PossibleValuesParser::new(["pending", "firing", "recovering", "resolved"]))]
    state: Option<String>,

    /// Only those of this severity
    #[arg(long, value_parser = severities(), ignore_case = true)]
    severity: Option<String>,

    /// The maximum number of alerts
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    limit: u16,

    #[command(flatten)]
    json: Json,
}

/// Which alert.
#[derive(Debug, Args)]
pub(super) struct OneArguments {
    /// Its id, or the first six digits or more; or its rule, if that has one alert
    #[arg(value_name = "ID")]
    alert: String,

    #[command(flatten)]
    json: Json,
}

/// Which silence or maintenance window.
#[derive(Debug, Args)]
pub(super) struct QuietArguments {
    /// Its id: a number
    id: u64,

    #[command(flatten)]
    json: Json,
}

fn severities() -> PossibleValuesParser {
    PossibleValuesParser::new(["info", "warning", "error", "critical"])
}

impl AlertsCommand {
    /// Whether the service is asked, and not the config or the program alone.
    pub(super) const fn asks_the_service(&self) -> bool {
        !matches!(self, Self::Test { .. } | Self::Explain { .. })
    }
}

/// Runs a command.
pub(super) fn execute(
    command: &AlertsCommand,
    service: &ServiceArguments,
    file: Option<&Path>,
) -> Result<ExitCode, Failure> {
    let asked = || Asked::new(service, file);
    match command {
        AlertsCommand::List(arguments) => list::execute(arguments, &asked()?)?,
        AlertsCommand::Show(of) => show::execute(of, &asked()?)?,
        AlertsCommand::Ack { of, by } => order::acknowledge(of, by.as_deref(), &asked()?)?,
        AlertsCommand::TellAgain { of, channel } => order::tell_again(of, channel, &asked()?)?,
        AlertsCommand::Silence(arguments) => quiets::silence(arguments, &asked()?)?,
        AlertsCommand::Silences(json) => quiets::silences(json, &asked()?)?,
        AlertsCommand::Unsilence(arguments) => quiets::end_silence(arguments, &asked()?)?,
        AlertsCommand::Maintenance(command) => quiets::maintenance(command, &asked()?)?,
        AlertsCommand::Channels(json) => channels::list(json, &asked()?)?,
        AlertsCommand::DeadLetters { limit, json } => channels::dead_letters(*limit, json, &asked()?)?,
        AlertsCommand::Explain { rule } => explain::execute(rule)?,
        AlertsCommand::Test { channel } => return test::execute(channel, file),
    }
    Ok(ExitCode::SUCCESS)
}

/// The service that is asked.
struct Asked {
    service: Service,
    threads: Threads,
}

impl Asked {
    fn new(service: &ServiceArguments, file: Option<&Path>) -> Result<Self, Failure> {
        Ok(Self { service: service.service(file)?, threads: start_threads()? })
    }

    fn get(&self, path: &str) -> Result<Value, Failure> {
        self.told(self.threads.block_on(self.service.ask_api(Method::GET, path)))
    }

    fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.told(self.threads.block_on(self.service.order_of_api(path, body)))
    }

    fn delete(&self, path: &str) -> Result<Value, Failure> {
        self.told(self.threads.block_on(self.service.ask_api(Method::DELETE, path)))
    }

    fn told(&self, answer: Result<Value, super::client::NoAnswer>) -> Result<Value, Failure> {
        answer.map_err(|error| self.failed(&error.to_string()))
    }

    /// The one line of what went wrong with this service.
    fn failed(&self, why: &str) -> Failure {
        Failure::Told(format!("{}: {why}", self.service.shown()))
    }

    /// The list in an answer.
    fn listed<'a>(&self, answer: &'a Value, name: &str) -> Result<&'a [Value], Failure> {
        let list = answer[name].as_array().map(Vec::as_slice);
        list.ok_or_else(|| self.failed("answered, but is not a ttm service"))
    }
}
