//! What a connection waits for, and since when: its deadlines and its eviction follow from that. A pure state machine; the
//! time is an argument.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// A connection without a request for this long is closed; scrapers send one at least every minute.
pub(super) const IDLE: Duration = Duration::from_secs(75);
/// A request head is a few hundred bytes: a client that takes longer to send one is gone or malicious.
pub(super) const HEAD: Duration = Duration::from_secs(10);
/// At a stop, the rest of a request head gets this long, or its first byte: it has most likely just been sent, and is on the way.
/// What serves next would have to wait for a longer one.
pub(super) const FIRST_REQUEST: Duration = Duration::from_millis(250);
/// A client that reads not one byte of its response for this long will not read the rest.
pub(super) const STALL: Duration = Duration::from_secs(10);
/// A client that reads slowly gets this long for the whole response.
pub(super) const TRANSFER: Duration = Duration::from_mins(1);

/// The state of one connection, shared by its socket, its requests and the listener.
#[derive(Debug)]
pub(super) struct Activity(Mutex<State>);

#[derive(Debug)]
struct State {
    /// A request is in flight: the client waits for the service.
    in_flight: bool,
    wait: Wait,
    /// Since when.
    since: Instant,
    /// When the client last read a byte.
    wrote: Instant,
    /// The client has sent a byte.
    received: bool,
    /// When the stop was ordered.
    stops: Option<Instant>,
    head: HeadReader,
}

/// What the connection waits for while no request is in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    /// The next request.
    Request,
    /// The rest of a request head.
    Head,
    /// The client, to read its response.
    Reader,
}

/// Which deadline of a connection expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expired {
    /// No request arrived.
    Idle,
    /// A request head was not completed.
    Head,
    /// A response was not read.
    Reader,
}

impl Activity {
    pub(super) fn new(now: Instant) -> Self {
        let head = HeadReader::default();
        let (wait, since, wrote) = (Wait::Request, now, now);
        Self(Mutex::new(State { in_flight: false, wait, since, wrote, received: false, stops: None, head }))
    }

    /// The client sent these bytes.
    pub(super) fn received(&self, bytes: &[u8], now: Instant) {
        let mut state = self.0.lock();
        state.received = true;
        state.head.read(bytes);
        if state.wait == Wait::Request && state.head.has_begun() {
            state.wait_for(Wait::Head, now);
        }
    }

    /// Whether the client has sent anything so far.
    pub(super) fn has_received(&self) -> bool {
        self.0.lock().received
    }

    /// The listener stops.
    pub(super) fn stop(&self, now: Instant) {
        self.0.lock().stops = Some(now);
    }

    /// A request head is complete, and its handler runs.
    pub(super) fn request_started(&self) {
        self.0.lock().in_flight = true;
    }

    /// The response is ready; now the client has to read it.
    pub(super) fn response_ready(&self, now: Instant) {
        let mut state = self.0.lock();
        state.in_flight = false;
        state.wrote = now;
        state.wait_for(Wait::Reader, now);
    }

    /// The socket takes no more bytes at the moment.
    pub(super) fn blocked(&self, now: Instant) {
        let mut state = self.0.lock();
        if state.wait != Wait::Reader {
            state.wrote = now;
            state.wait_for(Wait::Reader, now);
        }
    }

    /// The socket took some of the response.
    pub(super) fn wrote(&self, now: Instant) {
        self.0.lock().wrote = now;
    }

    /// The socket took all that was written.
    pub(super) fn flushed(&self, now: Instant) {
        let mut state = self.0.lock();
        if state.wait == Wait::Reader && !state.in_flight {
            let next = if state.head.has_begun() { Wait::Head } else { Wait::Request };
            state.wait_for(next, now);
        }
    }

    /// The length so far of the request line of the current head, or of the last one.
    pub(super) fn first_line_bytes(&self) -> usize {
        self.0.lock().head.first_line
    }

    /// When to check next whether it has expired.
    pub(super) fn deadline(&self, now: Instant) -> Instant {
        let state = self.0.lock();
        if state.in_flight {
            // Requests have a timeout of their own.
            return now + STALL;
        }
        match state.wait {
            Wait::Request => state.since + IDLE,
            Wait::Head => {
                let last = state.stops.map(|stops| stops.max(state.since) + FIRST_REQUEST);
                last.into_iter().fold(state.since + HEAD, Instant::min)
            }
            Wait::Reader => (state.wrote + STALL).min(state.since + TRANSFER),
        }
    }

    /// The deadline that has expired, if any.
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

    /// Since when the connection has waited for its client; `None` while a request is in flight.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        let state = self.0.lock();
        (!state.in_flight).then_some(state.since)
    }
}

impl State {
    const fn wait_for(&mut self, wait: Wait, now: Instant) {
        (self.wait, self.since) = (wait, now);
    }
}

/// The position in a request head. Bytes after a head are taken for the next one, since no endpoint takes a body.
#[derive(Debug, Default)]
struct HeadReader {
    /// Complete lines of this head.
    lines: usize,
    /// Whether the current line is not empty.
    in_line: bool,
    /// The length of the request line of this head, or between two heads of the last one.
    first_line: usize,
}

impl HeadReader {
    fn read(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match byte {
                b'\n' if self.in_line => (self.lines, self.in_line) = (self.lines + 1, false),
                // An empty line ends a head; before a head it is ignored.
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

    const fn has_begun(&self) -> bool {
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
    fn a_connection_without_a_request_expires_after_the_idle_time() {
        let (activity, now) = start();
        assert_eq!(activity.expired(now + IDLE - Duration::from_millis(1)), None);
        assert_eq!(activity.expired(now + IDLE), Some(Expired::Idle));
        activity.received(b"\r\n", now + IDLE / 2);
        assert_eq!(activity.expired(now + IDLE), Some(Expired::Idle), "an empty line starts no request");
    }

    #[test]
    fn a_head_that_trickles_in_has_one_deadline_from_its_first_byte() {
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
    fn at_a_stop_half_a_head_is_not_waited_for() {
        let (activity, now) = start();
        activity.received(b"GET / HT", now);
        let stop = now + HEAD / 2;
        activity.stop(stop);
        assert_eq!(activity.deadline(stop), stop + FIRST_REQUEST);
        let (activity, now) = start();
        activity.stop(now);
        let begins = now + FIRST_REQUEST / 2;
        activity.received(b"GET / HT", begins);
        assert_eq!(activity.deadline(begins), begins + FIRST_REQUEST, "it has begun since");
        let (activity, now) = start();
        activity.received(b"GET / HT", now);
        activity.stop(now + HEAD - FIRST_REQUEST / 2);
        assert_eq!(activity.deadline(now), now + HEAD, "a stop gives no time");
    }

    #[test]
    fn a_client_that_reads_nothing_stalls_and_one_that_reads_slowly_runs_out_of_time() {
        let (activity, now) = start();
        activity.request_started();
        assert_eq!((activity.expired(now + 2 * IDLE), activity.idle_since()), (None, None));
        activity.response_ready(now);
        activity.blocked(now);
        assert_eq!(activity.expired(now + STALL), Some(Expired::Reader));
        let mut at = now;
        while at < now + TRANSFER {
            assert_eq!(activity.expired(at), None);
            activity.wrote(at);
            at += STALL / 2;
        }
        assert_eq!(activity.expired(now + TRANSFER), Some(Expired::Reader));
        assert_eq!(activity.idle_since(), Some(now));
    }

    #[test]
    fn after_a_response_the_connection_waits_for_the_next_request_or_the_rest_of_it() {
        let (activity, now) = start();
        activity.received(b"GET / HTTP/1.1\r\n\r\n", now);
        assert_eq!(activity.first_line_bytes(), 14, "it is kept when the head is complete");
        activity.request_started();
        activity.response_ready(now);
        activity.flushed(now);
        assert_eq!(activity.deadline(now), now + IDLE);
        activity.request_started();
        activity.received(b"GET / HTTP/1.1\r\n\r\nGET ", now);
        activity.response_ready(now);
        activity.flushed(now);
        assert_eq!(activity.deadline(now), now + HEAD, "half of a pipelined request is there");
    }
}
