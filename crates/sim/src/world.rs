//! The simulated world behind the ports: an API, a database, the resources of a process. It outlives the processes of
//! the service, so after a kill a process finds what the stores made durable and nothing else.

mod alert_journal;
mod alert_store;
mod breaker_store;
mod channel;
mod defect;
mod event_store;
mod exchange;
mod held;
mod last_words;
mod lease;
mod metric_store;
mod recovery_ledger;
mod resources;
mod series_log;
mod store;
mod token_store;

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use ttm_alert::{ChannelId, Notifier};
use ttm_kernel::{Moment, StoreLease};
use ttm_market::synthetic::SyntheticMarket;
use ttm_market::{Mint, ProfileSource};
use ttm_service::Ports;

use crate::fault::Channel;
use crate::oracle::{Promises, Succession, Telling, Verdicts};
use defect::Defects;
use store::{Ledger, Server};

use crate::{FaultSchedule, SimRuntime, StoreTable};

pub use alert_journal::SimAlertJournal;
pub use alert_store::SimAlertStore;
pub use breaker_store::SimBreakerStore;
pub use channel::SimChannel;
pub use defect::Defect;
pub use event_store::SimEventStore;
pub use exchange::{ExchangeCounts, LastResponses, Panicked, SimExchange};
pub use held::Stores;
pub use last_words::SimLastWords;
pub use lease::{LeaseKind, SimLease, SimLeases};
pub use metric_store::{SampleLedger, SimMetricStore};
pub use recovery_ledger::SimRecoveryLedger;
pub use resources::SimResources;
pub use store::UseState;
pub use token_store::SimTokenStore;

/// Everything outside the process.
#[derive(Clone, Debug)]
pub struct World {
    /// The upstream API.
    pub exchange: Arc<SimExchange>,
    /// The table of tokens in the database.
    pub tokens: SimTokenStore,
    /// The table of breakers.
    pub breakers: SimBreakerStore,
    /// The table of recoveries.
    pub recoveries: SimRecoveryLedger,
    /// The table of samples.
    pub history: SimMetricStore,
    /// The table of events.
    pub events: SimEventStore,
    /// The table of alerts.
    pub alerts: SimAlertStore,
    /// What was told of them, and the oracle of it.
    pub telling: Arc<Telling>,
    /// Where they are told.
    channels: Vec<(ChannelId, Arc<SimChannel>)>,
    /// The lease on the database.
    pub leases: SimLeases,
    /// The resources that the process uses.
    pub resources: Arc<SimResources>,
    /// The oracle of which process may work on the store.
    pub succession: Arc<Succession>,
    /// The file of each host.
    words: Arc<Mutex<BTreeMap<u32, SimLastWords>>>,
    /// Another one.
    journals: Arc<Mutex<BTreeMap<u32, SimAlertJournal>>>,
    ledger: Ledger,
    defects: Defects,
}

impl World {
    /// A world with this many tokens and the faults of the schedule.
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
        let exchange = Arc::new(exchange.watched_by(&succession, &defects));
        let row = Server::new(StoreTable::Lease, runtime, faults, &ledger);
        let leases = SimLeases::new(LeaseKind::of(seed), row, &succession, verdicts, &defects);
        let tokens = SimTokenStore::beside(&mints, runtime, faults, &ledger, Some(&leases));
        let telling = Arc::new(Telling::new(verdicts));
        let alerts = SimAlertStore::beside(&tokens, &telling, &defects, runtime, faults, &ledger);
        let channel = |channel: Channel| {
            let of_world = SimChannel::new(channel, runtime, faults, &telling);
            (ChannelId::new(channel.name()), Arc::new(of_world))
        };
        let channels = Channel::ALL.map(channel).to_vec();
        Self {
            alerts,
            telling,
            channels,
            breakers: SimBreakerStore::beside(&tokens, &exchange, runtime, faults, &ledger),
            recoveries: SimRecoveryLedger::beside(&tokens, &defects, runtime, faults, &ledger),
            exchange,
            tokens,
            history: SimMetricStore::beside(runtime, faults, &ledger),
            events: SimEventStore::beside(runtime, faults, &ledger),
            leases,
            resources: Arc::new(SimResources::new(runtime, faults)),
            succession,
            words: Arc::default(),
            journals: Arc::default(),
            ledger,
            defects,
        }
    }

    /// How a process's reads and writes of each table had gone at a moment of the last minutes: the table, whether it
    /// was written, since when the state has been the same, and the state.
    pub fn store_states(&self, process: u32, at: Moment) -> Vec<(StoreTable, bool, Moment, UseState)> {
        self.ledger.states(process, at)
    }

    /// Holds someone's stores against those of this world, which have nothing yet.
    pub(crate) fn hold(&self, stores: &Stores, verdicts: &Arc<Verdicts>) {
        if let Some(history) = &stores.history {
            self.history.hold(Arc::clone(history), verdicts);
        }
        if let Some(events) = &stores.events {
            self.events.hold(Arc::clone(events), verdicts);
        }
    }

    /// Whether they have at the end what they should have.
    pub(crate) fn judge_held(&self) {
        self.history.judge_held();
        self.events.judge_held();
    }

    /// Makes the world break these rules.
    pub fn break_rules(&self, defects: &[Defect]) {
        self.defects.add(defects);
    }

    /// Whether a process read or wrote any table except the lease.
    pub fn touched(&self, process: u32) -> bool {
        self.ledger.touched(process)
    }

    /// Forgets the state of a process that is gone.
    pub fn process_gone(&self, process: u32) {
        self.exchange.process_gone(process);
        self.succession.released(process.into());
        self.resources.process_gone(process);
    }

    /// The ports of a process on one of two hosts in this world, with or without the API's profiles.
    pub fn ports(&self, host: u32, profiles: bool) -> Ports {
        Ports {
            pairs: self.exchange.clone(),
            tokens: Arc::new(self.tokens.clone()),
            sources: Vec::new(),
            profiles: profiles.then(|| self.exchange.clone() as Arc<dyn ProfileSource>),
            breakers: Arc::new(self.breakers.clone()),
            ledger: Arc::new(self.recoveries.clone()),
            last_words: Some(Arc::new(self.words.lock().entry(host).or_default().clone())),
            threads: None,
            history: Arc::new(self.history.clone()),
            events: Arc::new(self.events.clone()),
            resources: self.resources.clone(),
            alerts: Arc::new(self.alerts.clone()),
            channels: self
                .channels
                .iter()
                .map(|(id, it)| (id.clone(), it.clone() as Arc<dyn Notifier>))
                .collect(),
            feeds: Vec::new(),
            alert_journal: Some(Arc::new(self.journals.lock().entry(host).or_default().clone())),
            heartbeat: None,
        }
    }

    /// The lease on the store, as held by a process on one of two hosts.
    pub fn lease(&self, host: u32, process: u64, runtime: &SimRuntime) -> Arc<dyn StoreLease> {
        Arc::new(self.leases.of(process, host, runtime))
    }
}
