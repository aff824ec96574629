//! `ttm breaker`: the breakers of a running service, and an operator's orders to one.

use std::path::Path;
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use clap::Args;
use clap::builder::PossibleValuesParser;
use reqwest::Method;
use serde_json::Value;
use ttm_axum_api::unknown_breaker;
use ttm_breaker::Order;

use super::client::{SENTENCE, Service, ServiceArguments, segment};
use super::failure::Failure;
use super::output::{OutputError, print_json, printable, tell_unless_stored, wrapped};
use super::run::start_threads;
use super::values::{moment, word};

#[derive(Debug, Args)]
pub(super) struct BreakerArguments {
    /// The breaker; without one, all are listed
    name: Option<String>,

    /// What to do: hold it open, let every call through uncounted, or have it decide by itself again
    #[arg(value_parser = PossibleValuesParser::new(Order::ALL.map(Order::as_str)))]
    order: Option<String>,

    /// Print the JSON of the API: the list, or the one breaker
    #[arg(long)]
    json: bool,
}

const BREAKERS: &str = "/api/v1/breakers";
const LABEL: usize = 12;

pub(super) fn execute(
    arguments: &BreakerArguments,
    service: &ServiceArguments,
    file: Option<&Path>,
) -> Result<ExitCode, Failure> {
    let service = service.service(file)?;
    let threads = start_threads()?;
    let ask = |method, path: &str| {
        let answer = threads.block_on(service.ask_api(method, path));
        answer.map_err(|error| Failure::Told(format!("{}: {error}", service.shown())))
    };
    match (&arguments.name, arguments.order.as_deref()) {
        (Some(name), Some(order)) => {
            let breaker = ask(Method::POST, &format!("{BREAKERS}/{}/{order}", segment(name)))?;
            if arguments.json {
                print_json(&breaker)?;
                return Ok(ExitCode::SUCCESS);
            }
            show(&breaker)?;
            tell_unless_stored(&breaker)?;
            next(&service, std::slice::from_ref(&breaker))?;
        }
        (name, _) => {
            let answer = ask(Method::GET, BREAKERS)?;
            let all = answer["breakers"].as_array().ok_or_else(|| not_ours(&service))?;
            let wanted = |breaker: &&Value| name.as_deref().is_none_or(|name| breaker["name"] == name);
            let shown: Vec<Value> = all.iter().filter(wanted).cloned().collect();
            if let (Some(name), true) = (name, shown.is_empty()) {
                let known: Vec<String> = all.iter().map(|breaker| word(&breaker["name"])).collect();
                return Err(Failure::Told(format!("{}: {}", service.shown(), unknown_breaker(name, &known))));
            }
            if arguments.json {
                print_json(if name.is_some() { &shown[0] } else { &answer })?;
                return Ok(ExitCode::SUCCESS);
            }
            for breaker in &shown {
                show(breaker)?;
            }
            next(&service, &shown)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn not_ours(service: &Service) -> Failure {
    Failure::Told(format!("{}: answered, but is not a ttm service", service.shown()))
}

fn show(breaker: &Value) -> Result<(), OutputError> {
    let state = word(&breaker["state"]);
    let (style, state) = (style(&state), state.replace('_', " "));
    let width = LABEL.max(word(&breaker["name"]).len() + 1);
    let counts = &breaker["counts"];
    let mut facts = vec![format!("since {}", moment(&breaker["since"]))];
    if let Some(reason) = breaker["reason"].as_str() {
        facts.push(printable(&reason.replace('_', " "), 60));
    }
    if !breaker["retry_at"].is_null() {
        facts.push(format!("next probe {}", moment(&breaker["retry_at"])));
    }
    facts.push(format!(
        "{} ok, {} failed ({} in a row), {} slow, {} rate limited",
        word(&counts["successes"]),
        word(&counts["failures"]),
        word(&counts["consecutive_failures"]),
        word(&counts["slow"]),
        word(&counts["rate_limited"]),
    ));
    let window = &breaker["window"];
    if !window.is_null() {
        facts.push(format!(
            "of {} calls in its window {} failed and {} were slow",
            word(&window["calls"]),
            word(&window["failures"]),
            word(&window["slow"])
        ));
    }
    wrapped(&format!("{:width$}{style}{state:11}{style:#} ", word(&breaker["name"])), &facts.join(", "))?;
    if let Some(cause) = breaker["cause"].as_str() {
        wrapped(&format!("{:1$}", "", width + 12), &format!("cause: {}", printable(cause, SENTENCE)))?;
    }
    Ok(())
}

/// What an operator holds comes first, then what is not closed.
fn next(service: &Service, shown: &[Value]) -> Result<(), OutputError> {
    let is = |states: &'static [&'static str]| {
        move |breaker: &&Value| breaker["state"].as_str().is_some_and(|state| states.contains(&state))
    };
    let held = shown.iter().find(is(&["forced_open", "disabled"]));
    match held.or_else(|| shown.iter().find(is(&["open", "half_open"]))) {
        Some(breaker) => service.next(&format!("breaker {} reset", word(&breaker["name"]))),
        None => service.next("status"),
    }
}

fn style(state: &str) -> Style {
    match state {
        "closed" => AnsiColor::Green.on_default(),
        "half_open" | "disabled" => AnsiColor::Yellow.on_default(),
        _ => AnsiColor::Red.on_default(),
    }
}
