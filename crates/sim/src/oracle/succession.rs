//! Of several processes on one store one works at a time: who was told that it may, who was granted which epoch, whose
//! writes were accepted, and who still asks the API. It knows no lease and no store: it is told what each says to whom.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use parking_lot::Mutex;
use ttm_kernel::{Epoch, Moment};
use ttm_market::{Mint, Token};

/// A lease lasts this long, so whoever lost it without a word stops asking after as long, and
const TTL: Duration = Duration::from_secs(15);
/// one tick of the hot group, whose request may be on its way.
const TICK: Duration = Duration::from_secs(10);

/// What became of the store's owners.
#[derive(Debug, Default)]
pub struct Succession(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    processes: BTreeMap<u64, Claimant>,
    /// Who was granted the lease last, and when.
    granted: Option<u64>,
    granted_at: Moment,
    refusals: u32,
    /// Who claimed each epoch.
    epochs: BTreeMap<u64, u32>,
    /// Who claimed the newest one, and when.
    newest: Option<(u64, u32, Moment)>,
    /// When each token had been scored whose state was acknowledged last.
    acknowledged: BTreeMap<Mint, Timestamp>,
}

/// A process that asked for the lease.
#[derive(Clone, Copy, Debug, Default)]
struct Claimant {
    /// Until when it was told that the lease is its own.
    until: Moment,
    /// When its last attempt was over.
    asked: Option<Moment>,
    /// Who had the lease when it was refused.
    refused_for: Option<u64>,
    /// Whether the lease went to another after it.
    is_superseded: bool,
}

impl Succession {
    /// A process has the lease from now on, in place of any other.
    ///
    /// # Errors
    /// When another was told that it is its own.
    pub fn granted(&self, process: u64, now: Moment) -> Result<(), String> {
        let mut known = self.0.lock();
        let before = known.granted.replace(process);
        known.granted_at = now;
        let mut found = Ok(());
        for (other, claimant) in &mut known.processes {
            if *other != process && claimant.until > now {
                found = Err(format!("process {process} has the lease that process {other} holds"));
            }
            claimant.is_superseded |= Some(*other) == before && *other != process;
        }
        found
    }

    /// When the lease went to another the last time.
    pub fn granted_at(&self) -> Moment {
        self.0.lock().granted_at
    }

    /// A process heard that the lease is its own until then.
    pub fn told(&self, process: u64, until: Moment) {
        self.0.lock().processes.entry(process).or_default().until = until;
    }

    /// An attempt of a process to get or to keep the lease is over, whatever came of it.
    pub fn asked(&self, process: u64, now: Moment) {
        self.0.lock().processes.entry(process).or_default().asked = Some(now);
    }

    /// A process was told that another has the lease.
    pub fn refused(&self, process: u64) {
        let mut known = self.0.lock();
        let holder = known.granted;
        known.refusals += 1;
        known.processes.entry(process).or_default().refused_for = holder;
    }

    /// A process gives the lease up, or is gone.
    pub fn released(&self, process: u64) {
        if let Some(claimant) = self.0.lock().processes.get_mut(&process) {
            claimant.until = Moment::ZERO;
        }
    }

    /// How often a process was refused.
    pub fn refusals(&self) -> u32 {
        self.0.lock().refusals
    }

    /// Who had the lease when this process was refused it.
    pub fn refused_for(&self, process: u64) -> Option<u64> {
        self.0.lock().processes.get(&process)?.refused_for
    }

    /// Whether the lease went to another after this process.
    pub fn is_superseded(&self, process: u64) -> bool {
        self.0.lock().processes.get(&process).is_some_and(|claimant| claimant.is_superseded)
    }

    /// A process claimed an epoch. Process 0 is the world, and may do anything.
    ///
    /// # Errors
    /// When another has it.
    pub fn claimed(&self, process: u32, epoch: Epoch, now: Moment) -> Result<(), String> {
        let mut known = self.0.lock();
        known.newest = Some((epoch.number(), process, now));
        match known.epochs.insert(epoch.number(), process) {
            Some(other) if process != 0 => {
                Err(format!("epoch {epoch} is granted to processes {other} and {process}"))
            }
            _ => Ok(()),
        }
    }

    /// A write of a process under an epoch was accepted.
    ///
    /// # Errors
    /// When it had to be refused.
    pub fn wrote(&self, process: u32, epoch: Epoch) -> Result<(), String> {
        let known = self.0.lock();
        if process == 0 {
            return Ok(());
        }
        if known.epochs.get(&epoch.number()) != Some(&process) {
            return Err(format!(
                "a write of process {process} was accepted under the epoch {epoch} of another"
            ));
        }
        match known.newest {
            Some((newest, ..)) if newest > epoch.number() => {
                Err(format!("a write under epoch {epoch} was accepted after {newest} was claimed"))
            }
            _ => Ok(()),
        }
    }

    /// The state of some tokens was acknowledged.
    pub fn acknowledged(&self, tokens: &[Token]) {
        let mut known = self.0.lock();
        let scored = tokens.iter().filter_map(|token| Some((token.mint, token.score?.at)));
        known.acknowledged.extend(scored);
    }

    /// These tokens are stored. Only where no clock was set.
    ///
    /// # Errors
    /// The first of which a newer state was acknowledged.
    pub fn stored(&self, tokens: &[Token]) -> Result<(), String> {
        let known = self.0.lock();
        let is_older = |token: &&Token| {
            let told = known.acknowledged.get(&token.mint);
            told.is_some_and(|told| token.score.is_none_or(|score| score.at < *told))
        };
        match tokens.iter().find(is_older) {
            Some(token) => Err(format!("{} is stored older than it was acknowledged", token.mint)),
            None => Ok(()),
        }
    }

    /// A process asks the API, which `store_was_away` until then at the latest, if it was. Whether its successor cannot
    /// know of that, and the promise that it breaks.
    pub fn asks(&self, process: u32, store_was_away: Moment, now: Moment) -> (bool, Result<(), String>) {
        let known = self.0.lock();
        let Some(claimant) = known.processes.get(&u64::from(process)) else { return (false, Ok(())) };
        let last_word = claimant.asked.map_or(Moment::ZERO, |asked| asked.max(store_was_away));
        // One that never runs out needs no word.
        if claimant.until < Moment::MAX && now - last_word > TTL + TICK {
            let found = format!(
                "a request of process {process}, {:?} after the last word on its lease",
                now - last_word
            );
            return (false, Err(found));
        }
        match known.newest {
            Some((_, newest, since)) if newest != process && claimant.is_superseded => {
                let late = now - since.max(store_was_away);
                let found =
                    format!("a request of process {process}, {late:?} after process {newest} took over");
                (true, if late > TTL + TICK { Err(found) } else { Ok(()) })
            }
            _ => (false, Ok(())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::from_origin(Duration::from_secs(seconds))
    }

    #[test]
    fn a_lease_of_two_is_seen() {
        let seen = Succession::default();
        assert_eq!(seen.granted(1, at(0)), Ok(()));
        seen.told(1, at(14));
        assert!(seen.granted(2, at(13)).is_err());
        assert!(seen.is_superseded(1) && !seen.is_superseded(2));
        assert_eq!(seen.granted(3, at(15)), Ok(()));
    }

    #[test]
    fn a_write_of_the_older_and_an_epoch_of_two_are_seen() {
        let seen = Succession::default();
        let [first, second] = [1, 2].map(Epoch::new);
        assert_eq!(seen.claimed(1, first, at(0)), Ok(()));
        assert_eq!(seen.wrote(1, first), Ok(()));
        assert_eq!(seen.claimed(2, second, at(1)), Ok(()));
        assert!(seen.wrote(1, first).is_err());
        assert!(seen.wrote(1, second).is_err());
        assert!(seen.claimed(3, second, at(2)).is_err());
    }

    #[test]
    fn whoever_asks_on_without_a_word_on_its_lease_is_seen() {
        let seen = Succession::default();
        seen.granted(1, at(0)).expect("free");
        seen.asked(1, at(0));
        assert_eq!(seen.asks(1, Moment::ZERO, at(25)), (false, Ok(())));
        assert!(seen.asks(1, Moment::ZERO, at(26)).1.is_err());
        assert_eq!(seen.asks(1, at(20), at(26)), (false, Ok(())), "the store was away");
        seen.granted(2, at(30)).expect("it ran out");
        seen.claimed(2, Epoch::new(2), at(30)).expect("new");
        seen.asked(1, at(50));
        assert_eq!(seen.asks(1, Moment::ZERO, at(55)), (true, Ok(())));
        assert!(seen.asks(1, Moment::ZERO, at(56)).1.is_err());
    }
}
