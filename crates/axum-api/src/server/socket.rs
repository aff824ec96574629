//! The stream under hyper. It records what the client does in the [`Activity`], and replaces the responses with an empty
//! body that hyper itself writes for malformed requests by problem documents.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::activity::Activity;
use crate::limits::MAX_TARGET_BYTES;
use crate::problem::Problem;

/// The largest request head, and the read-ahead limit.
pub(super) const MAX_HEAD_BYTES: usize = 64 * 1024;

/// A stream that updates its [`Activity`].
#[derive(Debug)]
pub(super) struct Socket<T> {
    stream: T,
    activity: Arc<Activity>,
    /// Whether the client has shut down its half.
    ended: bool,
    /// The replacement of hyper's own response, and how much of it is written.
    instead: Option<(Vec<u8>, usize)>,
    /// Whether a malformed request was answered.
    refused: bool,
}

impl<T> Socket<T> {
    pub(super) const fn new(stream: T, activity: Arc<Activity>) -> Self {
        Self { stream, activity, ended: false, instead: None, refused: false }
    }

    /// Whether the client has shut down its half.
    pub(super) const fn has_ended(&self) -> bool {
        self.ended
    }

    /// Whether a malformed request was answered.
    pub(super) const fn has_refused(&self) -> bool {
        self.refused
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Socket<T> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let room = buf.remaining() > 0;
        ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
        let received = &buf.filled()[before..];
        this.ended |= room && received.is_empty();
        if !received.is_empty() {
            this.activity.received(received, now());
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Socket<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.instead.is_none()
            && let Some(bare) = BareResponse::at_the_end_of(buf)
        {
            if bare.at > 0 {
                return this.write(cx, &buf[..bare.at]);
            }
            let response = problem(bare.status, this.activity.first_line_bytes()).on_the_wire(bare.date);
            (this.instead, this.refused) = (Some((response, 0)), true);
        }
        while let Some((response, written)) = this.instead.take() {
            if written == response.len() {
                return Poll::Ready(Ok(buf.len()));
            }
            let polled = this.write(cx, &response[written..]);
            this.instead = Some((response, written));
            if let (Some((_, written)), count) = (&mut this.instead, ready!(polled)?) {
                *written += count;
            }
        }
        this.write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(Pin::new(&mut this.stream).poll_flush(cx))?;
        this.activity.flushed(now());
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

impl<T: AsyncWrite + Unpin> Socket<T> {
    fn write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        match &polled {
            Poll::Ready(Ok(_)) => self.activity.wrote(now()),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.activity.blocked(now()),
        }
        polled
    }
}

/// A response that hyper made itself: a status and no body. It is always the last on a connection.
struct BareResponse<'a> {
    /// Where it starts.
    at: usize,
    status: StatusCode,
    /// Its line `date: …`, or empty.
    date: &'a str,
}

impl<'a> BareResponse<'a> {
    /// No response of the router matches: all have a body, and none contains such a head, since neither JSON nor Prometheus
    /// text contains a carriage return.
    fn at_the_end_of(bytes: &'a [u8]) -> Option<Self> {
        const LONGEST: usize = 256;
        if !bytes.ends_with(b"\r\n\r\n") {
            return None;
        }
        let from = bytes.len().saturating_sub(LONGEST);
        let start = b"HTTP/1.";
        let at = from + bytes[from..].windows(start.len()).rposition(|window| window == start)?;
        let head = std::str::from_utf8(&bytes[at..]).ok()?;
        if head.find("\r\n\r\n") != Some(head.len() - 4) || !head.contains("\r\ncontent-length: 0\r\n") {
            return None;
        }
        let status = StatusCode::from_bytes(head.get(9..12)?.as_bytes()).ok()?;
        let line = head.split_inclusive("\r\n").find(|line| line.starts_with("date: "));
        status.is_client_error().then_some(Self { at, status, date: line.unwrap_or_default() })
    }
}

/// A longer request line has a target that is too long: the rest is a method and a version.
const LONGEST_FIRST_LINE: usize = MAX_TARGET_BYTES + 64;

/// The problem of a request that hyper refuses with this status.
fn problem(status: StatusCode, first_line: usize) -> Problem {
    match status {
        StatusCode::URI_TOO_LONG => too_long(),
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE if first_line > LONGEST_FIRST_LINE => too_long(),
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => Problem::new(
            status,
            format!("the request head is too large, expected at most {MAX_HEAD_BYTES} bytes and 100 headers"),
        ),
        _ => Problem::new(status, "not a valid HTTP/1.1 request: the request line or a header is malformed"),
    }
}

fn too_long() -> Problem {
    Problem::new(
        StatusCode::URI_TOO_LONG,
        format!("the request target is too long, expected at most {MAX_TARGET_BYTES} bytes"),
    )
}

#[expect(clippy::disallowed_methods, reason = "the sockets and their timers are tokio's")]
pub(super) fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_response_without_a_body_at_the_very_end_is_from_hyper() {
        let bare = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\ndate: now\r\n\r\n";
        let found = BareResponse::at_the_end_of(bare).expect("one");
        assert_eq!((found.at, found.status.as_u16(), found.date), (0, 400, "date: now\r\n"));
        let before = [&b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"[..], bare].concat();
        assert_eq!(
            BareResponse::at_the_end_of(&before).map(|found| found.at),
            Some(before.len() - bare.len())
        );
        for other in [
            &b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"[..],
            b"HTTP/1.1 400 Bad Request\r\ncontent-length: 9\r\n\r\n",
            b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n{}",
            b"\r\n\r\n",
        ] {
            assert!(BareResponse::at_the_end_of(other).is_none(), "{}", String::from_utf8_lossy(other));
        }
    }
}
