//! Many rounds: how old keys get, which priority waits for which, and how full batches are.

use std::collections::BTreeMap;
use std::time::Duration;

use ttm_dispatch::{
    Ask, Asked, Demand, DispatchConfig, Dispatcher, End, Place, Priority, Seen, Single, Value, outlook,
    single_every,
};
use ttm_kernel::{Lane, Moment, PerLane};

/// A turn every 204 ms: 300 a minute with two percent of headroom.
const SPACING: Duration = Duration::from_nanos(204_081_633);
const PER_MINUTE: f64 = 294.0;
const LATENCY_TURNS: usize = 1;

/// A service in miniature: ticks, turns, and answers that come a turn later.
struct Loop {
    dispatcher: Dispatcher<u32>,
    now: Moment,
    seen: BTreeMap<u32, Moment>,
    place: fn(u32) -> Place,
    /// The oldest that each key got before it was seen again, from the second time on.
    oldest: BTreeMap<u32, Duration>,
    next_tick: PerLane<Moment>,
    coming: Vec<ttm_dispatch::Request<u32>>,
    missing: fn(u32) -> bool,
    /// Wants the full list of every key that it sees; whether for activation is for this to say.
    wants_lists: Option<fn(u32) -> bool>,
}

const INTERVALS: PerLane<Duration> = PerLane { hot: Duration::from_secs(10), cold: Duration::from_secs(45) };

impl Loop {
    fn new(keys: u32, place: fn(u32) -> Place) -> Self {
        let mut dispatcher = Dispatcher::new(DispatchConfig::default());
        for key in 0..keys {
            dispatcher.put(key, place(key), None);
        }
        Self {
            dispatcher,
            now: Moment::ZERO,
            seen: BTreeMap::new(),
            place,
            oldest: BTreeMap::new(),
            next_tick: PerLane::default(),
            coming: Vec::new(),
            missing: |_| false,
            wants_lists: None,
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
            if self.coming.len() > LATENCY_TURNS {
                let request = self.coming.remove(0);
                self.answer(request);
            }
            self.coming.extend(self.dispatcher.poll(self.now));
            self.now += SPACING;
        }
    }

    fn answer(&mut self, request: ttm_dispatch::Request<u32>) {
        self.dispatcher.handle_done(&request, End::Answered, self.now);
        match request.ask {
            Ask::Batch(asked) => asked.into_iter().for_each(|asked| {
                if !(self.missing)(asked.key) {
                    self.see(asked);
                } else if !self.dispatcher.put_alone(asked) {
                    self.dispatcher.put(asked.key, (self.place)(asked.key), Some(Seen::at(self.now)));
                }
            }),
            Ask::One(asked, Single::Unanswered) => {
                self.dispatcher.back_off(asked.key, self.now, Duration::from_mins(30));
            }
            Ask::One(_, Single::List) => {}
        }
    }

    fn see(&mut self, asked: Asked<u32>) {
        if let Some(before) = self.seen.insert(asked.key, self.now) {
            let oldest = self.oldest.entry(asked.key).or_default();
            *oldest = (*oldest).max(self.now - before);
        }
        self.dispatcher.put(asked.key, (self.place)(asked.key), Some(Seen::at(self.now)));
        if let Some(for_activation) = self.wants_lists {
            self.dispatcher.want_list(asked.key, for_activation(asked.key));
        }
    }

    fn oldest(&self, keys: impl Fn(&u32) -> bool) -> Duration {
        self.oldest.iter().filter(|(key, _)| keys(key)).map(|(_, age)| *age).max().unwrap_or_default()
    }
}

const fn hot(value: Value) -> Place {
    Place { lane: Lane::Hot, value }
}

const fn cold(value: Value) -> Place {
    Place { lane: Lane::Cold, value }
}

#[test]
fn nine_thousand_keys_fill_every_batch_of_a_minute() {
    let mut service = Loop::new(9_000, |_| hot(Value::Low));
    service.missing = |key| key.is_multiple_of(20);
    service.run(Duration::from_mins(3));
    let before = service.dispatcher.counts();
    service.run(Duration::from_mins(7));
    let after = service.dispatcher.counts();
    let batches = after.batches - before.batches;
    let full = (after.batched - before.batched) as f64 / batches as f64;
    assert!(full >= 29.99, "{full} keys in a batch");
    assert!(batches as f64 >= 0.99 * 7.0 * PER_MINUTE, "{batches} batches in seven minutes");
}

#[test]
fn with_more_hot_keys_than_turns_all_grow_equally_old_but_the_most_valuable_a_little_less() {
    let place = |key: u32| match key {
        0..2_000 => hot(Value::ALL[key as usize % 4]),
        _ => cold(Value::ALL[key as usize % 4]),
    };
    let mut service = Loop::new(12_000, place);
    service.wants_lists = Some(|key| key.is_multiple_of(2));
    service.run(Duration::from_mins(5));
    service.oldest.clear();
    service.run(Duration::from_mins(90));
    let of = |value: usize| service.oldest(|key| *key < 2_000 && *key as usize % 4 == value);
    let [highest, high, low, lowest] = [0, 1, 2, 3].map(of);
    assert!(highest <= high && high <= low && low <= lowest, "{highest:?} {high:?} {low:?} {lowest:?}");
    assert!(lowest <= Duration::from_secs(20), "{lowest:?}");

    let demand = |keys, lane: Lane| Demand { keys, interval: INTERVALS[lane], unanswered: 0 };
    let config = DispatchConfig::default();
    let demand = PerLane { hot: demand(2_000, Lane::Hot), cold: demand(10_000, Lane::Cold) };
    let cold = outlook(demand, PER_MINUTE, &config, true).cold;
    let oldest = service.oldest(|key| *key >= 2_000);
    assert!(oldest > cold.cycle.mul_f64(0.8) && oldest < cold.cycle.mul_f64(1.4), "{oldest:?} {cold:?}");
}

#[test]
fn candidates_for_activation_take_no_more_than_their_share_from_the_hot_line() {
    let mut service = Loop::new(5_000, |_| hot(Value::Low));
    service.wants_lists = Some(|key| key.is_multiple_of(2));
    service.run(Duration::from_mins(10));
    let counts = service.dispatcher.counts();
    let all: u64 = counts.requests.iter().sum();
    let share = |priority| counts.requests_of(priority) as f64 / all as f64;
    assert!((share(Priority::Activation) - 0.10).abs() < 0.01, "{}", share(Priority::Activation));
    assert!(share(Priority::Hot) > 0.89, "{}", share(Priority::Hot));
}

#[test]
fn turns_that_no_line_needs_refresh_full_lists() {
    let mut service = Loop::new(300, |_| hot(Value::Low));
    service.wants_lists = Some(|_| false);
    service.run(Duration::from_mins(10));
    let counts = service.dispatcher.counts();
    assert!(counts.requests_of(Priority::Background) > 600, "{counts:?}");
    assert!(service.oldest(|_| true) <= Duration::from_secs(11), "{:?}", service.oldest(|_| true));
}

#[test]
fn a_key_waits_for_others_no_longer_than_it_may() {
    let mut dispatcher = Dispatcher::new(DispatchConfig::default());
    let start = Moment::from_origin(Duration::from_hours(1));
    for key in 0..31 {
        dispatcher.put(key, hot(Value::Low), None);
    }
    dispatcher.tick(Lane::Hot, start);
    let first = dispatcher.poll(start).expect("a full batch does not wait");
    assert!(matches!(&first.ask, Ask::Batch(asked) if asked.len() == 30), "{first:?}");
    assert_eq!(dispatcher.poll(start), None);
    let ripe = start + Duration::from_millis(200);
    assert_eq!(dispatcher.poll_timeout(start), Some(ripe));
    let rest = dispatcher.poll(ripe).expect("it has waited long enough");
    assert!(matches!(&rest.ask, Ask::Batch(asked) if asked.len() == 1), "{rest:?}");
    assert_eq!(dispatcher.poll_timeout(ripe), None);
}

#[test]
fn single_requests_leave_turns_to_batches_in_each_lane() {
    for place in [hot, cold].map(|lane: fn(Value) -> Place| lane(Value::Low)) {
        let places: fn(u32) -> Place =
            if place.lane == Lane::Hot { |_| hot(Value::Low) } else { |_| cold(Value::Low) };
        let mut service = Loop::new(30_000, places);
        service.missing = |key| key.is_multiple_of(2);
        service.run(Duration::from_mins(2));
        let counts = service.dispatcher.counts();
        let all: u64 = counts.requests.iter().sum();
        let singles = all.div_ceil(single_every(place.lane).into());
        assert!(counts.unanswered[place.lane] > 0, "{counts:?}");
        assert!((all - singles - 2..=all - singles + 2).contains(&counts.batches), "{counts:?}");
    }
}

#[test]
fn a_failed_key_is_in_front_after_the_next_tick_and_not_before() {
    let mut dispatcher = Dispatcher::new(DispatchConfig::default());
    let start = Moment::from_origin(Duration::from_hours(1));
    for key in 0..90 {
        dispatcher.put(key, hot(Value::Low), None);
    }
    dispatcher.tick(Lane::Hot, start);
    let keys = |request: &ttm_dispatch::Request<u32>| match &request.ask {
        Ask::Batch(asked) => asked.iter().map(|asked| asked.key).collect::<Vec<_>>(),
        Ask::One(..) => Vec::new(),
    };
    let poll = |dispatcher: &mut Dispatcher<u32>| dispatcher.poll(start).expect("a batch");
    let failed = poll(&mut dispatcher);
    dispatcher.handle_done(&failed, End::Failed, start);
    for key in keys(&failed) {
        dispatcher.put_failed(key, hot(Value::Low), None);
    }
    assert_eq!(dispatcher.counts().in_line.hot, 90, "it is in its line");
    assert_eq!(keys(&poll(&mut dispatcher)), (30..60).collect::<Vec<_>>(), "others have their turn first");
    dispatcher.tick(Lane::Hot, start);
    assert_eq!(keys(&poll(&mut dispatcher)), (0..30).collect::<Vec<_>>());
    assert_eq!(keys(&poll(&mut dispatcher)), (60..90).collect::<Vec<_>>());
}

#[test]
fn a_bounded_number_of_keys_waits_to_be_asked_for_alone() {
    let mut service = Loop::new(2_000, |_| hot(Value::Low));
    service.missing = |_| true;
    service.run(Duration::from_mins(2));
    let counts = service.dispatcher.counts();
    // One of them is in flight.
    assert_eq!(counts.unanswered.hot + 1, DispatchConfig::default().settings().alone);
    assert!(counts.batches > 200, "the others are asked again in batches: {counts:?}");
}

#[test]
fn keys_whose_backoff_is_over_join_batches_and_gather_for_a_minute_before_they_get_a_turn() {
    let mut dispatcher = Dispatcher::new(DispatchConfig::default());
    let start = Moment::from_origin(Duration::from_hours(1));
    let second = Duration::from_secs(1);
    dispatcher.back_off(1, start, second);
    dispatcher.back_off(2, start, 30 * second);
    let due = start + 61 * second;
    for at in [2, 31, 60].map(|seconds| start + seconds * second) {
        assert!(!dispatcher.is_ready(at) && dispatcher.poll(at).is_none(), "at {at:?}");
    }
    assert_eq!(dispatcher.poll_timeout(start + 31 * second), Some(due));
    let gathered = dispatcher.poll(due).expect("the first has waited for a minute");
    assert!(matches!(&gathered.ask, Ask::Batch(asked) if asked.len() == 2), "{gathered:?}");
    dispatcher.back_off(3, due, second);
    dispatcher.put(4, hot(Value::Low), None);
    dispatcher.tick(Lane::Hot, due + second);
    let along = dispatcher.poll(due + 2 * second).expect("a hot key waits");
    assert!(
        matches!(&along.ask, Ask::Batch(asked) if asked.iter().map(|asked| asked.key).eq([4, 3])),
        "{along:?}"
    );
}

#[test]
fn a_key_is_passed_over_until_it_is_exactly_as_old_as_fresh_ones_may_be() {
    for lane in Lane::ALL {
        let fresh_for = DispatchConfig::default().fresh_for(lane);
        let start = Moment::from_origin(Duration::from_hours(1));
        let asked = |age| {
            let mut dispatcher = Dispatcher::new(DispatchConfig::default());
            dispatcher.put(1, Place { lane, value: Value::Low }, Some(Seen::before(start, age)));
            dispatcher.tick(lane, start.saturating_sub(Duration::from_secs(1)));
            let asked = dispatcher.poll(start).is_some();
            (asked, dispatcher.counts().fresh[lane], dispatcher.counts().waiting[lane])
        };
        assert_eq!(asked(fresh_for.saturating_sub(Duration::from_nanos(1))), (false, 1, 0));
        assert_eq!(asked(fresh_for), (true, 0, 0));
    }
}

#[test]
fn a_line_whose_keys_were_all_passed_over_is_not_ready_before_its_next_tick() {
    let mut dispatcher = Dispatcher::new(DispatchConfig::default());
    let start = Moment::from_origin(Duration::from_hours(1));
    for (key, value) in (0..3).zip(Value::ALL) {
        dispatcher.put(key, hot(value), Some(Seen::at(start)));
    }
    dispatcher.tick(Lane::Hot, start);
    let later = start + Duration::from_secs(1);
    assert!(dispatcher.is_ready(later), "it was not polled yet");
    assert_eq!(dispatcher.poll(later), None);
    assert_eq!((dispatcher.counts().fresh.hot, dispatcher.counts().waiting.hot), (3, 0));
    assert!(!dispatcher.is_ready(later + Duration::from_mins(1)));
    assert_eq!(dispatcher.poll_timeout(later), None);
}

#[test]
fn the_greatest_weighted_age_comes_first_and_of_equals_the_more_valuable() {
    let start = Moment::from_origin(Duration::from_hours(1));
    let first = |keys: &[(u32, Value, u64)]| {
        let settings = ttm_dispatch::DispatchSettings { batch: 1, ..Default::default() };
        let mut dispatcher = Dispatcher::new(DispatchConfig::try_new(settings).expect("valid settings"));
        for (key, value, age) in keys {
            dispatcher.put(*key, hot(*value), Some(Seen::before(start, Duration::from_secs(*age))));
        }
        dispatcher.tick(Lane::Hot, start);
        match dispatcher.poll(start).expect("a key waits").ask {
            Ask::Batch(asked) => asked[0].key,
            Ask::One(..) => panic!("no key is asked for alone"),
        }
    };
    // 100 s weigh as much as 125 s: 1.25 to 1.
    assert_eq!(first(&[(1, Value::Lowest, 126), (2, Value::Highest, 100)]), 1);
    assert_eq!(first(&[(1, Value::Lowest, 124), (2, Value::Highest, 100)]), 2);
    assert_eq!(first(&[(1, Value::Lowest, 125), (2, Value::Highest, 100)]), 2, "of equals the more valuable");
}
