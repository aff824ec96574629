//! The set of tokens: where each is put at the start, after an edit, and after an answer.

use std::collections::BTreeMap;
use std::time::Duration;

use ttm_dispatch::Seen as LastSeen;
use ttm_kernel::Lane;
use ttm_market::{Edit, ListPurpose, Mint, Token, TokenStatus};

use super::place::{Wait, place_of, wait_of};
use super::standing::{End, Standing};
use super::{Effect, Machine, Notice, Now};

/// Full lists for completeness are wanted while fewer than this many wait: those of hot tokens come first.
const FEW: usize = 16;

impl Machine {
    /// Puts every other token of the book where it waits, the one that was seen longest ago first.
    pub(super) fn put_all_but(&mut self, others: &BTreeMap<Mint, Standing>, now: Now) {
        let mut all: Vec<_> =
            self.book.iter().filter(|token| !others.contains_key(&token.mint)).cloned().collect();
        all.sort_by_key(|token| token.score.map(|score| score.at));
        for token in &all {
            match wait_of(token, &self.book, now.wall) {
                None => {}
                Some(Wait::BackingOff(rest)) => self.dispatcher.back_off(token.mint, now.moment, rest),
                Some(Wait::InLine(place)) => {
                    // Another process saw it: however lately that was, only a request shows whether this one can.
                    let fresh_for = self.dispatcher.config().fresh_for(place.lane);
                    let seen = token.score.map(|score| {
                        let age =
                            Duration::try_from(now.wall.duration_since(score.at)).unwrap_or(Duration::ZERO);
                        LastSeen::before(now.moment, age.max(fresh_for))
                    });
                    self.dispatcher.put(token.mint, place, seen);
                }
            }
        }
    }

    /// The set of tokens was edited: `tokens` are all that are stored.
    pub(super) fn edit_set(&mut self, tokens: Vec<Token>, now: Now) {
        let Edit { added, removed } = self.book.reconcile(tokens);
        for token in removed.iter().filter(|token| token.status != TokenStatus::Archived) {
            self.dispatcher.remove(token.mint);
            self.silence.remove(&token.mint);
            let notice = self.unreadable.forget(&token.mint);
            self.notice(notice);
        }
        let mut changed = Vec::with_capacity(added.len());
        for mint in &added {
            let Some(token) = self.book.get(mint).cloned() else { continue };
            if let Some(place) = place_of(&token, self.book.config()) {
                self.put_first(*mint, place, now.moment);
            }
            changed.push(token);
        }
        self.show_unanswered(now);
        self.effects.push_back(Effect::Forget(removed.iter().map(|token| token.mint).collect()));
        self.effects.push_back(Effect::Show(changed));
        self.notice(Some(Notice::SetEdited {
            added: added.len(),
            removed: removed.len(),
            tokens: self.book.len(),
        }));
    }

    /// Puts an answered token where it waits for its next turn, and asks for its full list if that is useful.
    pub(super) fn put_back(&mut self, mint: Mint, now: Now) {
        let Some(token) = self.book.get(&mint) else { return };
        match wait_of(token, &self.book, now.wall) {
            None => return,
            Some(Wait::BackingOff(rest)) => return self.back_off(mint, now.moment, rest),
            Some(Wait::InLine(place)) => {
                self.put_in_line(mint, place, Some(LastSeen::at(now.moment)), End::Back, now.moment);
            }
        }
        let Some(purpose) = self.book.wants_list(&mint, now.wall) else { return };
        if purpose != ListPurpose::Completeness || self.dispatcher.lists_waiting().others < FEW {
            self.dispatcher.want_list(mint, purpose == ListPurpose::Activation);
        }
    }

    /// The lane in whose line a token waits, and whether it is unlisted.
    pub(super) fn whereabouts(&self, mint: &Mint) -> Option<(Lane, bool)> {
        let token = self.book.get(mint)?;
        Some((place_of(token, self.book.config())?.lane, token.unlisted.is_some()))
    }

    /// A token that waits was seen by way of its full list, and may belong elsewhere now.
    pub(super) fn move_over(&mut self, mint: Mint, before: Option<(Lane, bool)>, now: Now) {
        if before.is_none() || before == self.whereabouts(&mint) {
            return;
        }
        match self.book.get(&mint).and_then(|token| place_of(token, self.book.config())) {
            None => self.dispatcher.remove(mint),
            Some(place) => self.relocate(mint, place, Some(LastSeen::at(now.moment))),
        }
    }
}
