//! The simulated table of breakers: keeps the port's laws under every fault, and informs the API's oracles of the
//! open breakers and pauses that a process loaded. Clones are connections to one database.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use ttm_breaker::{BreakerStore, Saved, State, StoredBreaker};
use ttm_kernel::{Admission, Clock, FencingToken, StoreError};

use super::store::{Ledger, Server};
use super::{SimExchange, SimTokenStore};
use crate::{FaultSchedule, SimRuntime, StoreTable};

/// The store.
#[derive(Clone, Debug)]
pub struct SimBreakerStore {
    server: Server,
    /// Where epochs are claimed.
    tokens: SimTokenStore,
    exchange: Arc<SimExchange>,
    database: Arc<Mutex<Table>>,
}

#[derive(Debug, Default)]
struct Table {
    rows: BTreeMap<String, StoredBreaker>,
    /// The newest fencing token of a write.
    saved: Option<FencingToken>,
}

impl SimBreakerStore {
    /// An empty store in the database of `tokens`, for processes that call `exchange` through their breaker.
    pub(super) fn beside(
        tokens: &SimTokenStore,
        exchange: &Arc<SimExchange>,
        runtime: &SimRuntime,
        faults: &Arc<FaultSchedule>,
        ledger: &Ledger,
    ) -> Self {
        Self {
            server: Server::new(StoreTable::Breakers, runtime, faults, ledger),
            tokens: tokens.clone(),
            exchange: exchange.clone(),
            database: Arc::default(),
        }
    }

    fn commit(
        &self,
        process: u32,
        under: FencingToken,
        breakers: &[StoredBreaker],
    ) -> Result<(), StoreError> {
        let mut database = self.database.lock();
        if self.tokens.admit(process, under, database.saved)? == Admission::Newest {
            database.saved = Some(under);
        }
        let named = breakers.iter().map(|breaker| (breaker.name.clone(), breaker.clone()));
        database.rows.extend(named);
        Ok(())
    }
}

#[async_trait]
impl BreakerStore for SimBreakerStore {
    async fn load(&self) -> Result<Vec<StoredBreaker>, StoreError> {
        self.server.read().await?;
        let all: Vec<StoredBreaker> = self.database.lock().rows.values().cloned().collect();
        // The service has one breaker, for the one API.
        for StoredBreaker { saved, at, rate, .. } in &all {
            let runtime = self.server.runtime();
            let elapsed = Duration::try_from(runtime.wall().duration_since(*at)).unwrap_or_default();
            if let Saved { state: State::Open, open_for, .. } = saved {
                self.exchange.expect_open_breaker(runtime.now() + open_for.saturating_sub(elapsed));
            }
            if let Some(rate) = rate {
                self.exchange.expect_pause(runtime.now() + rate.paused_for.saturating_sub(elapsed));
            }
        }
        Ok(all)
    }

    async fn save(&self, under: FencingToken, breakers: &[StoredBreaker]) -> Result<(), StoreError> {
        let process = self.server.runtime().process();
        self.server.write(|| self.commit(process, under, breakers)).await??;
        for StoredBreaker { name, saved, .. } in breakers {
            self.server
                .runtime()
                .trace(format_args!("store saves {name} {} for {:?}", saved.state, saved.open_for));
        }
        Ok(())
    }
}
