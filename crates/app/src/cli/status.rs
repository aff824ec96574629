//! `ttm status`: one screen about a running service, from its health endpoint.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use clap::Args;
use jiff::Timestamp;
use serde_json::Value;

use super::client::{SENTENCE, Service, ServiceArguments};
use super::failure::Failure;
use super::output::{OutputError, print_json, say, tell, wrapped};
use super::status_request::{self, Answer};
use super::values::{duration, spoken, word};

#[derive(Debug, Args)]
pub(super) struct StatusArguments {
    /// Print the JSON of /health/detailed
    #[arg(long)]
    json: bool,
}

const LABEL: usize = 12;
/// The exit code without an answer, or for the status unknown.
const UNKNOWN: u8 = 3;
/// Reports are made every second; an older one is marked.
const FRESH: Duration = Duration::from_secs(5);

pub(super) fn execute(
    arguments: &StatusArguments,
    service: &ServiceArguments,
    file: Option<&Path>,
) -> Result<ExitCode, Failure> {
    let answer = match service.service(file) {
        Ok(service) => ask(&service).map(|answer| (service, answer)),
        Err(Failure::Arguments(message)) => Err(message),
        Err(failure) => return Err(failure),
    };
    match answer {
        Ok((service, answer)) => {
            let health = &answer.health;
            let printed = if arguments.json { print_json(health) } else { print(&service, &answer) };
            match printed {
                Ok(()) => {}
                Err(error) if error.is_closed() => {}
                Err(error) => {
                    tell(format_args!("error: {error}\n"));
                    return Ok(ExitCode::from(UNKNOWN));
                }
            }
            Ok(ExitCode::from(match health["status"].as_str() {
                Some("healthy") => 0,
                Some("degraded") => 1,
                Some("critical") => 2,
                _ => UNKNOWN,
            }))
        }
        Err(message) => {
            tell(format_args!("error: {message}\n"));
            Ok(ExitCode::from(UNKNOWN))
        }
    }
}

fn ask(service: &Service) -> Result<Answer, String> {
    let threads =
        crate::planes::Threads::start().map_err(|error| format!("cannot start threads: {error}"))?;
    let answer = threads.block_on(status_request::fetch(service));
    answer.map_err(|message| format!("{}: {message}", service.shown()))
}

fn print(service: &Service, answer: &Answer) -> Result<(), OutputError> {
    let url = service.shown();
    let health = &answer.health;
    if health["scheduler"].is_null() {
        let status = word(&health["status"]);
        say!("{:LABEL$}{status}  {url}", "ttm")?;
        return remark(if answer.with_token {
            "the service shows only its status: the token is wrong"
        } else {
            "the service shows only its status without its token: --token-file FILE"
        });
    }
    let status = word(&health["status"]);
    let style = style(&status).bold();
    let life = life(&word(&health["phase"]), &duration(&health["uptime_seconds"]));
    wrapped(&format!("{:LABEL$}", "ttm"), &format!("{style}{status}{style:#}  {url}  {life}"))?;
    if let Some(age) = answer.age.filter(|age| *age > FRESH) {
        let age = spoken(age.as_secs_f64());
        remark(&format!("this report is {age} old: the service has stopped updating it"))?;
    }
    let scheduler = &health["scheduler"];
    for group in ["hot", "cold"] {
        line(
            group,
            &scheduler[format!("{group}_group_status")],
            &format!(
                "last run {}, took {}, missed {}",
                ago(&scheduler[format!("{group}_group_last_run")], &health["at"]),
                duration(&scheduler[format!("{group}_group_processing_time")]),
                word(&scheduler[format!("{group}_group_missed_runs")]),
            ),
        )?;
    }
    line(
        "scoring",
        &scheduler["status"],
        &format!(
            "{} tokens/min, {}",
            number(&scheduler["tokens_processed_per_minute"], 0),
            failures(
                &scheduler["status"],
                "tokens requested in the last runs",
                &scheduler["tokens_attempted"],
                &scheduler["tokens_failed"],
            )
        ),
    )?;
    print_plan(health)?;
    let data = &health["data_freshness"];
    for lane in ["hot", "cold"] {
        let of = &data[lane];
        line(
            &format!("{lane} data"),
            &of["status"],
            &format!(
                "{} tokens, {} stale ({} expired), {} never observed, age p50 {} p95 {} p99 {}",
                word(&of["tokens"]),
                word(&of["stale"]),
                word(&of["expired"]),
                word(&of["never_observed"]),
                duration(&of["age_p50_seconds"]),
                duration(&of["age_p95_seconds"]),
                duration(&of["age_p99_seconds"]),
            ),
        )?;
    }
    print_apis(&health["apis"])?;
    let store = &health["store"];
    line(
        "store",
        &store["status"],
        &format!(
            "{} tokens and {} samples queued, {} samples dropped",
            word(&store["tokens_waiting"]),
            word(&store["samples_waiting"]),
            word(&store["samples_dropped"])
        ),
    )?;
    print_sources(&health["sources"])?;
    let resources = &health["resources"];
    line(
        "resources",
        &resources["status"],
        &format!(
            "memory {} MiB, CPU {} %, disk {} %, {} descriptors, {} of {} connections",
            number(&resources["memory_usage_mb"], 0),
            number(&resources["cpu_usage_percent"], 1),
            number(&resources["disk_usage_percent"], 0),
            word(&resources["open_file_descriptors"]),
            word(&resources["database_connections"]),
            word(&resources["database_connections_max"]),
        ),
    )?;
    if let Some(lately) = lately(&answer.parts["lately"], health, &service.command("recovery")) {
        line("recovery", &health["recovery"]["status"], &lately)?;
    }
    for reason in health["reasons"].as_array().into_iter().flatten() {
        remark(&super::output::printable(reason.as_str().unwrap_or_default(), SENTENCE))?;
    }
    Ok(())
}

/// What self-healing did in the last hour, if it did anything or may have, and the command that says more.
fn lately(lately: &Value, health: &Value, command: &str) -> Option<String> {
    let counted =
        ["restarted", "withheld", "escalated"].map(|what| (lately[what].as_u64().unwrap_or(0), what));
    let told = counted.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
    let told: Vec<String> = told.collect();
    if told.is_empty() {
        let is_ill = ["degraded", "critical"].map(Value::from).contains(&health["recovery"]["status"]);
        return is_ill.then(|| "nothing is known to have been restarted in the last hour".to_owned());
    }
    Some(format!("in the last hour {}; `{command}` says why", told.join(", ")))
}

/// Where the process is in its life, and since when.
fn life(phase: &str, up: &str) -> String {
    match phase {
        "starting" => format!("starting for {up}"),
        "stopping" => format!("stopping, up {up}"),
        _ => format!("up {up}"),
    }
}

/// How many of all attempts failed. A rate would hide how few attempts there were, and a part can be healthy only because it
/// is too soon to judge.
fn failures(status: &Value, what: &str, all: &Value, failed: &Value) -> String {
    let (Some(all @ 1..), Some(failed)) = (all.as_u64(), failed.as_u64()) else {
        return format!("no {what}");
    };
    let soon = if failed >= all && status == "healthy" { "; too soon to judge" } else { "" };
    format!("{failed} of {all} {what} failed{soon}")
}

/// The state of the API. Its last error is shown at once, before it counts as a problem.
fn print_apis(apis: &Value) -> Result<(), OutputError> {
    line(
        "dexscreener",
        &apis["dexscreener_status"],
        &format!(
            "breaker {}, {} requests/min, {} ms on average, {}",
            word(&apis["circuit_breaker_state"]).replace('_', " "),
            number(&apis["requests_per_minute"], 0),
            number(&apis["average_response_time"], 0),
            failures(
                &apis["dexscreener_status"],
                "calls in five minutes",
                &apis["calls"],
                &apis["calls_failed"],
            ),
        ),
    )?;
    if let Some(error) = apis["last_error"].as_str() {
        wrapped(
            &format!("{:22}", ""),
            &format!("last error: {}", super::output::printable(error, SENTENCE)),
        )?;
    }
    Ok(())
}

/// What the request budget is used for, what is deferred, and until when.
fn print_plan(health: &Value) -> Result<(), OutputError> {
    let plan = &health["plan"];
    if plan.is_null() {
        return Ok(());
    }
    let (used, budget) = (&health["apis"]["requests_per_minute"], &plan["requests_per_minute"]);
    let share = match (used.as_f64(), budget.as_f64()) {
        (Some(used), Some(budget)) if budget > 0.0 => format!(" ({:.0} %)", used / budget * 100.0),
        _ => String::new(),
    };
    let paused = match plan["paused_for_seconds"].as_f64() {
        Some(seconds) => format!(", paused for {} by Retry-After", spoken(seconds)),
        None => String::new(),
    };
    wrapped(
        &format!("{:LABEL$}", "budget"),
        &format!(
            "{} of {} requests/min used{share}, {} tokens per batch, {} of {} in flight, timeout {}{paused}",
            number(used, 0),
            number(budget, 0),
            number(&plan["tokens_per_batch"], 1),
            word(&plan["in_flight"]),
            word(&plan["max_in_flight"]),
            duration(&plan["attempt_timeout_seconds"]),
        ),
    )?;
    let lane = |lane: &str| {
        let of = &plan[lane];
        let deferred = match of["deferred"].as_u64() {
            None | Some(0) => "none deferred".to_owned(),
            Some(deferred) => match of["comes_within_seconds"].as_f64() {
                Some(seconds) => format!("{deferred} deferred by up to {}", spoken(seconds)),
                None => format!("{deferred} deferred until the breaker is reset"),
            },
        };
        format!("{lane} every {}, {deferred}", duration(&of["cycle_seconds"]))
    };
    let (resting, lists) = (word(&plan["resting"]), word(&plan["lists_waiting"]));
    wrapped(
        &format!("{:LABEL$}", "plan"),
        &format!(
            "{}; {}; {resting} unlisted backing off, {lists} pool lists queued",
            lane("hot"),
            lane("cold")
        ),
    )
}

/// The external token lists, if there are any.
fn print_sources(sources: &Value) -> Result<(), OutputError> {
    let lists = sources["lists"].as_array().map_or(&[][..], Vec::as_slice);
    let list = |list: &Value| {
        let mark = if list["problem"].is_null() { "" } else { " (unreadable)" };
        format!("{} {} tokens{mark}", word(&list["origin"]), word(&list["tokens"]))
    };
    if lists.is_empty() {
        return Ok(());
    }
    line("sources", &sources["status"], &lists.iter().map(list).collect::<Vec<_>>().join(", "))
}

fn line(label: &str, status: &Value, text: &str) -> Result<(), OutputError> {
    let status = word(status);
    let style = style(&status);
    wrapped(&format!("{label:LABEL$}{style}{status:9}{style:#} "), text)
}

/// Something to read first.
fn remark(text: &str) -> Result<(), OutputError> {
    wrapped(&format!("{:LABEL$}", "!"), text)
}

fn style(status: &str) -> Style {
    match status {
        "healthy" => AnsiColor::Green.on_default(),
        "degraded" => AnsiColor::Yellow.on_default(),
        "critical" => AnsiColor::Red.on_default(),
        _ => Style::new().dimmed(),
    }
}

fn number(value: &Value, digits: usize) -> String {
    value.as_f64().map_or_else(|| "-".to_owned(), |number| format!("{number:.digits$}"))
}

/// How long before the report this was.
fn ago(then: &Value, report: &Value) -> String {
    let time = |value: &Value| value.as_str()?.parse::<Timestamp>().ok();
    match (time(then), time(report)) {
        (Some(then), Some(report)) => format!("{} ago", spoken(report.duration_since(then).as_secs_f64())),
        _ => "-".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_uptime_is_shown_with_the_phase() {
        let shown = ["starting", "running", "stopping"].map(|phase| life(phase, "12.0s"));
        assert_eq!(shown, ["starting for 12.0s", "up 12.0s", "stopping, up 12.0s"]);
    }

    #[test]
    fn failures_are_shown_with_the_attempts_and_marked_if_it_is_too_soon_to_judge() {
        let shown = |status: &str, all: u64, failed: u64| {
            failures(&status.into(), "calls", &all.into(), &failed.into())
        };
        assert_eq!(shown("healthy", 0, 0), "no calls");
        assert_eq!(shown("healthy", 600, 30), "30 of 600 calls failed");
        assert_eq!(shown("healthy", 40, 40), "40 of 40 calls failed; too soon to judge");
        assert_eq!(shown("degraded", 40, 40), "40 of 40 calls failed");
    }

    #[test]
    fn what_was_restarted_lately_is_shown_with_the_command_that_says_why() {
        let shown = |restarted: u64, withheld: u64, escalated: u64| {
            let counts =
                serde_json::json!({"restarted": restarted, "withheld": withheld, "escalated": escalated});
            lately(&counts, &Value::Null, "ttm recovery --url http://h")
        };
        assert_eq!(shown(0, 0, 0), None);
        assert_eq!(
            shown(2, 0, 1).as_deref(),
            Some("in the last hour 2 restarted, 1 escalated; `ttm recovery --url http://h` says why")
        );
        assert_eq!(
            lately(&Value::Null, &Value::Null, "ttm recovery"),
            None,
            "an older service does not tell"
        );
        let degraded = serde_json::json!({"recovery": {"status": "degraded"}});
        assert!(
            lately(&Value::Null, &degraded, "ttm recovery").is_some(),
            "the record of restarts may be lost"
        );
    }

    #[test]
    fn a_run_is_shown_relative_to_the_report() {
        let at = |text: &str| Value::String(text.to_owned());
        assert_eq!(ago(&at("2026-11-23T20:00:00Z"), &at("2026-11-23T20:01:05.5Z")), "1m05s ago");
        assert_eq!(ago(&Value::Null, &at("2026-11-23T20:01:05.5Z")), "-");
    }
}
