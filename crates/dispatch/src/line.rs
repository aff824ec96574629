//! One line of keys, ordered by the time since each was seen, weighted by its value. Taking and putting are O(1), because each
//! value has its own queue, in the order in which keys were seen.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use ttm_kernel::Moment;

use crate::{Seen, Value};

/// A key in its queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<K> {
    pub(crate) key: K,
    /// When it was last seen; `None` sorts before every time.
    pub(crate) seen: Option<Seen>,
    /// Tells an entry from an earlier one of the same key that was left behind.
    pub(crate) mark: u32,
}

#[derive(Clone, Debug)]
struct Queue<K> {
    entries: VecDeque<Entry<K>>,
    /// How many, from the front, are due.
    ready: usize,
}

/// The keys of one line.
#[derive(Clone, Debug)]
pub(crate) struct Keys<K> {
    queues: [Queue<K>; 4],
    /// Keys whose request failed: the next tick puts them back at the front.
    failed: Vec<(Value, Entry<K>)>,
    fresh_for: Duration,
    /// Since when a key is due.
    since: Option<Moment>,
    /// Keys that were passed over because they were still fresh.
    fresh: u64,
}

impl<K: Copy> Keys<K> {
    pub(crate) fn new(fresh_for: Duration) -> Self {
        let queues = [(); 4].map(|()| Queue { entries: VecDeque::new(), ready: 0 });
        Self { queues, failed: Vec::new(), fresh_for, since: None, fresh: 0 }
    }

    pub(crate) const fn set_fresh_for(&mut self, fresh_for: Duration) {
        self.fresh_for = fresh_for;
    }

    /// How many keys there are, including those that wait for a tick.
    pub(crate) fn len(&self) -> usize {
        self.queues.iter().map(|queue| queue.entries.len()).sum::<usize>() + self.failed.len()
    }

    /// How many are due.
    pub(crate) fn ready(&self) -> usize {
        self.queues.iter().map(|queue| queue.ready).sum()
    }

    /// When each of the due keys was last seen.
    pub(crate) fn ready_seen(&self) -> impl Iterator<Item = Option<Seen>> {
        self.queues.iter().flat_map(|queue| queue.entries.iter().take(queue.ready).map(|entry| entry.seen))
    }

    /// Since when a key is due.
    pub(crate) const fn since(&self) -> Option<Moment> {
        self.since
    }

    pub(crate) const fn fresh(&self) -> u64 {
        self.fresh
    }

    /// Makes every key in the line due once.
    pub(crate) fn tick(&mut self, now: Moment) {
        while let Some((value, entry)) = self.failed.pop() {
            self.queues[value.index()].entries.push_front(entry);
        }
        for queue in &mut self.queues {
            queue.ready = queue.entries.len();
        }
        if self.ready() > 0 {
            self.since.get_or_insert(now);
        }
    }

    /// Adds a key at the end, due after the next tick.
    pub(crate) fn push(&mut self, value: Value, entry: Entry<K>) {
        self.queues[value.index()].entries.push_back(entry);
    }

    /// Adds a key at the front, due after the next tick.
    pub(crate) fn push_failed(&mut self, value: Value, entry: Entry<K>) {
        self.failed.push((value, entry));
    }

    /// Adds a key at the front, due at once.
    pub(crate) fn push_ready(&mut self, value: Value, entry: Entry<K>, now: Moment) {
        let queue = &mut self.queues[value.index()];
        queue.entries.push_front(entry);
        queue.ready += 1;
        self.since.get_or_insert(now);
    }

    /// The due key with the greatest weighted age. Those that are still fresh go to the end instead, and those that are gone are
    /// dropped.
    pub(crate) fn pop(&mut self, gone: impl FnMut(&Entry<K>) -> bool, now: Moment) -> Option<Entry<K>> {
        self.pop_where(|_| true, gone, now)
    }

    /// The same, except for these keys.
    pub(crate) fn pop_but(
        &mut self,
        others: &BTreeSet<K>,
        gone: impl FnMut(&Entry<K>) -> bool,
        now: Moment,
    ) -> Option<Entry<K>>
    where
        K: Ord,
    {
        self.pop_where(|key| !others.contains(key), gone, now)
    }

    fn pop_where(
        &mut self,
        is_wanted: impl Fn(&K) -> bool,
        mut gone: impl FnMut(&Entry<K>) -> bool,
        now: Moment,
    ) -> Option<Entry<K>> {
        let fresh_for = self.fresh_for;
        loop {
            // First of all, or the age of one that is gone would decide whose turn it is.
            self.drop_first_while(&mut gone);
            let next = self.next(&is_wanted, now).map(|(queue, at)| {
                queue.ready -= 1;
                let entry = queue.entries.remove(at).expect("what may be asked is there");
                let is_gone = at > 0 && gone(&entry);
                let is_fresh = !is_gone && entry.seen.is_some_and(|seen| seen.age(now) < fresh_for);
                if is_fresh {
                    queue.entries.push_back(entry);
                }
                (entry, is_gone, is_fresh)
            });
            if self.ready() == 0 {
                self.since = None;
            }
            let (entry, is_gone, is_fresh) = next?;
            self.fresh += u64::from(is_fresh);
            if !is_gone && !is_fresh {
                return Some(entry);
            }
        }
    }

    fn drop_first_while(&mut self, gone: &mut impl FnMut(&Entry<K>) -> bool) {
        for queue in &mut self.queues {
            while queue.ready > 0 && queue.entries.pop_front_if(|entry| gone(entry)).is_some() {
                queue.ready -= 1;
            }
        }
    }

    /// The queue whose first wanted key has the greatest weighted age, and where that key is.
    fn next(&mut self, is_wanted: impl Fn(&K) -> bool, now: Moment) -> Option<(&mut Queue<K>, usize)> {
        let ready = self.queues.iter_mut().zip(Value::ALL).filter_map(|(queue, value)| {
            let mut ready = queue.entries.iter().take(queue.ready).enumerate();
            let (at, first) = ready.find(|(_, entry)| is_wanted(&entry.key))?;
            let worth = first.seen.map_or(f64::INFINITY, |seen| seen.age(now).as_secs_f64() * value.weight());
            Some((worth, queue, at))
        });
        // Of equals the first wins, and the highest value comes first.
        let best = ready.reduce(|best, other| if other.0 > best.0 { other } else { best });
        best.map(|(_, queue, at)| (queue, at))
    }
}
