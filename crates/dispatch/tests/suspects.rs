//! Keys that make every request fail, among others: wherever they wait, the others are seen, it costs
//! little, and an upstream that is away is not mistaken for them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use ttm_dispatch::{
    Ask, Asked, DispatchConfig, Dispatcher, End, Place, Request, Seen, Single, Suspicion, Value,
};
use ttm_kernel::{Lane, Moment, PerLane};

const SPACING: Duration = Duration::from_nanos(204_081_633);
const INTERVALS: PerLane<Duration> = PerLane { hot: Duration::from_secs(10), cold: Duration::from_secs(45) };
const BATCH: u32 = 30;
/// How often a batch is halved before a key is alone, and once more.
const DEPTH: usize = 6;

/// A service in miniature, in front of an upstream that fails for some keys.
struct Loop {
    dispatcher: Dispatcher<u32>,
    now: Moment,
    next_tick: PerLane<Moment>,
    coming: Vec<Request<u32>>,
    poison: BTreeSet<u32>,
    /// Nothing is answered at all.
    is_away: bool,
    seen: BTreeMap<u32, Moment>,
    requests: usize,
    /// When each poisonous key was asked alone.
    alone: BTreeMap<u32, Vec<Moment>>,
}

const fn place(key: u32) -> Place {
    Place { lane: if key.is_multiple_of(3) { Lane::Cold } else { Lane::Hot }, value: Value::Low }
}

impl Loop {
    fn new(keys: u32, poison: BTreeSet<u32>) -> Self {
        let mut dispatcher = Dispatcher::new(DispatchConfig::default());
        (0..keys).for_each(|key| dispatcher.put(key, place(key), None));
        Self {
            dispatcher,
            now: Moment::ZERO,
            next_tick: PerLane::default(),
            coming: Vec::new(),
            poison,
            is_away: false,
            seen: BTreeMap::new(),
            requests: 0,
            alone: BTreeMap::new(),
        }
    }

    fn run(&mut self, lasts: Duration) {
        let end = self.now + lasts;
        while self.now < end {
            for lane in Lane::ALL {
                let next = &mut self.next_tick[lane];
                if self.now >= *next {
                    *next += INTERVALS[lane];
                    self.dispatcher.tick(lane, self.now);
                }
            }
            if self.coming.len() > 1 {
                let request = self.coming.remove(0);
                self.end(&request);
            }
            let request = self.dispatcher.poll(self.now);
            self.requests += usize::from(request.is_some());
            self.coming.extend(request);
            if self.coming.len() == 1 && self.dispatcher.counts().in_flight == 1 {
                let request = self.coming.remove(0);
                self.end(&request);
            }
            self.now += SPACING;
        }
    }

    fn end(&mut self, request: &Request<u32>) {
        let asked: Vec<Asked<u32>> = match &request.ask {
            Ask::Batch(asked) => asked.clone(),
            Ask::One(asked, Single::Unanswered) => vec![*asked],
            Ask::One(_, Single::List) => Vec::new(),
        };
        if let [asked] = asked[..]
            && self.poison.contains(&asked.key)
        {
            self.alone.entry(asked.key).or_default().push(self.now);
        }
        let fails = self.is_away || asked.iter().any(|asked| self.poison.contains(&asked.key));
        let end = if fails { End::Blamed } else { End::Answered };
        if self.dispatcher.handle_done(request, end, self.now) {
            assert!(fails, "what was answered is the caller's");
            return;
        }
        for asked in asked {
            if fails {
                self.dispatcher.put_failed(asked.key, place(asked.key), asked.seen);
            } else {
                self.seen.insert(asked.key, self.now);
                self.dispatcher.put(asked.key, place(asked.key), Some(Seen::at(self.now)));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whichever_keys_are_poisonous_all_others_are_seen_within_two_rounds_at_little_cost(
        keys in 1_u32..300, poison in prop::collection::btree_set(0_u32..300, 0..24),
    ) {
        let poison: BTreeSet<u32> = poison.into_iter().filter(|key| *key < keys).collect();
        let count = poison.len();
        let good: BTreeSet<u32> = (0..keys).filter(|key| !poison.contains(key)).collect();
        let mut service = Loop::new(keys, poison);
        // Two cold rounds; the parts of failed batches take a turn in two, and in four in the cold line.
        let rounds = 2 * INTERVALS.cold;
        service.run(rounds);
        let missed: Vec<_> = good.iter().filter(|key| !service.seen.contains_key(key)).collect();
        prop_assert!(missed.is_empty(), "{missed:?} were never seen");
        // What was seen late in the first round counts as fresh when the second begins.
        let oldest = INTERVALS.cold + DispatchConfig::default().fresh_for(Lane::Cold);
        let old: Vec<_> = service.seen.iter().filter(|(_, at)| service.now - **at > oldest).collect();
        prop_assert!(old.is_empty(), "{old:?} were not seen in the second round");

        let per_round = keys.div_ceil(BATCH) as usize + 1;
        let ticks = 9 + 2;
        prop_assert!(
            service.requests <= ticks * per_round + 4 * count * DEPTH,
            "{} requests for {} keys, {count} of them poisonous", service.requests, keys
        );
    }
}

#[test]
fn one_bad_key_in_the_only_batch_is_found_at_once() {
    for bad in [0, 7, 29] {
        let mut service = Loop::new(BATCH, BTreeSet::from([bad]));
        service.run(INTERVALS.hot.saturating_sub(SPACING));
        assert_eq!(service.seen.len(), 29, "all others are seen in the first round");
        assert_eq!(service.dispatcher.counts().bad, 1);
        assert!(service.requests <= 2 * DEPTH, "{}", service.requests);
    }
}

#[test]
fn a_bad_key_is_asked_for_alone_less_and_less_and_joins_the_others_once_it_is_answered() {
    let mut service = Loop::new(90, BTreeSet::from([31]));
    service.run(Duration::from_mins(50));
    let asked = &service.alone[&31];
    let minutes: Vec<_> = asked.windows(2).map(|two| (two[1] - two[0]).as_secs() / 60).collect();
    assert_eq!(minutes, [1, 2, 4, 8, 10, 10, 10], "since it was found");
    service.poison.clear();
    service.run(Duration::from_mins(11));
    assert!(service.now - service.seen[&31] <= Duration::from_secs(11), "it is asked in every round again");
    assert_eq!(service.dispatcher.counts().bad, 0);
    service.poison.insert(31);
    service.alone.clear();
    service.run(Duration::from_mins(2));
    let asked = &service.alone[&31];
    assert_eq!((asked[1] - asked[0]).as_secs() / 60, 1, "it starts over");
}

#[test]
fn an_unavailable_upstream_is_not_mistaken_for_bad_keys() {
    let mut service = Loop::new(600, BTreeSet::new());
    service.run(Duration::from_mins(1));
    let mut well = Loop::new(600, BTreeSet::new());
    well.run(Duration::from_mins(11));
    service.is_away = true;
    service.run(Duration::from_mins(10));
    // One batch is split down to each of its keys after 0, 1, 3 and 7 minutes, and others in the ten seconds in which the far
    // side may still be there.
    let (most, usual) = (well.requests + 4 * 2 * BATCH as usize + 49, well.requests);
    assert!(service.requests <= most, "{} requests instead of {usual}", service.requests);
    assert_eq!(service.dispatcher.counts().bad, 0, "no key is called bad");
    service.is_away = false;
    service.run(INTERVALS.cold + Duration::from_secs(5));
    let back = service.now.saturating_sub(INTERVALS.cold + Duration::from_secs(5));
    let late = service.seen.values().filter(|at| **at < back).count();
    assert_eq!(late, 0, "every key is seen as soon as it is back");
}

#[test]
fn a_part_is_a_likely_cause_only_once_others_are_answered() {
    let mut dispatcher = Dispatcher::new(DispatchConfig::default());
    (0..60).for_each(|key| dispatcher.put(key, Place { lane: Lane::Hot, value: Value::Low }, None));
    let now = Moment::ZERO;
    dispatcher.tick(Lane::Hot, now);
    let poll = |dispatcher: &mut Dispatcher<u32>| dispatcher.poll(now).expect("a request");
    let (first, second) = (poll(&mut dispatcher), poll(&mut dispatcher));
    assert_eq!(first.suspicion, Suspicion::None);
    assert!(dispatcher.handle_done(&first, End::Blamed, now));
    let half = poll(&mut dispatcher);
    assert_eq!(half.suspicion, Suspicion::OnTrial);
    assert!(!dispatcher.handle_done(&second, End::Answered, now));
    assert_eq!(poll(&mut dispatcher).suspicion, Suspicion::Likely);
    // A reason that has nothing to do with the keys frees those of a part, too.
    assert!(!dispatcher.handle_done(&half, End::Failed, now));
    assert_eq!(dispatcher.counts().bad, 0);
}

#[test]
fn a_suspect_in_a_batch_of_the_other_lane_counts_in_its_own() {
    let mut dispatcher = Dispatcher::new(DispatchConfig::default());
    let place = |lane| Place { lane, value: Value::Low };
    (0..4).for_each(|key| dispatcher.put(key, place(Lane::Hot), None));
    (4..7).for_each(|key| dispatcher.put(key, place(Lane::Cold), None));
    dispatcher.back_off(7, Moment::ZERO, Duration::ZERO);
    for lane in Lane::ALL {
        dispatcher.tick(lane, Moment::ZERO);
    }
    let now = Moment::ZERO + Duration::from_secs(1);
    let all = dispatcher.poll(now).expect("a request");
    assert!(matches!(&all.ask, Ask::Batch(asked) if asked.len() == 8));
    assert!(
        dispatcher.handle_done(&all, End::Blamed, now),
        "they are asked by halves, with turns of the hot line"
    );
    assert_eq!(dispatcher.counts().unanswered, PerLane { hot: 4, cold: 4 }, "the cold round is not over");
    assert_eq!(dispatcher.deferred(Lane::Cold).count(), 4);
}

#[test]
fn a_suspect_that_is_removed_is_not_asked_for_and_not_counted() {
    let mut dispatcher = Dispatcher::new(DispatchConfig::default());
    (0..4).for_each(|key| dispatcher.put(key, Place { lane: Lane::Hot, value: Value::Low }, None));
    let now = Moment::ZERO + Duration::from_secs(1);
    dispatcher.tick(Lane::Hot, Moment::ZERO);
    let all = dispatcher.poll(now).expect("a request");
    assert!(dispatcher.handle_done(&all, End::Blamed, now));
    assert_eq!(dispatcher.counts().unanswered, PerLane { hot: 4, cold: 0 });
    assert_eq!(dispatcher.deferred(Lane::Hot).count(), 4);
    dispatcher.put_first(0, Place { lane: Lane::Cold, value: Value::Low }, now);
    dispatcher.relocate(1, Place { lane: Lane::Cold, value: Value::Low }, None);
    assert_eq!(dispatcher.counts().in_line, PerLane::default(), "it is in here already");
    dispatcher.remove(0);
    dispatcher.remove(1);
    assert_eq!(dispatcher.counts().unanswered, PerLane { hot: 2, cold: 0 });
    let half = dispatcher.poll(now).expect("the other half");
    assert!(matches!(&half.ask, Ask::Batch(asked) if asked.iter().map(|asked| asked.key).eq([2, 3])));
    assert_eq!(dispatcher.poll(now), None);
}

#[test]
fn probes_ask_for_one_key_though_only_suspects_are_left() {
    for keys in 1..=30 {
        let mut dispatcher = Dispatcher::new(DispatchConfig::default());
        (0..keys).for_each(|key| dispatcher.put(key, place(3 * key + 1), None));
        let now = Moment::ZERO + Duration::from_secs(1);
        dispatcher.tick(Lane::Hot, Moment::ZERO);
        let all = dispatcher.poll(now).expect("a request");
        if !dispatcher.handle_done(&all, End::Blamed, now) {
            continue;
        }
        dispatcher.set_probing(true);
        let mut asked = Vec::new();
        while let Some(probe) = dispatcher.poll(now) {
            let Ask::Batch(batch) = &probe.ask else { panic!("{probe:?}") };
            assert_eq!(batch.len(), 1, "of {keys} keys");
            asked.push(batch[0].key);
            // It fails, and not for the key's sake.
            assert!(!dispatcher.handle_done(&probe, End::Failed, now), "it is in its line again");
        }
        asked.sort_unstable();
        assert!(asked.into_iter().eq(0..keys), "each of {keys} once");
        assert_eq!(dispatcher.counts().unanswered, PerLane::default());
    }
}

#[test]
fn a_group_of_which_one_key_was_a_probe_is_asked_for_together_after_probing() {
    let mut dispatcher = Dispatcher::new(DispatchConfig::default());
    (0..8).for_each(|key| dispatcher.put(key, place(1), None));
    let now = Moment::ZERO + Duration::from_secs(1);
    dispatcher.tick(Lane::Hot, Moment::ZERO);
    let all = dispatcher.poll(now).expect("a request");
    assert!(dispatcher.handle_done(&all, End::Blamed, now));
    dispatcher.set_probing(true);
    let probe = dispatcher.poll(now).expect("a probe");
    assert!(!dispatcher.handle_done(&probe, End::Answered, now));
    dispatcher.set_probing(false);
    let others = dispatcher.poll(now).expect("the others of its group");
    let Ask::Batch(batch) = &others.ask else { panic!("{others:?}") };
    assert!(batch.iter().map(|asked| asked.key).eq(1..4));
    assert_eq!(others.suspicion, Suspicion::Likely, "upstream answered since");
}

#[test]
fn each_probe_asks_for_another_key_until_one_is_answered() {
    let mut dispatcher = Dispatcher::new(DispatchConfig::default());
    // Each of the bad ones is alone in its queue, and so its first key again at every tick.
    let bad = [0, 1];
    let places = Value::ALL.map(|value| Place { lane: Lane::Hot, value });
    let place_of = |key: u32| places[(key as usize).min(2)];
    (0..20).for_each(|key| dispatcher.put(key, place_of(key), None));
    dispatcher.set_probing(true);
    let mut failed = Vec::new();
    for round in 0..20 {
        let now = Moment::ZERO + Duration::from_secs(10 * round + 1);
        for lane in Lane::ALL {
            dispatcher.tick(lane, Moment::ZERO + Duration::from_secs(10 * round));
        }
        let probe = dispatcher.poll(now).expect("a probe");
        let Ask::Batch(batch) = &probe.ask else { panic!("{probe:?}") };
        let asked = batch[0];
        if bad.contains(&asked.key) {
            dispatcher.handle_done(&probe, End::Failed, now);
            dispatcher.put_failed(asked.key, place_of(asked.key), None);
            failed.push(asked.key);
        } else {
            // One answer is not enough for most breakers.
            dispatcher.handle_done(&probe, End::Answered, now);
            dispatcher.put(asked.key, place_of(asked.key), Some(Seen::at(now)));
        }
    }
    assert_eq!(failed, bad, "each of them once");
}

#[test]
fn probes_start_over_once_every_key_was_one() {
    let mut dispatcher = Dispatcher::new(DispatchConfig::default());
    (0..3).for_each(|key| dispatcher.put(key, place(1), None));
    dispatcher.set_probing(true);
    let mut asked = Vec::new();
    for round in 0..6 {
        let now = Moment::ZERO + Duration::from_secs(10 * round + 1);
        dispatcher.tick(Lane::Hot, Moment::ZERO + Duration::from_secs(10 * round));
        let probe = dispatcher.poll(now).expect("a probe");
        let Ask::Batch(batch) = &probe.ask else { panic!("{probe:?}") };
        asked.push(batch[0].key);
        dispatcher.handle_done(&probe, End::Failed, now);
        dispatcher.put_failed(batch[0].key, place(1), None);
    }
    asked[..3].sort_unstable();
    asked[3..].sort_unstable();
    assert_eq!(asked, [0, 1, 2, 0, 1, 2]);
}
