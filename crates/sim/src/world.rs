//! The simulated world behind the ports: an API, a database, a process to measure. Everything in it outlives the
//! process of the service; only what the stores made durable is found again after a kill.

mod breaker_store;
mod defect;
mod event_store;
mod exchange;
mod lease;
mod metric_store;
mod resources;
mod series_log;
mod store;
mod token_store;

use std::sync::Arc;

use ttm_kernel::{Moment, StoreLease};
use ttm_market::synthetic::SyntheticMarket;
use ttm_market::{Mint, ProfileSource};
use ttm_service::Ports;

use crate::oracle::{Promises, Succession, Verdicts};
use defect::Defects;
use store::{Ledger, Server};

use crate::{FaultSchedule, SimRuntime, StoreTable};

pub use breaker_store::SimBreakerStore;
pub use defect::Defect;
pub use event_store::SimEventStore;
pub use exchange::{ExchangeCounts, Heard, SimExchange};
pub use lease::{LeaseKind, SimLease, SimLeases};
pub use metric_store::{SampleLedger, SimMetricStore};
pub use resources::SimResources;
pub use store::Told;
pub use token_store::SimTokenStore;

/// Everything outside the process.
#[derive(Clone, Debug)]
pub struct World {
    /// The outside API.
    pub exchange: Arc<SimExchange>,
    /// The tokens' part of the database.
    pub tokens: SimTokenStore,
    /// The breakers' part of it.
    pub breakers: SimBreakerStore,
    /// The history's part of it.
    pub history: SimMetricStore,
    /// The events' part of it.
    pub events: SimEventStore,
    /// Who may work on it.
    pub leases: SimLeases,
    /// What the process uses.
    pub resources: Arc<SimResources>,
    /// Which of several processes may do what.
    pub succession: Arc<Succession>,
    ledger: Ledger,
    defects: Defects,
}

impl World {
    /// A world with this many tokens, in which the faults of the schedule happen.
    pub fn new(
        seed: u64,
        tokens: usize,
        promised: Promises,
        runtime: &SimRuntime,
        faults: &Arc<FaultSchedule>,
        verdicts: &Arc<Verdicts>,
    ) -> Self {
        let market = SyntheticMarket::new(seed, tokens);
        let mints: Vec<Mint> = market.mints().collect();
        let (ledger, succession, defects) =
            (Ledger::default(), Arc::new(Succession::default()), Defects::default());
        let exchange = SimExchange::new(market, promised, runtime, faults, verdicts);
        let exchange = Arc::new(exchange.watched_by(&succession));
        let row = Server::new(StoreTable::Lease, runtime, faults, &ledger);
        let leases = SimLeases::new(LeaseKind::of(seed), row, &succession, verdicts, &defects);
        let tokens = SimTokenStore::beside(&mints, runtime, faults, &ledger, Some(&leases));
        Self {
            breakers: SimBreakerStore::beside(&tokens, &exchange, runtime, faults, &ledger),
            exchange,
            tokens,
            history: SimMetricStore::beside(runtime, faults, &ledger),
            events: SimEventStore::beside(runtime, faults, &ledger),
            leases,
            resources: Arc::new(SimResources::new(runtime, faults)),
            succession,
            ledger,
            defects,
        }
    }

    /// What a process had been told of each table by its reads and by its writes at a moment of the last minutes: the
    /// table, whether it wrote, since when it has been told just that, and what.
    pub fn told(&self, process: u32, at: Moment) -> Vec<(StoreTable, bool, Moment, Told)> {
        self.ledger.told(process, at)
    }

    /// Breaks rules of the store on purpose.
    pub fn break_rules(&self, defects: &[Defect]) {
        self.defects.add(defects);
    }

    /// Whether a process read or wrote anything but its lease.
    pub fn touched(&self, process: u32) -> bool {
        self.ledger.touched(process)
    }

    /// A process is gone, with all that it held and all that it knew.
    pub fn process_gone(&self, process: u32) {
        self.exchange.process_gone(process);
        self.succession.released(process.into());
    }

    /// The ports of a process in this world, which may follow the API's profiles.
    pub fn ports(&self, profiles: bool) -> Ports {
        Ports {
            pairs: self.exchange.clone(),
            tokens: Arc::new(self.tokens.clone()),
            sources: Vec::new(),
            profiles: profiles.then(|| self.exchange.clone() as Arc<dyn ProfileSource>),
            breakers: Arc::new(self.breakers.clone()),
            history: Arc::new(self.history.clone()),
            events: Arc::new(self.events.clone()),
            resources: self.resources.clone(),
        }
    }

    /// The lease of the process of this number on the store of this world, on one of two machines.
    pub fn lease(&self, host: u32, process: u64, runtime: &SimRuntime) -> Arc<dyn StoreLease> {
        Arc::new(self.leases.of(process, host, runtime))
    }
}
