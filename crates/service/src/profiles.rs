//! Follows the tokens whose projects have just described themselves to the API. The API shows only the newest of them, so
//! the set is kept here: a token stays in it until the market has archived it, or the API has not known it for an hour.
//! It has a budget and a breaker of its own, and decides nothing of what happens to a token.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use ttm_breaker::{RejectReason, Rejected};
use ttm_guard::GuardError;
use ttm_health::Commands;
use ttm_market::{
    Listing, Mint, Origin, ProfileSource, TokenSource, TokenSourceError, TokenStatus, TokenStore,
};

use super::board::Board;
use super::breakers::PROFILES;
use super::caller::{CallError, Caller, disposition};
use super::settings::ServiceSettings;
use crate::ports::Ports;

/// So many times in a row not known to the API is an hour without it: 1, 2, 4, 8, 16 and 32 minutes lie between them.
const GIVEN_UP_AFTER: u32 = 7;

/// The tokens that had a new profile.
pub(super) struct Profiles {
    source: Arc<dyn ProfileSource>,
    caller: Caller,
    store: Arc<dyn TokenStore>,
    board: Arc<Board>,
    limit: usize,
    commands: Commands,
    /// Why there was no answer. While the breaker keeps calls away that is still the reason.
    problem: Mutex<String>,
}

impl Profiles {
    /// A source of the tokens that this one shows.
    pub(super) fn new(
        source: Arc<dyn ProfileSource>,
        caller: Caller,
        ports: &Ports,
        settings: &ServiceSettings,
        board: &Arc<Board>,
    ) -> Self {
        Self {
            source,
            caller: caller.without_figures(),
            store: ports.tokens.clone(),
            board: board.clone(),
            limit: settings.profiles_limit,
            commands: settings.commands.clone(),
            problem: Mutex::new("no answer yet".to_owned()),
        }
    }

    /// Whether nothing is to be expected of a token any more.
    fn is_over(&self, mint: &Mint) -> bool {
        self.board.token(mint).is_some_and(|token| {
            token.status == TokenStatus::Archived
                || token.unlisted.is_some_and(|unlisted| unlisted.misses >= GIVEN_UP_AFTER)
        })
    }

    fn failed(&self, error: &CallError) -> TokenSourceError {
        let mut problem = self.problem.lock();
        match error {
            GuardError::Failed { error, .. } => *problem = error.to_string(),
            GuardError::TimedOut { .. } => "no answer in time".clone_into(&mut problem),
            GuardError::Rejected(Rejected { reason: RejectReason::ForcedOpen, .. }) => {
                *problem = self.commands.held_open(PROFILES);
            }
            GuardError::Rejected(_) | GuardError::Throttled { .. } => {}
        }
        TokenSourceError::Transient { message: format!("token profiles: {problem}") }
    }
}

#[async_trait]
impl TokenSource for Profiles {
    fn origin(&self) -> Origin {
        const { Origin::new(PROFILES) }
    }

    async fn list(&self) -> Result<Listing, TokenSourceError> {
        let latest =
            self.caller.call(None, "token-profiles", disposition, || self.source.latest_profiles()).await;
        let Listing { mints: latest, unusable } = latest.map_err(|error| self.failed(&error))?;
        let followed = self.store.owned(self.origin()).await;
        let followed: BTreeSet<Mint> = followed
            .map_err(|error| TokenSourceError::Transient { message: format!("token profiles: {error}") })?
            .into_iter()
            .collect();
        let new: Vec<Mint> = latest.difference(&followed).copied().collect();
        // What is shown right now stays whatever it is: dropped, it would be new again at once, and looked up for nothing.
        let mut mints = followed;
        mints.retain(|mint| latest.contains(mint) || !self.is_over(mint));
        mints.extend(new.into_iter().take(self.limit.saturating_sub(mints.len())));
        Ok(Listing { mints, unusable })
    }
}

#[cfg(test)]
mod tests;
