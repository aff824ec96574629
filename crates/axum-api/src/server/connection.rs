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

use super::activity::{Activity, Expired, FIRST_REQUEST};
use super::socket::{MAX_HEAD_BYTES, Socket, now};
use crate::problem::Problem;

/// After the last response, what the client still sends is read for this long: closing with unread data would reset the
/// connection, and the client could lose the response.
const LINGER: Duration = Duration::from_secs(1);

/// Serves one connection until it ends or a deadline expires. How it ends concerns the client alone.
#[expect(clippy::disallowed_methods, reason = "the sockets and their timers are tokio's")]
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
    let has_requested = AtomicBool::new(false);
    let service = service_fn(move |request: Request<Incoming>| {
        let (activity, router) = (of_service.clone(), router.clone());
        activity.request_started();
        let is_first = !has_requested.swap(true, Ordering::Relaxed);
        async move {
            // However many requests a client pipelines, other connections run in between. The first request on a connection,
            // such as a probe's, goes ahead at once.
            if !is_first {
                tokio::task::yield_now().await;
            }
            let response = router.call(request.map(Body::new)).await;
            activity.response_ready(now());
            response
        }
    });
    let mut served = http1::Builder::new()
        // A complete request is answered even if its client has shut down its half of the connection, as `nc -N` does. A
        // client that is gone looks the same, so its request runs on until its timeout. Until then it holds a slot of
        // the bounded requests in flight, which health does not need, and a connection, which is evicted at the cap.
        .half_close(true)
        .max_buf_size(MAX_HEAD_BYTES)
        // One read may return more than the buffer's limit.
        .max_header_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(Socket::new(stream, activity.clone())), service);
    let mut deadline = pin!(tokio::time::sleep_until(activity.deadline(now())));
    let mut stopped = pin!(stop.wait_for(|stop| *stop));
    let mut until_first = pin!(tokio::time::sleep(FIRST_REQUEST));
    let (mut ordered, mut stopping) = (false, false);
    let ended = poll_fn(|cx| {
        if !ordered && stopped.as_mut().poll(cx).is_ready() {
            ordered = true;
            activity.stop(now());
            until_first.as_mut().reset(now() + FIRST_REQUEST);
        }
        if ordered && !stopping && (activity.has_received() || until_first.as_mut().poll(cx).is_ready()) {
            stopping = true;
            Pin::new(&mut served).graceful_shutdown();
        }
        if let Poll::Ready(ended) = Pin::new(&mut served).poll(cx) {
            return Poll::Ready(Ok(ended));
        }
        if ordered && !stopping && activity.has_received() {
            // Just now: its answer is to be the last.
            cx.waker().wake_by_ref();
        }
        // Polling hyper may have changed the deadline.
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
        Err(Expired::Head) => {
            Some(Problem::new(StatusCode::REQUEST_TIMEOUT, "the request head was not received in time"))
        }
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

/// The problem for a request that hyper gave up without a response.
fn unanswered(error: &hyper::Error) -> Option<Problem> {
    if error.is_parse_version_h2() {
        let detail = "this listener supports HTTP/1.1, not HTTP/2";
        return Some(Problem::new(StatusCode::HTTP_VERSION_NOT_SUPPORTED, detail));
    }
    error
        .is_incomplete_message()
        .then(|| Problem::bad_request("the connection was closed before the request head was complete"))
}
