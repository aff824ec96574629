//! The simulated API over the generated market: its state for each caller, and the promises that callers made to it.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use ttm_kernel::Moment;
use ttm_market::synthetic::SyntheticMarket;
use ttm_market::{Mint, Pair};
use ttm_xoshiro_entropy::SeededEntropy;

use super::defect::{Defect, Defects};
use crate::oracle::{Limit, Promises, Succession, Verdicts};
use crate::{FaultSchedule, SimRuntime};

mod answer;
mod call;
mod caller;
mod responses;

use caller::{Budget, CallerState};
pub use caller::{ExchangeCounts, Panicked};
pub use responses::LastResponses;

/// What the API's reference allows for profiles.
const PROFILES_PER_MINUTE: usize = 60;

/// The API.
#[derive(Debug)]
pub struct SimExchange {
    market: SyntheticMarket,
    runtime: SimRuntime,
    faults: Arc<FaultSchedule>,
    verdicts: Arc<Verdicts>,
    latency: Arc<SeededEntropy>,
    fault_draws: Arc<SeededEntropy>,
    promised: Promises,
    succession: Arc<Succession>,
    defects: Defects,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// The rate limits of this address, for all its callers together.
    limits: [Limit; 2],
    /// The state of each process.
    callers: BTreeMap<u32, CallerState>,
    counts: ExchangeCounts,
    panicked: Vec<Panicked>,
    primaries: BTreeMap<Mint, (i64, Option<Pair>)>,
}

/// The content of a request.
#[derive(Clone, Copy, Debug)]
struct Question<'a> {
    /// Equal for equal requests.
    number: u64,
    /// The mints of a batch; empty for other requests.
    batch: &'a [Mint],
}

impl SimExchange {
    /// An API over `market` whose callers made these promises.
    pub fn new(
        market: SyntheticMarket,
        promised: Promises,
        runtime: &SimRuntime,
        faults: &Arc<FaultSchedule>,
        verdicts: &Arc<Verdicts>,
    ) -> Self {
        Self {
            market,
            runtime: runtime.clone(),
            faults: faults.clone(),
            verdicts: verdicts.clone(),
            latency: runtime.stream("latency"),
            fault_draws: runtime.stream("faults"),
            promised,
            succession: Arc::default(),
            defects: Defects::default(),
            state: Mutex::new(State {
                limits: [promised.requests_per_minute, PROFILES_PER_MINUTE].map(Limit::new),
                callers: BTreeMap::new(),
                counts: ExchangeCounts::default(),
                panicked: Vec::new(),
                primaries: BTreeMap::new(),
            }),
        }
    }

    /// The same API, where only one process at a time may make requests, in a world that breaks these rules.
    #[must_use]
    pub(super) fn watched_by(self, succession: &Arc<Succession>, defects: &Defects) -> Self {
        Self { succession: succession.clone(), defects: defects.clone(), ..self }
    }

    /// The current counts.
    pub fn counts(&self) -> ExchangeCounts {
        let state = self.state.lock();
        let [busiest_minute, busiest_profile_minute] =
            [Budget::Pools, Budget::Profiles].map(|budget| state.limits[budget as usize].busiest());
        ExchangeCounts { busiest_minute, busiest_profile_minute, ..state.counts }
    }

    /// The requests on whose answers a process panicked, from the one with this number on.
    pub fn panicked(&self, from: usize) -> Vec<Panicked> {
        self.state.lock().panicked.get(from..).unwrap_or_default().to_vec()
    }

    /// The last responses for pools and for profiles that a process had received at a moment of the last minutes.
    pub fn last_responses(&self, process: u32, at: Moment) -> [LastResponses; 2] {
        let mut state = self.state.lock();
        let caller = state.caller(process, self.promised);
        [Budget::Pools, Budget::Profiles].map(|budget| caller.budgets[budget as usize].responses.at(at))
    }

    /// Forgets a process that is gone: the next one is held to no breaker and no pause until it loads them. The rate
    /// limit is that of the address, and stays.
    pub(super) fn process_gone(&self, process: u32) {
        self.state.lock().callers.remove(&process);
    }

    /// The process loaded that its breaker is open until then.
    pub fn expect_open_breaker(&self, until: Moment) {
        let mut state = self.state.lock();
        let caller = state.caller(self.runtime.process(), self.promised);
        caller.budgets[Budget::Pools as usize].breaker.begin_open(until);
    }

    /// The process loaded that a pause requested from the previous process lasts until then.
    pub fn expect_pause(&self, until: Moment) {
        let mut state = self.state.lock();
        let caller = state.caller(self.runtime.process(), self.promised);
        caller.budgets[Budget::Pools as usize].pace.pause_until(until);
    }
}

impl State {
    /// The state of a process.
    fn caller(&mut self, process: u32, promised: Promises) -> &mut CallerState {
        self.callers.entry(process).or_insert_with(|| CallerState::new(promised))
    }
}

/// A number that identifies a question, so that its next attempt is recognised.
fn question_of(mints: &[Mint]) -> u64 {
    // Word by word for speed: the question of each request is hashed, and those of its halves.
    let words = mints.iter().flat_map(|mint| mint.as_bytes().as_chunks::<8>().0);
    words.fold(0, |hash: u64, word| {
        let mixed = (hash ^ u64::from_le_bytes(*word)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed ^ (mixed >> 29)
    })
}
