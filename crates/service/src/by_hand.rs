//! What operators see and order while the service runs. Orders go to the supervisor, which decides.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};
use ttm_recovery::{
    Budgets, EntryKey, Lately, PartView, Recoveries, Recovery, RecoveryControl, RestartRefused,
};

use crate::alerts::OfAlerts;
use crate::board::Board;
use crate::operator::GuardBreakers;
use crate::ports::Controls;
use crate::resident::Resident;

/// Orders that wait for the supervisor, which looks within a second: more than a person gives.
const ORDERS: usize = 8;

/// An order to restart a part.
pub(crate) struct Order {
    /// Its name.
    pub(crate) part: String,
    /// Takes what became of it.
    pub(crate) answer: oneshot::Sender<Result<EntryKey, RestartRefused>>,
}

/// Where the supervisor hears orders.
pub(crate) type Orders = mpsc::Receiver<Order>;

/// What operators of a service may do, and where the supervisor hears it.
pub(crate) fn controls(resident: &Arc<Resident>, shown: Arc<Mutex<Recoveries>>) -> (Controls, Orders) {
    let (sender, orders) = mpsc::channel(ORDERS);
    resident.board.show_recoveries(shown.clone());
    let breakers = Arc::new(GuardBreakers::new(resident.clone()));
    let recovery = Arc::new(ByHand { board: resident.board.clone(), shown, orders: sender });
    let alerts = Arc::new(OfAlerts::new(resident.clone()));
    (Controls { breakers, recovery, alerts }, orders)
}

struct ByHand {
    board: Arc<Board>,
    shown: Arc<Mutex<Recoveries>>,
    orders: mpsc::Sender<Order>,
}

#[async_trait]
impl RecoveryControl for ByHand {
    fn recoveries(&self, limit: usize) -> Vec<Recovery> {
        self.shown.lock().newest(limit)
    }

    fn problem(&self) -> Option<String> {
        self.board.set_aside()
    }

    fn lately(&self, since: Timestamp) -> Lately {
        self.shown.lock().lately(since)
    }

    fn parts(&self) -> Vec<PartView> {
        self.board.parts()
    }

    fn budgets(&self) -> Option<Budgets> {
        self.board.budgets()
    }

    async fn restart(&self, part: &str) -> Result<EntryKey, RestartRefused> {
        let (answer, answered) = oneshot::channel();
        let order = Order { part: part.to_owned(), answer };
        // Both fail once the supervisor decides nothing any more.
        let stopping = RestartRefused::NotRunning("stopping");
        self.orders.send(order).await.map_err(|_| stopping.clone())?;
        answered.await.unwrap_or(Err(stopping))
    }
}
