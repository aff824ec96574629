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
fn settings() -> MarketSettings {
    MarketSettings { archive_after: Duration::from_hours(1), ..MarketSettings::default() }
}

fn config(settings: &MarketSettings) -> MarketConfig {
    MarketConfig::try_new(settings.clone()).expect("valid settings")
}

/// Either all lists fit or none, so that the model need not know how much one takes.
fn other_settings() -> impl Strategy<Value = MarketSettings> {
    let minutes = |range: std::ops::Range<u64>| range.prop_map(Duration::from_mins);
    let capacity = prop_oneof![Just(0), Just(32 << 20)];
    let numbers = (prop_oneof![Just(0.05), Just(0.10), Just(0.3)], 100.0..2_000.0, 0.1..=1.0);
    (numbers, capacity, minutes(1..120), minutes(1..30), minutes(1..5), minutes(5..90)).prop_map(
        |(
            (hot_threshold, min_liquidity_usd, ewma_alpha),
            list_capacity_bytes,
            archive_after,
            list_max_age,
            first,
            most,
        )| {
            MarketSettings {
                hot_threshold,
                min_liquidity_usd,
                ewma_alpha,
                archive_after,
                list_max_age,
                list_capacity_bytes,
                unlisted_backoff: first,
                unlisted_max_backoff: most,
                ..MarketSettings::default()
            }
        },
    )
}

#[derive(Clone, Debug)]
enum Step {
    Wait(SignedDuration),
    Primary(u8, Vec<Pair>),
    All(u8, Vec<Pair>),
    Missing(u8),
    Edit(BTreeSet<u8>),
    Reconfigure(MarketSettings),
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
        1 => other_settings().prop_map(Step::Reconfigure),
    ]
}

/// The rules for one token, in terms of its history instead of its state.
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

    fn miss(&mut self, settings: &MarketSettings, now: Timestamp) {
        let mut wait = settings.unlisted_backoff;
        for _ in 0..self.misses {
            wait = settings.unlisted_max_backoff.min(wait * 2);
        }
        self.misses += 1;
        self.ask_again_at = Some(now + wait);
    }

    fn find(
        &mut self,
        mint: Mint,
        pools: &[Pair],
        is_full_list: bool,
        settings: &MarketSettings,
        now: Timestamp,
    ) {
        self.misses = 0;
        self.ask_again_at = None;
        let (pools, basis) = self.merge(pools, is_full_list, settings, now);
        let summary = summarize(mint, &pools, &config(settings));
        let fresh = score(&summary.inputs, now.duration_since(self.first_seen)).score;
        let gap = self.scored.map_or(SignedDuration::ZERO, |(_, before, _)| now.duration_since(before));
        let smoothed = match self.scored {
            Some((before, _, smoothed)) if before.as_str() == basis.as_str() => {
                smoothed.next(fresh, settings.ewma_alpha)
            }
            _ => Smoothed::first(fresh),
        };
        self.scored = Some((basis, now, smoothed));
        self.active |= is_full_list && summary.activates();
        self.count_below(&summary, basis, gap, settings);
    }

    /// The pools that count now: a young list with the newer pools in it, or just these.
    fn merge(
        &mut self,
        newer: &[Pair],
        is_full_list: bool,
        settings: &MarketSettings,
        now: Timestamp,
    ) -> (Vec<Pair>, Basis) {
        if is_full_list {
            self.list = (settings.list_capacity_bytes > 0).then(|| (now, newer.to_vec()));
            return (newer.to_vec(), Basis::All { listed_at: now });
        }
        match self.list.take() {
            Some((listed_at, mut pools))
                if now.duration_since(listed_at).unsigned_abs() <= settings.list_max_age =>
            {
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

    fn count_below(
        &mut self,
        summary: &PoolSummary,
        basis: Basis,
        gap: SignedDuration,
        settings: &MarketSettings,
    ) {
        let unknown = summary.unknown > 0 || (basis == Basis::Primary && summary.thin == 0);
        self.below_for = match (summary.pools, unknown, self.below_for) {
            (1.., ..) | (0, true, None) => None,
            (0, false, None) => Some(SignedDuration::ZERO),
            (0, _, Some(so_far)) if gap.is_negative() => Some(so_far + gap),
            (0, false, Some(so_far)) if gap <= SignedDuration::from_mins(15) => Some(so_far + gap),
            (0, _, Some(so_far)) => Some(so_far.max(SignedDuration::ZERO)),
        };
        if !unknown
            && self.below_for.is_some_and(|time| time >= settings.archive_after.try_into().expect("minutes"))
        {
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

fn check_events(before: &Token, after: &Token, hot_threshold: f64, events: &[MarketEvent]) {
    let has = |test: fn(&MarketEvent) -> bool| events.iter().any(test);
    let became = |status| before.status != status && after.status == status;
    assert_eq!(has(|event| matches!(event, MarketEvent::Archived { .. })), became(TokenStatus::Archived));
    if became(TokenStatus::Active) {
        assert!(has(|event| matches!(event, MarketEvent::Activated { .. })));
    }
    let (from, to) = (before.lane(hot_threshold), after.lane(hot_threshold));
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
    let mut settings = settings();
    let mut book = Book::new(config(&settings));
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
            Step::Reconfigure(new) => {
                let lanes = |book: &Book, threshold| {
                    book.iter().map(|token| token.lane(threshold)).collect::<Vec<_>>()
                };
                let before = lanes(&book, settings.hot_threshold);
                let changed = book.reconfigure(config(new));
                settings = new.clone();
                let after = lanes(&book, settings.hot_threshold);
                let expected = book.iter().zip(before.into_iter().zip(after));
                let expected = expected.filter(|(_, (from, to))| from != to).map(|(token, (from, to))| {
                    let (from, to) = (from.expect("not archived"), to.expect("not archived"));
                    MarketEvent::LaneChanged { mint: token.mint, from, to }
                });
                assert!(changed.into_iter().eq(expected), "every token that changes its lane, and no other");
                if settings.list_capacity_bytes == 0 {
                    for model in models.values_mut() {
                        model.list = None;
                    }
                }
                check_waits(&book, now);
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
                Observation::All([]) | Observation::Missing => model.miss(&settings, now),
                Observation::Primary(pools) => model.find(mint, pools, false, &settings, now),
                Observation::All(pools) => model.find(mint, pools, true, &settings, now),
            }
        }
        let after = book.get(&mint).expect("an observation removes nothing");
        model.check(after, now);
        check_events(&before, after, settings.hot_threshold, &events);
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
