//! The requests in flight: a task each, which ends with its owner.

use std::sync::Arc;

use futures_util::stream::FuturesUnordered;
use tokio::sync::oneshot;
use ttm_dispatch::Request;
use ttm_guard::Turn;
use ttm_kernel::{BoxFuture, Runtime, TaskEnd};
use ttm_market::Mint;

use super::request;
use crate::client::Client;
use crate::io::Owned;
use crate::machine::{Answer, RequestId};

/// Each completes with its answer; dropped, they end their tasks.
pub(super) type Requests = FuturesUnordered<BoxFuture<'static, (RequestId, Answer)>>;

/// Makes a request on a turn.
pub(super) fn start(
    requests: &mut Requests,
    runtime: &dyn Runtime,
    client: &Arc<Client>,
    turn: Turn,
    id: RequestId,
    request: Request<Mint>,
) {
    let client = client.clone();
    let (sender, mut answer) = oneshot::channel();
    let body = async move {
        // The receiver is gone only after the deadline of a stop.
        drop(sender.send(request::make(&client, turn, &request).await));
    };
    let task = Owned(runtime.spawn("request", Box::pin(body)));
    requests.push(Box::pin(async move {
        if let TaskEnd::Panicked(message) = task.await {
            tracing::error!(message, "a request panicked; its tokens are asked for again");
        }
        (id, answer.try_recv().unwrap_or(Answer::Panicked))
    }));
}
