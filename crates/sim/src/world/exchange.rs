//! The simulated API over the generated market: what it remembers of each caller, and what it was promised.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use ttm_kernel::Moment;
use ttm_market::synthetic::SyntheticMarket;
use ttm_market::{Mint, Pair};
use ttm_xoshiro_entropy::SeededEntropy;

use crate::oracle::{Limit, Promises, Succession, Verdicts};
use crate::{FaultSchedule, SimRuntime};

mod answer;
mod call;
mod heard;
mod watching;

pub use heard::Heard;
pub use watching::ExchangeCounts;
use watching::{Budget, Watching};

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
    chance: Arc<SeededEntropy>,
    promised: Promises,
    succession: Arc<Succession>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// What is held against this address, whoever asks there.
    limits: [Limit; 2],
    /// What is held against each process.
    callers: BTreeMap<u32, Watching>,
    counts: ExchangeCounts,
    primaries: BTreeMap<Mint, (i64, Option<Pair>)>,
}

/// What a request asks.
#[derive(Clone, Copy, Debug)]
struct Question<'a> {
    /// The same for the same question.
    number: u64,
    /// The mints of a batch; nothing for other requests.
    batch: &'a [Mint],
}

impl SimExchange {
    /// An API over `market` that was promised something.
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
            chance: runtime.stream("faults"),
            promised,
            succession: Arc::default(),
            state: Mutex::new(State {
                limits: [promised.requests_per_minute, PROFILES_PER_MINUTE].map(Limit::new),
                callers: BTreeMap::new(),
                counts: ExchangeCounts::default(),
                primaries: BTreeMap::new(),
            }),
        }
    }

    /// The same, where one process at a time may ask.
    #[must_use]
    pub(super) fn watched_by(self, succession: &Arc<Succession>) -> Self {
        Self { succession: succession.clone(), ..self }
    }

    /// The counts as they are now.
    pub fn counts(&self) -> ExchangeCounts {
        let state = self.state.lock();
        let [busiest_minute, busiest_profile_minute] =
            [Budget::Pools, Budget::Profiles].map(|budget| state.limits[budget as usize].busiest());
        ExchangeCounts { busiest_minute, busiest_profile_minute, ..state.counts }
    }

    /// What a process had heard from the pools' and the profiles' side of the API at a moment of the last minutes.
    pub fn heard(&self, process: u32, at: Moment) -> [Heard; 2] {
        let mut state = self.state.lock();
        let caller = state.caller(process, self.promised);
        [Budget::Pools, Budget::Profiles].map(|budget| caller.budgets[budget as usize].hearing.at(at))
    }

    /// A process is gone, and what it knew with it: the next one knows of no breaker and no pause until it is told. The
    /// limit is the address's and stays.
    pub(super) fn process_gone(&self, process: u32) {
        self.state.lock().callers.remove(&process);
    }

    /// The process was told that its breaker is to be open until then.
    pub fn promise_silence(&self, until: Moment) {
        let mut state = self.state.lock();
        let caller = state.caller(self.runtime.process(), self.promised);
        caller.budgets[Budget::Pools as usize].breaker.promise_silence(until);
    }

    /// The process was told that a pause for which the one before was asked lasts until then.
    pub fn promise_patience(&self, until: Moment) {
        let mut state = self.state.lock();
        let caller = state.caller(self.runtime.process(), self.promised);
        caller.budgets[Budget::Pools as usize].pace.ask_patience(until);
    }
}

impl State {
    /// What is held against a process.
    fn caller(&mut self, process: u32, promised: Promises) -> &mut Watching {
        self.callers.entry(process).or_insert_with(|| Watching::new(promised))
    }
}

/// A number for a question, so that the next attempt at it is known again.
fn question_of(mints: &[Mint]) -> u64 {
    // Word by word: each request has its question hashed, and those of its halves.
    let words = mints.iter().flat_map(|mint| mint.as_bytes().as_chunks::<8>().0);
    words.fold(0, |hash: u64, word| {
        let mixed = (hash ^ u64::from_le_bytes(*word)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed ^ (mixed >> 29)
    })
}
