//! Of several processes on one store one works at a time: which was granted the lease, which claimed which epoch,
//! whose writes were accepted, and which still makes requests. The lease, the stores and the API report to it, so it
//! sees whatever kind of lease and store is simulated.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use parking_lot::Mutex;
use ttm_kernel::{Epoch, Moment};
use ttm_market::{Mint, Token};

/// The TTL of a lease: a process that cannot reach its lease stops making requests after this,
const TTL: Duration = Duration::from_secs(15);
/// plus one tick of the hot group, whose request may be in flight.
const TICK: Duration = Duration::from_secs(10);

/// A store that did not answer an attempt excuses its process until the one after the next, with the deadlines of both.
const EXCUSE: Duration = Duration::from_secs(20);

/// Follows the processes that own the store, one after another.
#[derive(Debug, Default)]
pub struct Succession(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    processes: BTreeMap<u64, Claimant>,
    /// The process that was granted the lease last, and when.
    granted: Option<u64>,
    granted_at: Moment,
    refusals: u32,
    /// The process that claimed each epoch.
    epochs: BTreeMap<u64, u32>,
    /// The newest epoch, the process that claimed it, and when.
    newest: Option<(u64, u32, Moment)>,
    /// The time of the score in each token's last acknowledged state.
    acknowledged: BTreeMap<Mint, Timestamp>,
    /// Until when each lease stood that was renewed only later.
    lapses: Vec<Moment>,
}

/// A process that requested the lease.
#[derive(Clone, Copy, Debug, Default)]
struct Claimant {
    /// Until when it holds the lease, as far as it knows.
    until: Moment,
    /// When its last attempt to acquire or renew ended.
    attempted: Option<Moment>,
    /// When the last one that succeeded did.
    renewed: Option<Moment>,
    /// The holder when it was refused the lease.
    refused_for: Option<u64>,
    /// Whether the lease has gone to another process since.
    is_superseded: bool,
}

impl Succession {
    /// A process is granted the lease.
    ///
    /// # Errors
    /// If another process still holds it.
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

    /// When the lease last went to another process.
    pub fn granted_at(&self) -> Moment {
        self.0.lock().granted_at
    }

    /// A process learned that it holds the lease until then.
    pub fn holds_until(&self, process: u64, until: Moment, now: Moment) {
        let mut known = self.0.lock();
        let claimant = known.processes.entry(process).or_default();
        claimant.renewed = Some(now);
        let before = std::mem::replace(&mut claimant.until, until);
        if before != Moment::ZERO && before < now {
            known.lapses.push(before);
        }
    }

    /// When a lease ran out that its process, still there, renewed only later.
    pub fn lapses(&self) -> Vec<Moment> {
        self.0.lock().lapses.clone()
    }

    /// For how long the lease of a process has run out without an excuse: that the store did not answer the last attempt is one for
    /// some time.
    pub fn lapsed_for(&self, process: u64, at: Moment) -> Option<Duration> {
        let known = self.0.lock();
        let Claimant { until, attempted, renewed, .. } = *known.processes.get(&process)?;
        let excused_until = attempted.filter(|_| attempted != renewed).map(|attempted| attempted + EXCUSE);
        let from = until.max(excused_until.unwrap_or_default());
        (until != Moment::ZERO && from <= at).then(|| at - from)
    }

    /// A process's attempt to acquire or renew the lease ended, with any result.
    pub fn attempted(&self, process: u64, now: Moment) {
        self.0.lock().processes.entry(process).or_default().attempted = Some(now);
    }

    /// A process was refused the lease because another holds it.
    pub fn refused(&self, process: u64) {
        let mut known = self.0.lock();
        let holder = known.granted;
        known.refusals += 1;
        known.processes.entry(process).or_default().refused_for = holder;
    }

    /// A process releases the lease, or is gone.
    pub fn released(&self, process: u64) {
        if let Some(claimant) = self.0.lock().processes.get_mut(&process) {
            claimant.until = Moment::ZERO;
        }
    }

    /// How often a process was refused.
    pub fn refusals(&self) -> u32 {
        self.0.lock().refusals
    }

    /// The holder when this process was refused the lease; `None` if it was not.
    pub fn refused_for(&self, process: u64) -> Option<u64> {
        self.0.lock().processes.get(&process)?.refused_for
    }

    /// Whether the lease has gone from this process to another.
    pub fn is_superseded(&self, process: u64) -> bool {
        self.0.lock().processes.get(&process).is_some_and(|claimant| claimant.is_superseded)
    }

    /// A process claimed an epoch. Process 0 stands for the world, which may do anything.
    ///
    /// # Errors
    /// If another process was granted the same epoch.
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

    /// A process's write under an epoch was accepted.
    ///
    /// # Errors
    /// If it should have been refused.
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

    /// The states of some tokens were acknowledged to their writer.
    pub fn acknowledged(&self, tokens: &[Token]) {
        let mut known = self.0.lock();
        let scored = tokens.iter().filter_map(|token| Some((token.mint, token.score?.at)));
        known.acknowledged.extend(scored);
    }

    /// These tokens are stored. Call this only if the wall clock does not step.
    ///
    /// # Errors
    /// The first token whose stored state is older than its acknowledged one.
    pub fn stored(&self, tokens: &[Token]) -> Result<(), String> {
        let known = self.0.lock();
        let is_older = |token: &&Token| {
            let acknowledged = known.acknowledged.get(&token.mint);
            acknowledged.is_some_and(|at| token.score.is_none_or(|score| score.at < *at))
        };
        match tokens.iter().find(is_older) {
            Some(token) => Err(format!("{} is stored older than it was acknowledged", token.mint)),
            None => Ok(()),
        }
    }

    /// A process makes a request to the API; `store_was_away` is when the last outage of the lease ended. Returns
    /// whether the process's successor cannot know of the request.
    ///
    /// # Errors
    /// Beside that, the promise that the request breaks.
    pub fn requests(&self, process: u32, store_was_away: Moment, now: Moment) -> (bool, Result<(), String>) {
        let known = self.0.lock();
        let Some(claimant) = known.processes.get(&u64::from(process)) else { return (false, Ok(())) };
        let last_contact = claimant.attempted.map_or(Moment::ZERO, |ended| ended.max(store_was_away));
        // A lease that never expires needs no renewal.
        if claimant.until < Moment::MAX && now - last_contact > TTL + TICK {
            let found = format!(
                "a request of process {process}, {:?} after it last reached its lease",
                now - last_contact
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
    fn a_lease_with_two_holders_is_detected() {
        let succession = Succession::default();
        assert_eq!(succession.granted(1, at(0)), Ok(()));
        succession.holds_until(1, at(14), at(0));
        assert!(succession.granted(2, at(13)).is_err());
        assert!(succession.is_superseded(1) && !succession.is_superseded(2));
        assert_eq!(succession.granted(3, at(15)), Ok(()));
    }

    #[test]
    fn a_lease_that_runs_out_under_its_holder_is_noted() {
        let succession = Succession::default();
        succession.holds_until(1, at(14), at(0));
        succession.holds_until(1, at(28), at(14));
        succession.holds_until(1, at(43), at(29));
        assert_eq!(succession.lapses(), [at(28)]);
        succession.released(1);
        succession.holds_until(1, at(80), at(66));
        assert_eq!(succession.lapses(), [at(28)]);
    }

    #[test]
    fn a_lease_has_lapsed_once_nothing_excuses_it() {
        let succession = Succession::default();
        assert_eq!(succession.lapsed_for(1, at(100)), None);
        succession.holds_until(1, at(14), at(0));
        succession.attempted(1, at(0));
        assert_eq!(succession.lapsed_for(1, at(13)), None);
        assert_eq!(succession.lapsed_for(1, at(20)), Some(Duration::from_secs(6)));
        succession.attempted(1, at(10));
        assert_eq!(succession.lapsed_for(1, at(29)), None, "the store did not answer");
        assert_eq!(succession.lapsed_for(1, at(36)), Some(Duration::from_secs(6)));
        succession.released(1);
        assert_eq!(succession.lapsed_for(1, at(36)), None);
    }

    #[test]
    fn a_write_under_an_older_epoch_and_a_duplicate_epoch_are_detected() {
        let succession = Succession::default();
        let [first, second] = [1, 2].map(Epoch::new);
        assert_eq!(succession.claimed(1, first, at(0)), Ok(()));
        assert_eq!(succession.wrote(1, first), Ok(()));
        assert_eq!(succession.claimed(2, second, at(1)), Ok(()));
        assert!(succession.wrote(1, first).is_err());
        assert!(succession.wrote(1, second).is_err());
        assert!(succession.claimed(3, second, at(2)).is_err());
    }

    #[test]
    fn a_process_that_makes_requests_without_reaching_its_lease_is_detected() {
        let succession = Succession::default();
        succession.granted(1, at(0)).expect("free");
        succession.attempted(1, at(0));
        assert_eq!(succession.requests(1, Moment::ZERO, at(25)), (false, Ok(())));
        assert!(succession.requests(1, Moment::ZERO, at(26)).1.is_err());
        assert_eq!(succession.requests(1, at(20), at(26)), (false, Ok(())), "the store was away");
        succession.granted(2, at(30)).expect("it expired");
        succession.claimed(2, Epoch::new(2), at(30)).expect("new");
        succession.attempted(1, at(50));
        assert_eq!(succession.requests(1, Moment::ZERO, at(55)), (true, Ok(())));
        assert!(succession.requests(1, Moment::ZERO, at(56)).1.is_err());
    }
}
