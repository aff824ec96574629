//! The requests in flight: a task each, which ends with its owner, or when it is told to.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::oneshot;
use ttm_dispatch::{Ask, Priority, Request};
use ttm_guard::Turn;
use ttm_kernel::{BoxFuture, Incarnation, Moment, Runtime, TaskEnd};
use ttm_market::Mint;

use super::request;
use crate::client::Client;
use crate::flights::{Flight, Flights};
use crate::io::Owned;
use crate::machine::{Answer, RequestId};
use crate::pause::LATE;

/// Characters of a panic's message that are kept.
const LONGEST_MESSAGE: usize = 200;

/// Each completes with its answer; dropped, they end their tasks.
pub(super) struct Requests {
    by: Incarnation,
    /// One that takes so long is aborted: its group may get on with other tokens all the while, so that nothing else would notice.
    hangs_after: Duration,
    flights: Arc<Flights>,
    running: FuturesUnordered<BoxFuture<'static, (RequestId, Answer)>>,
    /// Dropping one aborts its request.
    owners: BTreeMap<RequestId, oneshot::Sender<()>>,
}

impl Requests {
    /// Of this incarnation of the work.
    pub(super) fn new(by: Incarnation, hangs_after: Duration, flights: &Arc<Flights>) -> Self {
        let (running, owners) = (FuturesUnordered::new(), BTreeMap::new());
        Self { by, hangs_after, flights: flights.clone(), running, owners }
    }

    /// Makes a request on a turn.
    pub(super) fn start(
        &mut self,
        runtime: &Arc<dyn Runtime>,
        client: &Arc<Client>,
        turn: Turn,
        id: RequestId,
        request: Request<Mint>,
    ) {
        let flight = Flight {
            priority: request.priority.as_str(),
            tokens: match &request.ask {
                Ask::Batch(asked) => asked.len(),
                Ask::One(..) => 1,
            },
            since: runtime.now(),
            aborted: None,
        };
        let listed = self.flights.begin((self.by, id), flight);
        let (client, (sender, mut answer)) = (client.clone(), oneshot::channel());
        let name = task_name(request.priority);
        let body = async move {
            let _listed = listed;
            #[cfg(feature = "test-faults")]
            crate::faults::of_request(request.priority.lane()).await;
            // The receiver is gone only after the deadline of a stop.
            drop(sender.send(request::make(&client, turn, &request).await));
        };
        let mut task = Owned(runtime.spawn(name, Box::pin(body)));
        let (keep, dropped) = oneshot::channel::<()>();
        self.owners.insert(id, keep);
        let (flights, key, hangs_after) = (self.flights.clone(), (self.by, id), self.hangs_after);
        let overdue = overdue(runtime.clone(), hangs_after);
        self.running.push(Box::pin(async move {
            let end = tokio::select! {
                biased;
                end = &mut task => end,
                _ = dropped => {
                    task.0.abort();
                    (&mut task).await
                }
                now = overdue => {
                    let waited_s = hangs_after.as_secs();
                    tracing::error!(waited_s, "a request hangs; its tokens are asked for again");
                    flights.abort(key, now);
                    task.0.abort();
                    (&mut task).await
                }
            };
            let answer = match (answer.try_recv(), end) {
                (Ok(answer), _) => answer,
                (Err(_), TaskEnd::Panicked(message)) => Answer::Panicked(bounded(&message)),
                (Err(_), TaskEnd::Finished | TaskEnd::Aborted) => Answer::Aborted,
            };
            (id, answer)
        }));
    }

    /// Aborts a request; it completes when its task has ended.
    pub(super) fn abort(&mut self, id: RequestId, runtime: &dyn Runtime) {
        if self.owners.remove(&id).is_some() {
            self.flights.abort((self.by, id), runtime.now());
        }
    }

    /// The next one that completes. `None` if there is none in flight.
    pub(super) async fn next(&mut self) -> Option<(RequestId, Answer)> {
        let ended = self.running.next().await;
        if let Some((id, _)) = &ended {
            self.owners.remove(id);
        }
        ended
    }
}

/// Completes, with the time, after so long; a pause of the process grants it anew, so that what came meanwhile is read first.
async fn overdue(runtime: Arc<dyn Runtime>, after: Duration) -> Moment {
    loop {
        let at = runtime.now() + after;
        runtime.sleep_until(at).await;
        let now = runtime.now();
        if now - at <= LATE {
            return now;
        }
    }
}

/// A panic may say anything: what it was given to read, for example.
fn bounded(message: &str) -> String {
    message.chars().filter(|char| !char.is_control()).take(LONGEST_MESSAGE).collect()
}

/// What a request's task is called where tasks are listed.
const fn task_name(priority: Priority) -> &'static str {
    match priority {
        Priority::Activation => "activation request",
        Priority::Hot => "hot request",
        Priority::Cold => "cold request",
        Priority::Background => "background request",
    }
}
