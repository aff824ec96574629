//! What surrounds the machine under test: its settings, its tokens, and what upstream says of them.

use std::sync::Arc;

use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;
use ttm_dispatch::{DispatchConfig, DispatchSettings};
use ttm_kernel::Moment;
use ttm_market::{MarketConfig, MarketSettings, Mint, Pair, Token, TokenRef, Trades};
use ttm_perf::{ControlConfig, ControlSettings};
use ttm_schedule::{ScheduleConfig, ScheduleSettings};
use ttm_service::machine::{Boot, Now, Seen, WorkSettings};

/// Tokens that a request can ask for.
pub(crate) const BATCH: usize = 4;
/// Tokens of each lane that may wait to be asked for alone.
pub(crate) const ALONE: usize = 2;
/// Requests in flight, at most.
pub(crate) const IN_FLIGHT: usize = 4;
/// How long a token is seen without liquidity before it is archived.
pub(crate) const ARCHIVE_AFTER: Duration = Duration::from_secs(20);

/// Small enough that every bound is met. Nothing counts as just seen, and no rested token waits for company: what is due is
/// asked for.
pub(crate) fn dispatch() -> DispatchSettings {
    DispatchSettings {
        batch: BATCH,
        alone: ALONE,
        max_in_flight: IN_FLIGHT,
        lists: 3,
        gather: Duration::ZERO,
        hot_fresh_for: Duration::ZERO,
        cold_fresh_for: Duration::ZERO,
        ..DispatchSettings::default()
    }
}

pub(crate) fn settings(dispatch: DispatchSettings) -> WorkSettings {
    let market = MarketSettings { archive_after: ARCHIVE_AFTER, ..MarketSettings::default() };
    let control = ControlSettings {
        least_in_flight: 1,
        most_in_flight: dispatch.max_in_flight,
        ..ControlSettings::default()
    };
    WorkSettings {
        market: MarketConfig::try_new(market).expect("valid settings"),
        schedule: ScheduleConfig::default(),
        dispatch: DispatchConfig::try_new(dispatch).expect("valid settings"),
        control: ControlConfig::try_new(control).expect("valid settings"),
        requests_per_minute: 300.0,
    }
}

/// Other settings, as large as those at most.
pub(crate) fn other_settings() -> impl Strategy<Value = WorkSettings> {
    let dispatch = (1..=BATCH, 1..=ALONE, 1..=IN_FLIGHT, 1_usize..=3, 0_u64..900);
    // A token that is hot has a score between 0.3 and 1 by these.
    let threshold = prop::sample::select(vec![0.05, 0.1, 0.4, 0.8]);
    let seconds = (1_u64..=15, 15_u64..=45, 20_u64..90);
    (dispatch, threshold, seconds).prop_map(
        |((batch, alone, max_in_flight, lists, coalesce), hot_threshold, (hot, cold, archive_after))| {
            let coalesce = Duration::from_millis(coalesce);
            let dispatch =
                DispatchSettings { batch, alone, max_in_flight, lists, coalesce, ..self::dispatch() };
            let market = MarketSettings {
                hot_threshold,
                archive_after: Duration::from_secs(archive_after),
                ..MarketSettings::default()
            };
            let schedule = ScheduleSettings {
                hot_interval: Duration::from_secs(hot),
                cold_interval: Duration::from_secs(cold),
            };
            WorkSettings {
                market: MarketConfig::try_new(market).expect("valid settings"),
                schedule: ScheduleConfig::try_new(schedule).expect("valid settings"),
                ..settings(dispatch)
            }
        },
    )
}

/// So long after both clocks' origins of this test.
pub(crate) fn at(after: Duration) -> Now {
    let wall = Timestamp::from_second(1_800_000_000).expect("in range");
    let wall = wall.checked_add(jiff::SignedDuration::try_from(after).expect("in range")).expect("in range");
    // Far enough from the origin that an age of hours fits.
    Now { moment: Moment::from_origin(Duration::from_hours(24) + after), wall }
}

/// A mint for each number.
pub(crate) fn mint(number: u32) -> Mint {
    let mut bytes = [7; 32];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    Mint::from_bytes(bytes)
}

/// A token that was never scored, and is too old for its freshness to count.
pub(crate) fn token(number: u32) -> Token {
    Token::new(mint(number), Timestamp::from_second(1_700_000_000).expect("in range"))
}

/// What the first machine of a process begins with.
pub(crate) fn first(tokens: impl Iterator<Item = Token>) -> Boot {
    Boot { tokens: tokens.map(Arc::new).collect(), ..Boot::default() }
}

/// What upstream says of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Says {
    /// It is traded a lot.
    Hot,
    /// It is not traded.
    Cold,
    /// Its pool holds next to nothing.
    Thin,
    Missing,
    Unreadable,
}

/// The only pool of a token.
fn pool(mint: Mint, trades: u64, liquidity: f64) -> Pair {
    let trades_of = |trades| Trades { buys: trades, sells: 0 };
    Pair {
        address: format!("pool of {mint}").into(),
        dex: "raydium".into(),
        base: TokenRef { mint, symbol: "T".into() },
        quote: Mint::USDC,
        price_usd: Some(1.0),
        trades_5m: trades_of(trades),
        trades_1h: trades_of(trades),
        volume_5m_usd: 0.0,
        volume_1h_usd: 0.0,
        liquidity_usd: Some(liquidity),
        created_at: None,
    }
}

impl Says {
    pub(crate) const fn is_listed(self) -> bool {
        !matches!(self, Self::Missing)
    }

    /// Whether the token can be scored by it.
    pub(crate) const fn is_read(self) -> bool {
        matches!(self, Self::Hot | Self::Cold | Self::Thin)
    }

    pub(crate) fn pools(self, mint: Mint) -> Vec<Pair> {
        match self {
            Self::Hot => vec![pool(mint, 50, 50_000.0)],
            Self::Cold => vec![pool(mint, 0, 50_000.0)],
            Self::Thin => vec![pool(mint, 0, 10.0)],
            Self::Missing | Self::Unreadable => Vec::new(),
        }
    }

    /// As a batch brings it.
    pub(crate) fn in_batch(self, mint: Mint) -> Seen {
        match self {
            Self::Hot | Self::Cold | Self::Thin => Seen::Primary(self.pools(mint)),
            Self::Missing => Seen::Missing,
            Self::Unreadable => Seen::Unusable("priceUsd".into()),
        }
    }

    /// As a request for this token alone brings it.
    pub(crate) fn alone(self, mint: Mint) -> Seen {
        match self {
            Self::Hot | Self::Cold | Self::Thin => Seen::All(self.pools(mint)),
            Self::Missing | Self::Unreadable => self.in_batch(mint),
        }
    }

    /// As its full list brings it.
    pub(crate) fn in_list(self, mint: Mint) -> Seen {
        Seen::All(self.pools(mint))
    }
}
