//! The process's limit on open files: raised as far as it may be, refused where the probes could not be answered, and told
//! when it is reached. It opens nothing.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use ttm_axum_api::Notice;

use super::error::ComposeError;

/// A service holds about 30 with a database in a file; the rest is for requests, questions to the history and probes.
const LEAST: u64 = 64;
/// Beyond it nothing here opens more.
const ENOUGH: u64 = 1024;

/// Sees to it that the process may open as many files as it needs.
pub(super) fn ensure() -> Result<(), ComposeError> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // None is no limit.
    let Some(limit) = current else { return Ok(()) };
    let may_be = maximum.unwrap_or(ENOUGH).min(ENOUGH);
    let raised =
        limit < may_be && setrlimit(Resource::Nofile, Rlimit { current: Some(may_be), maximum }).is_ok();
    let limit = if raised { may_be } else { limit };
    if limit < LEAST {
        return Err(ComposeError::Process(format!(
            "the limit on open files is {limit}, expected at least {LEAST}: raise it, with LimitNOFILE= under systemd or with ulimit -n"
        )));
    }
    Ok(())
}

/// Tells of the listener.
pub(super) fn tell(notice: Notice) {
    match notice {
        Notice::OutOfDescriptors { error, connections } => tracing::warn!(
            %error,
            connections,
            "the API cannot take connections; those that wait the longest are given up for new ones"
        ),
        Notice::Recovered => tracing::warn!("the API can take connections again"),
    }
}
