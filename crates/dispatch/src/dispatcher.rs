//! The state machine: keys and facts go in, requests come out.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use ttm_kernel::{Lane, Moment, PerLane};

use crate::left_behind::LeftBehind;
use crate::line::{Entry, Keys};
use crate::lists::Wanted;
use crate::rest::Resting;
use crate::shares::Shares;
use crate::suspects::{Answers, Fate, Group, Root, Suspects};
use crate::{Ask, Asked, Counts, DispatchConfig, End, Lists, Place, Priority, Request, Seen, Single};

mod reconfigure;
mod requests;

/// Decides what is asked for next.
///
/// Laws: (1) a key is in flight at most once, full lists apart; (2) every key that was put in and not removed is asked for once
/// after each tick of its line, or after its backoff, if there are enough turns; (3) a batch has room left only if no other key
/// is due and one of its keys has waited for others as long as it may, or if it is a part of a failed batch, or a probe;
/// (4) of many turns each priority gets its floor, if it can use it; (5) a key that makes every request fail does not keep any
/// other from being asked for.
#[derive(Clone, Debug)]
pub struct Dispatcher<K> {
    config: DispatchConfig,
    lines: PerLane<Keys<K>>,
    resting: Resting<K>,
    /// Keys that a batch did not answer, by the line that they came from.
    unanswered: PerLane<VecDeque<Asked<K>>>,
    /// The same keys, to be found.
    alone: BTreeSet<K>,
    /// Batches of each line since its last single request. If upstream answered only half of each batch, single requests would
    /// otherwise take every turn.
    since_single: PerLane<u32>,
    lists: Wanted<K>,
    suspects: Suspects<K>,
    /// The requests in flight, full lists apart. They are searched only when a key is moved or removed.
    under_way: Vec<UnderWay<K>>,
    /// The number of the next batch.
    next_root: Root,
    /// The number of the last request.
    last_number: u64,
    left_behind: LeftBehind<K>,
    max_in_flight: usize,
    /// Lines whose keys are not asked for.
    held: PerLane<bool>,
    /// Requests ask for one key each.
    probing: bool,
    /// Keys whose probe failed. An answer to another probe does not clear them: the breaker may need several answers to close.
    probed: BTreeSet<K>,
    shares: Shares,
    counts: Counts,
}

/// A request in flight.
#[derive(Clone, Debug)]
struct UnderWay<K> {
    /// The number of the request.
    number: u64,
    /// Without those that were released since.
    keys: Vec<K>,
    /// Requests answered before this one, or before the batch that it is a part of.
    since: Answers,
    root: Root,
}

impl<K: Copy + Ord> Dispatcher<K> {
    /// A dispatcher for no keys.
    pub fn new(config: DispatchConfig) -> Self {
        let settings = config.settings();
        Self {
            lines: PerLane::from_fn(|lane| Keys::new(config.fresh_for(lane))),
            resting: Resting::new(),
            unanswered: PerLane::default(),
            alone: BTreeSet::new(),
            since_single: PerLane::default(),
            lists: Wanted::new(),
            suspects: Suspects::new(settings.bad_rest, settings.longest_bad_rest),
            under_way: Vec::new(),
            next_root: 0,
            last_number: 0,
            left_behind: LeftBehind::new(),
            max_in_flight: settings.max_in_flight,
            held: PerLane::default(),
            probing: false,
            probed: BTreeSet::new(),
            shares: Shares::new(settings.floor_percent, settings.activation_percent),
            counts: Counts::default(),
            config,
        }
    }

    /// The settings.
    pub const fn config(&self) -> &DispatchConfig {
        &self.config
    }

    /// Requests that may be in flight at once, from now on.
    pub const fn set_max_in_flight(&mut self, most: usize) {
        self.max_in_flight = most;
    }

    /// Whether the keys of a line are held: they keep their places, and none is asked for until they are held no more. What rests
    /// goes with [`Lane::Cold`]; full lists belong to no line.
    pub const fn set_held(&mut self, lane: Lane, held: bool) {
        match lane {
            Lane::Hot => self.held.hot = held,
            Lane::Cold => self.held.cold = held,
        }
    }

    /// Whether requests are probes: from now on each asks for one key, and each for another one. A batch with a key that makes
    /// every request fail would fail each time, and so would the most urgent key if it is such a one: upstream would look
    /// unavailable for ever.
    pub fn set_probing(&mut self, probing: bool) {
        self.probing = probing;
        if !probing {
            self.probed.clear();
        }
    }

    /// Puts a key at the end of a line, due after the next tick. It must be new here, or answered.
    pub fn put(&mut self, key: K, place: Place, seen: Option<Seen>) {
        let mark = self.left_behind.mark(key);
        self.lines[place.lane].push(place.value, Entry { key, seen, mark });
    }

    /// Puts back a key whose request failed: due after the next tick, before those that were seen since.
    pub fn put_failed(&mut self, key: K, place: Place, seen: Option<Seen>) {
        let mark = self.left_behind.mark(key);
        self.lines[place.lane].push_failed(place.value, Entry { key, seen, mark });
    }

    /// Puts a new key at the front of a line, due at once. One that is in flight is put back when it is answered, and gets no
    /// second place.
    pub fn put_first(&mut self, key: K, place: Place, now: Moment) {
        if !self.is_elsewhere(&key) {
            self.put_in_front(key, place, None, now);
        }
    }

    /// Lets a key back off for `delay`. It must be new here, or answered. Of those whose backoff is over, the ones with the
    /// shortest are asked for first.
    pub fn back_off(&mut self, key: K, now: Moment, delay: Duration) {
        self.resting.put(key, now, delay);
    }

    /// A batch did not answer this key: it is asked for alone. Returns false if no more keys may wait for that; the caller puts
    /// it back then.
    pub fn put_alone(&mut self, asked: Asked<K>) -> bool {
        let waiting = self.unanswered[asked.from.lane()].len();
        let has_room = waiting < self.config.settings().alone;
        if has_room {
            self.put_alone_again(asked);
        }
        has_room
    }

    /// Moves a key that waits in a line, or is backing off, to the end of another line. Returns false if it did not: a key that is
    /// in flight, or waits to be asked for apart, is not moved.
    pub fn relocate(&mut self, key: K, place: Place, seen: Option<Seen>) -> bool {
        let rested = self.resting.remove(&key);
        let moves = rested || !self.is_elsewhere(&key);
        if moves {
            if !rested {
                self.left_behind.leave(key);
            }
            self.put(key, place, seen);
        }
        moves
    }

    /// Removes a key. One that is in flight is removed by not being put back.
    pub fn remove(&mut self, key: K) {
        self.lists.remove(&key);
        // The suspicion against a key that is in flight is dropped at once.
        let was_suspected = self.suspects.remove(&key);
        if was_suspected || self.resting.remove(&key) || self.is_under_way(&key) {
            return;
        }
        if self.alone.remove(&key) {
            for unanswered in self.unanswered.values_mut() {
                unanswered.retain(|asked| asked.key != key);
            }
        } else {
            self.left_behind.leave(key);
        }
    }

    /// Asks for the full list of a key, to see whether it is active or for completeness. Returns false if that list is wanted
    /// already, or too many are.
    pub fn want_list(&mut self, key: K, for_activation: bool) -> bool {
        self.lists.want(key, for_activation, self.config.settings().lists)
    }

    /// A tick of a line: every key in it is due once.
    pub fn tick(&mut self, lane: Lane, now: Moment) {
        self.lines[lane].tick(now);
    }

    /// Whether [`Dispatcher::poll`] would return a request.
    pub fn is_ready(&mut self, now: Moment) -> bool {
        self.advance(now);
        let lists = self.lists.waiting().others > 0;
        self.counts.in_flight < self.max_in_flight && (self.able(now).contains(&true) || lists)
    }

    /// What to ask for, now that a turn is granted; `None` if nothing is due, or too many requests are in flight.
    pub fn poll(&mut self, now: Moment) -> Option<Request<K>> {
        if self.counts.in_flight >= self.max_in_flight {
            return None;
        }
        self.advance(now);
        loop {
            let Some(priority) = self.shares.choose(self.able(now)) else {
                let key = self.lists.pop_other()?;
                return Some(self.list(key, Priority::Background));
            };
            let request = match priority {
                Priority::Activation => self.lists.pop_activation().map(|key| self.list(key, priority)),
                Priority::Hot => self.of_lane(Lane::Hot, now),
                Priority::Cold => self.of_lane(Lane::Cold, now),
                Priority::Background => self.batch(priority, now),
            };
            // `None` if all keys that seemed due are gone, or are still fresh.
            if request.is_some() {
                return request;
            }
        }
    }

    /// A request ended: its keys are no longer in flight. Returns true if the dispatcher keeps them, to split the batch or to let
    /// a single key back off; otherwise the caller puts them back.
    pub fn handle_done(&mut self, request: &Request<K>, end: End, now: Moment) -> bool {
        self.counts.in_flight -= 1;
        let at = self.under_way.iter().position(|under_way| under_way.number == request.number);
        let under_way = at.map(|at| self.under_way.swap_remove(at));
        let mut asked = match &request.ask {
            Ask::Batch(asked) => asked.clone(),
            Ask::One(asked, Single::Unanswered) => vec![*asked],
            Ask::One(asked, Single::List) => {
                self.lists.handle_done(&asked.key);
                Vec::new()
            }
        };
        if let Some(UnderWay { keys, .. }) = &under_way
            && keys.len() < asked.len()
        {
            // Some were released since, and are elsewhere.
            asked.retain(|asked| keys.contains(&asked.key));
        }
        if let ([asked], true) = (&asked[..], self.probing && end != End::Answered) {
            self.probed.insert(asked.key);
        }
        let fate = match (end, under_way) {
            (End::Answered, under_way) => {
                let keys = under_way.map_or_else(Vec::new, |under_way| under_way.keys);
                self.suspects.handle_answered(&keys, now);
                Fate::Free
            }
            (End::Blamed, Some(UnderWay { since, root, .. })) if !asked.is_empty() => {
                let lane = request.priority.lane();
                self.suspects.handle_blamed(Group { keys: asked, since, root }, lane, now)
            }
            (End::Failed | End::Blamed, _) => Fate::Free,
        };
        self.suspects.settle(self.under_way.iter().map(|under_way| under_way.root), now);
        fate == Fate::Stay
    }

    /// When [`Dispatcher::is_ready`] may change by itself; `None` if it waits for a fact.
    pub fn poll_timeout(&self, now: Moment) -> Option<Moment> {
        let full = self.may_be_asked() >= self.config.settings().batch;
        let ripe = |since: Moment| if full { now } else { since + self.coalesce() };
        let free = Lane::ALL.into_iter().filter(|lane| !self.held[*lane]);
        let of_lines = free.filter_map(|lane| self.lines[lane].since()).map(ripe);
        let rested = self.resting.rested().1.filter(|_| !self.held[Lane::Cold]);
        let rested = rested.map(|since| if full { now } else { since + self.gather() });
        of_lines.chain(rested).chain(self.resting.next()).chain(self.suspects.next()).min()
    }

    /// Full lists that wait for a turn.
    pub fn lists_waiting(&self) -> Lists {
        self.lists.waiting()
    }

    /// Where the keys are, and what was asked for so far.
    pub fn counts(&self) -> Counts {
        let of_lines = |count: fn(&Keys<K>) -> usize| PerLane::from_fn(|lane| count(&self.lines[lane]));
        Counts {
            in_line: of_lines(Keys::len),
            waiting: of_lines(Keys::ready),
            unanswered: PerLane::from_fn(|lane| {
                self.unanswered[lane].len() + self.suspects.keys_of(lane).count()
            }),
            resting: self.resting.len() + self.suspects.resting(),
            bad: self.suspects.resting(),
            split: self.suspects.split(),
            lists: self.lists_waiting(),
            fresh: PerLane::from_fn(|lane| self.lines[lane].fresh()),
            ..self.counts
        }
    }

    /// When each key was last seen that a tick at this time would defer. Those in flight are not included.
    pub fn deferred(&self, lane: Lane) -> impl Iterator<Item = Option<Seen>> {
        let unanswered = self.unanswered[lane].iter().chain(self.suspects.keys_of(lane));
        self.lines[lane].ready_seen().chain(unanswered.map(|asked| asked.seen))
    }

    fn advance(&mut self, now: Moment) {
        self.resting.advance(now);
        self.suspects.advance(now);
    }

    /// Which priorities can use a turn now.
    fn able(&self, now: Moment) -> [bool; 4] {
        let full = self.may_be_asked() >= self.config.settings().batch;
        let ripe = |since: Option<Moment>, after| since.is_some_and(|since| full || now >= since + after);
        let is_able = |lane: Lane| {
            !self.held[lane]
                && (!self.unanswered[lane].is_empty()
                    || self.suspects.has(lane)
                    || ripe(self.lines[lane].since(), self.coalesce()))
        };
        let rested = !self.held[Lane::Cold] && ripe(self.resting.rested().1, self.gather());
        [self.lists.waiting().activation > 0, is_able(Lane::Hot), is_able(Lane::Cold), rested]
    }

    fn may_be_asked(&self) -> usize {
        self.lines.values().map(Keys::ready).sum::<usize>() + self.resting.rested().0
    }

    const fn coalesce(&self) -> Duration {
        self.config.settings().coalesce
    }

    const fn gather(&self) -> Duration {
        self.config.settings().gather
    }

    /// Whether a key is known, but in no line.
    fn is_elsewhere(&self, key: &K) -> bool {
        self.resting.contains(key)
            || self.alone.contains(key)
            || self.suspects.contains(key)
            || self.is_under_way(key)
    }

    fn is_under_way(&self, key: &K) -> bool {
        self.under_way.iter().flat_map(|under_way| &under_way.keys).any(|under_way| under_way == key)
    }
}

#[cfg(test)]
mod tests;
