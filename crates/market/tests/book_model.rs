//! Any history of observations gives what a naive model of the rules gives, and loses no token on the way.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use proptest::collection::vec;
use proptest::prelude::*;
use ttm_market::testing::pairs;
use ttm_market::{
    Basis, Book, MarketConfig, MarketEvent, MarketSettings, Mint, Observation, Pair, PoolSummary, Smoothed,
    Token, TokenStatus, score, summarize,
};

const TOKENS: u8 = 4;

const fn mint(number: u8) -> Mint {
    Mint::from_bytes([number; 32])
}

/// Archives after an hour, so that short histories get there.
fn config() -> MarketConfig {
    let settings = MarketSettings { archive_after: Duration::from_hours(1), ..MarketSettings::default() };
    MarketConfig::try_new(settings).expect("an hour is a valid time")
}

#[derive(Clone, Debug)]
enum Step {
    Wait(SignedDuration),
    Primary(u8, Vec<Pair>),
    All(u8, Vec<Pair>),
    Missing(u8),
    Edit(BTreeSet<u8>),
}

fn step() -> impl Strategy<Value = Step> {
    let number = || 0..TOKENS;
    let minutes = prop_oneof![20 => 0..14_i64, 2 => 14..40_i64, 1 => -2_000..2_000_i64];
    // Pools that hold too little, so that tokens stay below for long.
    let thin = |number: u8| {
        pairs(mint(number)).prop_map(|mut pools| {
            for pool in &mut pools {
                pool.liquidity_usd = pool.liquidity_usd.map(|usd| usd.min(499.0));
            }
            pools
        })
    };
    prop_oneof![
        8 => minutes.prop_map(|minutes| Step::Wait(SignedDuration::from_mins(minutes))),
        3 => number().prop_flat_map(|n| pairs(mint(n)).prop_map(move |pools| Step::Primary(n, pools))),
        6 => number().prop_flat_map(move |n| thin(n).prop_map(move |pools| Step::Primary(n, pools))),
        2 => number().prop_flat_map(|n| pairs(mint(n)).prop_map(move |pools| Step::All(n, pools))),
        3 => number().prop_flat_map(move |n| thin(n).prop_map(move |pools| Step::All(n, pools))),
        1 => number().prop_map(Step::Missing),
        1 => prop::collection::btree_set(number(), 2..=4).prop_map(Step::Edit),
    ]
}

/// What the rules say of one token, told as its history and not as its state.
#[derive(Clone, Debug)]
struct Model {
    first_seen: Timestamp,
    active: bool,
    archived: bool,
    misses: u32,
    ask_again_at: Option<Timestamp>,
    list: Option<(Timestamp, Vec<Pair>)>,
    scored: Option<(Basis, Timestamp, Smoothed)>,
    /// For how long it was seen below the minimum.
    below_for: Option<SignedDuration>,
}

impl Model {
    fn new(first_seen: Timestamp) -> Self {
        Self {
            first_seen,
            active: false,
            archived: false,
            misses: 0,
            ask_again_at: None,
            list: None,
            scored: None,
            below_for: None,
        }
    }

    fn miss(&mut self, now: Timestamp) {
        const MINUTES: [i64; 7] = [1, 2, 4, 8, 16, 32, 60];
        let minutes = MINUTES.get(self.misses as usize).copied().unwrap_or(60);
        self.misses += 1;
        self.ask_again_at = Some(now + SignedDuration::from_mins(minutes));
    }

    fn find(&mut self, mint: Mint, pools: &[Pair], is_full_list: bool, now: Timestamp) {
        self.misses = 0;
        self.ask_again_at = None;
        let (pools, basis) = self.merge(pools, is_full_list, now);
        let summary = summarize(mint, &pools, &config());
        let fresh = score(&summary.inputs, now.duration_since(self.first_seen)).score;
        let gap = self.scored.map_or(SignedDuration::ZERO, |(_, before, _)| now.duration_since(before));
        let smoothed = match self.scored {
            Some((before, _, smoothed)) if before.as_str() == basis.as_str() => smoothed.next(fresh, 0.3),
            _ => Smoothed::first(fresh),
        };
        self.scored = Some((basis, now, smoothed));
        self.active |= is_full_list && summary.activates();
        self.count_below(&summary, basis, gap);
    }

    /// The pools that count now: a young list with the newer pools in it, or just these.
    fn merge(&mut self, newer: &[Pair], is_full_list: bool, now: Timestamp) -> (Vec<Pair>, Basis) {
        if is_full_list {
            self.list = Some((now, newer.to_vec()));
            return (newer.to_vec(), Basis::All { listed_at: now });
        }
        let quarter = SignedDuration::from_mins(15);
        match self.list.take() {
            Some((listed_at, mut pools)) if now.duration_since(listed_at).abs() <= quarter => {
                for pair in newer {
                    match pools.iter().position(|pool| pool.address == pair.address) {
                        Some(at) => pools[at] = pair.clone(),
                        None => pools.push(pair.clone()),
                    }
                }
                self.list = Some((listed_at, pools.clone()));
                (pools, Basis::All { listed_at })
            }
            _ => (newer.to_vec(), Basis::Primary),
        }
    }

    fn count_below(&mut self, summary: &PoolSummary, basis: Basis, gap: SignedDuration) {
        let unknown = summary.unknown > 0 || (basis == Basis::Primary && summary.thin == 0);
        self.below_for = match (summary.pools, unknown, self.below_for) {
            (1.., ..) | (0, true, None) => None,
            (0, false, None) => Some(SignedDuration::ZERO),
            (0, _, Some(so_far)) if gap.is_negative() => Some(so_far + gap),
            (0, false, Some(so_far)) if gap <= SignedDuration::from_mins(15) => Some(so_far + gap),
            (0, _, Some(so_far)) => Some(so_far.max(SignedDuration::ZERO)),
        };
        if !unknown && self.below_for.is_some_and(|time| time >= SignedDuration::from_hours(1)) {
            self.archived = true;
            self.below_for = None;
        }
    }

    fn status(&self) -> TokenStatus {
        match (self.archived, self.active) {
            (true, _) => TokenStatus::Archived,
            (false, true) => TokenStatus::Active,
            (false, false) => TokenStatus::Monitored,
        }
    }

    fn check(&self, token: &Token, now: Timestamp) {
        assert_eq!(token.status, self.status());
        assert_eq!(token.unlisted.map_or(0, |unlisted| unlisted.misses), self.misses);
        assert_eq!(token.unlisted.map(|unlisted| unlisted.ask_again_at), self.ask_again_at);
        assert_eq!(token.score.map(|score| (score.basis, score.at, score.smoothed)), self.scored);
        let observed_now = self.scored.is_some_and(|(_, at, _)| at == now);
        if observed_now {
            assert_eq!(token.below_since.map(|since| now.duration_since(since)), self.below_for);
        }
    }
}

/// The laws that hold between any two steps.
fn check_waits(book: &Book, now: Timestamp) {
    for token in book.iter() {
        let waits = token.unlisted.is_some_and(|unlisted| unlisted.ask_again_at > now);
        let rests = book.rests_for(token, now).is_some();
        assert!(waits || !rests, "{token:?} rests for no reason");
        let list = book.wants_list(&token.mint, now);
        assert!(list.is_none() || !(rests || token.status == TokenStatus::Archived), "{token:?} {list:?}");
    }
    assert!(book.list_bytes() <= book.config().list_capacity_bytes());
}

fn check_events(before: &Token, after: &Token, events: &[MarketEvent]) {
    let has = |test: fn(&MarketEvent) -> bool| events.iter().any(test);
    let became = |status| before.status != status && after.status == status;
    assert_eq!(has(|event| matches!(event, MarketEvent::Archived { .. })), became(TokenStatus::Archived));
    if became(TokenStatus::Active) {
        assert!(has(|event| matches!(event, MarketEvent::Activated { .. })));
    }
    let (from, to) = (before.lane(0.10), after.lane(0.10));
    let moved = events.iter().find_map(|event| match event {
        MarketEvent::LaneChanged { from, to, .. } => Some((Some(*from), Some(*to))),
        _ => None,
    });
    assert_eq!(moved, (from != to && to.is_some()).then_some((from, to)));
    let relisted = before.unlisted.is_some() && after.unlisted.is_none();
    assert_eq!(has(|event| matches!(event, MarketEvent::Relisted { .. })), relisted);
}

fn run(steps: Vec<Step>) {
    let mut now = Timestamp::from_second(1_800_000_000).expect("in range");
    let mut book = Book::new(config());
    let mut models: BTreeMap<Mint, Model> = BTreeMap::new();
    for number in 0..TOKENS {
        book.insert(Token::new(mint(number), now));
        models.insert(mint(number), Model::new(now));
    }
    for step in steps {
        let (number, observation) = match &step {
            Step::Wait(time) => {
                now += *time;
                check_waits(&book, now);
                continue;
            }
            Step::Edit(kept) => {
                let kept: BTreeSet<Mint> = kept.iter().map(|number| mint(*number)).collect();
                book.reconcile(kept.iter().map(|mint| Token::new(*mint, now)).collect());
                models.retain(|mint, _| kept.contains(mint));
                for mint in kept {
                    let model = models.entry(mint).or_insert_with(|| Model::new(now));
                    if model.archived {
                        (model.archived, model.active, model.list) = (false, false, None);
                    }
                }
                assert!(book.iter().map(|token| &token.mint).eq(models.keys()), "the set is the edited one");
                continue;
            }
            Step::Primary(number, pools) => (*number, Observation::Primary(pools)),
            Step::All(number, pools) => (*number, Observation::All(pools)),
            Step::Missing(number) => (*number, Observation::Missing),
        };
        let mint = mint(number);
        let before = book.get(&mint).cloned();
        let events = book.observe(mint, observation, now);
        let (Some(before), Some(model)) = (before, models.get_mut(&mint)) else {
            assert_eq!(events, []);
            continue;
        };
        if !model.archived {
            match observation {
                Observation::Primary([]) => {}
                Observation::All([]) | Observation::Missing => model.miss(now),
                Observation::Primary(pools) => model.find(mint, pools, false, now),
                Observation::All(pools) => model.find(mint, pools, true, now),
            }
        }
        let after = book.get(&mint).expect("an observation removes nothing");
        model.check(after, now);
        check_events(&before, after, &events);
        check_waits(&book, now);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn any_history_gives_what_the_model_gives(steps in vec(step(), 1..120)) {
        run(steps);
    }
}
