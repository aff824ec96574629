//! One generated pool at one time: sizes, trades and prices, and which fields the API would leave out.

use jiff::Timestamp;

use super::noise::Dice;
use crate::{Mint, Pair, TokenRef, Trades};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;

/// A pool as the API would answer it; what [`Pair`] has no place for stands beside it.
#[derive(Clone, Debug, PartialEq)]
pub struct SyntheticPool {
    /// The pool. Its base is another token than the one asked for when it is a quote-side pair.
    pub pair: Pair,
    /// Price of the base token in units of the quote token; always known, finite and > 0.
    pub price_native: f64,
    /// Symbol that the quote token claims to have; one of the quotes claims to be USDC and is not.
    pub quote_symbol: &'static str,
}

/// What the generator draws from for one token.
#[derive(Clone, Copy)]
pub(super) struct TokenDice {
    pub(super) mint: Mint,
    pub(super) dice: Dice,
}

/// Places in a token's and in a pool's tree, so that one more draw of one thing does not shift another.
mod place {
    pub(super) const TOKEN_RATE: u64 = 1;
    pub(super) const TOKEN_PRICE: u64 = 2;
    pub(super) const TOKEN_PRICE_WAVE: u64 = 3;
    pub(super) const TOKEN_ACTIVITY: u64 = 4;
    pub(super) const TOKEN_SYMBOL: u64 = 5;
    pub(super) const TOKEN_KIND: u64 = 6;
    pub(super) const TOKEN_POOLS: u64 = 7;
    pub(super) const POOL: u64 = 100;
    pub(super) const DEX: u64 = 1;
    pub(super) const QUOTE: u64 = 2;
    pub(super) const LIQUIDITY: u64 = 3;
    pub(super) const LIQUIDITY_KNOWN: u64 = 4;
    pub(super) const PRICE_KNOWN: u64 = 5;
    pub(super) const CREATED: u64 = 6;
    pub(super) const CREATED_KNOWN: u64 = 7;
    pub(super) const SHARE: u64 = 8;
    pub(super) const TRADE_SIZE: u64 = 9;
    pub(super) const BUYS: u64 = 10;
    pub(super) const ADDRESS: u64 = 11;
    pub(super) const QUOTE_SIDE: u64 = 12;
    pub(super) const DITHER: u64 = 13;
    pub(super) const PRICE_OFFSET: u64 = 14;
}

impl TokenDice {
    /// How many pools it has, 1 to 8; a third of the tokens have one.
    pub(super) fn pool_count(self) -> u64 {
        if self.on_bonding_curve() {
            return 1;
        }
        let unit = self.dice.branch(place::TOKEN_POOLS).unit();
        1 + [0.35, 0.55, 0.70, 0.80, 0.88, 0.94, 0.98].iter().filter(|bound| unit >= **bound).count() as u64
    }

    /// One token in five has not left the launch pad yet.
    fn on_bonding_curve(self) -> bool {
        self.dice.branch(place::TOKEN_KIND).percent(20.0)
    }

    /// The pool with this number, counted from 0.
    pub(super) fn pool(self, number: u64) -> PoolDice {
        PoolDice { token: self, number, dice: self.dice.branch(place::POOL + number) }
    }

    /// Trades of all its pools per minute when it is as busy as it gets: a few tokens have hundreds, many next to none.
    fn busiest_rate(self) -> f64 {
        let unit = self.dice.branch(place::TOKEN_RATE).unit();
        let cube = unit * unit * unit;
        0.02 + 120.0 * cube * cube
    }

    /// How busy it is, 0 to 1: quiet hours with short bursts.
    fn activity(self, at_ms: i64) -> f64 {
        let dice = self.dice.branch(place::TOKEN_ACTIVITY);
        let burst = dice.branch(0).wave(at_ms, 17 * MINUTE_MS);
        let tide = dice.branch(1).wave(at_ms, 3 * HOUR_MS);
        burst * burst * (0.1 + 0.9 * tide)
    }

    /// Price in US dollars: up to threefold within hours, a few percent within minutes.
    fn price_usd(self, at_ms: i64) -> f64 {
        let level = self.dice.branch(place::TOKEN_PRICE);
        let decade = level.branch(0).pick(&[1.0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6]);
        let wave = self.dice.branch(place::TOKEN_PRICE_WAVE);
        let slow = 0.5 + wave.branch(0).wave(at_ms, 6 * HOUR_MS);
        let fast = 0.97 + 0.06 * wave.branch(1).wave(at_ms, 2 * MINUTE_MS);
        decade * (1.0 + 9.0 * level.branch(1).unit()) * slow * fast
    }

    /// Four letters.
    fn symbol(self) -> Box<str> {
        let bits = self.dice.branch(place::TOKEN_SYMBOL).bits();
        letters::<4>(bits, b"ABCDEFGHIJKLMNOPQRSTUVWXYZ").as_str().into()
    }
}

/// One pool of a token.
#[derive(Clone, Copy)]
pub(super) struct PoolDice {
    token: TokenDice,
    number: u64,
    dice: Dice,
}

/// What was traded in a stretch of time.
struct Window {
    trades: Trades,
    volume_usd: f64,
}

/// The other side of a pool.
#[derive(Clone, Copy)]
struct Quote {
    mint: Mint,
    symbol: &'static str,
    price_usd: f64,
}

impl PoolDice {
    /// The exchange that runs it.
    fn dex(self) -> &'static str {
        if self.token.on_bonding_curve() {
            return "pumpfun";
        }
        if self.number == 0 {
            // The bonding curve stays in the list after a token left it.
            return self.dice.branch(place::DEX).pick(&["pumpfun", "pumpswap", "raydium", "meteora"]);
        }
        self.dice.branch(place::DEX).pick(&["raydium", "orca", "meteora", "pumpswap"])
    }

    /// Whether the token is the quote of this pool; never the first one.
    pub(super) fn is_quote_side(self) -> bool {
        self.number > 0 && self.dice.branch(place::QUOTE_SIDE).percent(12.0)
    }

    /// Liquidity where the API tells it: never for a bonding curve, else for 85 % of the pools.
    pub(super) fn liquidity_usd(self, at_ms: i64) -> Option<f64> {
        if self.dex() == "pumpfun" || self.dice.branch(place::LIQUIDITY_KNOWN).percent(15.0) {
            return None;
        }
        let level = self.dice.branch(place::LIQUIDITY);
        let decade = level.branch(0).pick(&[1e2, 1e3, 1e3, 1e4, 1e4, 1e4, 1e5]);
        Some(
            decade
                * (1.0 + 9.0 * level.branch(1).unit())
                * (0.9 + 0.2 * level.branch(2).wave(at_ms, 4 * HOUR_MS)),
        )
    }

    /// Most pools trade against WSOL, some against USDC, a few against a token that only claims to be USDC.
    fn quote(self, market: Dice, at_ms: i64) -> Quote {
        match self.dice.branch(place::QUOTE).pick(&[0, 0, 0, 0, 0, 0, 1, 1, 2]) {
            0 => Quote { mint: Mint::WSOL, symbol: "SOL", price_usd: sol_usd(market, at_ms) },
            1 => Quote { mint: Mint::USDC, symbol: "USDC", price_usd: 1.0 },
            _ => Quote { mint: mint_at(market.branch(u64::MAX)), symbol: "USDC", price_usd: 0.5 },
        }
    }

    /// Trades in the window that ends now, rounded so that the mean over time is right.
    fn count(self, per_window: f64, at_ms: i64, window_ms: i64) -> u64 {
        let window = at_ms.div_euclid(window_ms).cast_unsigned();
        let dither = self.dice.branch(place::DITHER).branch(window_ms.cast_unsigned()).branch(window).unit();
        whole(per_window + dither)
    }

    /// The pool at a time.
    pub(super) fn at(self, market: Dice, at: Timestamp) -> SyntheticPool {
        let at_ms = at.as_millisecond();
        let (base, quote) = self.sides(market, at_ms);
        let (recent, hourly) = self.trading(base, at_ms);
        // Pools of one token agree to half a percent.
        let price_usd = base.price_usd(at_ms) * (0.995 + 0.01 * self.dice.branch(place::PRICE_OFFSET).unit());
        SyntheticPool {
            price_native: price_usd / quote.price_usd,
            quote_symbol: quote.symbol,
            pair: Pair {
                address: self.address(),
                dex: self.dex().into(),
                base: TokenRef { mint: base.mint, symbol: base.symbol() },
                quote: quote.mint,
                price_usd: (!self.dice.branch(place::PRICE_KNOWN).percent(10.0)).then_some(price_usd),
                trades_5m: recent.trades,
                trades_1h: hourly.trades,
                volume_5m_usd: recent.volume_usd,
                volume_1h_usd: hourly.volume_usd,
                liquidity_usd: self.liquidity_usd(at_ms),
                created_at: self.created_at(at),
            },
        }
    }

    /// Base and quote; the base of a quote-side pool is a token of its own.
    fn sides(self, market: Dice, at_ms: i64) -> (TokenDice, Quote) {
        if !self.is_quote_side() {
            return (self.token, self.quote(market, at_ms));
        }
        let place = self.dice.branch(place::QUOTE_SIDE);
        let base = TokenDice { mint: mint_at(place.branch(1)), dice: place.branch(2) };
        let price_usd = self.token.price_usd(at_ms);
        (base, Quote { mint: self.token.mint, symbol: "TOKEN", price_usd })
    }

    /// What was traded in the last five minutes and in the last hour, of which they are a part on both sides.
    fn trading(self, base: TokenDice, at_ms: i64) -> (Window, Window) {
        let rate = base.busiest_rate() * (0.1 + 0.9 * self.dice.branch(place::SHARE).unit());
        let busy_now = base.activity(at_ms);
        let earlier = [12, 24, 36, 48].iter().map(|ago| base.activity(at_ms - ago * MINUTE_MS));
        let busy_on_average = (busy_now + earlier.sum::<f64>()) / 5.0;
        let recent_count = self.count(rate * 5.0 * busy_now, at_ms, 5 * MINUTE_MS);
        let hourly_count = self.count(rate * 60.0 * busy_on_average, at_ms, HOUR_MS).max(recent_count);

        let buyers = self.dice.branch(place::BUYS);
        let recent = split(recent_count, 0.2 + 0.6 * buyers.branch(0).wave(at_ms, 11 * MINUTE_MS));
        let hourly = split(hourly_count, 0.3 + 0.4 * buyers.branch(1).wave(at_ms, HOUR_MS));
        let buys = hourly.buys.clamp(recent.buys, hourly_count - recent.sells);
        let hourly = Trades { buys, sells: hourly_count - buys };

        let size = self.dice.branch(place::TRADE_SIZE);
        let mean_usd = 15.0 + 400.0 * size.branch(0).unit() * size.branch(0).unit();
        let recent_usd = recent_count as f64 * mean_usd * (0.5 + size.branch(1).wave(at_ms, 3 * MINUTE_MS));
        let hourly_usd = (hourly_count as f64 * mean_usd).max(recent_usd);
        (Window { trades: recent, volume_usd: recent_usd }, Window { trades: hourly, volume_usd: hourly_usd })
    }

    /// Some time in the two years from January 2024 on, but never after `at`; 2 % of the pools do not tell.
    fn created_at(self, at: Timestamp) -> Option<Timestamp> {
        const JANUARY_2024_S: i64 = 1_704_067_200;
        const TWO_YEARS_S: u64 = 2 * 365 * 86_400;
        if self.dice.branch(place::CREATED_KNOWN).percent(2.0) {
            return None;
        }
        let after = (self.dice.branch(place::CREATED).bits() % TWO_YEARS_S).cast_signed();
        Timestamp::from_second(JANUARY_2024_S + after).ok().map(|created| created.min(at))
    }

    /// Looks like a base58 address.
    fn address(self) -> Box<str> {
        let dice = self.dice.branch(place::ADDRESS);
        let mut text = [0_u8; 44];
        for (part, chunk) in (0_u64..).zip(text.chunks_exact_mut(4)) {
            chunk.copy_from_slice(letters::<4>(dice.branch(part).bits(), BASE58).0.as_slice());
        }
        str::from_utf8(&text).unwrap_or_default().into()
    }
}

const BASE58: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/// Letters of an ASCII alphabet.
struct Letters<const N: usize>([u8; N]);

impl<const N: usize> Letters<N> {
    fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// `N` letters of `alphabet`, drawn from the upper bits of each step.
fn letters<const N: usize>(mut bits: u64, alphabet: &[u8]) -> Letters<N> {
    let mut text = [0_u8; N];
    for letter in &mut text {
        let wide = u128::from(bits) * alphabet.len() as u128;
        *letter = alphabet[usize::try_from(wide >> 64).unwrap_or(0)];
        // The lower half of the product is what the upper half left over.
        bits = bits.wrapping_mul(alphabet.len() as u64);
    }
    Letters(text)
}

/// The mint that stands at a place.
pub(super) fn mint_at(dice: Dice) -> Mint {
    let mut bytes = [0_u8; 32];
    for (part, chunk) in (0_u64..).zip(bytes.chunks_exact_mut(8)) {
        chunk.copy_from_slice(&dice.branch(part).bits().to_be_bytes());
    }
    // A leading zero would make a shorter text than every recorded mint has.
    bytes[0] |= 0x10;
    Mint::from_bytes(bytes)
}

/// What a SOL costs.
fn sol_usd(market: Dice, at_ms: i64) -> f64 {
    140.0 + 40.0 * market.branch(u64::MAX - 1).wave(at_ms, 24 * HOUR_MS)
}

/// `total` trades of which about `share` buy.
fn split(total: u64, share: f64) -> Trades {
    let buys = whole(total as f64 * share + 0.5).min(total);
    Trades { buys, sells: total - buys }
}

/// The whole part of a number ≥ 0.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, and that is meant"
)]
fn whole(number: f64) -> u64 {
    number as u64
}
