//! How each use of a store went last. Each has a state of its own: reads that work say nothing about writes, nor one table
//! about another, so none can hide what is wrong with the next.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use parking_lot::Mutex;
use ttm_health::{StoreCall, StoreUseFacts};
use ttm_kernel::{Moment, StoreError, StoreErrorKind};

use super::gist::gist;
use crate::databases::Databases;
use crate::settings::{METRICS, STORE};
use crate::tally::Tally;

/// What a store is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StoreUse {
    /// Looking for edits of the set of tokens.
    TokenReads,
    /// The newest states of tokens.
    TokenWrites,
    /// Following the lists of tokens that others keep.
    Listings,
    /// The breaker's state.
    Breakers,
    /// Samples.
    Samples,
    /// Events.
    Events,
    /// The ledger of recoveries.
    Recoveries,
    /// The states of alerts, and the messages that wait.
    Alerts,
    /// Keeping the lease.
    Lease,
}

impl StoreUse {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::TokenReads,
        Self::TokenWrites,
        Self::Listings,
        Self::Breakers,
        Self::Samples,
        Self::Events,
        Self::Recoveries,
        Self::Alerts,
        Self::Lease,
    ];

    /// In words, for people; also a label of metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TokenReads => "token reads",
            Self::TokenWrites => "token writes",
            Self::Listings => "token lists",
            Self::Breakers => "breaker state",
            Self::Samples => "samples",
            Self::Events => "events",
            Self::Recoveries => "recoveries",
            Self::Alerts => "alerts",
            Self::Lease => "lease",
        }
    }

    /// Which store that is, as parts depend on it.
    pub(crate) const fn store(self) -> &'static str {
        match self {
            Self::Samples | Self::Events => METRICS,
            Self::TokenReads
            | Self::TokenWrites
            | Self::Listings
            | Self::Breakers
            | Self::Recoveries
            | Self::Alerts
            | Self::Lease => STORE,
        }
    }

    /// Whether it belongs to the history, which may have a database of its own.
    fn is_of_history(self) -> bool {
        self.store() == METRICS
    }

    /// The store of the use with this name.
    pub(crate) fn store_of(name: &str) -> Option<&'static str> {
        Self::ALL.into_iter().find(|each| each.as_str() == name).map(Self::store)
    }
}

/// What an operator must mend before it is used again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The use that met it first.
    pub met_by: StoreUse,
    /// That use, and what the store said to it.
    pub why: String,
}

impl Damage {
    /// Whether it is in the history, and the history has a database of its own.
    pub fn is_of_history_alone(&self, databases: &Databases) -> bool {
        databases.are_two() && self.met_by.is_of_history()
    }
}

#[derive(Debug, Default)]
struct State {
    /// Since when it fails. `None` if it answers.
    down: Option<(Moment, Timestamp)>,
    last_error: Option<String>,
    /// What an operator is called for.
    call: Option<StoreCall>,
    gave_up: bool,
    /// What was dropped since the start, and when that last became more.
    dropped: u64,
    dropped_at: Option<Moment>,
    /// Rows that could not be read, and what is wrong with the first.
    unreadable: Option<(u64, String)>,
}

/// How long a loss is worth a critical status after it happened.
const LOSS: Duration = Duration::from_mins(1);

/// How many rows that cannot be read are named in the log.
const MOST_NAMED: usize = 20;

/// The states of all uses. What changes is logged once, here. Every change is an assignment, so a panic under the lock leaves
/// the states whole.
#[derive(Debug, Default)]
pub(super) struct Stores {
    databases: Databases,
    states: Mutex<States>,
    tally: Arc<Tally>,
}

#[derive(Debug, Default)]
struct States {
    uses: BTreeMap<StoreUse, State>,
    /// What the first use of each database met that is damage. No use of that database touches it from then on.
    damage: Vec<Damage>,
}

impl Stores {
    /// Nothing was used yet.
    pub(super) fn new(databases: Databases, tally: &Arc<Tally>) -> Self {
        Self { databases, states: Mutex::default(), tally: tally.clone() }
    }

    /// It did what it was asked to.
    pub(super) fn answered(&self, what: StoreUse, now: Moment) {
        let mut states = self.states.lock();
        let state = states.uses.entry(what).or_default();
        state.call = None;
        if !state.gave_up {
            state.last_error = None;
        }
        if let Some((since, wall)) = state.down.take() {
            let down_s = (now - since).as_secs_f64();
            let database = self.databases.of(what.is_of_history());
            tracing::info!(store = what.as_str(), database, down_since = %wall, down_s, "the store answers again");
        }
    }

    /// It did not. One that is damaged is not tried again before an operator has looked.
    pub(super) fn failed(&self, what: StoreUse, error: &StoreError, now: Moment, wall: Timestamp) {
        self.tally.count("resource.store_errors", &[&what.as_str().replace(' ', "-")], 1);
        let mut states = self.states.lock();
        let state = states.uses.entry(what).or_default();
        let (message, code, doing) = (error.said(), error.code(), error.doing());
        let database = self.databases.of(what.is_of_history());
        // What is damaged stays so for every later use, even where another part of it can still be read.
        let gives_up = error.kind() == StoreErrorKind::Corrupt && !state.gave_up;
        let is_new = state.down.is_none();
        state.down.get_or_insert((now, wall));
        if gives_up {
            state.gave_up = true;
            tracing::error!(
                store = what.as_str(),
                database,
                error = message,
                code,
                doing,
                "given up: mend the store, then restart this process"
            );
        } else if is_new {
            tracing::warn!(
                store = what.as_str(),
                database,
                error = message,
                code,
                doing,
                "the store failed; what is to be stored is kept"
            );
        } else if state.last_error.as_deref().map(gist) != Some(gist(&message)) {
            tracing::warn!(
                store = what.as_str(),
                database,
                error = message,
                code,
                doing,
                "the store still fails, for another reason"
            );
        }
        state.call = match error.kind() {
            StoreErrorKind::Unauthenticated => Some(StoreCall::Unauthenticated),
            _ if what == StoreUse::Lease && error.needs_a_person() => Some(StoreCall::Unguarded),
            _ => None,
        };
        state.last_error = Some(message.clone());
        let is_known = |damage: &Damage| self.share(damage.met_by, what);
        if state.gave_up && !states.damage.iter().any(is_known) {
            states.damage.push(Damage { met_by: what, why: format!("{}: {message}", what.as_str()) });
        }
    }

    /// So much of what it should store was dropped since the start.
    pub(super) fn dropped(&self, what: StoreUse, dropped: u64, now: Moment) {
        let mut states = self.states.lock();
        // That nothing was dropped does not mean that it was used.
        if dropped > states.uses.get(&what).map_or(0, |state| state.dropped) {
            let state = states.uses.entry(what).or_default();
            (state.dropped, state.dropped_at) = (dropped, Some(now));
        }
    }

    /// Rows that no process of this release can have written, by what is wrong with each. What they say has no effect until they are
    /// mended and read by another process.
    pub(super) fn unreadable(&self, what: StoreUse, rows: &[String]) {
        let Some(first) = rows.first() else { return };
        for row in rows.iter().take(MOST_NAMED) {
            tracing::error!(store = what.as_str(), row, "a row cannot be read, and is left as it is");
        }
        let count = rows.len() as u64;
        tracing::error!(
            store = what.as_str(),
            rows = count,
            "rows without effect: mend or delete them, and restart"
        );
        self.states.lock().uses.entry(what).or_default().unreadable = Some((count, first.clone()));
    }

    /// What must be mended, by whichever use met it first. Damage to the state comes before damage to the history.
    pub(super) fn given_up(&self) -> Option<Damage> {
        let states = self.states.lock();
        states.damage.iter().min_by_key(|damage| damage.met_by.is_of_history()).cloned()
    }

    /// Whether the history has a database of its own.
    pub(super) fn are_two(&self) -> bool {
        self.databases.are_two()
    }

    /// Whether damage that one use met is damage to the other.
    fn share(&self, one: StoreUse, other: StoreUse) -> bool {
        !self.are_two() || one.is_of_history() == other.is_of_history()
    }

    /// Whether a use may still ask the store. Damage that another one met holds for it too, and it is given up with that.
    pub(super) fn may_ask(&self, what: StoreUse, now: Moment, wall: Timestamp) -> Result<(), StoreError> {
        let is_shared = |damage: &&Damage| self.share(damage.met_by, what);
        let damage = self.states.lock().damage.iter().find(is_shared).map(|damage| damage.why.clone());
        let Some(why) = damage else { return Ok(()) };
        let error = StoreError::corrupt(why);
        self.failed(what, &error, now, wall);
        Err(error)
    }

    /// Each use as it was last.
    pub(super) fn facts(&self, now: Moment) -> Vec<StoreUseFacts> {
        let facts = |(what, state): (&StoreUse, &State)| StoreUseFacts {
            name: what.as_str().to_owned(),
            database: self.databases.of(what.is_of_history()).map(str::to_owned),
            answers: Some(state.down.is_none()),
            down_since: state.down.map(|(_, wall)| wall),
            down_for: state.down.map(|(since, _)| now - since),
            last_error: state.last_error.clone(),
            call: state.call,
            gave_up: state.gave_up,
            unreadable: state.unreadable.clone(),
            losing: state.dropped_at.is_some_and(|at| now - at < LOSS),
        };
        self.states.lock().uses.iter().map(facts).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::from_origin(Duration::from_secs(seconds))
    }

    fn of(stores: &Stores, what: StoreUse, now: u64) -> StoreUseFacts {
        let facts = stores.facts(at(now));
        facts.into_iter().find(|each| each.name == what.as_str()).expect("it was used")
    }

    #[test]
    fn reads_that_work_do_not_end_an_outage_of_writes() {
        let stores = Stores::default();
        let error = StoreError::transient("read-only (SQLSTATE 25006)");
        stores.failed(StoreUse::TokenWrites, &error, at(10), Timestamp::UNIX_EPOCH);
        for second in 11..20 {
            stores.answered(StoreUse::TokenReads, at(second));
            stores.failed(StoreUse::TokenWrites, &error, at(second), Timestamp::UNIX_EPOCH);
        }
        let writes = of(&stores, StoreUse::TokenWrites, 20);
        assert_eq!((writes.answers, writes.down_for), (Some(false), Some(Duration::from_secs(10))));
        assert_eq!(of(&stores, StoreUse::TokenReads, 20).answers, Some(true));
        stores.answered(StoreUse::TokenWrites, at(21));
        assert_eq!(of(&stores, StoreUse::TokenWrites, 22).last_error, None);
    }

    #[test]
    fn a_writer_that_gave_up_stays_so_whatever_comes_after() {
        let stores = Stores::default();
        stores.failed(StoreUse::Samples, &StoreError::corrupt("malformed"), at(1), Timestamp::UNIX_EPOCH);
        stores.answered(StoreUse::Samples, at(2));
        assert!(of(&stores, StoreUse::Samples, 3).gave_up);
    }

    #[test]
    fn damage_that_one_use_met_holds_for_all_and_is_told_as_its_own() {
        let stores = Stores::default();
        let ask = |what| stores.may_ask(what, at(1), Timestamp::UNIX_EPOCH);
        ask(StoreUse::Samples).expect("nothing is wrong");
        stores.failed(StoreUse::TokenReads, &StoreError::corrupt("malformed"), at(1), Timestamp::UNIX_EPOCH);
        for what in [StoreUse::TokenWrites, StoreUse::Samples, StoreUse::Samples] {
            assert!(
                matches!(ask(what).as_ref().map_err(StoreError::kind), Err(StoreErrorKind::Corrupt)),
                "{what:?}"
            );
            let facts = of(&stores, what, 2);
            assert_eq!((facts.gave_up, facts.last_error.as_deref()), (true, Some("token reads: malformed")));
        }
        assert_eq!(stores.given_up().map(|damage| damage.why).as_deref(), Some("token reads: malformed"));
    }

    #[test]
    fn damage_to_a_history_of_its_own_leaves_the_state_alone_and_is_told_after_the_states_own() {
        let databases = Databases::Two { state: "sqlite://a".to_owned(), history: "sqlite://b".to_owned() };
        let stores = Stores::new(databases.clone(), &Arc::default());
        let ask = |what| stores.may_ask(what, at(1), Timestamp::UNIX_EPOCH);
        let damaged = |what, said: &'static str| {
            stores.failed(what, &StoreError::corrupt(said), at(1), Timestamp::UNIX_EPOCH);
        };
        damaged(StoreUse::Samples, "malformed");
        for what in StoreUse::ALL {
            let is_history = matches!(what, StoreUse::Samples | StoreUse::Events);
            assert_eq!(ask(what).is_err(), is_history, "{what:?}");
        }
        let damage = stores.given_up().expect("an operator is needed");
        assert_eq!(damage.why, "samples: malformed");
        assert!(damage.is_of_history_alone(&databases) && !damage.is_of_history_alone(&Databases::One));
        assert_eq!(of(&stores, StoreUse::Samples, 2).database.as_deref(), Some("sqlite://b"));

        damaged(StoreUse::TokenWrites, "not a database");
        ask(StoreUse::Lease).expect_err("it is in the same one");
        let damage = stores.given_up().expect("an operator is needed");
        assert_eq!(damage.why, "token writes: not a database");
        assert!(!damage.is_of_history_alone(&databases));
        assert_eq!(of(&stores, StoreUse::TokenWrites, 2).database.as_deref(), Some("sqlite://a"));
    }

    #[test]
    fn an_answer_that_is_not_known_concerns_the_use_that_heard_it_and_passes() {
        let stores = Stores::default();
        let error = StoreError::unexpected("an unknown status");
        stores.failed(StoreUse::TokenReads, &error, at(1), Timestamp::UNIX_EPOCH);
        let reads = of(&stores, StoreUse::TokenReads, 2);
        assert_eq!((reads.answers, reads.gave_up), (Some(false), false));
        stores.may_ask(StoreUse::Samples, at(2), Timestamp::UNIX_EPOCH).expect("nothing proves damage");
        assert_eq!(stores.given_up(), None);
        stores.answered(StoreUse::TokenReads, at(61));
        assert_eq!(of(&stores, StoreUse::TokenReads, 62).last_error, None);
    }

    #[test]
    fn a_loss_counts_for_a_minute_after_it_became_more() {
        let stores = Stores::default();
        let losing = |stores: &Stores, now| of(stores, StoreUse::Samples, now).losing;
        stores.dropped(StoreUse::Samples, 0, at(1));
        assert_eq!(stores.facts(at(1)), [], "it was not used");
        stores.dropped(StoreUse::Samples, 5, at(2));
        stores.dropped(StoreUse::Samples, 5, at(50));
        assert!(losing(&stores, 61) && !losing(&stores, 62));
    }
}
