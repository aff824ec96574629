//! The requests in flight: a task each, which ends with its owner.

use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use tokio::sync::oneshot;
use ttm_dispatch::Request;
use ttm_guard::Turn;
use ttm_kernel::{Runtime, Task, TaskEnd};
use ttm_market::Mint;

use super::machine::{Answer, RequestId};
use super::request;
use crate::client::Client;

#[derive(Default)]
pub(super) struct Requests(Vec<Requested>);

struct Requested {
    id: RequestId,
    answer: oneshot::Receiver<Answer>,
    task: Owned,
}

/// A task that ends with its owner: whichever way the work ends, no request outlives it.
struct Owned(Task);

impl Drop for Owned {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Requests {
    /// Makes a request on a turn.
    pub(super) fn start(
        &mut self,
        runtime: &dyn Runtime,
        client: &Arc<Client>,
        turn: Turn,
        id: RequestId,
        request: Request<Mint>,
    ) {
        let client = client.clone();
        let (sender, answer) = oneshot::channel();
        let body = async move {
            // The receiver is gone only after the deadline of a stop.
            drop(sender.send(request::make(&client, turn, &request).await));
        };
        let task = Owned(runtime.spawn("request", Box::pin(body)));
        self.0.push(Requested { id, answer, task });
    }

    /// The next one that ends, with its answer. Never completes while there is none.
    pub(super) async fn ended(&mut self) -> (RequestId, Answer) {
        let (at, end) = std::future::poll_fn(|cx| {
            for (at, requested) in self.0.iter_mut().enumerate() {
                if let Poll::Ready(end) = Pin::new(&mut requested.task.0).poll(cx) {
                    return Poll::Ready((at, end));
                }
            }
            Poll::Pending
        })
        .await;
        let Requested { id, mut answer, .. } = self.0.swap_remove(at);
        if let TaskEnd::Panicked(message) = end {
            tracing::error!(message, "a request panicked; its tokens are asked for again");
        }
        (id, answer.try_recv().unwrap_or(Answer::Panicked))
    }
}
