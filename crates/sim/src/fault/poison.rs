//! Poisoned mints: every request that includes one fails. A hash of the mint decides whether and how, so they are the
//! same ones in every request and every run.

use std::time::Duration;

use ttm_kernel::Moment;
use ttm_market::Mint;

use super::{ExchangeFault, Fault, FaultKind, FaultSchedule, Percent};

/// The longest default rest of a key that failed in a request of its own, plus the wait for its turn in a round.
const LONGEST_REST: Duration = Duration::from_mins(63);

/// How the requests for a poisoned mint fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Poison {
    /// 400: the server rejects the request.
    Refused,
    /// 500: the server fails on it.
    ServerError,
    /// 200 with a body that cannot be decoded.
    Undecodable,
}

impl Poison {
    /// How requests for `mint` fail if this share of all mints is poisoned; `None` if they do not.
    pub fn of(mint: &Mint, share: Percent) -> Option<Self> {
        // FNV-1a instead of a random draw, so that other draws do not change which mints are poisoned.
        let fold = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        let hash = mint.as_bytes().iter().fold(0xcbf2_9ce4_8422_2325, fold) >> 16;
        let ways = [Self::Refused, Self::ServerError, Self::Undecodable];
        let way = ways[usize::try_from(hash / 100 % 3).unwrap_or(0)];
        (hash % 100 < u64::from(share)).then_some(way)
    }
}

impl Fault {
    /// The share of mints that it poisons.
    fn poisons(&self) -> Option<Percent> {
        match self.kind {
            FaultKind::Exchange(ExchangeFault::Poison(share)) => Some(share),
            _ => None,
        }
    }
}

impl FaultSchedule {
    /// The share of mints that need not be fresh at `now`: the poisoned ones, and those that may still rest because
    /// they were. Any fault that is active when such a mint is requested again may make it rest again.
    pub fn excused(&self, now: Moment) -> Percent {
        let (mut share, mut until) = (0, Moment::ZERO);
        for fault in self.faults().iter().filter(|fault| fault.begins() <= now) {
            if let Some(poisoned) = fault.poisons() {
                share = if fault.begins() < until { poisoned.max(share) } else { poisoned };
                until = until.max(fault.until() + LONGEST_REST);
            } else if fault.begins() < until {
                until = until.max(fault.until() + LONGEST_REST);
            }
        }
        if now < until { share } else { 0 }
    }

    /// Whether poison has been the only fault since `since`, and has been active.
    pub fn is_poison_alone(&self, since: Moment, now: Moment) -> bool {
        let is_poison = |kind| matches!(kind, FaultKind::Exchange(ExchangeFault::Poison(_)));
        self.any_between(since, now, is_poison) && !self.any_between(since, now, |kind| !is_poison(kind))
    }
}

#[cfg(test)]
mod tests {
    use ttm_market::synthetic::SyntheticMarket;

    use super::*;

    #[test]
    fn the_given_share_is_poisoned_and_in_every_way() {
        let mints: Vec<Mint> = SyntheticMarket::new(1, 1_000).mints().collect();
        let poisoned: Vec<Poison> = mints.iter().filter_map(|mint| Poison::of(mint, 10)).collect();
        assert!((60..140).contains(&poisoned.len()), "{}", poisoned.len());
        for way in [Poison::Refused, Poison::ServerError, Poison::Undecodable] {
            assert!(poisoned.contains(&way), "{way:?}");
        }
        assert!(mints.iter().all(|mint| Poison::of(mint, 0).is_none() && Poison::of(mint, 100).is_some()));
    }

    #[test]
    fn a_mint_is_excused_while_it_is_poisoned_and_while_it_may_rest() {
        let line = "at 1h for 10m api-poison=10%; at 2h for 1m kill; at 4h for 1m kill";
        let faults: FaultSchedule = line.parse().expect("a schedule");
        let at = |minutes| Moment::from_origin(Duration::from_mins(minutes));
        let excused = [59, 60, 70, 130, 183, 184, 241].map(|minutes| faults.excused(at(minutes)));
        assert_eq!(excused, [0, 10, 10, 10, 10, 0, 0]);
        assert!(faults.is_poison_alone(at(55), at(65)) && !faults.is_poison_alone(at(65), at(120)));
    }
}
