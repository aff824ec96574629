//! Keys that may be why their batch failed: they are asked apart from all others, by halves, until the one that makes
//! every request fail is alone. It does not know how a request can fail.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use ttm_kernel::{Lane, Moment, PerLane};

use crate::{Asked, Backoff, Suspicion};

/// A far side that answered less long ago than this is taken to be there still.
const LATELY: Duration = Duration::from_secs(10);

/// How many requests in all were answered before something.
pub(crate) type Answers = u64;
/// The number of the batch that a group is a part of.
pub(crate) type Root = u64;

/// Keys that are asked together, and apart from all others.
#[derive(Clone, Debug)]
pub(crate) struct Group<K> {
    pub(crate) keys: Vec<Asked<K>>,
    /// The answers before the batch that failed: with one since, the far side is there, and the keys are why it failed.
    pub(crate) since: Answers,
    /// The batch that failed.
    pub(crate) root: Root,
}

/// What is suspected, and what is known to be bad.
///
/// A batch whose failure may be its keys' is split when another request was answered lately. Where none was, it may
/// as well be the far side: then one batch at a time is split on trial, and after a trial in which nothing was answered the
/// next one has to wait, longer each time. So a far side that is away costs a request for each key of one batch now and then,
/// and `p` bad keys among `n` that it does answer at most `2·p·(log₂ n + 1)`.
#[derive(Clone, Debug)]
pub(crate) struct Suspects<K> {
    /// Groups that wait for a turn, by the line whose turns they take.
    waiting: PerLane<VecDeque<Group<K>>>,
    /// How often each bad key has failed alone, since it was last answered.
    bad: BTreeMap<K, Bad<K>>,
    /// Bad keys that are left alone, by the time when they are asked again.
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
    /// As it was asked last: it counts in the line that it came from, with what was known of it.
    asked: Asked<K>,
    failures: u32,
    /// The answers before the last time.
    since: Answers,
}

/// What becomes of keys whose request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// They stay here, to be asked by halves, or alone after a rest.
    Stay,
    /// Nothing is held against them.
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

    /// Replaces the length of the rests that begin from now on.
    pub(crate) const fn reconfigure(&mut self, rest: Duration, longest_rest: Duration) {
        (self.rest, self.longest_rest) = (rest, longest_rest);
    }

    /// How many requests were answered so far.
    pub(crate) const fn answers(&self) -> Answers {
        self.answers
    }

    /// What is held against the keys of a group.
    pub(crate) fn suspicion(&self, group: &Group<K>) -> Suspicion {
        let is_known = || matches!(group.keys[..], [asked] if self.bad.contains_key(&asked.key));
        if self.answers > group.since || is_known() { Suspicion::Likely } else { Suspicion::OnTrial }
    }

    /// Keys that wait to be asked apart, whichever line's turns they take.
    fn keys(&self) -> impl Iterator<Item = &Asked<K>> {
        self.waiting.values().flatten().flat_map(|group| &group.keys)
    }

    /// Those of them that came from a line. A batch of one line takes keys of the other along, and they stay together.
    pub(crate) fn keys_of(&self, lane: Lane) -> impl Iterator<Item = &Asked<K>> {
        self.keys().filter(move |asked| asked.from.lane() == lane)
    }

    pub(crate) fn backoff(&self, key: &K) -> Option<Backoff> {
        let failures = self.bad.get(key)?.failures;
        let resting = self.resting.iter().find(|(_, resting)| resting == key);
        Some(Backoff { failures, until: resting.map(|(until, _)| *until) })
    }

    /// Leaves a key alone until then that failed alone so often.
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
        // A bad key may be under way: then nobody finds it here.
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

    /// Has the bad keys asked, each alone, that have rested by now.
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

    /// The next group of a line, of which at most so many keys: the others go on waiting together.
    pub(crate) fn pop(&mut self, lane: Lane, most: usize) -> Option<Group<K>> {
        let group = self.waiting[lane].front_mut()?;
        if group.keys.len() <= most {
            return self.waiting[lane].pop_front();
        }
        let keys = group.keys.drain(..most).collect();
        Some(Group { keys, since: group.since, root: group.root })
    }

    /// A request was answered, whatever it asked for.
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
            // One that was found out before stays so, whether the far side is there or not.
            let known = self.bad.get(&asked.key).copied();
            if !is_proven && known.is_none() {
                return Fate::Free;
            }
            let failures = known.map_or(0, |bad| bad.failures).saturating_add(u32::from(is_proven)).max(1);
            self.bad.insert(asked.key, Bad { asked, failures, since: self.answers });
            self.resting.insert((now + self.rest_after(failures), asked.key));
            return Fate::Stay;
        }
        // To split takes less than to convict.
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
