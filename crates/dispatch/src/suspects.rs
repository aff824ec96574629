//! Keys that may be why their batch failed. Each half of the batch is asked for apart from all others and split again if it
//! fails, until the key that makes every request fail is alone. That is a binary search: with `p` bad keys among `n` it takes
//! at most `2·p·(log₂ n + 1)` requests.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use ttm_kernel::{Lane, Moment, PerLane};

use crate::{Asked, Backoff, Suspicion};

/// An upstream that answered less than this ago is taken to be available still.
const LATELY: Duration = Duration::from_secs(10);

/// How many requests in all were answered before an event.
pub(crate) type Answers = u64;
/// The number of the batch that a group is a part of.
pub(crate) type Root = u64;

/// Keys that are asked for together, and apart from all others.
#[derive(Clone, Debug)]
pub(crate) struct Group<K> {
    pub(crate) keys: Vec<Asked<K>>,
    /// The answers before the batch that failed. If there was one since, upstream is available, and the keys are the cause.
    pub(crate) since: Answers,
    /// The batch that failed.
    pub(crate) root: Root,
}

/// The keys that are suspected, and those that are known to be bad.
///
/// A batch that may have failed because of its keys is split if another request was answered lately. If none was, upstream may be
/// the cause: then one batch at a time is split on trial, and after a trial in which nothing was answered the next one has to
/// wait, longer each time. So an upstream that is unavailable costs a request for each key of one batch now and then.
#[derive(Clone, Debug)]
pub(crate) struct Suspects<K> {
    /// Groups that wait for a turn, by the lane whose turns they take.
    waiting: PerLane<VecDeque<Group<K>>>,
    /// The bad keys: those that failed alone since they were last answered.
    bad: BTreeMap<K, Bad<K>>,
    /// Bad keys that are backing off, by the time at which they are asked for again.
    resting: BTreeSet<(Moment, K)>,
    answers: Answers,
    last_answer: Option<Moment>,
    /// The batch that is split on trial.
    trial: Option<Root>,
    failed_trials: u32,
    no_trial_before: Moment,
    /// Batches that were split.
    split: u64,
    rest: Duration,
    longest_rest: Duration,
}

/// A key that failed alone, again and again.
#[derive(Clone, Copy, Debug)]
struct Bad<K> {
    /// As it was asked for last: it counts in the lane that it came from.
    asked: Asked<K>,
    failures: u32,
    /// The answers before the last time.
    since: Answers,
}

/// What becomes of keys whose request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// They stay here, to be split, or to back off if it is a single key.
    Stay,
    /// They are not suspected.
    Free,
}

impl<K: Copy + Ord> Suspects<K> {
    pub(crate) fn new(rest: Duration, longest_rest: Duration) -> Self {
        Self {
            waiting: PerLane::default(),
            bad: BTreeMap::new(),
            resting: BTreeSet::new(),
            answers: 0,
            last_answer: None,
            trial: None,
            failed_trials: 0,
            no_trial_before: Moment::ZERO,
            split: 0,
            rest,
            longest_rest,
        }
    }

    /// Replaces the length of backoffs that start from now on.
    pub(crate) const fn reconfigure(&mut self, rest: Duration, longest_rest: Duration) {
        (self.rest, self.longest_rest) = (rest, longest_rest);
    }

    /// How many requests were answered so far.
    pub(crate) const fn answers(&self) -> Answers {
        self.answers
    }

    /// The suspicion against the keys of a group.
    pub(crate) fn suspicion(&self, group: &Group<K>) -> Suspicion {
        let is_known = || matches!(group.keys[..], [asked] if self.bad.contains_key(&asked.key));
        if self.answers > group.since || is_known() { Suspicion::Likely } else { Suspicion::OnTrial }
    }

    /// Keys that wait to be asked for apart, of both lanes.
    fn keys(&self) -> impl Iterator<Item = &Asked<K>> {
        self.waiting.values().flatten().flat_map(|group| &group.keys)
    }

    /// Those that came from a lane. A batch of one lane may hold keys of the other, and they stay together.
    pub(crate) fn keys_of(&self, lane: Lane) -> impl Iterator<Item = &Asked<K>> {
        self.keys().filter(move |asked| asked.from.lane() == lane)
    }

    pub(crate) fn backoff(&self, key: &K) -> Option<Backoff> {
        let failures = self.bad.get(key)?.failures;
        let resting = self.resting.iter().find(|(_, resting)| resting == key);
        Some(Backoff { failures, until: resting.map(|(until, _)| *until) })
    }

    /// Lets a key that failed alone so often back off until then.
    pub(crate) fn put_bad(&mut self, asked: Asked<K>, failures: u32, until: Moment) {
        self.bad.insert(asked.key, Bad { asked, failures, since: self.answers });
        self.resting.insert((until, asked.key));
    }

    /// Keys that failed alone and rest.
    pub(crate) fn resting(&self) -> usize {
        self.resting.len()
    }

    /// Requests of which the keys were split.
    pub(crate) const fn split(&self) -> u64 {
        self.split
    }

    /// When the next of those is asked again.
    pub(crate) fn next(&self) -> Option<Moment> {
        self.resting.first().map(|(until, _)| *until)
    }

    pub(crate) fn contains(&self, key: &K) -> bool {
        // A bad key may be in flight, and not in here.
        self.keys().any(|asked| asked.key == *key) || self.is_resting(key)
    }

    fn is_resting(&self, key: &K) -> bool {
        self.bad.contains_key(key) && self.resting.iter().any(|(_, resting)| resting == key)
    }

    /// Forgets a key. Whether it was here.
    pub(crate) fn remove(&mut self, key: &K) -> bool {
        let was_here = self.contains(key);
        if self.bad.remove(key).is_some() {
            self.resting.retain(|(_, resting)| resting != key);
        }
        if was_here {
            for groups in self.waiting.values_mut() {
                for group in &mut *groups {
                    group.keys.retain(|asked| asked.key != *key);
                }
                groups.retain(|group| !group.keys.is_empty());
            }
        }
        was_here
    }

    /// Queues the bad keys whose backoff is over, each alone.
    pub(crate) fn advance(&mut self, now: Moment) {
        while let Some((_, key)) = self.resting.first().copied().filter(|(until, _)| *until <= now) {
            self.resting.pop_first();
            let Some(Bad { asked, since, .. }) = self.bad.get(&key).copied() else { continue };
            self.waiting[Lane::Cold].push_back(Group { keys: vec![asked], since, root: Root::MAX });
        }
    }

    pub(crate) fn has(&self, lane: Lane) -> bool {
        !self.waiting[lane].is_empty()
    }

    /// The next group of a lane, cut to `most` keys: the others go on waiting together.
    pub(crate) fn pop(&mut self, lane: Lane, most: usize) -> Option<Group<K>> {
        let group = self.waiting[lane].front_mut()?;
        if group.keys.len() <= most {
            return self.waiting[lane].pop_front();
        }
        let keys = group.keys.drain(..most).collect();
        Some(Group { keys, since: group.since, root: group.root })
    }

    /// A request was answered.
    pub(crate) fn handle_answered(&mut self, keys: &[K], now: Moment) {
        self.answers += 1;
        self.last_answer = Some(now);
        (self.trial, self.failed_trials, self.no_trial_before) = (None, 0, Moment::ZERO);
        for key in keys {
            self.bad.remove(key);
        }
    }

    /// A request for these keys failed, and it may be their fault.
    pub(crate) fn handle_blamed(&mut self, group: Group<K>, lane: Lane, now: Moment) -> Fate {
        let Group { mut keys, since, root } = group;
        let is_proven = self.answers > since;
        if let [asked] = keys[..] {
            // A key that is known to be bad stays so, whether upstream is available or not.
            let known = self.bad.get(&asked.key).copied();
            if !is_proven && known.is_none() {
                return Fate::Free;
            }
            let failures = known.map_or(0, |bad| bad.failures).saturating_add(u32::from(is_proven)).max(1);
            self.bad.insert(asked.key, Bad { asked, failures, since: self.answers });
            self.resting.insert((now + self.rest_after(failures), asked.key));
            return Fate::Stay;
        }
        // Splitting takes less evidence than calling a single key bad.
        let was_there = is_proven || self.last_answer.is_some_and(|at| now - at <= LATELY);
        if !was_there {
            if self.trial.is_none() && now >= self.no_trial_before {
                self.trial = Some(root);
            }
            if self.trial != Some(root) {
                return Fate::Free;
            }
        }
        self.split += 1;
        let second = keys.split_off(keys.len().div_ceil(2));
        let waiting = &mut self.waiting[lane];
        waiting.extend([keys, second].map(|keys| Group { keys, since, root }));
        Fate::Stay
    }

    /// Ends a trial in which nothing was answered. `under_way` are the groups that are asked right now.
    pub(crate) fn settle(&mut self, mut under_way: impl Iterator<Item = Root>, now: Moment) {
        let Some(root) = self.trial else { return };
        let waits = self.waiting.values().flatten().any(|group| group.root == root);
        if waits || under_way.any(|group| group == root) {
            return;
        }
        self.trial = None;
        self.failed_trials = self.failed_trials.saturating_add(1);
        self.no_trial_before = now + self.rest_after(self.failed_trials);
    }

    /// Doubles with each failure.
    fn rest_after(&self, failures: u32) -> Duration {
        self.rest.saturating_mul(1_u32.checked_shl(failures - 1).unwrap_or(u32::MAX)).min(self.longest_rest)
    }
}
