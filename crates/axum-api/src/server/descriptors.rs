//! Descriptors: how many connections they leave room for, and what is said when there are none left. It closes nothing.

use std::time::Duration;
use std::{fs, io};

use rustix::process::{Resource, getrlimit};
use tokio::time::Instant;

/// Probes, a scraper, some browsers: far below this, and what one connection can take is bounded.
pub(super) const MAX_CONNECTIONS: usize = 512;
/// Connections that were given up and are not closed yet.
pub(super) const GIVEN_UP_AT_ONCE: usize = 8;
/// For those, and for what is opened later: eight connections to a database in a file take two descriptors each and some
/// more, the outgoing calls and the sources of tokens a few.
const RESERVED: usize = GIVEN_UP_AT_ONCE + 32;
/// Assumed to be open where the system does not list it.
const COMMONLY_OPEN: usize = 24;
/// Failures that are no further apart are one outage.
const QUIET: Duration = Duration::from_mins(1);

/// What whoever runs the listener should know of it.
#[derive(Debug)]
pub enum Notice {
    /// The system gives no descriptor for a connection; the longest-waiting ones are given up for those that come.
    OutOfDescriptors {
        /// What the system said.
        error: io::Error,
        /// The connections that were open.
        connections: usize,
    },
    /// None failed for a minute.
    Recovered,
}

/// How many connections this process may have open, by its limit and by what it has open already.
pub(super) fn room() -> usize {
    // One is the listing's own.
    let open = fs::read_dir("/proc/self/fd").map_or(COMMONLY_OPEN, |open| open.count().saturating_sub(1));
    cap(getrlimit(Resource::Nofile).current, open)
}

fn cap(limit: Option<u64>, open: usize) -> usize {
    let limit = limit.and_then(|limit| usize::try_from(limit).ok());
    limit.map_or(MAX_CONNECTIONS, |limit| limit.saturating_sub(open + RESERVED).clamp(1, MAX_CONNECTIONS))
}

/// Whether connections cannot be taken for want of descriptors: it begins once and ends once, however many fail.
#[derive(Debug, Default)]
pub(super) struct Outage {
    last: Option<Instant>,
}

impl Outage {
    /// One could not be taken; whether that is news.
    pub(super) fn failed(&mut self, now: Instant) -> bool {
        self.last.replace(now).is_none()
    }

    /// One was taken; whether that is news.
    pub(super) fn taken(&mut self, now: Instant) -> bool {
        let over = self.last.is_some_and(|last| now.saturating_duration_since(last) >= QUIET);
        if over {
            self.last = None;
        }
        over
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::socket;

    #[test]
    fn connections_leave_the_descriptors_that_are_open_and_those_that_will_be() {
        for (limit, open, expected) in [
            (None, 20, 512),
            (Some(1_000_000), 20, 512),
            (Some(1024), 20, 512),
            (Some(256), 20, 196),
            (Some(64), 14, 10),
            (Some(40), 29, 1),
            (Some(0), 29, 1),
            (Some(u64::MAX), 20, 512),
        ] {
            assert_eq!(cap(limit, open), expected, "{limit:?} with {open} open");
        }
    }

    #[test]
    fn an_outage_is_told_once_and_over_once_when_none_failed_for_a_minute() {
        let start = socket::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut outage = Outage::default();
        assert!(!outage.taken(at(0)), "there was none");
        assert!(outage.failed(at(1)));
        assert!(!outage.taken(at(2)) && !outage.failed(at(50)), "it goes on");
        assert!(!outage.taken(at(109)), "the last one failed 59 s ago");
        assert!(outage.taken(at(110)) && !outage.taken(at(111)), "it is over once");
        assert!(outage.failed(at(112)), "the next one is another");
    }
}
