//! The laws of [`RecoveryLedger`] as a suite. All laws are checked before those that do not hold are reported. It does not know what stands
//! behind the port; what is wrong with a row is for each adapter's own tests, since no port writes such a row.
//!
//! Each law claims epochs of its own and writes entries of these alone, so that all of them can share one ledger, whatever
//! else is in it; they run one after the other.
//!
//! ```
//! use ttm_recovery::RecoveryLedger;
//! use ttm_recovery::testing::{FakeRecoveryLedger, conformance};
//!
//! # async fn suite() {
//! let memory = FakeRecoveryLedger::new();
//! let open = async || Box::new(memory.clone()) as Box<dyn RecoveryLedger>;
//! conformance::check(open, async || memory.claim()).await;
//! # }
//! ```

use std::time::Duration;

use jiff::Timestamp;
use ttm_kernel::check_laws;
use ttm_kernel::testing::Laws;
use ttm_kernel::{Epoch, FencedBy, FencingToken, StoreError, StoreErrorKind};

use super::entries::{at, began, every_fact, other, out_of_bounds};
use crate::{Entry, EntryKey, Fact, LEDGER_KEEPS, Outcome, RecoveryLedger};

/// Checks every law that the port alone can show, and panics with those that do not hold. Each call of `open` opens the same ledger
/// again, as a restarted process would, without removing what is in it; the ledger before was dropped. `claim` claims the next epoch
/// there.
pub async fn check(open: impl AsyncFn() -> Box<dyn RecoveryLedger>, claim: impl AsyncFn() -> Epoch) {
    judge(open, claim).await.assert_hold();
}

/// Checks every law that the port alone can show, and says which do not hold.
pub async fn judge(open: impl AsyncFn() -> Box<dyn RecoveryLedger>, claim: impl AsyncFn() -> Epoch) -> Laws {
    let claim = async || FencingToken::first(claim().await);
    let mut laws = Laws::of("RecoveryLedger");
    check_laws!(laws:
        what_was_acknowledged_survives_reopening(&open, &claim),
        an_older_epoch_stays_fenced_after_reopening(&open, &claim),
        an_older_incarnation_stays_fenced_after_reopening(&open, &claim),
        what_was_set_aside_stays_away_after_reopening(&open, &claim),
    );
    let ledger = open().await;
    let ledger = ledger.as_ref();
    check_laws!(laws:
        every_fact_comes_back_exactly(ledger, &claim),
        periods_and_times_are_kept_to_the_microsecond(ledger, &claim),
        an_entry_that_is_there_already_stays_as_it_is(ledger, &claim),
        an_empty_append_works(ledger, &claim),
        one_entry_out_of_bounds_rejects_the_whole_call(ledger, &claim),
        entries_come_in_the_order_of_their_keys(ledger, &claim),
        load_returns_the_newest_that_are_not_before_a_time(ledger, &claim),
        entries_of_earlier_epochs_are_kept(ledger, &claim),
        an_older_epoch_appends_nothing(ledger, &claim),
        an_older_incarnation_appends_nothing(ledger, &claim),
        the_first_append_of_an_incarnation_fences_off_older_ones_even_if_it_is_empty(ledger, &claim),
        a_claim_begins_again_at_incarnation_zero(ledger, &claim),
        the_newest_entries_are_kept(ledger, &claim),
        a_ledger_that_was_set_aside_is_empty_and_works(ledger, &claim),
        only_the_newest_token_sets_aside(ledger, &claim),
    );
    laws
}

/// The first entries of an epoch.
fn entries(under: FencingToken, count: u64) -> Vec<Entry> {
    (0..count).map(|number| began(under.epoch(), number)).collect()
}

/// The stored entries of an epoch.
async fn stored(ledger: &dyn RecoveryLedger, under: FencingToken) -> Vec<Entry> {
    let mut all = ledger.load(Timestamp::MIN, usize::MAX).await.expect("load answers");
    all.retain(|entry| entry.key.epoch == under.epoch());
    all
}

async fn append(ledger: &dyn RecoveryLedger, under: FencingToken, entries: &[Entry]) {
    ledger.append(under, entries).await.expect("append works");
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
    open: impl AsyncFn() -> Box<dyn RecoveryLedger>,
    claim: impl AsyncFn() -> FencingToken,
) {
    let under = claim().await;
    let ledger = open().await;
    append(ledger.as_ref(), under, &entries(under, 3)).await;
    drop(ledger);
    let ledger = open().await;
    assert_eq!(stored(ledger.as_ref(), under).await, entries(under, 3));
}

/// Law 4, after a restart.
async fn an_older_epoch_stays_fenced_after_reopening(
    open: impl AsyncFn() -> Box<dyn RecoveryLedger>,
    claim: impl AsyncFn() -> FencingToken,
) {
    let ledger = open().await;
    let (older, newer) = (claim().await, claim().await);
    drop(ledger);
    let ledger = open().await;
    assert_fenced(FencedBy::Epoch, &ledger.append(older, &entries(older, 1)).await);
    append(ledger.as_ref(), newer, &entries(newer, 1)).await;
}

/// Law 5, after a restart.
async fn an_older_incarnation_stays_fenced_after_reopening(
    open: impl AsyncFn() -> Box<dyn RecoveryLedger>,
    claim: impl AsyncFn() -> FencingToken,
) {
    let ledger = open().await;
    let older = claim().await;
    append(ledger.as_ref(), restarted(older), &[]).await;
    drop(ledger);
    let ledger = open().await;
    assert_fenced(FencedBy::Incarnation, &ledger.append(older, &[]).await);
    append(ledger.as_ref(), restarted(older), &[]).await;
}

/// Law 7, after a restart.
async fn what_was_set_aside_stays_away_after_reopening(
    open: impl AsyncFn() -> Box<dyn RecoveryLedger>,
    claim: impl AsyncFn() -> FencingToken,
) {
    let under = claim().await;
    let ledger = open().await;
    append(ledger.as_ref(), under, &entries(under, 2)).await;
    ledger.set_aside(under).await.expect("set_aside works");
    drop(ledger);
    let ledger = open().await;
    assert_eq!(ledger.load(Timestamp::MIN, usize::MAX).await.expect("load answers"), []);
}

/// Law 1: every fact, and the ends of every number and text.
async fn every_fact_comes_back_exactly(ledger: &dyn RecoveryLedger, claim: impl AsyncFn() -> FencingToken) {
    let before = claim().await;
    let under = claim().await;
    let root = EntryKey { epoch: before.epoch(), number: 7 };
    let entries: Vec<Entry> = (0..)
        .zip(every_fact())
        .map(|(number, fact)| Entry { recovery: root, fact, ..began(under.epoch(), number) })
        .chain([Entry { subject: " ~\"'\\".to_owned(), ..began(under.epoch(), u64::MAX >> 1) }])
        .collect();
    append(ledger, under, &entries).await;
    for (got, entry) in stored(ledger, under).await.iter().zip(&entries) {
        assert_eq!(got, entry);
    }
    assert_eq!(stored(ledger, under).await.len(), entries.len());
}

/// Laws 1 and 3: an entry is found by its own time.
async fn periods_and_times_are_kept_to_the_microsecond(
    ledger: &dyn RecoveryLedger,
    claim: impl AsyncFn() -> FencingToken,
) {
    let under = claim().await;
    for (number, nanos) in [(0, 1_700_000_000_123_456_789), (1, -1_001), (2, -1_000)] {
        let at = Timestamp::from_nanosecond(nanos).expect("in range");
        let took = Duration::new(59, 999_998_001);
        let fact = Fact::Ended { outcome: Outcome::Recovered, took };
        append(ledger, under, &[Entry { at, fact, ..began(under.epoch(), number) }]).await;
        let found = ledger.load(at, usize::MAX).await.expect("load answers");
        let key = EntryKey { epoch: under.epoch(), number };
        let found = found.into_iter().find(|entry| entry.key == key).expect("it is not before its own time");
        let off = found.at.duration_since(at).unsigned_abs();
        assert!(off < Duration::from_micros(1), "{} is {off:?} away from {at}", found.at);
        let Fact::Ended { took: got, .. } = found.fact else { panic!("{found:?}") };
        assert!(got.abs_diff(took) < Duration::from_micros(1), "{got:?} is not {took:?}");
    }
}

/// Law 2: in one call and over several.
async fn an_entry_that_is_there_already_stays_as_it_is(
    ledger: &dyn RecoveryLedger,
    claim: impl AsyncFn() -> FencingToken,
) {
    let under = claim().await;
    let all = entries(under, 3);
    append(ledger, under, &[all[0].clone(), other(&all[0]), all[1].clone()]).await;
    assert_eq!(stored(ledger, under).await, all[..2]);
    for _ in 0..2 {
        append(ledger, under, &[all[2].clone(), other(&all[1]), other(&all[0])]).await;
        assert_eq!(stored(ledger, under).await, all);
    }
}

/// Law 2, its smallest case.
async fn an_empty_append_works(ledger: &dyn RecoveryLedger, claim: impl AsyncFn() -> FencingToken) {
    append(ledger, claim().await, &[]).await;
}

/// Laws 2 and 8.
async fn one_entry_out_of_bounds_rejects_the_whole_call(
    ledger: &dyn RecoveryLedger,
    claim: impl AsyncFn() -> FencingToken,
) {
    let under = claim().await;
    for bad in out_of_bounds(under.epoch(), 1) {
        let refused = ledger.append(under, &[began(under.epoch(), 0), bad.clone()]).await;
        let kind = refused.as_ref().map_err(StoreError::kind);
        assert_eq!(kind, Err(StoreErrorKind::Rejected), "{bad:?}: {refused:?}");
        assert_eq!(stored(ledger, under).await, []);
    }
}

/// Law 3: keys of more digits come later, earlier times do not come first.
async fn entries_come_in_the_order_of_their_keys(
    ledger: &dyn RecoveryLedger,
    claim: impl AsyncFn() -> FencingToken,
) {
    let under = claim().await;
    let entry = |number: u64, seconds: i64| Entry { at: at(seconds), ..began(under.epoch(), number) };
    let sorted = [entry(2, 60), entry(9, -3_600), entry(10, 0), entry(100, 30)];
    append(ledger, under, &[sorted[2].clone(), sorted[0].clone()]).await;
    append(ledger, under, &[sorted[3].clone(), sorted[1].clone()]).await;
    assert_eq!(stored(ledger, under).await, sorted);
    let all = ledger.load(Timestamp::MIN, usize::MAX).await.expect("load answers");
    assert!(all.is_sorted_by(|one, next| one.key < next.key), "ascending, none twice");
}

/// Law 3: what is before the time does not count against the limit.
async fn load_returns_the_newest_that_are_not_before_a_time(
    ledger: &dyn RecoveryLedger,
    claim: impl AsyncFn() -> FencingToken,
) {
    let under = claim().await;
    // The newest time of all laws, so that other entries are before it.
    let since = 1_000_000;
    let entry = |number: u64, seconds: i64| Entry { at: at(since + seconds), ..began(under.epoch(), number) };
    let all = [entry(0, 0), entry(1, -1), entry(2, 50), entry(3, 10), entry(4, -60)];
    append(ledger, under, &all).await;
    for (limit, expected) in [
        (usize::MAX, vec![&all[0], &all[2], &all[3]]),
        (3, vec![&all[0], &all[2], &all[3]]),
        (2, vec![&all[2], &all[3]]),
        (1, vec![&all[3]]),
        (0, vec![]),
    ] {
        let got = ledger.load(at(since), limit).await.expect("load answers");
        assert_eq!(got.iter().collect::<Vec<_>>(), expected, "{limit}");
    }
    assert_eq!(ledger.load(Timestamp::MAX, usize::MAX).await.expect("load answers"), []);
}

/// Law 8.
async fn entries_of_earlier_epochs_are_kept(
    ledger: &dyn RecoveryLedger,
    claim: impl AsyncFn() -> FencingToken,
) {
    let (older, newer) = (claim().await, claim().await);
    append(ledger, newer, &[began(newer.epoch(), 0), began(older.epoch(), 1), began(older.epoch(), 0)]).await;
    assert_eq!(stored(ledger, older).await, entries(older, 2));
    assert_eq!(stored(ledger, newer).await, entries(newer, 1));
}

/// Law 4.
async fn an_older_epoch_appends_nothing(ledger: &dyn RecoveryLedger, claim: impl AsyncFn() -> FencingToken) {
    let older = claim().await;
    append(ledger, older, &entries(older, 1)).await;
    let newer = claim().await;
    assert!(newer > older, "{newer:?} was claimed after {older:?}");
    assert_fenced(FencedBy::Epoch, &ledger.append(older, &entries(older, 2)).await);
    assert_eq!(stored(ledger, older).await, entries(older, 1));
    append(ledger, newer, &entries(newer, 2)).await;
}

/// Law 5.
async fn an_older_incarnation_appends_nothing(
    ledger: &dyn RecoveryLedger,
    claim: impl AsyncFn() -> FencingToken,
) {
    let oldest = claim().await;
    let older = restarted(oldest);
    let newer = restarted(older);
    append(ledger, older, &entries(older, 1)).await;
    append(ledger, newer, &entries(newer, 2)).await;
    for token in [oldest, older] {
        assert_fenced(FencedBy::Incarnation, &ledger.append(token, &entries(token, 3)).await);
        assert_eq!(stored(ledger, newer).await, entries(newer, 2));
    }
    append(ledger, newer, &entries(newer, 3)).await;
}

/// Law 5.
async fn the_first_append_of_an_incarnation_fences_off_older_ones_even_if_it_is_empty(
    ledger: &dyn RecoveryLedger,
    claim: impl AsyncFn() -> FencingToken,
) {
    let older = claim().await;
    append(ledger, restarted(older), &[]).await;
    assert_fenced(FencedBy::Incarnation, &ledger.append(older, &[]).await);
}

/// Law 5.
async fn a_claim_begins_again_at_incarnation_zero(
    ledger: &dyn RecoveryLedger,
    claim: impl AsyncFn() -> FencingToken,
) {
    let before = restarted(claim().await);
    append(ledger, before, &[]).await;
    let next = claim().await;
    assert_fenced(FencedBy::Epoch, &ledger.append(before, &[]).await);
    append(ledger, next, &[]).await;
}

/// Law 6: the newest are those with the greatest keys, whatever their times.
async fn the_newest_entries_are_kept(ledger: &dyn RecoveryLedger, claim: impl AsyncFn() -> FencingToken) {
    let under = claim().await;
    let count = LEDGER_KEEPS + 10;
    let all: Vec<Entry> = (0..)
        .take(count)
        .zip((0..).step_by(60))
        .map(|(number, age)| Entry { at: at(-age), ..began(under.epoch(), number) })
        .collect();
    for part in all.chunks(1_500) {
        append(ledger, under, part).await;
    }
    let kept = ledger.load(Timestamp::MIN, LEDGER_KEEPS).await.expect("load answers");
    assert_eq!(kept.len(), LEDGER_KEEPS);
    assert!(kept == all[10..], "the newest {LEDGER_KEEPS} are kept as they were");
}

/// Law 7.
async fn a_ledger_that_was_set_aside_is_empty_and_works(
    ledger: &dyn RecoveryLedger,
    claim: impl AsyncFn() -> FencingToken,
) {
    let under = claim().await;
    for _ in 0..2 {
        append(ledger, under, &entries(under, 2)).await;
        ledger.set_aside(under).await.expect("set_aside works");
        assert_eq!(ledger.load(Timestamp::MIN, usize::MAX).await.expect("load answers"), []);
        ledger.set_aside(under).await.expect("with nothing to set aside it does nothing");
    }
    append(ledger, under, &entries(under, 1)).await;
    assert_eq!(stored(ledger, under).await, entries(under, 1));
}

/// Law 7.
async fn only_the_newest_token_sets_aside(
    ledger: &dyn RecoveryLedger,
    claim: impl AsyncFn() -> FencingToken,
) {
    let before = claim().await;
    let under = claim().await;
    append(ledger, under, &entries(under, 1)).await;
    append(ledger, restarted(under), &entries(under, 2)).await;
    assert_fenced(FencedBy::Epoch, &ledger.set_aside(before).await);
    assert_fenced(FencedBy::Incarnation, &ledger.set_aside(under).await);
    assert_eq!(stored(ledger, under).await, entries(under, 2));
    let newest = restarted(restarted(under));
    ledger.set_aside(newest).await.expect("the newest may");
    assert_fenced(FencedBy::Incarnation, &ledger.append(restarted(under), &[]).await);
}
