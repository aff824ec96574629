//! The full lists of tokens' pools, while they may be scored from, in bounded memory: beyond the capacity the oldest go first.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::{Mint, Pair};

/// Lists by token; the oldest go first when they take too much.
#[derive(Clone, Debug)]
pub(super) struct PoolLists {
    capacity: usize,
    bytes: usize,
    lists: BTreeMap<Mint, PoolList>,
    /// The lists with pools in them, by their time.
    order: BTreeSet<(Timestamp, Mint)>,
}

/// A list as asked for at one time, with pools that were refreshed since.
#[derive(Clone, Debug)]
pub(super) struct PoolList {
    listed_at: Timestamp,
    pools: Vec<Pair>,
    bytes: usize,
}

impl PoolLists {
    pub(super) const fn new(capacity: usize) -> Self {
        Self { capacity, bytes: 0, lists: BTreeMap::new(), order: BTreeSet::new() }
    }

    /// Roughly how many bytes all pools take.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn remove(&mut self, mint: &Mint) {
        if let Some(list) = self.lists.remove(mint) {
            self.bytes -= list.bytes;
            self.order.remove(&(list.listed_at, *mint));
        }
    }

    /// Whether a list was fetched less than `than` ago, even if its pools are dropped.
    pub(super) fn is_young(&self, mint: &Mint, now: Timestamp, than: Duration) -> bool {
        let age = self.lists.get(mint).map(|list| now.duration_since(list.listed_at).abs());
        age.is_some_and(|age| age <= signed(than))
    }

    /// Puts a list in that was just fetched, and lets go of the oldest ones when they are too much.
    pub(super) fn insert(&mut self, mint: Mint, pools: &[Pair], now: Timestamp) {
        self.remove(&mint);
        let list = PoolList { listed_at: now, bytes: bytes_of(pools), pools: pools.to_vec() };
        self.bytes += list.bytes;
        self.lists.insert(mint, list);
        self.order.insert((now, mint));
        self.make_room();
    }

    /// Replaces the capacity; beyond it the oldest lists go.
    pub(super) fn set_capacity(&mut self, bytes: usize) {
        self.capacity = bytes;
        self.make_room();
    }

    fn make_room(&mut self) {
        while self.bytes > self.capacity
            && let Some((_, oldest)) = self.order.pop_first()
        {
            let list = self.lists.get_mut(&oldest).expect("what is in order is there");
            self.bytes -= list.expire();
        }
    }

    /// The list of a token with these pools in place of what was known of them, if it has one that counts.
    pub(super) fn refresh(
        &mut self,
        mint: &Mint,
        newer: &[Pair],
        now: Timestamp,
        max_age: Duration,
    ) -> Option<&PoolList> {
        let list = self.lists.get_mut(mint)?;
        let before = list.bytes;
        let counts = list.counts(now, max_age);
        if counts {
            list.refresh(newer);
        } else {
            self.order.remove(&(list.listed_at, *mint));
            list.expire();
        }
        self.bytes = self.bytes + list.bytes - before;
        counts.then_some(list)
    }
}

impl PoolList {
    /// When it was fetched.
    pub(super) const fn listed_at(&self) -> Timestamp {
        self.listed_at
    }

    /// The pools, each as last seen.
    pub(super) fn pools(&self) -> &[Pair] {
        &self.pools
    }

    /// Whether it still stands at `now`. One from the future counts as long as one from the past, so that neither a
    /// small nor a large step of the clock back makes it last longer than twice its time.
    pub(super) fn counts(&self, now: Timestamp, max_age: Duration) -> bool {
        !self.pools.is_empty() && now.duration_since(self.listed_at).abs() <= signed(max_age)
    }

    fn refresh(&mut self, newer: &[Pair]) {
        for pair in newer {
            match self.pools.iter_mut().find(|pool| pool.address == pair.address) {
                Some(pool) => pool.clone_from(pair),
                None => self.pools.push(pair.clone()),
            }
        }
        self.bytes = bytes_of(&self.pools);
    }

    /// Gives the memory back and stops counting; when it was fetched is still known. How many bytes that were.
    fn expire(&mut self) -> usize {
        self.pools = Vec::new();
        std::mem::take(&mut self.bytes)
    }
}

/// The size of pools, without the allocator's overhead.
fn bytes_of(pools: &[Pair]) -> usize {
    let texts = |pair: &Pair| pair.address.len() + pair.dex.len() + pair.base.symbol.len();
    pools.iter().map(|pair| size_of::<Pair>() + texts(pair)).sum()
}

/// The duration with a sign; the longest one where it does not fit, which no time in the calendar reaches.
pub(super) fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{TokenRef, Trades};

    fn pool(address: &str, dex: &str, symbol: &str) -> Pair {
        Pair {
            address: address.into(),
            dex: dex.into(),
            base: TokenRef { mint: Mint::WSOL, symbol: symbol.into() },
            quote: Mint::USDC,
            price_usd: None,
            trades_5m: Trades::default(),
            trades_1h: Trades::default(),
            volume_5m_usd: 0.0,
            volume_1h_usd: 0.0,
            liquidity_usd: None,
            created_at: None,
        }
    }

    #[test]
    fn a_list_takes_what_its_pools_take_and_a_pool_its_own_size_and_that_of_each_text() {
        let of = |address, dex, symbol| bytes_of(&[pool(address, dex, symbol)]);
        let least = of("", "", "");
        assert!(least >= size_of::<Pair>(), "{least}");
        let longer =
            [of("12345", "", ""), of("", "1234567", ""), of("", "", "123"), of("12345", "1234567", "123")];
        assert_eq!(longer.map(|bytes| bytes - least), [5, 7, 3, 15]);
        let two = [pool("12345", "", "123"), pool("", "1234567", "")];
        assert_eq!(bytes_of(&two), bytes_of(&two[..1]) + bytes_of(&two[1..]));
        assert_eq!(bytes_of(&[]), 0);
    }
}
