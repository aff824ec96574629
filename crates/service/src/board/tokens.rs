//! The tokens on the board.

use std::sync::Arc;

use parking_lot::RwLockWriteGuard;
use ttm_market::{Mint, Token, TokenIndex, TokenPage, TokenQuery, TokenRow, TokenView, row};

use super::Board;
use crate::life::Author;

impl Board {
    /// Posts tokens as they are now; the others stay.
    pub(crate) fn post_tokens(&self, by: Author, changed: Vec<Arc<Token>>) {
        if self.tokens.read().is_empty() {
            // The first ones may be a million: readers are not kept waiting while they are put in order.
            let mut all = TokenIndex::new(self.market.clone());
            for token in changed {
                all.insert(token);
            }
            let mut tokens = self.tokens.write();
            if self.may_post(by) {
                *tokens = all;
            }
            return;
        }
        let mut tokens = self.tokens.write();
        for (at, token) in changed.into_iter().enumerate() {
            if !self.may_post(by) {
                return;
            }
            tokens.insert(token);
            let_others_look(&mut tokens, at);
        }
    }

    /// Posts that these tokens are gone.
    pub(crate) fn forget_tokens(&self, by: Author, mints: impl IntoIterator<Item = Mint>) {
        let mut tokens = self.tokens.write();
        for (at, mint) in mints.into_iter().enumerate() {
            if !self.may_post(by) {
                return;
            }
            tokens.remove(&mint);
            let_others_look(&mut tokens, at);
        }
    }

    /// The tokens as last posted, in the order of their mints: a look at all of them, for tests.
    pub fn tokens(&self) -> Vec<Arc<Token>> {
        self.tokens.read().iter().cloned().collect()
    }

    /// Whether there are any tokens.
    pub fn has_tokens(&self) -> bool {
        !self.tokens.read().is_empty()
    }

    /// A token as last posted.
    pub(crate) fn token(&self, mint: &Mint) -> Option<Arc<Token>> {
        self.tokens.read().get(mint).cloned()
    }
}

impl TokenView for Board {
    fn page(&self, query: &TokenQuery) -> TokenPage {
        let (tokens, next) = self.tokens.read().page(query);
        // The lock is free again: rows are made of what was found.
        let now = self.clock.wall();
        TokenPage { tokens: tokens.iter().map(|token| row(token, now, &self.market)).collect(), next }
    }

    fn get(&self, mint: &Mint) -> Option<TokenRow> {
        Some(row(&*self.token(mint)?, self.clock.wall(), &self.market))
    }
}

/// Lets waiting readers in now and then during a long row of changes.
fn let_others_look(tokens: &mut RwLockWriteGuard<'_, TokenIndex>, changes: usize) {
    const CHANGES: usize = 64;
    if changes % CHANGES == CHANGES - 1 {
        RwLockWriteGuard::bump(tokens);
    }
}
