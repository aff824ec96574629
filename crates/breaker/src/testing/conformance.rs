//! The laws of [`BreakerStore`] as a suite. All laws are checked before those that do not hold are reported. It does not know what stands
//! behind the port; what is wrong with a row is for each adapter's own tests, since no port writes such a row.
//!
//! Each law uses names of its own, so that all of them can share one store, whatever else is in it; they claim epochs,
//! so they run one after the other.
//!
//! ```
//! use ttm_breaker::BreakerStore;
//! use ttm_breaker::testing::{FakeBreakerStore, conformance};
//!
//! # async fn suite() {
//! let memory = FakeBreakerStore::new();
//! let open = async || Box::new(memory.clone()) as Box<dyn BreakerStore>;
//! conformance::check(open, async || memory.claim()).await;
//! # }
//! ```

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use ttm_kernel::check_laws;
use ttm_kernel::testing::Laws;
use ttm_kernel::{Epoch, FencedBy, FencingToken, StoreError, StoreErrorKind};

use crate::{BreakerStore, Saved, State, StoredBreaker, StoredRate};

/// Checks every law that the port alone can show, and panics with those that do not hold. Each call of `open` opens the same store
/// again, as a restarted process would, without removing what is in it; the store before was dropped. `claim` claims the next epoch
/// there.
pub async fn check(open: impl AsyncFn() -> Box<dyn BreakerStore>, claim: impl AsyncFn() -> Epoch) {
    judge(open, claim).await.assert_hold();
}

/// Checks every law that the port alone can show, and says which do not hold.
pub async fn judge(open: impl AsyncFn() -> Box<dyn BreakerStore>, claim: impl AsyncFn() -> Epoch) -> Laws {
    let claim = async || FencingToken::first(claim().await);
    let mut laws = Laws::of("BreakerStore");
    check_laws!(laws:
        what_was_acknowledged_survives_reopening(&open, &claim),
        an_older_epoch_stays_fenced_after_reopening(&open, &claim),
    );
    let store = open().await;
    let store = store.as_ref();
    check_laws!(laws:
        every_state_comes_back_exactly_as_saved(store, &claim),
        periods_and_times_are_kept_to_the_microsecond(store, &claim),
        the_rate_comes_back_exactly_as_saved(store, &claim),
        an_older_epoch_stores_nothing(store, &claim),
        saving_twice_is_saving_once(store, &claim),
        an_empty_save_works(store, &claim),
        the_state_that_was_saved_last_counts_whatever_its_time(store, &claim),
        breakers_that_are_not_saved_stay_as_they_are(store, &claim),
        every_breaker_comes_once_in_the_order_of_the_names(store, &claim),
        an_older_incarnation_stores_nothing(store, &claim),
        the_first_save_of_an_incarnation_fences_off_older_ones_even_if_it_saves_nothing(store, &claim),
        a_claim_begins_again_at_incarnation_zero(store, &claim),
        an_older_incarnation_stays_fenced_after_reopening(&open, &claim),
    );
    laws
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).expect("the suite's times are in range")
}

/// The breaker of a law, open for so many seconds.
fn open_for(law: u8, name: &str, seconds: u64) -> StoredBreaker {
    let saved =
        Saved { state: State::Open, open_for: Duration::from_secs(seconds), failed_recoveries: law.into() };
    StoredBreaker { name: format!("law {law} {name}"), saved, at: at(0), since: Some(at(-60)), rate: None }
}

/// The stored breakers of a law.
async fn stored(store: &dyn BreakerStore, law: u8) -> Vec<StoredBreaker> {
    let mut all = store.load().await.expect("load answers");
    all.retain(|breaker| breaker.name.starts_with(&format!("law {law} ")));
    all
}

fn assert_fenced(by: FencedBy, outcome: &Result<(), StoreError>) {
    let fenced = StoreErrorKind::Fenced { by };
    assert!(
        outcome.as_ref().is_err_and(|error| error.kind() == fenced),
        "expected {fenced:?}, got {outcome:?}"
    );
}

/// The token of the incarnation that replaces this one.
fn restarted(token: FencingToken) -> FencingToken {
    FencingToken::new(token.epoch(), token.incarnation().next())
}

/// Law 1, after a restart. What a crash does to the store needs a process to kill, and is tested where there is one.
async fn what_was_acknowledged_survives_reopening(
    open: impl AsyncFn() -> Box<dyn BreakerStore>,
    claim: impl AsyncFn() -> FencingToken,
) {
    let saved = [open_for(1, "a", 60), open_for(1, "b", 600)];
    let store = open().await;
    store.save(claim().await, &saved).await.expect("save works");
    drop(store);
    let store = open().await;
    assert_eq!(stored(store.as_ref(), 1).await, saved);
}

/// Law 3, after a restart.
async fn an_older_epoch_stays_fenced_after_reopening(
    open: impl AsyncFn() -> Box<dyn BreakerStore>,
    claim: impl AsyncFn() -> FencingToken,
) {
    let saved = [open_for(2, "a", 60)];
    let store = open().await;
    let (older, newer) = (claim().await, claim().await);
    drop(store);
    let store = open().await;
    assert_fenced(FencedBy::Epoch, &store.save(older, &saved).await);
    store.save(newer, &saved).await.expect("the newest claim holds until the next one");
}

/// Law 1: every state, and the ends of every number. The longest period is the longest that a breaker can say.
async fn every_state_comes_back_exactly_as_saved(
    store: &dyn BreakerStore,
    claim: impl AsyncFn() -> FencingToken,
) {
    let under = claim().await;
    for state in State::ALL {
        for (micros, failed_recoveries) in [(0, 0), (1, 1), (u64::MAX / 1_000, u32::MAX)] {
            let saved = Saved { state, open_for: Duration::from_micros(micros), failed_recoveries };
            let breaker = StoredBreaker { saved, ..open_for(3, "any", 0) };
            store.save(under, std::slice::from_ref(&breaker)).await.expect("save works");
            assert_eq!(stored(store, 3).await, [breaker]);
        }
    }
}

/// Law 1: the rate, and that there is none, also after there was one.
async fn the_rate_comes_back_exactly_as_saved(
    store: &dyn BreakerStore,
    claim: impl AsyncFn() -> FencingToken,
) {
    let under = claim().await;
    let rate = |share, micros| Some(StoredRate { share, paused_for: Duration::from_micros(micros) });
    for rate in [rate(1.0, 0), rate(0.05, 59_999_999), None, rate(1.0 / 3.0, u64::MAX / 1_000)] {
        let breaker = StoredBreaker { rate, ..open_for(10, "any", 60) };
        store.save(under, std::slice::from_ref(&breaker)).await.expect("save works");
        assert_eq!(stored(store, 10).await, [breaker]);
    }
    let paused_for = Duration::new(59, 999_998_001);
    let breaker =
        StoredBreaker { rate: Some(StoredRate { share: 0.5, paused_for }), ..open_for(10, "fine", 60) };
    store.save(under, std::slice::from_ref(&breaker)).await.expect("save works");
    let got = stored(store, 10).await.into_iter().find(|got| got.name == breaker.name).expect("it is there");
    let longer = got.rate.expect("a rate").paused_for.checked_sub(paused_for);
    assert!(longer.expect("no pause is made shorter") < Duration::from_micros(1), "{got:?}");
}

/// Law 1: an upstream that was promised a nanosecond more of silence gets it.
async fn periods_and_times_are_kept_to_the_microsecond(
    store: &dyn BreakerStore,
    claim: impl AsyncFn() -> FencingToken,
) {
    let period = Duration::new(59, 999_998_001);
    let time = Timestamp::from_nanosecond(1_700_000_000_123_456_789).expect("in range");
    let mut breaker = open_for(4, "fine", 0);
    breaker.saved.open_for = period;
    (breaker.at, breaker.since) = (time, Some(time));
    store.save(claim().await, &[breaker]).await.expect("save works");
    let got = stored(store, 4).await.remove(0);
    let longer = got.saved.open_for.checked_sub(period).expect("no period is made shorter");
    assert!(longer < Duration::from_micros(1), "{:?} is not {period:?}", got.saved.open_for);
    for kept in [got.at, got.since.expect("it was saved")] {
        let off = kept.duration_since(time).abs();
        assert!(off < SignedDuration::from_micros(1), "{kept} is {off} away from {time}");
    }
    let unknown = StoredBreaker { since: None, ..open_for(4, "fine", 0) };
    store.save(claim().await, std::slice::from_ref(&unknown)).await.expect("save works");
    assert_eq!(stored(store, 4).await, [unknown]);
}

/// Laws 2 and 3.
async fn an_older_epoch_stores_nothing(store: &dyn BreakerStore, claim: impl AsyncFn() -> FencingToken) {
    let before = [open_for(5, "a", 60)];
    store.save(claim().await, &before).await.expect("save works");
    let (older, newer) = (claim().await, claim().await);
    assert!(newer > older, "{newer:?} was claimed after {older:?}");
    let after = [open_for(5, "a", 120), open_for(5, "b", 60)];
    assert_fenced(FencedBy::Epoch, &store.save(older, &after).await);
    assert_eq!(stored(store, 5).await, before);
    store.save(newer, &after).await.expect("the newest epoch may write");
    assert_eq!(stored(store, 5).await, after);
}

/// Law 2: a save whose acknowledgement was lost is sent again.
async fn saving_twice_is_saving_once(store: &dyn BreakerStore, claim: impl AsyncFn() -> FencingToken) {
    let under = claim().await;
    let saved = [open_for(6, "a", 60), open_for(6, "b", 0)];
    for _ in 0..2 {
        store.save(under, &saved).await.expect("save works");
        assert_eq!(stored(store, 6).await, saved);
    }
}

/// Law 2, its smallest case.
async fn an_empty_save_works(store: &dyn BreakerStore, claim: impl AsyncFn() -> FencingToken) {
    store.save(claim().await, &[]).await.expect("an empty save works");
}

/// Law 2: in one save and over several, also when the wall clock was set back in between.
async fn the_state_that_was_saved_last_counts_whatever_its_time(
    store: &dyn BreakerStore,
    claim: impl AsyncFn() -> FencingToken,
) {
    let under = claim().await;
    let first = open_for(7, "a", 60);
    let second = StoredBreaker { at: at(-3_600), ..open_for(7, "a", 120) };
    store.save(under, &[second.clone(), first.clone()]).await.expect("save works");
    assert_eq!(stored(store, 7).await, [first]);
    store.save(under, std::slice::from_ref(&second)).await.expect("save works");
    assert_eq!(stored(store, 7).await, [second]);
}

/// Law 4.
async fn breakers_that_are_not_saved_stay_as_they_are(
    store: &dyn BreakerStore,
    claim: impl AsyncFn() -> FencingToken,
) {
    let under = claim().await;
    let (one, other) = (open_for(8, "a", 60), open_for(8, "b", 60));
    store.save(under, &[one.clone(), other]).await.expect("save works");
    let later = open_for(8, "b", 0);
    store.save(under, std::slice::from_ref(&later)).await.expect("save works");
    assert_eq!(stored(store, 8).await, [one, later]);
}

/// Law 5: the order is that of the bytes, whatever language the store speaks.
async fn every_breaker_comes_once_in_the_order_of_the_names(
    store: &dyn BreakerStore,
    claim: impl AsyncFn() -> FencingToken,
) {
    let breakers = ["b", "a", "Z", "é", "a-b", "a b"].map(|name| open_for(9, name, 60));
    store.save(claim().await, &breakers).await.expect("save works");
    let mut names = breakers.map(|breaker| breaker.name);
    names.sort_unstable();
    let own: Vec<String> = stored(store, 9).await.into_iter().map(|breaker| breaker.name).collect();
    assert_eq!(own, names);
    let all = store.load().await.expect("load answers");
    assert!(all.is_sorted_by(|one, next| one.name < next.name), "ascending, none twice");
}

/// Law 7.
async fn an_older_incarnation_stores_nothing(
    store: &dyn BreakerStore,
    claim: impl AsyncFn() -> FencingToken,
) {
    let older = claim().await;
    let newer = restarted(restarted(older));
    store.save(older, &[open_for(11, "a", 60)]).await.expect("there is no newer one yet");
    let saved = [open_for(11, "a", 120)];
    store.save(newer, &saved).await.expect("the newest incarnation saves");
    for under in [older, restarted(older)] {
        let late = [open_for(11, "a", 180), open_for(11, "b", 60)];
        assert_fenced(FencedBy::Incarnation, &store.save(under, &late).await);
        assert_eq!(stored(store, 11).await, saved);
    }
    store.save(newer, &saved).await.expect("a refusal changes nothing for the newest incarnation");
}

/// Law 7.
async fn the_first_save_of_an_incarnation_fences_off_older_ones_even_if_it_saves_nothing(
    store: &dyn BreakerStore,
    claim: impl AsyncFn() -> FencingToken,
) {
    let older = claim().await;
    store.save(restarted(older), &[]).await.expect("an empty save works");
    assert_fenced(FencedBy::Incarnation, &store.save(older, &[]).await);
}

/// Law 7.
async fn a_claim_begins_again_at_incarnation_zero(
    store: &dyn BreakerStore,
    claim: impl AsyncFn() -> FencingToken,
) {
    let before = restarted(claim().await);
    store.save(before, &[]).await.expect("its writer was restarted");
    let next = claim().await;
    assert_fenced(FencedBy::Epoch, &store.save(before, &[]).await);
    store.save(next, &[]).await.expect("another epoch has incarnations of its own");
}

/// Law 7, after a restart.
async fn an_older_incarnation_stays_fenced_after_reopening(
    open: impl AsyncFn() -> Box<dyn BreakerStore>,
    claim: impl AsyncFn() -> FencingToken,
) {
    let store = open().await;
    let older = claim().await;
    store.save(restarted(older), &[]).await.expect("its writer was restarted");
    drop(store);
    let store = open().await;
    assert_fenced(FencedBy::Incarnation, &store.save(older, &[]).await);
    store.save(restarted(older), &[]).await.expect("it is still the newest incarnation");
}
