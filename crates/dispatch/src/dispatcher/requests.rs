//! Making one request for the priority whose turn it is: its keys are taken from where they wait, and are in flight from then
//! on, or are taken back.

use ttm_kernel::{Lane, Moment};

use super::{Dispatcher, UnderWay};
use crate::line::Entry;
use crate::suspects::Group;
use crate::{Ask, Asked, Backoff, Place, Priority, Request, Seen, Single, Suspicion, single_every};

impl<K: Copy + Ord> Dispatcher<K> {
    /// Puts a key that was released at the front of a line, due at once.
    pub fn put_in_front(&mut self, key: K, place: Place, seen: Option<Seen>, now: Moment) {
        let mark = self.left_behind.mark(key);
        self.lines[place.lane].push_ready(place.value, Entry { key, seen, mark }, now);
    }

    /// Takes back a key that is in flight: it may be put elsewhere, and the end of its request does not affect it. Returns whether
    /// it was in flight.
    pub fn release(&mut self, key: &K) -> bool {
        self.under_way.iter_mut().any(|under_way| {
            let before = under_way.keys.len();
            under_way.keys.retain(|under_way| under_way != key);
            under_way.keys.len() < before
        })
    }

    /// Has a new key asked for alone, for which [`Dispatcher::put_alone`] had room before.
    pub fn put_alone_again(&mut self, asked: Asked<K>) {
        self.alone.insert(asked.key);
        self.unanswered[asked.from.lane()].push_back(asked);
    }

    /// Why a key is backing off; `None` if it did not fail alone, or was answered since.
    pub fn backoff(&self, key: &K) -> Option<Backoff> {
        self.suspects.backoff(key)
    }

    /// Puts a new key where [`Dispatcher::backoff`] said that it was.
    pub fn put_bad(&mut self, asked: Asked<K>, failures: u32, until: Moment) {
        self.suspects.put_bad(asked, failures, until);
    }

    pub(super) fn of_lane(&mut self, lane: Lane, now: Moment) -> Option<Request<K>> {
        if self.probing {
            // One that is likely to make its requests fail is no good probe as long as there is another.
            if let Some(probe) = self.probe(lane.into(), now) {
                return Some(probe);
            }
            if let Some(asked) = self.unanswered[lane].pop_front() {
                return Some(self.alone(asked, lane.into()));
            }
            if let Some(group) = self.suspects.pop(lane, 1) {
                return Some(self.apart(group, lane.into()));
            }
            // All of them were tried: start over.
            self.probed.clear();
            return self.batch(lane.into(), now);
        }
        if self.since_single[lane] + 1 < single_every(lane)
            && let Some(batch) = self.batch(lane.into(), now)
        {
            self.since_single[lane] += 1;
            return Some(batch);
        }
        self.since_single[lane] = 0;
        if let Some(group) = self.suspects.pop(lane, self.config.settings().batch) {
            return Some(self.apart(group, lane.into()));
        }
        match self.unanswered[lane].pop_front() {
            Some(asked) => Some(self.alone(asked, lane.into())),
            None => self.batch(lane.into(), now),
        }
    }

    /// Asks for one key of the lines that was not a probe yet.
    fn probe(&mut self, first: Priority, now: Moment) -> Option<Request<K>> {
        let probed = std::mem::take(&mut self.probed);
        let asked = [first, Priority::Hot, Priority::Cold].into_iter().find_map(|from| {
            let lane = from.lane();
            if self.held[lane] {
                return None;
            }
            let gone = |entry: &Entry<K>| self.left_behind.forget(entry.key, entry.mark);
            let Entry { key, seen, .. } = self.lines[lane].pop_but(&probed, gone, now)?;
            self.left_behind.handle_taken(key);
            Some(Asked { key, from: lane.into(), seen })
        });
        self.probed = probed;
        let asked = asked?;
        self.send(&[asked]);
        self.counts.batches += 1;
        self.counts.batched += 1;
        Some(self.request(first, Ask::Batch(vec![asked]), Suspicion::None))
    }

    pub(super) fn alone(&mut self, asked: Asked<K>, priority: Priority) -> Request<K> {
        self.alone.remove(&asked.key);
        self.send(&[asked]);
        self.request(priority, Ask::One(asked, Single::Unanswered), Suspicion::None)
    }

    /// Asks for a part of a batch that failed.
    pub(super) fn apart(&mut self, group: Group<K>, priority: Priority) -> Request<K> {
        let suspicion = self.suspects.suspicion(&group);
        let Group { keys, since, root } = group;
        self.send(&keys);
        if let Some(under_way) = self.under_way.last_mut() {
            (under_way.since, under_way.root) = (since, root);
        }
        self.request(priority, Ask::Batch(keys), suspicion)
    }

    /// Marks these as in flight.
    pub(super) fn send(&mut self, asked: &[Asked<K>]) {
        let keys = asked.iter().map(|asked| asked.key).collect();
        let number = self.last_number + 1;
        self.under_way.push(UnderWay { number, keys, since: self.suspects.answers(), root: self.next_root });
        self.next_root += 1;
        self.counts.asked += asked.len() as u64;
    }

    pub(super) fn list(&mut self, key: K, priority: Priority) -> Request<K> {
        let asked = Asked { key, from: priority, seen: None };
        self.request(priority, Ask::One(asked, Single::List), Suspicion::None)
    }

    /// A batch of as many keys as fit, those of `first` before all others.
    pub(super) fn batch(&mut self, first: Priority, now: Moment) -> Option<Request<K>> {
        let most = if self.probing { 1 } else { self.config.settings().batch };
        let mut asked = Vec::with_capacity(most);
        for from in [first, Priority::Hot, Priority::Cold, Priority::Background] {
            while asked.len() < most
                && let Some(next) = self.take(from, now)
            {
                asked.push(next);
            }
        }
        if asked.is_empty() {
            return None;
        }
        self.send(&asked);
        self.counts.batches += 1;
        self.counts.batched += asked.len() as u64;
        Some(self.request(first, Ask::Batch(asked), Suspicion::None))
    }

    pub(super) fn request(&mut self, priority: Priority, ask: Ask<K>, suspicion: Suspicion) -> Request<K> {
        self.counts.in_flight += 1;
        self.counts.requests[priority.index()] += 1;
        self.last_number += 1;
        Request { number: self.last_number, priority, ask, suspicion }
    }

    /// The next key of a priority that can be asked for along with others.
    pub(super) fn take(&mut self, from: Priority, now: Moment) -> Option<Asked<K>> {
        if self.held[from.lane()] {
            return None;
        }
        let lane = match from {
            Priority::Hot => Lane::Hot,
            Priority::Cold => Lane::Cold,
            Priority::Background => {
                return self.resting.pop().map(|key| Asked { key, from, seen: None });
            }
            Priority::Activation => return None,
        };
        let gone = |entry: &Entry<K>| self.left_behind.forget(entry.key, entry.mark);
        let Entry { key, seen, .. } = self.lines[lane].pop(gone, now)?;
        self.left_behind.handle_taken(key);
        Some(Asked { key, from, seen })
    }
}
