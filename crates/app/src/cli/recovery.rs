//! `ttm recovery`: what self-healing did, from the running service, or from its store if none answers or it still starts.

use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use reqwest::Method;
use serde_json::Value;
use ttm_axum_api::{recovery_id, unknown_recovery};
use ttm_recovery::{Entry, RECOVERIES_SHOWN};

use super::client::{SENTENCE, Service, ServiceArguments, segment};
use super::failure::Failure;
use super::load::load;
use super::output::{OutputError, print_json, printable, say, tell, width_of_terminal, wrapped};
use super::recovery_table::{cause, outcome, step_word, style, table};
use super::run::{missing, start_threads};
use super::values::{moment, spoken, word};
use crate::compose;
use crate::config::Settings;
use crate::planes::Threads;

#[derive(Debug, Args)]
pub(super) struct RecoveryArguments {
    #[command(subcommand)]
    command: Option<RecoveryCommand>,

    /// The maximum number of recoveries, the newest first
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=MOST))]
    limit: u16,

    /// Print the JSON of the API
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum RecoveryCommand {
    /// Show one recovery with what was seen before anything was done
    #[command(after_help = "Example:\n  ttm recovery show 12-3")]
    Show {
        /// Its id, as `ttm recovery` lists it
        id: String,

        /// Print the JSON of the API
        #[arg(long)]
        json: bool,
    },
}

const LABEL: usize = 12;
/// A running service remembers so many.
#[expect(clippy::cast_possible_wrap, reason = "a few hundred")]
const MOST: i64 = RECOVERIES_SHOWN as i64;
/// The longest evidence that a ledger keeps.
const EVIDENCE: usize = 16_384;

pub(super) fn execute(
    arguments: &RecoveryArguments,
    service: &ServiceArguments,
    file: Option<&Path>,
) -> Result<ExitCode, Failure> {
    if let Some(RecoveryCommand::Show { id, .. }) = &arguments.command {
        recovery_id(id).map_err(Failure::Arguments)?;
    }
    // The store of the config says nothing of a service that was named.
    let settings = if service.names_another() { None } else { Some(load(file)?) };
    let source = Source { threads: start_threads()?, service: service.service(file)?, settings };
    match &arguments.command {
        None => {
            let limit = usize::from(arguments.limit);
            let (answer, is_live) = source.ask(&format!("?limit={limit}"), |all| Ok(all(limit)))?;
            if arguments.json {
                print_json(&answer)?;
                return Ok(ExitCode::SUCCESS);
            }
            let all = answer["recoveries"].as_array().map(Vec::as_slice).unwrap_or_default();
            let problem = answer["problem"].as_str();
            if let Some(problem) = problem {
                wrapped(&format!("{:LABEL$}", "!"), &printable(problem, SENTENCE))?;
            }
            list(all, problem.is_none())?;
            if let Some(spent) = is_live.then(|| source.spent()).flatten() {
                wrapped(&format!("{:LABEL$}", "budget"), &spent)?;
            }
            match all.first() {
                Some(newest) => source.service.next(&format!("recovery show {}", word(&newest["id"])))?,
                None => source.service.next("status")?,
            }
        }
        Some(RecoveryCommand::Show { id, json }) => {
            let find = |all: &dyn Fn(usize) -> Value| {
                let all = all(usize::MAX);
                let mut all = all["recoveries"].as_array().into_iter().flatten();
                let found = all.find(|recovery| recovery["id"] == *id);
                found.cloned().ok_or_else(|| unknown_recovery(id))
            };
            let (recovery, _) = source.ask(&format!("/{}", segment(id)), find)?;
            if *json || arguments.json {
                print_json(&recovery)?;
                return Ok(ExitCode::SUCCESS);
            }
            show(&recovery)?;
            source.service.next(&next(&recovery))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Where recoveries are known.
struct Source {
    threads: Threads,
    service: Service,
    /// Asked if the service does not answer.
    settings: Option<Settings>,
}

impl Source {
    /// Asks the service, or else takes from what is stored; and whether the service answered.
    fn ask(
        &self,
        path: &str,
        stored: impl Fn(&dyn Fn(usize) -> Value) -> Result<Value, String>,
    ) -> Result<(Value, bool), Failure> {
        let answer =
            self.threads.block_on(self.service.ask_api(Method::GET, &format!("/api/v1/recoveries{path}")));
        let silent = match answer {
            Ok(answer) => return Ok((answer, true)),
            Err(error) if error.is_silent => format!("{}: {error}", self.service.shown()),
            Err(error) => return Err(Failure::Told(format!("{}: {error}", self.service.shown()))),
        };
        let Some(settings) = &self.settings else { return Err(Failure::Told(silent)) };
        let store = &settings.store;
        if let Some(complaint) = missing(settings) {
            return Err(Failure::Told(format!("{silent}\n{complaint}")));
        }
        let recoveries = self
            .threads
            .block_on(compose::stored_recoveries(store))
            .map_err(|error| Failure::Told(format!("{silent}\n{error}")))?;
        tell(format_args!("{silent}\nthese are from {store}:\n"));
        let found = stored(&|limit| compose::recoveries_as_json(recoveries.newest(limit)));
        found.map(|found| (found, false)).map_err(|error| Failure::Told(format!("{store}: {error}")))
    }

    /// The budgets of restarts of which something is spent. A service that does not tell shows its recoveries all the same.
    fn spent(&self) -> Option<String> {
        let parts = self.threads.block_on(self.service.ask_api(Method::GET, "/api/v1/parts")).ok()?;
        spent(&parts)
    }
}

fn list(all: &[Value], is_complete: bool) -> Result<(), OutputError> {
    if all.is_empty() {
        let nothing = "no recoveries: nothing was restarted, and no restart was withheld";
        return wrapped("", if is_complete { nothing } else { "no recoveries are known" });
    }
    say!("{}", table(all, width_of_terminal()).join("\n"))
}

/// The budgets that are not full, in one line.
fn spent(parts: &Value) -> Option<String> {
    let own = parts["parts"].as_array().into_iter().flatten();
    let own = own.map(|part| (word(&part["name"]), &part["budget"]));
    let shared = [
        ("work-plane", "work_plane"),
        ("process", "process"),
        ("all parts", "restarts"),
        ("rebuilds of the plane", "plane_rebuilds"),
        ("ends of the process", "process_ends"),
    ];
    let shared = shared.map(|(name, budget)| (name.to_owned(), &parts["budgets"][budget]));
    let told =
        own.chain(shared).filter(|(_, budget)| budget["left"] != budget["most"]).map(|(name, budget)| {
            let until = budget["more_at"].as_str().and_then(|at| at.parse::<Timestamp>().ok());
            let until = until.map_or_else(String::new, |at| at.strftime(" until %H:%MZ").to_string());
            format!("{name} {} of {} left{until}", word(&budget["left"]), word(&budget["most"]))
        });
    let told: Vec<String> = told.collect();
    (!told.is_empty()).then(|| told.join(", "))
}

/// Everything about one.
fn show(one: &Value) -> Result<(), OutputError> {
    let line = |label: &str, text: &str| wrapped(&format!("{label:LABEL$}"), text);
    line("recovery", &word(&one["id"]))?;
    line("part", &word(&one["subject"]))?;
    line("cause", &cause(one))?;
    let by = match (one["by"].as_str(), one["class"].as_str()) {
        (Some("operator"), _) => "by an operator".to_owned(),
        (_, Some(class)) => format!("by the service, after a {} failure", printable(class, 60)),
        (_, None) => "by the service".to_owned(),
    };
    line("began", &format!("{}, {by}", moment(&one["began_at"])))?;
    if let Some(dependency) = one["withheld_for"].as_str() {
        line("withheld", &format!("a restart would not help: it waits for {}", printable(dependency, 60)))?;
    }
    for step in one["steps"].as_array().into_iter().flatten() {
        let charged = if step["charged"] == true { "" } else { ", not counted against the budget" };
        line("step", &format!("{}  {}{charged}", moment(&step["at"]), step_word(&step["step"])))?;
    }
    let ended = outcome(one);
    let style = style(&ended);
    let took = match one["duration_seconds"].as_f64() {
        Some(seconds) => format!(" after {}", spoken(seconds)),
        None => String::new(),
    };
    line("outcome", &format!("{style}{ended}{style:#}{took}"))?;
    if let Some(evidence) = one["evidence"].as_str() {
        say!("evidence")?;
        for text in evidence.lines() {
            wrapped("    ", &printable(text, EVIDENCE))?;
        }
    }
    Ok(())
}

/// What an operator may want to do next.
fn next(one: &Value) -> String {
    let subject = word(&one["subject"]);
    let is_part = ![Entry::PROCESS, Entry::WORK_PLANE].contains(&subject.as_str());
    match one["outcome"].as_str() {
        Some("escalated" | "failed") if is_part => format!("restart {subject}"),
        _ => "status".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_budgets_that_are_not_full_are_shown() {
        let budget = |left: u32, most: u32, more_at: Option<&str>| json!({"left": left, "most": most, "window_seconds": 300, "more_at": more_at});
        let (full, at) = (budget(3, 3, None), Some("2026-11-29T14:05:10Z"));
        let parts = |hot: Value, all: Value, ends: Value| {
            json!({
                "parts": [{"name": "hot-group", "budget": hot}, {"name": "monitor", "budget": full}],
                "budgets": {"work_plane": full, "process": hot, "restarts": all, "plane_rebuilds": full, "process_ends": ends},
            })
        };
        let spent_of = |hot, all, ends| spent(&parts(hot, all, ends));
        assert_eq!(spent_of(full.clone(), full.clone(), full.clone()), None);
        assert_eq!(
            spent_of(budget(2, 3, at), budget(9, 10, at), budget(0, 3, at)).as_deref(),
            Some(
                "hot-group 2 of 3 left until 14:05Z, process 2 of 3 left until 14:05Z, all parts 9 of 10 left until 14:05Z, \
                 ends of the process 0 of 3 left until 14:05Z"
            )
        );
        assert_eq!(spent(&json!({"parts": [{"name": "hot-group"}]})), None, "an older service does not tell");
    }

    #[test]
    fn only_a_part_that_did_not_recover_is_to_be_restarted_next() {
        let after = |subject: &str, outcome: Value| next(&json!({"subject": subject, "outcome": outcome}));
        assert_eq!(after("hot-group", "escalated".into()), "restart hot-group");
        assert_eq!(after("hot-group", "failed".into()), "restart hot-group");
        for (subject, outcome) in
            [("hot-group", "recovered".into()), ("hot-group", Value::Null), ("process", "escalated".into())]
        {
            assert_eq!(after(subject, outcome), "status");
        }
    }
}
