//! `ttm restart`: an operator's order to restart a part of a running service.

use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use reqwest::Method;

use super::client::{ServiceArguments, segment};
use super::failure::Failure;
use super::output::wrapped;
use super::run::start_threads;
use super::values::word;

#[derive(Debug, Args)]
pub(super) struct RestartArguments {
    /// The part, as hot-group, cold-group or token-writer; a wrong name lists them all
    part: String,
}

pub(super) fn execute(
    arguments: &RestartArguments,
    service: &ServiceArguments,
    file: Option<&Path>,
) -> Result<ExitCode, Failure> {
    let service = service.service(file)?;
    let part = &arguments.part;
    let path = format!("/api/v1/parts/{}/restart", segment(part));
    let answer = start_threads()?
        .block_on(service.ask_api(Method::POST, &path))
        .map_err(|error| Failure::Told(format!("{}: {error}", service.shown())))?;
    wrapped("", &format!("the part {part} is being restarted: recovery {}", word(&answer["recovery"])))?;
    service.next(&format!("recovery show {}", word(&answer["recovery"])))?;
    Ok(ExitCode::SUCCESS)
}
