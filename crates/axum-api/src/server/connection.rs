//! One connection from its first byte to its last: hyper's HTTP/1.1 under the deadlines of its [`Activity`].

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;

use super::activity::{Activity, Expired};
use super::socket::{MAX_HEAD_BYTES, Socket, now};
use crate::problem::Problem;

/// After the last answer, what the caller still sends is read for so long: closing on it would take the answer back.
const LINGER: Duration = Duration::from_secs(1);

/// Serves one connection until it ends or is given up. How it ends concerns the caller alone.
#[expect(
    clippy::disallowed_methods,
    reason = "the sockets are tokio's own, and so is the time that they wait"
)]
pub(super) async fn serve<T>(
    stream: T,
    router: Router,
    activity: Arc<Activity>,
    mut stop: watch::Receiver<bool>,
) where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let router = TowerToHyperService::new(router);
    let of_service = activity.clone();
    let asked_before = AtomicBool::new(false);
    let service = service_fn(move |request: Request<Incoming>| {
        let (activity, router) = (of_service.clone(), router.clone());
        activity.begins_to_answer();
        let is_first = !asked_before.swap(true, Ordering::Relaxed);
        async move {
            // However many requests a caller sends at once, the other connections have their turns in between. One that has
            // just come, as probes do, has waited for its turn.
            if !is_first {
                tokio::task::yield_now().await;
            }
            let answer = router.call(request.map(Body::new)).await;
            activity.answered(now());
            answer
        }
    });
    let mut served = http1::Builder::new()
        // What is asked whole is answered, though its caller has closed its half already, as `nc -N` does. One that is
        // really gone looks the same: its question goes on until its own deadline, as one does whose caller waits. It
        // takes a place among those that are answered at once, whose number is bounded, and one among the connections,
        // which the next one to come is given when there are too many. Health needs none of the former.
        .half_close(true)
        .max_buf_size(MAX_HEAD_BYTES)
        // One read may bring more than the buffer's bound.
        .max_header_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(Socket::new(stream, activity.clone())), service);
    let mut deadline = pin!(tokio::time::sleep_until(activity.deadline(now())));
    let mut stopped = pin!(stop.wait_for(|stop| *stop));
    let mut stopping = false;
    let ended = poll_fn(|cx| {
        if !stopping && stopped.as_mut().poll(cx).is_ready() {
            stopping = true;
            Pin::new(&mut served).graceful_shutdown();
        }
        if let Poll::Ready(ended) = Pin::new(&mut served).poll(cx) {
            return Poll::Ready(Ok(ended));
        }
        // What the connection waits for may have changed just now.
        loop {
            deadline.as_mut().reset(activity.deadline(now()));
            ready!(deadline.as_mut().poll(cx));
            if let Some(expired) = activity.expired(now()) {
                return Poll::Ready(Err(expired));
            }
        }
    });
    let refusal = match ended.await {
        Ok(ended) => ended.err().and_then(|error| unanswered(&error)),
        Err(Expired::Head) => Some(Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            "the head of the request was not complete in time",
        )),
        Err(Expired::Idle | Expired::Reader) => return,
    };
    let mut socket = served.into_parts().io.into_inner();
    let last = async {
        if let Some(problem) = refusal.filter(|_| !socket.has_refused()) {
            socket.write_all(&problem.on_the_wire("")).await?;
        }
        socket.shutdown().await?;
        let mut rest = [0; 4096];
        while !socket.has_ended() && socket.read(&mut rest).await? > 0 {}
        std::io::Result::Ok(())
    };
    let _ = tokio::time::timeout(LINGER, last).await;
}

/// What to say about a request that hyper gave up on without a word.
fn unanswered(error: &hyper::Error) -> Option<Problem> {
    if error.is_parse_version_h2() {
        let detail = "this listener speaks HTTP/1.1; HTTP/2 is not to be had";
        return Some(Problem::new(StatusCode::HTTP_VERSION_NOT_SUPPORTED, detail));
    }
    error
        .is_incomplete_message()
        .then(|| Problem::bad_request("the request ends before its head is complete"))
}
