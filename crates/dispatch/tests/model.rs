//! Any history of facts, against a model that knows of each key where it is and what it may be asked for: nothing is
//! asked twice at once, nothing before its time, nothing is lost, and batches are as full as they can be.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use ttm_dispatch::{
    Ask, Asked, DispatchConfig, DispatchSettings, Dispatcher, End, Place, Priority, Request, Seen, Single,
    Value,
};
use ttm_kernel::{Lane, Moment};

const BATCH: usize = 4;
const COALESCE: Duration = Duration::from_millis(200);

fn settings() -> DispatchSettings {
    DispatchSettings {
        batch: BATCH,
        coalesce: COALESCE,
        max_in_flight: 3,
        alone: 2,
        lists: 3,
        ..DispatchSettings::default()
    }
}

fn other_settings() -> impl Strategy<Value = DispatchSettings> {
    let (small, millis) = (1_usize..=4, || (0_u64..2_000).prop_map(Duration::from_millis));
    let fresh = || (0_u64..10).prop_map(Duration::from_secs);
    let sizes = (1..=BATCH, small.clone(), small.clone(), small);
    (sizes, millis(), millis(), fresh(), fresh(), 0.1..25.0).prop_map(
        |(
            (batch, max_in_flight, alone, lists),
            coalesce,
            gather,
            hot_fresh_for,
            cold_fresh_for,
            floor_percent,
        )| {
            let sizes = DispatchSettings { batch, max_in_flight, alone, lists, ..settings() };
            DispatchSettings { coalesce, gather, hot_fresh_for, cold_fresh_for, floor_percent, ..sizes }
        },
    )
}

fn config(settings: DispatchSettings) -> DispatchConfig {
    DispatchConfig::try_new(settings).expect("valid settings")
}

#[derive(Clone, Debug)]
enum Step {
    Wait(u64),
    Tick(Lane),
    Put(u8, Place),
    PutFirst(u8, Place),
    Remove(u8),
    Relocate(u8, Place),
    WantList(u8, bool),
    Reconfigure(DispatchSettings),
    Poll,
    /// The oldest request ends: what becomes of its keys, in turn.
    Done(Vec<Fate>),
}

/// What becomes of a key that was asked.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Seen(Place),
    Failed,
    Unanswered,
    Rests(u64),
    Gone,
}

fn place() -> impl Strategy<Value = Place> {
    let lane = prop_oneof![Just(Lane::Hot), Just(Lane::Cold)];
    (lane, prop::sample::select(Value::ALL.to_vec())).prop_map(|(lane, value)| Place { lane, value })
}

fn step() -> impl Strategy<Value = Step> {
    let key = || 0_u8..16;
    let fate = prop_oneof![
        6 => place().prop_map(Fate::Seen),
        1 => Just(Fate::Failed),
        2 => Just(Fate::Unanswered),
        1 => (0_u64..5_000).prop_map(Fate::Rests),
        1 => Just(Fate::Gone),
    ];
    prop_oneof![
        4 => prop_oneof![0_u64..300, 0_u64..20_000].prop_map(Step::Wait),
        2 => prop_oneof![Just(Lane::Hot), Just(Lane::Cold)].prop_map(Step::Tick),
        4 => (key(), place()).prop_map(|(key, place)| Step::Put(key, place)),
        2 => (key(), place()).prop_map(|(key, place)| Step::PutFirst(key, place)),
        1 => key().prop_map(Step::Remove),
        1 => (key(), place()).prop_map(|(key, place)| Step::Relocate(key, place)),
        1 => (key(), any::<bool>()).prop_map(|(key, first)| Step::WantList(key, first)),
        1 => other_settings().prop_map(Step::Reconfigure),
        10 => Just(Step::Poll),
        8 => prop::collection::vec(fate, BATCH).prop_map(Step::Done),
    ]
}

/// Where the model has a key.
#[derive(Clone, Copy, Debug, PartialEq)]
enum At {
    /// In a line; asked after a tick.
    Waits(Place),
    /// In a line, and may be asked.
    Ready(Place),
    /// In a line, and was perhaps passed over because it had been seen just before.
    Passed(Place),
    Alone(Priority),
    Rests(Moment),
    UnderWay,
}

struct Model {
    config: DispatchConfig,
    dispatcher: Dispatcher<u8>,
    now: Moment,
    at: BTreeMap<u8, At>,
    seen: BTreeMap<u8, Moment>,
    lists: BTreeSet<u8>,
    under_way: Vec<Request<u8>>,
    asked: u64,
}

impl Model {
    fn new() -> Self {
        Self {
            config: config(settings()),
            dispatcher: Dispatcher::new(config(settings())),
            // Far enough that nothing was seen just before.
            now: Moment::from_origin(Duration::from_hours(1)),
            at: BTreeMap::new(),
            seen: BTreeMap::new(),
            lists: BTreeSet::new(),
            under_way: Vec::new(),
            asked: 0,
        }
    }

    fn apply(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Wait(millis) => self.now += Duration::from_millis(millis),
            Step::Tick(lane) => {
                self.dispatcher.tick(lane, self.now);
                for at in self.at.values_mut() {
                    if let At::Waits(place) | At::Passed(place) = *at
                        && place.lane == lane
                    {
                        *at = At::Ready(place);
                    }
                }
            }
            Step::Put(key, place) if !self.at.contains_key(&key) => {
                self.dispatcher.put(key, place, self.seen.get(&key).copied().map(Seen::at));
                self.at.insert(key, At::Waits(place));
            }
            Step::PutFirst(key, place) if !self.at.contains_key(&key) => {
                self.seen.remove(&key);
                self.dispatcher.put_first(key, place, self.now);
                self.at.insert(key, At::Ready(place));
            }
            Step::Remove(key) if self.at.get(&key).is_some_and(|at| *at != At::UnderWay) => {
                self.dispatcher.remove(key);
                self.at.remove(&key);
                if !self.is_list_under_way(key) {
                    self.lists.remove(&key);
                }
            }
            Step::Relocate(key, place) if self.at.contains_key(&key) => {
                self.dispatcher.relocate(key, place, self.seen.get(&key).copied().map(Seen::at));
                if let Some(At::Waits(_) | At::Ready(_) | At::Passed(_) | At::Rests(_)) = self.at.get(&key) {
                    self.at.insert(key, At::Waits(place));
                }
            }
            Step::WantList(key, for_activation) if self.at.contains_key(&key) => {
                let known = self.lists.contains(&key) || self.is_list_under_way(key);
                let remembered = self.dispatcher.want_list(key, for_activation);
                prop_assert!(!(known && remembered), "the list of {key} is wanted twice");
                if remembered {
                    self.lists.insert(key);
                }
            }
            Step::Reconfigure(settings) => {
                self.config = config(settings);
                self.dispatcher.reconfigure(self.config.clone());
            }
            Step::Poll => self.poll()?,
            Step::Done(fates) if !self.under_way.is_empty() => self.done(&fates),
            _ => {}
        }
        Ok(())
    }

    fn is_list_under_way(&self, key: u8) -> bool {
        self.under_way
            .iter()
            .any(|request| matches!(&request.ask, Ask::One(asked, Single::List) if asked.key == key))
    }

    /// Keys that a batch may hold now.
    fn may_be_asked(&self) -> usize {
        let rested = |until: &Moment| *until <= self.now;
        self.at
            .values()
            .filter(|at| matches!(at, At::Ready(_)) || matches!(at, At::Rests(until) if rested(until)))
            .count()
    }

    fn poll(&mut self) -> Result<(), TestCaseError> {
        let ready = self.dispatcher.is_ready(self.now);
        let Some(request) = self.dispatcher.poll(self.now) else {
            self.pass_over();
            prop_assert!(!ready || self.may_be_asked() == 0, "nothing to ask, though it was said so");
            return Ok(());
        };
        prop_assert!(ready, "a request that was not announced");
        prop_assert!(
            self.under_way.len() < self.config.settings().max_in_flight,
            "more in flight than may be"
        );
        match &request.ask {
            Ask::Batch(asked) => {
                let most = self.config.settings().batch;
                prop_assert!((1..=most).contains(&asked.len()));
                for asked in asked {
                    self.take(asked)?;
                }
                if asked.len() < most {
                    self.pass_over();
                    prop_assert_eq!(self.may_be_asked(), 0, "there was room for others");
                }
                self.asked += asked.len() as u64;
            }
            Ask::One(asked, Single::Unanswered) => {
                prop_assert!(matches!(self.at.get(&asked.key), Some(At::Alone(_))));
                self.at.insert(asked.key, At::UnderWay);
                self.asked += 1;
            }
            Ask::One(asked, Single::List) => prop_assert!(self.lists.remove(&asked.key)),
        }
        self.pass_over();
        self.under_way.push(request);
        Ok(())
    }

    fn take(&mut self, asked: &Asked<u8>) -> Result<(), TestCaseError> {
        match self.at.insert(asked.key, At::UnderWay) {
            Some(At::Ready(place) | At::Passed(place)) => {
                prop_assert_eq!(asked.from, Priority::from(place.lane));
                prop_assert_eq!(asked.seen, self.seen.get(&asked.key).copied().map(Seen::at));
            }
            Some(At::Rests(until)) => prop_assert!(until <= self.now, "woken up"),
            other => prop_assert!(false, "{} is asked, and is {other:?}", asked.key),
        }
        Ok(())
    }

    /// A poll may have come by those who were seen just before.
    fn pass_over(&mut self) {
        for (key, at) in &mut self.at {
            if let At::Ready(place) = *at
                && let Some(seen) = self.seen.get(key)
                && self.now - *seen < self.config.fresh_for(place.lane)
            {
                *at = At::Passed(place);
            }
        }
    }

    fn done(&mut self, fates: &[Fate]) {
        let request = self.under_way.remove(0);
        self.dispatcher.handle_done(&request, End::Answered, self.now);
        let asked = match &request.ask {
            Ask::Batch(asked) => asked.clone(),
            Ask::One(asked, Single::Unanswered) => vec![*asked],
            Ask::One(_, Single::List) => return,
        };
        let is_batch = matches!(request.ask, Ask::Batch(_));
        for (asked, fate) in asked.into_iter().zip(fates) {
            let key = asked.key;
            let lane = asked.from.lane();
            let at = match *fate {
                Fate::Seen(place) => {
                    self.seen.insert(key, self.now);
                    self.dispatcher.put(key, place, Some(Seen::at(self.now)));
                    At::Waits(place)
                }
                Fate::Unanswered if is_batch && self.dispatcher.put_alone(asked) => At::Alone(asked.from),
                Fate::Failed | Fate::Unanswered => {
                    let place = Place { lane, value: Value::Lowest };
                    self.dispatcher.put_failed(key, place, self.seen.get(&key).copied().map(Seen::at));
                    At::Waits(place)
                }
                Fate::Rests(millis) => {
                    let rest = Duration::from_millis(millis);
                    self.dispatcher.back_off(key, self.now, rest);
                    At::Rests(self.now + rest)
                }
                Fate::Gone => {
                    self.at.remove(&key);
                    continue;
                }
            };
            self.at.insert(key, at);
        }
    }

    /// Everything ends well, and every key is then asked once within a round.
    fn drain(mut self) -> Result<(), TestCaseError> {
        let fates = [Fate::Seen(Place { lane: Lane::Cold, value: Value::High }); BATCH];
        while !self.under_way.is_empty() {
            self.done(&fates);
        }
        self.now += Duration::from_hours(1);
        for lane in Lane::ALL {
            self.apply(Step::Tick(lane))?;
        }
        let mut left: BTreeSet<u8> = self.at.keys().copied().collect();
        self.now += self.config.settings().coalesce;
        while let Some(request) = self.dispatcher.poll(self.now) {
            self.dispatcher.handle_done(&request, End::Answered, self.now);
            let asked = match request.ask {
                Ask::Batch(asked) => asked,
                Ask::One(asked, Single::Unanswered) => vec![asked],
                Ask::One(_, Single::List) => continue,
            };
            for asked in asked {
                prop_assert!(left.remove(&asked.key), "{} is asked twice in a round", asked.key);
            }
        }
        prop_assert_eq!(left, BTreeSet::new(), "never asked again");
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn keys_are_asked_in_time_once_at_a_time_and_never_lost(steps in prop::collection::vec(step(), 1..300)) {
        let mut model = Model::new();
        for step in steps {
            model.apply(step)?;
            let counts = model.dispatcher.counts();
            prop_assert_eq!(counts.in_flight, model.under_way.len());
            prop_assert_eq!(counts.asked, model.asked);
        }
        model.drain()?;
    }
}
