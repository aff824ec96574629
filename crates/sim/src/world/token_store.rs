//! The simulated table of tokens: keeps the port's laws under every fault. Clones are connections to one database.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use jiff::Timestamp;
use ttm_kernel::{Clock, Epoch};
use ttm_market::{Added, Followed, Mint, Origin, Token, TokenStatus, TokenStore, TokenStoreError};

use super::store::{Away, Server};
use crate::executor::lock;
use crate::{FaultSchedule, SimRuntime};

/// The store.
#[derive(Clone, Debug)]
pub struct SimTokenStore {
    server: Server,
    database: Arc<Mutex<Database>>,
}

#[derive(Debug, Default)]
struct Database {
    tokens: BTreeMap<Mint, Token>,
    /// Who owns what was not added by hand.
    owners: BTreeMap<Mint, Origin>,
    epoch: u64,
    revision: u64,
}

impl SimTokenStore {
    /// A store that holds these mints.
    pub fn new(mints: &[Mint], runtime: &SimRuntime, faults: &Arc<FaultSchedule>) -> Self {
        let mut database = Database::default();
        database.add(mints, runtime.wall());
        Self { server: Server::new(runtime, faults), database: Arc::new(Mutex::new(database)) }
    }

    /// Whether a newer writer took over, without asking the server.
    pub(super) fn is_fenced(&self, epoch: Epoch) -> bool {
        epoch.number() < lock(&self.database).epoch
    }

    /// What is durable now, without asking the server.
    pub fn durable(&self) -> Vec<Token> {
        lock(&self.database).tokens.values().cloned().collect()
    }
}

impl Database {
    fn claim(&mut self) -> Epoch {
        self.epoch += 1;
        Epoch::new(self.epoch)
    }

    fn save(&mut self, epoch: Epoch, tokens: &[Token]) -> Result<(), TokenStoreError> {
        if epoch.number() < self.epoch {
            return Err(TokenStoreError::Fenced { epoch });
        }
        for token in tokens {
            if let Some(kept) = self.tokens.get_mut(&token.mint) {
                kept.clone_from(token);
            }
        }
        Ok(())
    }

    fn add(&mut self, mints: &[Mint], at: Timestamp) -> Added {
        let mut added = Added { new: 0, revived: 0, known: 0 };
        for mint in mints.iter().collect::<BTreeSet<_>>() {
            self.owners.remove(mint);
            match self.tokens.get_mut(mint) {
                None => {
                    self.tokens.insert(*mint, Token::new(*mint, at));
                    added.new += 1;
                }
                Some(token) if token.status == TokenStatus::Archived => {
                    token.status = TokenStatus::Monitored;
                    added.revived += 1;
                }
                Some(_) => added.known += 1,
            }
        }
        self.revision += u64::from(added.new + added.revived > 0);
        added
    }

    fn remove(&mut self, mints: &[Mint]) -> u64 {
        let mut removed = 0;
        for mint in mints {
            self.owners.remove(mint);
            removed += u64::from(self.tokens.remove(mint).is_some());
        }
        self.revision += u64::from(removed > 0);
        removed
    }

    fn follow(&mut self, origin: Origin, mints: &[Mint], at: Timestamp) -> Followed {
        let listed: BTreeSet<Mint> = mints.iter().copied().collect();
        let owned: BTreeSet<Mint> = self.owned(origin).collect();
        let kept = owned.intersection(&listed).count() as u64;
        let mut followed = Followed { kept, ..Followed::default() };
        for mint in owned.difference(&listed) {
            self.tokens.remove(mint);
            self.owners.remove(mint);
            followed.removed += 1;
        }
        for mint in listed.difference(&owned) {
            if self.tokens.contains_key(mint) {
                followed.others += 1;
            } else {
                self.tokens.insert(*mint, Token::new(*mint, at));
                self.owners.insert(*mint, origin);
                followed.added += 1;
            }
        }
        self.revision += u64::from(followed.added + followed.removed > 0);
        followed
    }

    fn owned(&self, origin: Origin) -> impl Iterator<Item = Mint> {
        self.owners.iter().filter(move |(_, owner)| **owner == origin).map(|(mint, _)| *mint)
    }
}

#[async_trait]
impl TokenStore for SimTokenStore {
    async fn claim(&self) -> Result<Epoch, TokenStoreError> {
        let epoch = self.server.write(|| lock(&self.database).claim()).await?;
        self.server.runtime().trace(format_args!("tokens are claimed under epoch {epoch}"));
        Ok(epoch)
    }

    async fn load(&self, after: Option<Mint>, limit: usize) -> Result<Vec<Token>, TokenStoreError> {
        self.server.read().await?;
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let database = lock(&self.database);
        Ok(database
            .tokens
            .range((from, Bound::Unbounded))
            .take(limit)
            .map(|(_, token)| token.clone())
            .collect())
    }

    async fn save(&self, epoch: Epoch, tokens: &[Token]) -> Result<(), TokenStoreError> {
        self.server.write(|| lock(&self.database).save(epoch, tokens)).await??;
        self.server.runtime().trace(format_args!("store saves {} tokens", tokens.len()));
        Ok(())
    }

    async fn add(&self, mints: &[Mint], at: Timestamp) -> Result<Added, TokenStoreError> {
        Ok(self.server.write(|| lock(&self.database).add(mints, at)).await?)
    }

    async fn remove(&self, mints: &[Mint]) -> Result<u64, TokenStoreError> {
        Ok(self.server.write(|| lock(&self.database).remove(mints)).await?)
    }

    async fn follow(
        &self,
        origin: Origin,
        mints: &[Mint],
        at: Timestamp,
    ) -> Result<Followed, TokenStoreError> {
        Ok(self.server.write(|| lock(&self.database).follow(origin, mints, at)).await?)
    }

    async fn owned(&self, origin: Origin) -> Result<u64, TokenStoreError> {
        self.server.read().await?;
        Ok(lock(&self.database).owned(origin).count() as u64)
    }

    async fn revision(&self) -> Result<u64, TokenStoreError> {
        self.server.read().await?;
        Ok(lock(&self.database).revision)
    }
}

impl From<Away> for TokenStoreError {
    fn from(Away(message): Away) -> Self {
        Self::Transient { message: message.to_owned() }
    }
}
