//! What one connection waits for, and since when: what its deadlines and its eviction are decided by. It knows no
//! socket; the time is an argument.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// A caller that asks nothing for this long has its connection closed; scrapers ask at least once a minute.
pub(super) const IDLE: Duration = Duration::from_secs(75);
/// The head of a request is a few hundred bytes: whoever takes longer to send one is gone, or means harm.
pub(super) const HEAD: Duration = Duration::from_secs(10);
/// A caller that takes not one byte of its answer for this long will not take the rest.
pub(super) const STALL: Duration = Duration::from_secs(10);
/// And one that takes a little now and then gets this long for the whole answer.
pub(super) const TRANSFER: Duration = Duration::from_mins(1);

/// One connection, shared by its socket, its requests and the listener.
#[derive(Debug)]
pub(super) struct Activity(Mutex<State>);

#[derive(Debug)]
struct State {
    /// A request is being answered: the caller waits for us.
    answering: bool,
    wait: Wait,
    /// Since when we wait for that.
    since: Instant,
    /// When the caller last took a byte.
    taken: Instant,
    head: HeadReader,
}

/// What we wait for, as long as nothing is being answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    /// The next request.
    Request,
    /// The rest of a request's head.
    Head,
    /// The caller, to take its answer.
    Reader,
}

/// Why a connection is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expired {
    /// Nothing was asked.
    Idle,
    /// A request was begun and not finished.
    Head,
    /// An answer was not taken.
    Reader,
}

impl Activity {
    pub(super) fn new(now: Instant) -> Self {
        let head = HeadReader::default();
        Self(Mutex::new(State { answering: false, wait: Wait::Request, since: now, taken: now, head }))
    }

    /// The caller sent these bytes.
    pub(super) fn received(&self, bytes: &[u8], now: Instant) {
        let mut state = self.0.lock();
        state.head.read(bytes);
        if state.wait == Wait::Request && state.head.is_begun() {
            state.wait_for(Wait::Head, now);
        }
    }

    /// A whole head was there, and the request is being answered.
    pub(super) fn begins_to_answer(&self) {
        self.0.lock().answering = true;
    }

    /// The answer is made; now the caller is to take it.
    pub(super) fn answered(&self, now: Instant) {
        let mut state = self.0.lock();
        state.answering = false;
        state.taken = now;
        state.wait_for(Wait::Reader, now);
    }

    /// The caller takes nothing at the moment.
    pub(super) fn blocked(&self, now: Instant) {
        let mut state = self.0.lock();
        if state.wait != Wait::Reader {
            state.taken = now;
            state.wait_for(Wait::Reader, now);
        }
    }

    /// The caller took some of its answer.
    pub(super) fn taken(&self, now: Instant) {
        self.0.lock().taken = now;
    }

    /// The caller took all that there was.
    pub(super) fn flushed(&self, now: Instant) {
        let mut state = self.0.lock();
        if state.wait == Wait::Reader && !state.answering {
            let next = if state.head.is_begun() { Wait::Head } else { Wait::Request };
            state.wait_for(next, now);
        }
    }

    /// How long the first line is of the head that is read or was read last, as far as it is there.
    pub(super) fn first_line_bytes(&self) -> usize {
        self.0.lock().head.first_line
    }

    /// When to look whether it has expired, at the latest.
    pub(super) fn deadline(&self, now: Instant) -> Instant {
        let state = self.0.lock();
        if state.answering {
            // The answer has a deadline of its own.
            return now + STALL;
        }
        match state.wait {
            Wait::Request => state.since + IDLE,
            Wait::Head => state.since + HEAD,
            Wait::Reader => (state.taken + STALL).min(state.since + TRANSFER),
        }
    }

    /// Why it is to be given up now, if it is.
    pub(super) fn expired(&self, now: Instant) -> Option<Expired> {
        if now < self.deadline(now) {
            return None;
        }
        Some(match self.0.lock().wait {
            Wait::Request => Expired::Idle,
            Wait::Head => Expired::Head,
            Wait::Reader => Expired::Reader,
        })
    }

    /// Since when the caller has kept us waiting; none while it waits for us.
    pub(super) fn kept_waiting_since(&self) -> Option<Instant> {
        let state = self.0.lock();
        (!state.answering).then_some(state.since)
    }
}

impl State {
    const fn wait_for(&mut self, wait: Wait, now: Instant) {
        (self.wait, self.since) = (wait, now);
    }
}

/// Where in a head the bytes that were received end. What follows a head is taken for the next one: no path has a body.
#[derive(Debug, Default)]
struct HeadReader {
    /// Whole lines of this head.
    lines: usize,
    /// Whether the line that is not whole yet has anything in it.
    in_line: bool,
    /// The bytes of the first line of this head, or between two heads of the last one.
    first_line: usize,
}

impl HeadReader {
    fn read(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match byte {
                b'\n' if self.in_line => (self.lines, self.in_line) = (self.lines + 1, false),
                // An empty line ends a head; before one it is nothing.
                b'\n' => self.lines = 0,
                b'\r' => {}
                _ => {
                    self.first_line = match (self.lines, self.in_line) {
                        (0, false) => 1,
                        (0, true) => self.first_line + 1,
                        _ => self.first_line,
                    };
                    self.in_line = true;
                }
            }
        }
    }

    const fn is_begun(&self) -> bool {
        self.lines > 0 || self.in_line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> (Activity, Instant) {
        let now = now();
        (Activity::new(now), now)
    }

    #[expect(clippy::disallowed_methods, reason = "an arbitrary instant to count from")]
    fn now() -> Instant {
        Instant::now()
    }

    #[test]
    fn whoever_asks_nothing_is_given_up_after_the_idle_time() {
        let (activity, now) = start();
        assert_eq!(activity.expired(now + IDLE - Duration::from_millis(1)), None);
        assert_eq!(activity.expired(now + IDLE), Some(Expired::Idle));
        activity.received(b"\r\n", now + IDLE / 2);
        assert_eq!(activity.expired(now + IDLE), Some(Expired::Idle), "an empty line begins nothing");
    }

    #[test]
    fn a_head_that_trickles_in_has_one_deadline_from_its_first_byte_on() {
        let (activity, now) = start();
        let first = now + Duration::from_secs(70);
        activity.received(b"GET / HT", first);
        assert_eq!(activity.first_line_bytes(), 8);
        activity.received(b"TP/1.1\r\nhost: a\r\n", first + HEAD / 2);
        assert_eq!(activity.first_line_bytes(), 14);
        assert_eq!(activity.expired(first + HEAD - Duration::from_millis(1)), None);
        assert_eq!(activity.expired(first + HEAD), Some(Expired::Head));
    }

    #[test]
    fn a_reader_that_takes_nothing_stalls_and_one_that_dribbles_runs_out_of_time() {
        let (activity, now) = start();
        activity.begins_to_answer();
        assert_eq!((activity.expired(now + 2 * IDLE), activity.kept_waiting_since()), (None, None));
        activity.answered(now);
        activity.blocked(now);
        assert_eq!(activity.expired(now + STALL), Some(Expired::Reader));
        let mut at = now;
        while at < now + TRANSFER {
            assert_eq!(activity.expired(at), None);
            activity.taken(at);
            at += STALL / 2;
        }
        assert_eq!(activity.expired(now + TRANSFER), Some(Expired::Reader));
        assert_eq!(activity.kept_waiting_since(), Some(now));
    }

    #[test]
    fn after_an_answer_the_next_request_is_waited_for_or_its_rest() {
        let (activity, now) = start();
        activity.received(b"GET / HTTP/1.1\r\n\r\n", now);
        assert_eq!(activity.first_line_bytes(), 14, "it is remembered when the head is over");
        activity.begins_to_answer();
        activity.answered(now);
        activity.flushed(now);
        assert_eq!(activity.deadline(now), now + IDLE);
        activity.begins_to_answer();
        activity.received(b"GET / HTTP/1.1\r\n\r\nGET ", now);
        activity.answered(now);
        activity.flushed(now);
        assert_eq!(activity.deadline(now), now + HEAD, "half of a pipelined request is there");
    }
}
