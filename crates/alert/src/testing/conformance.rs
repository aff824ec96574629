//! The laws of [`AlertStore`] as a suite. A broken law panics with what was expected. It does not know what stands
//! behind the port; what is wrong with a row is for each adapter's own tests, since no port writes such a row.
//!
//! The suite writes alerts of its own, and takes them away again; the store must be empty at first. The laws run one after the
//! other.
//!
//! ```
//! use ttm_alert::AlertStore;
//! use ttm_alert::testing::{FakeAlertStore, conformance};
//!
//! # async fn suite() {
//! let memory = FakeAlertStore::new();
//! let open = async || Box::new(memory.clone()) as Box<dyn AlertStore>;
//! conformance::check(open, async || memory.claim()).await;
//! # }
//! ```

use std::time::Duration;

use jiff::Timestamp;
use ttm_kernel::{Epoch, FencedBy, FencingToken, StoreError, StoreErrorKind};

use super::commits::{alert, dead, pending, quiets, receipt, receipts, records, row};
use crate::{
    AlertStore, Commit, DEAD_LETTERS_KEPT, Loaded, Outcome, Quiet, QuietId, RECEIPTS_KEPT, Receipt,
    SavedAlert,
};

/// Checks every law that the port alone can show. Each call of `open` opens the same store again, as a restarted process
/// would, without removing what is in it; the store before was dropped. `claim` claims the next epoch there.
pub async fn check(open: impl AsyncFn() -> Box<dyn AlertStore>, claim: impl AsyncFn() -> Epoch) {
    let claim = async || FencingToken::first(claim().await);
    what_was_acknowledged_survives_reopening(&open, &claim).await;
    an_older_incarnation_stays_fenced_after_reopening(&open, &claim).await;
    let store = open().await;
    let store = store.as_ref();
    everything_comes_back_exactly(store, &claim).await;
    times_and_periods_are_kept_to_the_microsecond(store, &claim).await;
    the_last_commit_counts_and_leaves_the_rest_as_it_is(store, &claim).await;
    committing_twice_is_committing_once(store, &claim).await;
    what_is_settled_or_dead_waits_no_more(store, &claim).await;
    an_older_epoch_stores_nothing(store, &claim).await;
    an_older_incarnation_stores_nothing(store, &claim).await;
    the_first_commit_of_an_incarnation_fences_off_older_ones_even_if_it_is_empty(store, &claim).await;
    a_claim_begins_again_at_incarnation_zero(store, &claim).await;
    the_newest_receipts_and_dead_letters_are_kept_and_returned(store, &claim).await;
}

async fn commit(store: &dyn AlertStore, under: FencingToken, commit: &Commit) {
    store.commit(under, commit).await.expect("commit works");
}

async fn load(store: &dyn AlertStore) -> Loaded {
    store.load().await.expect("load answers")
}

/// Takes away all but receipts and dead letters, which no commit can.
async fn clear(store: &dyn AlertStore, under: FencingToken) {
    let loaded = load(store).await;
    let nothing = Commit {
        forgotten: loaded.records.into_iter().map(|record| record.key).collect(),
        settled: loaded.rows.into_iter().map(|row| row.key).collect(),
        ended_quiets: loaded.quiets.into_iter().map(|(id, _)| id).collect(),
        ..Commit::default()
    };
    commit(store, under, &nothing).await;
    let loaded = load(store).await;
    assert!(loaded.records.is_empty() && loaded.rows.is_empty() && loaded.quiets.is_empty(), "{loaded:?}");
}

fn everything(epoch: Epoch) -> Commit {
    Commit {
        records: records(epoch),
        rows: (1..12).map(|step| row(epoch, step)).collect(),
        receipts: receipts(epoch),
        quiets: numbered(),
        ..Commit::default()
    }
}

fn numbered() -> Vec<(QuietId, Quiet)> {
    [1, 9, u64::MAX >> 1].map(QuietId).into_iter().zip(quiets()).collect()
}

#[track_caller]
fn assert_has(loaded: &Loaded, commit: &Commit) {
    let mut records = commit.records.clone();
    records.sort_by(|one, other| one.key.cmp(&other.key));
    for (got, expected) in loaded.records.iter().zip(&records) {
        assert_eq!(got, expected);
    }
    assert_eq!(loaded.records.len(), records.len());
    for (got, expected) in loaded.rows.iter().zip(&commit.rows) {
        assert_eq!(got, expected);
    }
    assert_eq!(loaded.rows.len(), commit.rows.len());
    assert_eq!(loaded.quiets, commit.quiets);
    assert!(loaded.receipts.ends_with(&commit.receipts), "{:?}", loaded.receipts);
    assert_eq!(loaded.journal, []);
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
pub async fn what_was_acknowledged_survives_reopening(
    open: impl AsyncFn() -> Box<dyn AlertStore>,
    claim: impl AsyncFn() -> FencingToken,
) {
    let under = claim().await;
    let all = everything(under.epoch());
    commit(open().await.as_ref(), under, &all).await;
    let store = open().await;
    assert_has(&load(store.as_ref()).await, &all);
    clear(store.as_ref(), under).await;
}

/// Laws 6 and 7, after a restart.
pub async fn an_older_incarnation_stays_fenced_after_reopening(
    open: impl AsyncFn() -> Box<dyn AlertStore>,
    claim: impl AsyncFn() -> FencingToken,
) {
    let (before, older) = (claim().await, claim().await);
    commit(open().await.as_ref(), restarted(older), &Commit::default()).await;
    let store = open().await;
    assert_fenced(FencedBy::Incarnation, &store.commit(older, &Commit::default()).await);
    assert_fenced(FencedBy::Epoch, &store.commit(before, &Commit::default()).await);
    commit(store.as_ref(), restarted(older), &Commit::default()).await;
}

/// Laws 1 and 5: every word, and the ends of every number and text.
pub async fn everything_comes_back_exactly(store: &dyn AlertStore, claim: impl AsyncFn() -> FencingToken) {
    let under = claim().await;
    let all = everything(under.epoch());
    commit(store, under, &all).await;
    assert_has(&load(store).await, &all);
    clear(store, under).await;
}

/// Law 1.
pub async fn times_and_periods_are_kept_to_the_microsecond(
    store: &dyn AlertStore,
    claim: impl AsyncFn() -> FencingToken,
) {
    let under = claim().await;
    let fine = Timestamp::from_nanosecond(1_700_000_000_123_456_789).expect("in range");
    let held = Duration::new(59, 999_998_001);
    let mut record = pending("fine");
    record.changes = vec![fine];
    record.life = record.life.map(|life| SavedAlert { held, ..life });
    commit(store, under, &Commit { records: vec![record], ..Commit::default() }).await;
    let got = load(store).await.records.remove(0);
    let off = got.changes[0].duration_since(fine).unsigned_abs();
    assert!(off < Duration::from_micros(1), "{} is {off:?} away from {fine}", got.changes[0]);
    let kept = got.life.expect("it has one").held;
    assert!(kept.abs_diff(held) < Duration::from_micros(1), "{kept:?} is not {held:?}");
    clear(store, under).await;
}

/// Law 3.
pub async fn the_last_commit_counts_and_leaves_the_rest_as_it_is(
    store: &dyn AlertStore,
    claim: impl AsyncFn() -> FencingToken,
) {
    let under = claim().await;
    let (epoch, [one, other, third]) = (under.epoch(), ["one", "other", "third"].map(pending));
    let rows = [row(epoch, 1), row(epoch, 2)];
    let silence = quiets().remove(0);
    let first = Commit {
        records: vec![one, other.clone(), third],
        rows: rows.to_vec(),
        quiets: vec![(QuietId(1), silence.clone()), (QuietId(2), silence.clone())],
        ..Commit::default()
    };
    commit(store, under, &first).await;
    let mut changed = pending("one");
    (changed.is_flapping, changed.changes) = (true, vec![jiff::Timestamp::UNIX_EPOCH]);
    let tried = crate::OutboxRow { attempts: 5, ..rows[0].clone() };
    let second = Commit {
        records: vec![changed.clone()],
        forgotten: vec![alert("third"), alert("never there")],
        rows: vec![tried.clone()],
        settled: vec![row(epoch, 9).key],
        ended_quiets: vec![QuietId(1), QuietId(77)],
        ..Commit::default()
    };
    commit(store, under, &second).await;
    let loaded = load(store).await;
    assert_eq!(loaded.records, [changed, other]);
    assert_eq!(loaded.rows, [tried, rows[1].clone()]);
    assert_eq!(loaded.quiets, [(QuietId(2), silence)]);
    clear(store, under).await;
}

/// Law 2: a commit whose acknowledgement was lost is sent again.
pub async fn committing_twice_is_committing_once(
    store: &dyn AlertStore,
    claim: impl AsyncFn() -> FencingToken,
) {
    let under = claim().await;
    let all = Commit { dead: vec![dead(under.epoch(), 99)], ..everything(under.epoch()) };
    for _ in 0..2 {
        commit(store, under, &all).await;
        assert_has(&load(store).await, &all);
    }
    let of_epoch = |receipt: &&Receipt| receipt.key.episode.epoch == under.epoch();
    let kept = store.receipts(usize::MAX).await.expect("receipts answers");
    assert_eq!(kept.iter().filter(of_epoch).count(), all.receipts.len());
    let letters = store.dead_letters(usize::MAX).await.expect("dead_letters answers");
    assert_eq!(letters.iter().filter(|letter| letter.row.key.episode.epoch == under.epoch()).count(), 1);
    clear(store, under).await;
}

/// Law 4.
pub async fn what_is_settled_or_dead_waits_no_more(
    store: &dyn AlertStore,
    claim: impl AsyncFn() -> FencingToken,
) {
    let under = claim().await;
    let rows: Vec<_> = (1..5).map(|step| row(under.epoch(), step)).collect();
    commit(store, under, &Commit { rows: rows[..3].to_vec(), ..Commit::default() }).await;
    let letter = dead(under.epoch(), 2);
    let ends = Commit {
        rows: vec![rows[3].clone(), rows[0].clone()],
        settled: vec![rows[0].key.clone(), rows[3].key.clone()],
        dead: vec![letter.clone()],
        ..Commit::default()
    };
    commit(store, under, &ends).await;
    assert_eq!(load(store).await.rows, rows[2..3]);
    assert_eq!(store.dead_letters(1).await.expect("dead_letters answers"), [letter]);
    clear(store, under).await;
}

/// Laws 2 and 6.
pub async fn an_older_epoch_stores_nothing(store: &dyn AlertStore, claim: impl AsyncFn() -> FencingToken) {
    let (older, newer) = (claim().await, claim().await);
    let all = everything(newer.epoch());
    assert_fenced(FencedBy::Epoch, &store.commit(older, &all).await);
    assert_eq!(load(store).await.records, []);
    commit(store, newer, &all).await;
    clear(store, newer).await;
}

/// Laws 2 and 7.
pub async fn an_older_incarnation_stores_nothing(
    store: &dyn AlertStore,
    claim: impl AsyncFn() -> FencingToken,
) {
    let older = claim().await;
    commit(store, older, &Commit::default()).await;
    commit(store, restarted(older), &Commit::default()).await;
    assert_fenced(FencedBy::Incarnation, &store.commit(older, &everything(older.epoch())).await);
    assert_eq!(load(store).await.records, []);
    commit(store, restarted(older), &Commit::default()).await;
}

/// Law 7, its smallest case.
pub async fn the_first_commit_of_an_incarnation_fences_off_older_ones_even_if_it_is_empty(
    store: &dyn AlertStore,
    claim: impl AsyncFn() -> FencingToken,
) {
    let older = claim().await;
    commit(store, restarted(older), &Commit::default()).await;
    assert_fenced(FencedBy::Incarnation, &store.commit(older, &Commit::default()).await);
}

/// Law 7.
pub async fn a_claim_begins_again_at_incarnation_zero(
    store: &dyn AlertStore,
    claim: impl AsyncFn() -> FencingToken,
) {
    let before = restarted(claim().await);
    commit(store, before, &Commit::default()).await;
    let next = claim().await;
    assert_fenced(FencedBy::Epoch, &store.commit(before, &Commit::default()).await);
    commit(store, next, &Commit::default()).await;
}

/// Laws 5 and 8.
pub async fn the_newest_receipts_and_dead_letters_are_kept_and_returned(
    store: &dyn AlertStore,
    claim: impl AsyncFn() -> FencingToken,
) {
    let under = claim().await;
    let count = |most: usize| 1..=u32::try_from(most + 10).expect("small");
    let delivered = Outcome::Delivered { remote_id: None };
    let made: Vec<Receipt> = count(RECEIPTS_KEPT)
        .rev()
        .map(|attempt| receipt(under.epoch(), attempt, delivered.clone()))
        .collect();
    let letters: Vec<_> = count(DEAD_LETTERS_KEPT).rev().map(|step| dead(under.epoch(), step)).collect();
    for (receipts, dead) in made.chunks(300).zip(letters.chunks(300)) {
        let (receipts, dead) = (receipts.to_vec(), dead.to_vec());
        commit(store, under, &Commit { dead, receipts, ..Commit::default() }).await;
    }
    assert_eq!(load(store).await.receipts, made[10..]);
    for limit in [0, 1, RECEIPTS_KEPT] {
        let newest = store.receipts(limit).await.expect("receipts answers");
        assert_eq!(newest, made[made.len() - limit..]);
    }
    for limit in [0, 1, DEAD_LETTERS_KEPT] {
        let newest = store.dead_letters(limit).await.expect("dead_letters answers");
        assert_eq!(newest, letters[letters.len() - limit..]);
    }
}
