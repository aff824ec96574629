//! A source of profiles with a script, and the other ends of both fakes.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use super::conformance::pair_source::{Answer, Exchange, Profiles, Upstream};
use super::{FakePairSource, pair};
use crate::{Listing, Mint, Pair, PairSourceError, ProfileSource};

/// Lists the profiles that were [`put`](Self::put) in. Clones share their script and memory.
#[derive(Clone, Debug, Default)]
pub struct FakeProfileSource(Arc<Mutex<Script>>);

#[derive(Default)]
struct Script {
    entries: Vec<String>,
    calls: usize,
    failure: Option<Box<dyn Fn() -> PairSourceError + Send>>,
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Script")
            .field("entries", &self.entries)
            .field("calls", &self.calls)
            .finish_non_exhaustive()
    }
}

impl FakeProfileSource {
    /// A source that knows no profile.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lists these entries, in place of those before. Those that are no mint are left out and counted.
    pub fn put(&self, entries: Vec<String>) {
        self.lock().entries = entries;
    }

    /// Makes every call fail with what `error` gives, until [`heal`](Self::heal).
    pub fn fail_with(&self, error: impl Fn() -> PairSourceError + Send + 'static) {
        self.lock().failure = Some(Box::new(error));
    }

    /// Lets calls work again.
    pub fn heal(&self) {
        self.lock().failure = None;
    }

    /// How often it was asked.
    pub fn calls(&self) -> usize {
        self.lock().calls
    }

    fn lock(&self) -> MutexGuard<'_, Script> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl ProfileSource for FakeProfileSource {
    async fn latest_profiles(&self) -> Result<Listing, PairSourceError> {
        let mut script = self.lock();
        script.calls += 1;
        if let Some(error) = &script.failure {
            return Err(error());
        }
        let mut listing = Listing::default();
        (1..).zip(&script.entries).for_each(|(number, entry)| listing.take(number, entry));
        Ok(listing)
    }
}

/// What a source says when it is answered like this; `None` when there is nothing wrong.
fn told(answer: Answer) -> Option<fn() -> PairSourceError> {
    fn message() -> String {
        "as scripted".to_owned()
    }
    match answer {
        Answer::Lists => None,
        Answer::Unavailable => {
            Some(|| PairSourceError::Transient { message: message(), retry_after: None, source: None })
        }
        Answer::Limits => Some(|| PairSourceError::RateLimited { message: message(), retry_after: None }),
        Answer::Forbids => Some(|| PairSourceError::Forbidden { message: message() }),
        Answer::Rejects => Some(|| PairSourceError::Rejected { message: message() }),
        Answer::Garbles => Some(|| PairSourceError::Malformed { message: message() }),
    }
}

impl Upstream for FakeProfileSource {
    fn answers(&self, answer: Answer) {
        match told(answer) {
            Some(error) => self.fail_with(error),
            None => self.heal(),
        }
    }

    fn requests(&self) -> usize {
        self.calls()
    }
}

impl Profiles for FakeProfileSource {
    fn lists(&self, mints: &[Mint], unreadable: usize) {
        let junk = (0..unreadable).map(|number| format!("junk-{number}"));
        self.put(mints.iter().map(ToString::to_string).chain(junk).collect());
    }
}

impl Upstream for FakePairSource {
    fn answers(&self, answer: Answer) {
        match told(answer) {
            Some(error) => self.fail_with(error),
            None => self.heal(),
        }
    }

    fn requests(&self) -> usize {
        self.calls().len()
    }
}

impl Exchange for FakePairSource {
    fn lists(&self, mint: Mint, pools: usize) {
        let mut runner = TestRunner::deterministic();
        let mut of =
            |base| -> Pair { pair(base).new_tree(&mut runner).expect("it rejects nothing").current() };
        let listed = (0..pools).map(|_| of(mint)).collect::<Vec<_>>();
        let quoted = of(Mint::WSOL);
        self.put(mint, listed.into_iter().chain([quoted]).collect());
    }
}
