//! What observations make of tokens, one scenario a test.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use ttm_kernel::Lane;
use ttm_market::{
    ActivationRule, Basis, Book, Edit, ListPurpose, MarketConfig, MarketEvent, MarketSettings, Mint,
    Observation, Pair, PoolSeen, PoolsSeen, SkipReason, Skipped, Token, TokenRef, TokenStatus, Trades, row,
};

const A: Mint = Mint::from_bytes([1; 32]);
const B: Mint = Mint::from_bytes([2; 32]);
const C: Mint = Mint::from_bytes([3; 32]);

/// Seconds after the tokens were first seen.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).expect("in range")
}

const fn hours(hours: i64) -> i64 {
    hours * 3_600
}

fn pool(mint: Mint, address: &str, liquidity_usd: f64) -> Pair {
    Pair {
        address: address.into(),
        dex: "raydium".into(),
        base: TokenRef { mint, symbol: "CAT".into() },
        quote: Mint::WSOL,
        price_usd: Some(1.0),
        trades_5m: Trades { buys: 9, sells: 3 },
        trades_1h: Trades { buys: 40, sells: 30 },
        volume_5m_usd: 900.0,
        volume_1h_usd: 9_000.0,
        liquidity_usd: Some(liquidity_usd),
        created_at: None,
    }
}

/// Without trades: as the token ages, its score falls to 0.
fn quiet(mint: Mint, address: &str, liquidity_usd: f64) -> Pair {
    Pair { volume_5m_usd: 0.0, trades_5m: Trades::default(), ..pool(mint, address, liquidity_usd) }
}

fn curve(mint: Mint) -> Pair {
    Pair { dex: "pumpfun".into(), liquidity_usd: None, ..pool(mint, "curve", 0.0) }
}

fn book(mints: &[Mint]) -> Book {
    let mut book = Book::new(MarketConfig::default());
    for mint in mints {
        book.insert(Token::new(*mint, at(0)));
    }
    book
}

fn token(book: &Book, mint: Mint) -> &Token {
    book.get(&mint).expect("the token is in the book")
}

fn smoothed(book: &Book, mint: Mint) -> f64 {
    token(book, mint).smoothed_score().expect("the token was scored")
}

/// Shows the token below the minimum liquidity every minute of a span of seconds, ends included.
fn below_every_minute(book: &mut Book, mint: Mint, from: i64, to: i64) -> Vec<MarketEvent> {
    let thin = [quiet(mint, "thin", 10.0)];
    let minutes = (from..=to).step_by(60);
    minutes.flat_map(|second| book.observe(mint, Observation::Primary(&thin), at(second))).collect()
}

#[test]
fn the_first_score_is_taken_as_is_and_the_next_ones_are_smoothed() {
    let mut book = book(&[A]);
    book.observe(A, Observation::Primary(&[pool(A, "p", 9_000.0)]), at(hours(7)));
    let first = token(&book, A).score.expect("scored");
    assert_eq!(first.smoothed.value.to_bits(), first.raw.value.to_bits());
    assert_eq!((first.basis, first.pools, first.at), (Basis::Primary, 1, at(hours(7))));
    book.observe(A, Observation::Primary(&[quiet(A, "p", 9_000.0)]), at(hours(7) + 10));
    let expected = 0.7 * first.raw.value;
    assert!((smoothed(&book, A) - expected).abs() < 1e-12, "the second score is 0");
    assert_eq!(book.quality().scored, 2);
    let nameless = Pair { base: TokenRef { mint: A, symbol: "".into() }, ..pool(A, "p", 9_000.0) };
    book.observe(A, Observation::Primary(&[nameless]), at(hours(7) + 20));
    assert_eq!(token(&book, A).symbol.as_deref(), Some("CAT"), "a pool without a name takes none away");
}

#[test]
fn a_change_of_basis_is_no_momentum() {
    let mut book = book(&[A]);
    book.observe(A, Observation::Primary(&[quiet(A, "p", 9_000.0)]), at(hours(7)));
    let pools = [quiet(A, "p", 9_000.0), pool(A, "q", 9_000.0)];
    book.observe(A, Observation::All(&pools), at(hours(7) + 10));
    let score = token(&book, A).score.expect("scored");
    assert_eq!(score.basis, Basis::All { listed_at: at(hours(7) + 10) });
    assert_eq!(score.smoothed.value.to_bits(), score.raw.value.to_bits(), "the EWMA starts anew");
}

#[test]
fn a_primary_pool_refreshes_the_list_while_the_list_counts() {
    let mut book = book(&[A]);
    book.observe(A, Observation::All(&[pool(A, "p", 9_000.0), pool(A, "q", 1_000.0)]), at(0));
    book.observe(A, Observation::Primary(&[pool(A, "p", 5_000.0)]), at(900));
    let score = token(&book, A).score.expect("scored");
    assert_eq!((score.basis, score.pools, score.at), (Basis::All { listed_at: at(0) }, 2, at(900)));
    book.observe(A, Observation::Primary(&[pool(A, "new", 5_000.0)]), at(900));
    assert_eq!(token(&book, A).score.expect("scored").pools, 3, "a new primary pool joins the list");
    book.observe(A, Observation::Primary(&[pool(A, "p", 5_000.0)]), at(901));
    let score = token(&book, A).score.expect("scored");
    assert_eq!((score.basis, score.pools), (Basis::Primary, 1), "after 15 minutes the list is history");
    assert_eq!(score.smoothed.value.to_bits(), score.raw.value.to_bits());
}

#[test]
fn only_a_full_list_activates() {
    let mut book = book(&[A, B]);
    let two = [pool(A, "p", 9_000.0), pool(A, "q", 9_000.0)];
    assert_eq!(
        book.observe(A, Observation::Primary(&two), at(hours(9))),
        [lane_changed(A, Lane::Cold, Lane::Hot)]
    );
    assert_eq!(token(&book, A).status, TokenStatus::Monitored);
    let events = book.observe(A, Observation::All(&two), at(hours(9)));
    let two_seen = seen(2, &[("p", "raydium", Some(9_000.0)), ("q", "raydium", Some(9_000.0))]);
    let activated = MarketEvent::Activated { mint: A, rule: ActivationRule::Two, pools: two_seen };
    assert_eq!(events, [activated], "it was hot before");
    assert_eq!(token(&book, A).status, TokenStatus::Active);
    let migrated = [curve(B), quiet(B, "swap", 500.0)];
    let events = book.observe(B, Observation::All(&migrated), at(hours(9)));
    let migrated_seen = seen(2, &[("swap", "raydium", Some(500.0)), ("curve", "pumpfun", None)]);
    let activated =
        MarketEvent::Activated { mint: B, rule: ActivationRule::PumpFunAndOne, pools: migrated_seen };
    assert_eq!(events, [activated, lane_changed(B, Lane::Cold, Lane::Hot)]);
}

fn seen(count: u32, listed: &[(&str, &str, Option<f64>)]) -> PoolsSeen {
    let listed = listed.iter().map(|(address, dex, liquidity_usd)| PoolSeen {
        address: (*address).into(),
        dex: (*dex).into(),
        liquidity_usd: *liquidity_usd,
    });
    PoolsSeen { count, listed: listed.collect() }
}

#[test]
fn an_activation_names_the_pools_that_count_and_of_many_the_largest() {
    let mut book = book(&[A]);
    let mut pools: Vec<Pair> =
        (1..=30_u8).map(|n| pool(A, &format!("p{n}"), 1_000.0 * f64::from(n))).collect();
    pools.extend([pool(A, "thin", 499.0), curve(A), Pair { quote: B, ..pool(A, "other", 90_000.0) }]);
    pools.push(pool(B, "of another token", 90_000.0));
    let events = book.observe(A, Observation::All(&pools), at(0));
    let Some(MarketEvent::Activated { rule, pools, .. }) = events.first() else {
        panic!("not activated: {events:?}");
    };
    assert_eq!((*rule, pools.count), (ActivationRule::Two, 30));
    let names: Vec<&str> = pools.listed.iter().map(|pool| &*pool.address).collect();
    assert_eq!(names, ["p30", "p29", "p28", "p27", "p26"]);
}

fn lane_changed(mint: Mint, from: Lane, to: Lane) -> MarketEvent {
    MarketEvent::LaneChanged { mint, from, to }
}

#[test]
fn a_token_that_was_seen_below_for_twelve_hours_is_archived() {
    let mut book = book(&[A]);
    let events = below_every_minute(&mut book, A, 0, hours(12) - 60);
    assert!(!events.iter().any(|event| matches!(event, MarketEvent::Archived { .. })));
    assert_eq!(token(&book, A).below_since, Some(at(0)));
    let events = below_every_minute(&mut book, A, hours(12), hours(12));
    let pools = seen(1, &[("thin", "raydium", Some(10.0))]);
    let archived = MarketEvent::Archived { mint: A, below_since: at(0), min_liquidity_usd: 500.0, pools };
    assert_eq!(events, [archived]);
    assert_eq!(token(&book, A).status, TokenStatus::Archived);
    assert_eq!(token(&book, A).lane(0.10), None, "it is in no lane");
    assert_eq!(book.wants_list(&A, at(hours(13))), None);
}

#[test]
fn liquidity_for_a_moment_starts_the_twelve_hours_anew() {
    let mut book = book(&[A]);
    below_every_minute(&mut book, A, 0, hours(11));
    book.observe(A, Observation::Primary(&[quiet(A, "p", 500.0)]), at(hours(11)));
    assert_eq!(token(&book, A).below_since, None);
    below_every_minute(&mut book, A, hours(11) + 60, hours(23));
    assert_eq!(token(&book, A).status, TokenStatus::Monitored);
    below_every_minute(&mut book, A, hours(23) + 60, hours(23) + 60);
    assert_eq!(token(&book, A).status, TokenStatus::Archived);
}

#[test]
fn missing_data_never_archives() {
    let mut book = book(&[A]);
    below_every_minute(&mut book, A, 0, hours(6));
    // An outage, a step of the clock, or an unlisted token: the hours between are no evidence.
    book.observe(A, Observation::Missing, at(hours(7)));
    below_every_minute(&mut book, A, hours(48), hours(53));
    assert_eq!(token(&book, A).status, TokenStatus::Monitored);
    // Neither are a pool of unknown liquidity, or a primary pool that says nothing about the others.
    let unknown = Pair { liquidity_usd: None, ..pool(A, "p", 0.0) };
    for second in (hours(53)..hours(70)).step_by(60) {
        book.observe(A, Observation::Primary(&[curve(A)]), at(second));
        book.observe(A, Observation::All(&[unknown.clone(), curve(A)]), at(second + 30));
    }
    assert_eq!(token(&book, A).status, TokenStatus::Monitored);
    // The list with the unknown pool counts for a quarter of an hour more.
    below_every_minute(&mut book, A, hours(70), hours(71));
    assert_eq!(token(&book, A).status, TokenStatus::Monitored);
    below_every_minute(&mut book, A, hours(71), hours(71) + 15 * 60);
    assert_eq!(token(&book, A).status, TokenStatus::Archived, "6 + 5 + 1 hours were seen");
}

#[test]
fn a_bonding_curve_alone_in_a_full_list_is_too_little_liquidity() {
    let mut book = book(&[A]);
    for second in (0..=hours(12)).step_by(600) {
        book.observe(A, Observation::All(&[curve(A)]), at(second));
    }
    assert_eq!(token(&book, A).status, TokenStatus::Archived);
}

#[test]
fn a_missing_token_keeps_its_score_and_is_asked_for_after_a_wait_that_doubles() {
    let mut book = book(&[A]);
    book.observe(A, Observation::Primary(&[pool(A, "p", 9_000.0)]), at(0));
    let before = token(&book, A).clone();
    let events = book.observe(A, Observation::Missing, at(10));
    assert_eq!(events, [MarketEvent::Unlisted { mint: A, misses: 1, ask_again_at: at(70) }]);
    assert_eq!(token(&book, A).score, before.score);
    assert_eq!(book.rests_for(token(&book, A), at(69)), Some(Duration::from_secs(1)));
    assert_eq!(book.wants_list(&A, at(69)), None);
    assert_eq!(book.rests_for(token(&book, A), at(70)), None);
    assert_eq!(book.wants_list(&A, at(70)), Some(ListPurpose::Activation));
    // An empty full list says the same as no answer at all, an empty batch says nothing.
    let events = book.observe(A, Observation::All(&[]), at(70));
    assert_eq!(events, [MarketEvent::Unlisted { mint: A, misses: 2, ask_again_at: at(190) }]);
    assert_eq!(book.observe(A, Observation::Primary(&[]), at(190)), []);
    assert_eq!((book.quality().missing, book.quality().empty_primaries), (2, 1));
    let events = book.observe(A, Observation::Primary(&[pool(A, "p", 9_000.0)]), at(190));
    assert_eq!(events, [MarketEvent::Relisted { mint: A }]);
    assert_eq!(token(&book, A).unlisted, None);
}

#[test]
fn full_lists_are_wanted_where_they_are_useful_and_the_last_one_is_not_young() {
    let mut book = book(&[A, B, C]);
    let then = |seconds| at(hours(9) + seconds);
    // A is active, B has liquidity and may activate, C has none.
    let two = [pool(A, "p", 9_000.0), pool(A, "q", 9_000.0)];
    book.observe(A, Observation::All(&two), then(0));
    book.observe(B, Observation::Primary(&[quiet(B, "p", 9_000.0)]), then(0));
    book.observe(C, Observation::Primary(&[quiet(C, "p", 9.0)]), then(0));
    let wants = |book: &Book, seconds| [A, B, C].map(|mint| book.wants_list(&mint, then(seconds)));
    let (activation, score, rest) =
        (Some(ListPurpose::Activation), Some(ListPurpose::Score), Some(ListPurpose::Completeness));
    assert_eq!(wants(&book, 450), [None, activation, rest], "A's list is young");
    assert_eq!(wants(&book, 451), [score, activation, rest]);
    book.observe(B, Observation::All(&[quiet(B, "p", 9_000.0)]), then(451));
    assert_eq!(wants(&book, 451), [score, None, rest], "asked, though it did not activate");
    let before = token(&book, C).clone();
    book.note_empty_list(C, then(452));
    assert_eq!(token(&book, C), &before, "a list without a usable pool says nothing");
    assert_eq!(wants(&book, 902), [score, activation, None], "and is not wanted again at once");
    assert_eq!(wants(&book, 903), [score, activation, rest]);
}

#[test]
fn lists_that_take_too_much_memory_go_the_oldest_first() {
    let lists = |mint| [pool(mint, "p", 9_000.0), pool(mint, "q", 9_000.0)];
    let mut one = book(&[A]);
    one.observe(A, Observation::All(&lists(A)), at(0));
    let settings = MarketSettings { list_capacity_bytes: 2 * one.list_bytes(), ..MarketSettings::default() };
    let mut book = Book::new(MarketConfig::try_new(settings).expect("valid settings"));
    for (mint, second) in [(A, 0), (B, 1), (C, 2)] {
        book.insert(Token::new(mint, at(0)));
        book.observe(mint, Observation::All(&lists(mint)), at(second));
    }
    assert_eq!(book.list_bytes(), 2 * one.list_bytes());
    let basis_of = |book: &mut Book, mint, second| {
        book.observe(mint, Observation::Primary(&[pool(mint, "p", 9_000.0)]), at(second));
        token(book, mint).score.expect("scored").basis.as_str()
    };
    assert_eq!([A, B, C].map(|mint| basis_of(&mut book, mint, 3)), ["primary", "all", "all"]);
    // A list that is put in again is the youngest; one that is too old goes when its token is seen next.
    book.observe(B, Observation::All(&lists(B)), at(4));
    book.observe(A, Observation::All(&lists(A)), at(5));
    assert_eq!([A, B, C].map(|mint| basis_of(&mut book, mint, 6)), ["all", "all", "primary"]);
    assert_eq!([A, B].map(|mint| basis_of(&mut book, mint, hours(1))), ["primary", "primary"]);
    assert_eq!(book.list_bytes(), 0);
    book.observe(C, Observation::All(&lists(C)), at(hours(1)));
    book.remove(&C);
    assert_eq!(book.list_bytes(), 0);
}

#[test]
fn an_edited_set_brings_tokens_in_and_takes_them_out_and_changes_no_other() {
    let mut book = book(&[A, B]);
    book.observe(A, Observation::Primary(&[pool(A, "p", 9_000.0)]), at(0));
    let known = token(&book, A).clone();
    let Edit { added, removed } = book.reconcile(vec![Token::new(C, at(5)), Token::new(A, at(0))]);
    assert_eq!((added, removed[0].mint, removed.len()), (vec![C], B, 1));
    assert_eq!(book.iter().map(|token| token.mint).collect::<Vec<_>>(), [A, C]);
    assert_eq!(*token(&book, A), known, "the book knows better than the store");
    assert_eq!(
        book.observe(B, Observation::Missing, at(1)),
        [],
        "an answer for a removed token comes too late"
    );
    assert_eq!((book.len(), book.is_empty(), book.quality().unwanted), (2, false, 1));
    assert_eq!(book.reconcile(vec![]).removed.len(), 2);
    assert_eq!((book.len(), book.is_empty()), (0, true));
}

#[test]
fn an_archived_token_that_was_added_again_is_monitored_and_gets_the_whole_time_again() {
    let mut book = book(&[A]);
    below_every_minute(&mut book, A, 0, hours(12));
    assert_eq!(token(&book, A).status, TokenStatus::Archived);
    let stale = Token { below_since: Some(at(0)), ..Token::new(A, at(0)) };
    assert_eq!(
        book.reconcile(vec![stale]),
        Edit::default(),
        "the store does not know yet that it was archived"
    );
    let revived = Token { status: TokenStatus::Monitored, ..token(&book, A).clone() };
    assert_eq!(book.reconcile(vec![revived]), Edit { added: vec![A], removed: vec![] });
    below_every_minute(&mut book, A, hours(12) + 60, hours(24));
    assert_eq!(token(&book, A).status, TokenStatus::Monitored);
    below_every_minute(&mut book, A, hours(24) + 60, hours(24) + 60);
    assert_eq!(token(&book, A).status, TokenStatus::Archived);
}

#[test]
fn a_wall_clock_that_goes_back_a_day_does_no_harm() {
    let mut book = book(&[A, B]);
    let day = hours(24);
    below_every_minute(&mut book, A, day, day + 600);
    book.observe(B, Observation::All(&[pool(B, "p", 9_000.0)]), at(day));
    book.observe(B, Observation::Missing, at(day));
    // Back: the unlisted token is not left alone for a day, and the list from tomorrow does not count.
    assert_eq!(book.rests_for(token(&book, B), at(0)), None);
    book.observe(B, Observation::Primary(&[pool(B, "p", 9_000.0)]), at(0));
    assert_eq!(token(&book, B).score.expect("scored").basis, Basis::Primary);
    let seen = row(token(&book, B), at(-10), book.config());
    assert_eq!((seen.age, seen.stale), (Some(Duration::ZERO), false));
    below_every_minute(&mut book, A, 0, 600);
    // And forth: the day that the clock made up archives nothing.
    below_every_minute(&mut book, A, day + 600, day + 1_200);
    assert_eq!(token(&book, A).status, TokenStatus::Monitored);
    assert_eq!(
        token(&book, A).below_since.map(|since| since.duration_since(at(day)).is_negative()),
        Some(false)
    );
}

#[test]
fn a_row_says_how_old_the_score_is_and_whether_that_is_too_old() {
    let mut book = book(&[A, B]);
    book.observe(A, Observation::Primary(&[pool(A, "p", 9_000.0)]), at(0));
    let row_of = |mint, seconds| row(token(&book, mint), at(seconds), book.config());
    let hot = row_of(A, 60);
    assert_eq!((hot.lane, hot.age, hot.stale), (Some(Lane::Hot), Some(Duration::from_mins(1)), false));
    assert!(row_of(A, 61).stale);
    let never = row_of(B, 180);
    assert_eq!((never.lane, never.age, never.stale), (Some(Lane::Cold), None, false));
    assert!(row_of(B, 181).stale, "it was not observed since it was added");
}

#[test]
fn what_adapters_and_clients_found_wrong_is_counted() {
    let mut book = book(&[A]);
    let mut skipped = Skipped::default();
    skipped.add(SkipReason::BadPrice);
    book.count_skipped(&skipped);
    book.count_skipped(&skipped);
    book.count_suspicious_batch();
    let absurd = Pair { volume_1h_usd: f64::NAN, volume_5m_usd: -1.0, ..pool(A, "p", 9_000.0) };
    book.observe(A, Observation::Primary(&[absurd]), at(0));
    let quality = book.quality();
    assert_eq!(quality.skipped.count(SkipReason::BadPrice), 2);
    assert_eq!((quality.suspicious_batches, quality.unusable_numbers), (1, 2));
    assert!(token(&book, A).score.expect("scored").raw.value.is_finite());
}

#[test]
fn times_at_the_ends_of_the_calendar_do_not_panic() {
    let mut book = book(&[A]);
    for now in [Timestamp::MAX, Timestamp::MIN, Timestamp::MAX] {
        book.observe(A, Observation::All(&[quiet(A, "p", 9.0)]), now);
        book.observe(A, Observation::Primary(&[quiet(A, "p", 9.0)]), now);
        book.observe(A, Observation::Missing, now);
        book.rests_for(token(&book, A), now);
        book.wants_list(&A, now);
        row(token(&book, A), now, book.config());
    }
    assert!(Timestamp::MAX.duration_since(Timestamp::MIN) < SignedDuration::MAX);
}
