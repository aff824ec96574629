//! File descriptors: how many connections they allow, and the notices when there are none left.

use std::time::Duration;
use std::{fs, io};

use rustix::process::{Resource, getrlimit};
use tokio::time::Instant;

/// Probes, a scraper and some browsers need far fewer; the memory of one connection is bounded.
pub(super) const MAX_CONNECTIONS: usize = 512;
/// Connections that may be evicted before their tasks have run and closed them.
pub(super) const EVICTED_AT_ONCE: usize = 8;
/// For those, and for what the process opens later: eight connections to an SQLite database take two descriptors each and
/// some more, upstream calls and token sources a few.
const RESERVED: usize = EVICTED_AT_ONCE + 32;
/// Assumed to be open where the system does not list open descriptors.
const COMMONLY_OPEN: usize = 24;
/// Failures closer together than this are one outage.
const QUIET: Duration = Duration::from_mins(1);

/// What an operator should know about the listener.
#[derive(Debug)]
pub enum Notice {
    /// There is no descriptor left for a new connection; the longest-idle connections are closed for new ones.
    OutOfDescriptors {
        /// The error of the system.
        error: io::Error,
        /// The number of open connections.
        connections: usize,
    },
    /// Accepting has not failed for a minute.
    Recovered,
}

/// How many connections this process may have open, from its limit and the descriptors that are open already.
pub(super) fn room() -> usize {
    // One of them is the directory that is being read.
    let open = fs::read_dir("/proc/self/fd").map_or(COMMONLY_OPEN, |open| open.count().saturating_sub(1));
    cap(getrlimit(Resource::Nofile).current, open)
}

fn cap(limit: Option<u64>, open: usize) -> usize {
    let limit = limit.and_then(|limit| usize::try_from(limit).ok());
    limit.map_or(MAX_CONNECTIONS, |limit| limit.saturating_sub(open + RESERVED).clamp(1, MAX_CONNECTIONS))
}

/// An outage of accepting: it begins once and ends once, however many connections fail in between.
#[derive(Debug, Default)]
pub(super) struct Outage {
    last: Option<Instant>,
}

impl Outage {
    /// Accepting failed; whether the outage begins with it.
    pub(super) fn failed(&mut self, now: Instant) -> bool {
        self.last.replace(now).is_none()
    }

    /// A connection was accepted; whether the outage ends with it.
    pub(super) fn accepted(&mut self, now: Instant) -> bool {
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
    fn connections_leave_room_for_the_descriptors_of_the_rest_of_the_process() {
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
    fn an_outage_begins_once_and_ends_once_after_a_minute_without_failures() {
        let start = socket::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut outage = Outage::default();
        assert!(!outage.accepted(at(0)), "there was none");
        assert!(outage.failed(at(1)));
        assert!(!outage.accepted(at(2)) && !outage.failed(at(50)), "it goes on");
        assert!(!outage.accepted(at(109)), "the last one failed 59 s ago");
        assert!(outage.accepted(at(110)) && !outage.accepted(at(111)), "it is over once");
        assert!(outage.failed(at(112)), "the next one is another");
    }
}
