//! The JSON of the API, field by field; checks types only.
//!
//! Unknown keys are ignored. Fields that no score depends on are kept raw, so that any type is accepted. The others must
//! have exactly the types of the API: serde by itself would accept a list as an object, field by field. Text is borrowed
//! from the body unless it has escapes.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use serde::de::{self, IgnoredAny, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, forward_to_deserialize_any};
use serde_json::value::RawValue;

/// A value of an object; for the API, an absent key and `null` mean different things.
#[derive(Debug, Default)]
pub(crate) enum Field<T> {
    #[default]
    Absent,
    Null,
    Given(T),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Option::deserialize(from).map(|value| value.map_or(Self::Null, Self::Given))
    }
}

/// A JSON object; a list is an error.
#[derive(Debug)]
pub(crate) struct Object<T>(pub(crate) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        T::deserialize(OnlyObjects(from)).map(Self)
    }
}

impl<T> Deref for Object<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// Deserializes a struct from a map only: a derived struct would accept a sequence, too.
struct OnlyObjects<D>(D);

impl<'de, D: Deserializer<'de>> Deserializer<'de> for OnlyObjects<D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_map(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// A list with a limited number of entries, so that a huge response cannot exhaust memory.
#[derive(Debug)]
pub(crate) struct Bounded<P>(pub(crate) Vec<P>);

/// More than thirty mints with thirty pools each, the largest conceivable response.
pub(crate) const MOST_ENTRIES: usize = 1_000;

impl<'de, P: Deserialize<'de>> Deserialize<'de> for Bounded<P> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_seq(BoundedVisitor(PhantomData))
    }
}

struct BoundedVisitor<P>(PhantomData<P>);

impl<'de, P: Deserialize<'de>> Visitor<'de> for BoundedVisitor<P> {
    type Value = Bounded<P>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of at most {MOST_ENTRIES} entries")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(entry) = entries.next_element()? {
            if list.len() == MOST_ENTRIES {
                return Err(de::Error::invalid_length(MOST_ENTRIES + 1, &self));
            }
            list.push(entry);
        }
        Ok(Bounded(list))
    }
}

/// `{pairs}`, `{pair}` or both.
#[derive(Debug, Deserialize)]
#[serde(bound = "P: Deserialize<'de>")]
pub(crate) struct Envelope<P> {
    #[serde(default)]
    pub(crate) pairs: Field<Bounded<P>>,
    #[serde(default)]
    pub(crate) pair: Field<P>,
}

/// One pair, without the fields that the market does not use (`url`, `priceChange`, `fdv`, `info`, …).
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PairDto<'a> {
    #[serde(borrow)]
    pub(crate) chain_id: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) dex_id: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) pair_address: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) base_token: Object<TokenDto<'a>>,
    #[serde(borrow)]
    pub(crate) quote_token: Object<TokenDto<'a>>,
    /// A decimal text with up to 35 decimals, or a number.
    #[serde(borrow, default)]
    pub(crate) price_usd: Option<&'a RawValue>,
    #[serde(default)]
    pub(crate) txns: Option<Object<Windows<Object<SidesDto>>>>,
    #[serde(default)]
    pub(crate) volume: Option<Object<Windows<f64>>>,
    #[serde(default)]
    pub(crate) liquidity: Option<Object<LiquidityDto>>,
    /// Milliseconds since 1970; no score depends on them.
    #[serde(borrow, default)]
    pub(crate) pair_created_at: Option<&'a RawValue>,
}

/// One side of a pair. Bodies of 2022 have a quote token without an address.
#[derive(Debug, Deserialize)]
pub(crate) struct TokenDto<'a> {
    #[serde(borrow, default)]
    pub(crate) address: Option<Text<'a>>,
    /// A text; no score depends on it.
    #[serde(borrow, default)]
    pub(crate) symbol: Option<&'a RawValue>,
}

/// Text, borrowed from the body unless it has escapes: serde would copy a plain `Cow` inside an `Option`.
#[derive(Debug, Deserialize)]
pub(crate) struct Text<'a>(#[serde(borrow)] pub(crate) Cow<'a, str>);

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// The windows that a score needs; `h6` and `h24` are not read.
#[derive(Debug, Deserialize)]
pub(crate) struct Windows<T> {
    #[serde(default = "none")]
    pub(crate) m5: Option<T>,
    #[serde(default = "none")]
    pub(crate) h1: Option<T>,
}

/// A plain `#[serde(default)]` would require `T: Default`.
const fn none<T>() -> Option<T> {
    None
}

/// Counts of trades.
#[derive(Debug, Deserialize)]
pub(crate) struct SidesDto {
    #[serde(default)]
    pub(crate) buys: Option<Count>,
    #[serde(default)]
    pub(crate) sells: Option<Count>,
}

/// A whole number ≥ 0. `3.0` and `3` are one number in JSON.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Count(pub(crate) u64);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_u64(CountVisitor)
    }
}

struct CountVisitor;

impl Visitor<'_> for CountVisitor {
    type Value = Count;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number that is not negative")
    }

    fn visit_u64<E: de::Error>(self, count: u64) -> Result<Count, E> {
        Ok(Count(count))
    }

    fn visit_f64<E: de::Error>(self, count: f64) -> Result<Count, E> {
        /// Up to here, every whole number has an exact float.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        if count.fract() == 0.0 && (0.0..=EXACT).contains(&count) {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "whole, and in range"
            )]
            return Ok(Count(count as u64));
        }
        Err(E::invalid_value(Unexpected::Float(count), &self))
    }
}

/// Liquidity; `base` and `quote` are not read.
#[derive(Debug, Deserialize)]
pub(crate) struct LiquidityDto {
    #[serde(default)]
    pub(crate) usd: Option<f64>,
}

/// The owner of a pair, whatever else it contains.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OwnerDto<'a> {
    #[serde(borrow)]
    pub(crate) base_token: Object<TokenDto<'a>>,
}

/// The keys that distinguish even a bad pair from anything else.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LooksLikePair {
    #[serde(default)]
    pub(crate) pair_address: Option<IgnoredAny>,
    #[serde(default)]
    pub(crate) base_token: Option<IgnoredAny>,
}
