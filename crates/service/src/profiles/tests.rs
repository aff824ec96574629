//! How a poll of the profiles changes the set: what is added, kept and removed, and what is reported.

use std::collections::VecDeque;
use std::time::Duration;

use ttm_breaker::Breaker;
use ttm_guard::Guard;
use ttm_kernel::{Clock as _, FencingToken, Runtime};
use ttm_market::testing::{FakeTokenStore, MockProfileSource};
use ttm_market::{Followed, PairSourceError, Token, Unlisted};
use ttm_testkit::ManualRuntime;

use super::*;
use crate::breakers::BreakerLog;
use crate::events::EventLog;
use crate::fakes;

type Answer = Result<Vec<Mint>, PairSourceError>;

const LIMIT: usize = 3;

/// A source over an API that gives the scripted answers, one per call, and then fails.
struct Scene {
    runtime: ManualRuntime,
    store: FakeTokenStore,
    board: Arc<Board>,
    answers: Arc<Mutex<VecDeque<Answer>>>,
    profiles: Profiles,
}

fn scene() -> Scene {
    let runtime = ManualRuntime::new(1);
    let settings = ServiceSettings::default();
    let clock: Arc<dyn Runtime> = Arc::new(runtime.clone());
    let (board, store) = (fakes::board(&runtime), FakeTokenStore::new());
    let breaker = Arc::new(Breaker::new(PROFILES, settings.breaker.clone(), clock.entropy("breaker")));
    let guard =
        Guard::new(settings.profiles.clone(), breaker, settings.retry.clone(), clock.clone(), "guard");
    let log = BreakerLog::new(&EventLog::new(&clock), &board.tally);
    let caller = Caller::new(Arc::new(guard), &clock, "calls", &board, log).without_figures();
    let answers = Arc::<Mutex<VecDeque<Answer>>>::default();
    let script = answers.clone();
    let mut source = MockProfileSource::new();
    source.expect_latest_profiles().returning(move || {
        let mints = script.lock().pop_front();
        mints
            .unwrap_or_else(|| Err(unavailable()))
            .map(|mints| Listing { mints: mints.into_iter().collect(), ..Listing::default() })
    });
    let profiles = Profiles {
        source: Arc::new(source),
        caller,
        store: Arc::new(store.clone()),
        board: board.clone(),
        limit: LIMIT,
        commands: Commands::default(),
        problem: Mutex::default(),
    };
    Scene { runtime, store, board, answers, profiles }
}

impl Scene {
    /// Polls once, and has the store follow the listing.
    fn poll(&self, answer: impl IntoIterator<Item = u8>) -> Followed {
        let answer = answer.into_iter().map(mint).collect();
        self.answers.lock().push_back(Ok(answer));
        self.runtime.block_on(async {
            let listing = self.profiles.list().await.expect("it answers");
            let mints: Vec<Mint> = listing.mints.into_iter().collect();
            let (under, origin) = (FencingToken::first(self.store.newest()), self.profiles.origin());
            self.store.follow(under, origin, &mints, self.runtime.wall()).await.expect("it works")
        })
    }

    fn stored(&self) -> Vec<Mint> {
        self.store.tokens().into_iter().map(|token| token.mint).collect()
    }

    /// Posts such a token to the board.
    fn post(&self, number: u8, change: impl FnOnce(&mut Token)) {
        let mut token = Token::new(mint(number), self.runtime.wall());
        change(&mut token);
        self.board.post_tokens(crate::life::Author::RESIDENT, vec![Arc::new(token)]);
    }

    fn problem(&self) -> String {
        self.runtime.block_on(self.profiles.list()).expect_err("it does not answer").to_string()
    }
}

fn mint(number: u8) -> Mint {
    Mint::from_bytes([number; 32])
}

fn mints(numbers: impl IntoIterator<Item = u8>) -> Vec<Mint> {
    numbers.into_iter().map(mint).collect()
}

fn unavailable() -> PairSourceError {
    PairSourceError::Transient { message: "status 503".to_owned(), retry_after: None, source: None }
}

#[test]
fn a_token_listed_once_is_kept_and_a_token_of_another_origin_is_left_alone() {
    let scene = scene();
    scene.runtime.block_on(scene.store.add(&mints([1]), scene.runtime.wall())).expect("it works");
    assert_eq!(scene.poll([1, 2]), Followed { added: 1, others: 1, ..Followed::default() });
    assert_eq!(scene.poll([3]), Followed { added: 1, kept: 1, ..Followed::default() });
    assert_eq!(scene.poll([]), Followed { kept: 2, ..Followed::default() });
    assert_eq!(scene.stored(), mints([1, 2, 3]));
}

#[test]
fn an_archived_or_unlisted_token_is_removed_once_its_profile_is_gone() {
    let scene = scene();
    scene.poll([1, 2, 3]);
    let misses = |misses| Some(Unlisted { misses, ask_again_at: scene.runtime.wall() });
    scene.post(1, |token| token.status = TokenStatus::Archived);
    scene.post(2, |token| token.unlisted = misses(GIVEN_UP_AFTER));
    scene.post(3, |token| token.unlisted = misses(GIVEN_UP_AFTER - 1));
    assert_eq!(scene.poll([1, 2]).removed, 0, "the next poll would add it again");
    assert_eq!(scene.poll([]), Followed { removed: 2, kept: 1, ..Followed::default() });
    assert_eq!(scene.stored(), mints([3]));
}

#[test]
fn a_full_set_accepts_new_tokens_when_old_ones_are_archived() {
    let scene = scene();
    scene.poll([1, 2, 3, 4, 5]);
    assert_eq!(scene.stored().len(), LIMIT);
    assert_eq!(scene.poll([6, 7]), Followed { kept: 3, ..Followed::default() });
    scene.post(1, |token| token.status = TokenStatus::Archived);
    scene.poll([6, 7]);
    assert_eq!(scene.stored(), mints([2, 3, 6]));
}

#[test]
fn a_token_removed_by_hand_comes_back_only_while_it_is_listed() {
    let scene = scene();
    scene.poll([1, 2]);
    scene.runtime.block_on(scene.store.remove(&mints([1, 2]))).expect("it works");
    scene.poll([2]);
    assert_eq!(scene.stored(), mints([2]));
}

#[test]
fn an_api_that_is_down_is_reported_with_its_error_even_while_the_breaker_is_open() {
    let scene = scene();
    scene.poll([1]);
    for _ in 0..5 {
        assert_eq!(scene.problem(), "token profiles: status 503");
    }
    let breaker = scene.profiles.caller.open_until();
    assert!(breaker > Some(scene.runtime.now()), "it is open by now: {breaker:?}");
    scene.runtime.block_on(scene.runtime.sleep_until(scene.runtime.now() + Duration::from_mins(2)));
    scene.poll([1, 2]);
    assert_eq!(scene.stored(), mints([1, 2]));
}

#[test]
fn a_breaker_that_an_operator_holds_open_is_reported_with_what_ends_it() {
    let scene = scene();
    scene.poll([1]);
    scene.profiles.caller.guard().breaker().force_open(scene.runtime.now());
    assert_eq!(
        scene.problem(),
        "token profiles: an operator holds the circuit breaker open; `ttm breaker profiles reset` ends that"
    );
    scene.profiles.caller.guard().breaker().reset(scene.runtime.now());
    scene.poll([1, 2]);
    assert_eq!(scene.stored(), mints([1, 2]));
}

#[test]
fn a_store_that_is_down_is_reported_and_the_set_is_kept() {
    let scene = scene();
    scene.poll([1]);
    scene.store.fail_with(|| ttm_kernel::StoreError::transient("gone"));
    scene.answers.lock().push_back(Ok(mints([2])));
    assert_eq!(scene.problem(), "token profiles: the store is unavailable: gone");
    scene.store.heal();
    scene.poll([2]);
    assert_eq!(scene.stored(), mints([1, 2]));
}
