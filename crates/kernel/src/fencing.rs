//! Fencing tokens: what a write to a store carries, so that a writer that was given up for dead cannot overwrite its
//! successor.
//!
//! Two things are replaced while an older one may still run: a process, by another that claims the next epoch, and a
//! writer inside a process, by its next incarnation. A token has both numbers. What makes it sound: a store compares the
//! token inside the transaction of the write, and a transaction that raises the newest token conflicts with every one that
//! has read it. So once a write under a newer token is durable, no write under an older one can still become so.
//!
//! A claim starts every writer again at incarnation zero. Writers of one process are independent: each has an incarnation of
//! its own, so that restarting one fences off no other.

use std::fmt;

use crate::{FencedBy, StoreError, StoreErrorKind};

/// Counts the processes that were granted the right to write to a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(u64);

impl Epoch {
    /// The epoch with this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its number, for a store.
    pub const fn number(self) -> u64 {
        self.0
    }

    /// Whether a store whose newest epoch is `newest` can have granted this one.
    ///
    /// # Errors
    /// [`Corrupt`](StoreErrorKind::Corrupt) if it cannot: it is not the store that did, and what it lacks was lost.
    pub fn check_granted(self, newest: Self) -> Result<(), StoreError> {
        if self <= newest {
            return Ok(());
        }
        Err(StoreError::replaced(format_args!(
            "this process works under epoch {self}, and the newest epoch in the store is {newest}"
        )))
    }

    /// Whether this is the newest epoch of a store.
    ///
    /// # Errors
    /// [`Fenced`](StoreErrorKind::Fenced) if another process claimed a newer one; those of
    /// [`check_granted`](Self::check_granted).
    pub fn check_newest(self, newest: Self) -> Result<(), StoreError> {
        self.check_granted(newest)?;
        if self < newest { Err(StoreError::fenced_by_epoch(self, newest)) } else { Ok(()) }
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Counts the starts of one writer within an epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incarnation(u32);

impl Incarnation {
    /// What every writer begins an epoch with.
    pub const FIRST: Self = Self(0);

    /// The incarnation with this number.
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// Its number, for a store.
    pub const fn number(self) -> u32 {
        self.0
    }

    /// The one that replaces it.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What a write carries; ordered by epoch, then by incarnation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FencingToken {
    epoch: Epoch,
    incarnation: Incarnation,
}

/// How a store admits a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Its writer has written under this token before.
    Known,
    /// This is its writer's newest token: the store remembers it in the same transaction.
    Newest,
}

impl FencingToken {
    /// The token of a writer's incarnation under an epoch.
    pub const fn new(epoch: Epoch, incarnation: Incarnation) -> Self {
        Self { epoch, incarnation }
    }

    /// The token that a writer begins an epoch with.
    pub const fn first(epoch: Epoch) -> Self {
        Self::new(epoch, Incarnation::FIRST)
    }

    /// The epoch that its process claimed.
    pub const fn epoch(self) -> Epoch {
        self.epoch
    }

    /// The incarnation of its writer.
    pub const fn incarnation(self) -> Incarnation {
        self.incarnation
    }

    /// Whether a store admits a write under this token: `newest` is its newest epoch, `known` the token that it remembers of
    /// the writer. One of any other epoch says nothing: it is from before the claim.
    ///
    /// # Errors
    /// [`Fenced`](StoreErrorKind::Fenced) if a newer epoch was claimed, or a newer incarnation of the same writer has
    /// written; those of [`Epoch::check_granted`].
    pub fn admit(self, newest: Epoch, known: Option<Self>) -> Result<Admission, StoreError> {
        self.epoch.check_newest(newest)?;
        match known.filter(|known| known.epoch == self.epoch) {
            Some(known) if self < known => Err(StoreError::fenced_by_incarnation(self, known.incarnation)),
            Some(known) if self == known => Ok(Admission::Known),
            Some(_) | None => Ok(Admission::Newest),
        }
    }
}

/// The refusals, made here so that the error itself knows no fencing token.
impl StoreError {
    /// A write under an epoch that is not the newest one.
    pub fn fenced_by_epoch(epoch: Epoch, newest: Epoch) -> Self {
        let message = format!("epoch {epoch} is fenced off by epoch {newest}");
        Self::new(StoreErrorKind::Fenced { by: FencedBy::Epoch }, message)
    }

    /// A write of a writer that was restarted since, and has written.
    pub fn fenced_by_incarnation(token: FencingToken, newest: Incarnation) -> Self {
        let (epoch, incarnation) = (token.epoch(), token.incarnation());
        let message = format!(
            "incarnation {incarnation} of a writer under epoch {epoch} is fenced off by its incarnation {newest}"
        );
        Self::new(StoreErrorKind::Fenced { by: FencedBy::Incarnation }, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(epoch: u64, incarnation: u32) -> FencingToken {
        FencingToken::new(Epoch::new(epoch), Incarnation::new(incarnation))
    }

    #[test]
    fn tokens_are_ordered_by_epoch_then_by_incarnation() {
        assert!(token(1, 9) < token(2, 0));
        assert!(token(2, 0) < token(2, 1));
        assert_eq!(FencingToken::first(Epoch::new(2)), token(2, 0));
        assert_eq!(Incarnation::new(u32::MAX).next(), Incarnation::new(u32::MAX));
    }

    #[test]
    fn a_write_is_admitted_unless_a_newer_token_was_seen() {
        let newest = Epoch::new(3);
        for (known, expected) in [
            (None, Admission::Newest),
            (Some(token(2, 7)), Admission::Newest),
            (Some(token(3, 0)), Admission::Newest),
            (Some(token(3, 1)), Admission::Known),
            // Tables that were recreated in part: the epoch is what was claimed.
            (Some(token(9, 9)), Admission::Newest),
        ] {
            assert_eq!(token(3, 1).admit(newest, known).expect("it is let in"), expected, "{known:?}");
        }
    }

    #[test]
    fn a_refusal_says_which_number_is_too_old() {
        let refused = |token: FencingToken, known| token.admit(Epoch::new(3), known).expect_err("refused");
        let by_epoch = refused(token(2, 5), Some(token(2, 5)));
        assert_eq!(by_epoch.kind(), StoreErrorKind::Fenced { by: FencedBy::Epoch });
        assert_eq!(by_epoch.to_string(), "epoch 2 is fenced off by epoch 3");
        let by_incarnation = refused(token(3, 1), Some(token(3, 2)));
        assert_eq!(by_incarnation.kind(), StoreErrorKind::Fenced { by: FencedBy::Incarnation });
        assert_eq!(
            by_incarnation.to_string(),
            "incarnation 1 of a writer under epoch 3 is fenced off by its incarnation 2"
        );
        assert_eq!(refused(token(4, 0), None).kind(), StoreErrorKind::Corrupt);
    }
}
