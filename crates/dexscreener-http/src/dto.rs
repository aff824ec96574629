//! The API's JSON, field by field as it arrives. It judges nothing beyond the types.
//!
//! Keys that are not named here are ignored. What no score rests on is kept raw, so that its type costs nothing; the rest
//! has the API's own types and no others: serde would read a list as an object, field after field. Text is borrowed
//! from the body where it has no escapes.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use serde::de::{self, IgnoredAny, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, forward_to_deserialize_any};
use serde_json::value::RawValue;

/// A key of an object: the API means different things by leaving it out and by `null`.
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

/// An object, and nothing that serde would take for one.
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

/// Asks for a map where a struct is wanted: a derived struct would take a sequence too.
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

/// A list that ends where no answer of the API goes: what a longer one would cost nobody wants to pay.
#[derive(Debug)]
pub(crate) struct Bounded<P>(pub(crate) Vec<P>);

/// Thirty mints with thirty pools each are the most that anything of this API could be about.
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

/// `{pairs}`, `{pair}` or both, with pairs of whatever type they are read as.
#[derive(Debug, Deserialize)]
#[serde(bound = "P: Deserialize<'de>")]
pub(crate) struct Envelope<P> {
    #[serde(default)]
    pub(crate) pairs: Field<Bounded<P>>,
    #[serde(default)]
    pub(crate) pair: Field<P>,
}

/// One pair. What the market has no use for (`url`, `priceChange`, `fdv`, `info`, …) is left out.
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
    /// Milliseconds since 1970; nothing rests on them.
    #[serde(borrow, default)]
    pub(crate) pair_created_at: Option<&'a RawValue>,
}

/// One side of a pair. Bodies of 2022 have a quote token without an address.
#[derive(Debug, Deserialize)]
pub(crate) struct TokenDto<'a> {
    #[serde(borrow, default)]
    pub(crate) address: Option<Text<'a>>,
    /// A text; nothing rests on it.
    #[serde(borrow, default)]
    pub(crate) symbol: Option<&'a RawValue>,
}

/// Text, borrowed from the body where it has no escapes: inside of an `Option` serde would copy a plain `Cow`.
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

/// A plain `#[serde(default)]` would ask `T` for a default that nobody uses.
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
        /// Up to here every whole number is exact as a float.
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

/// Whose a pair is, whatever else is in it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OwnerDto<'a> {
    #[serde(borrow)]
    pub(crate) base_token: Object<TokenDto<'a>>,
}

/// What tells a pair, however bad, from anything else.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LooksLikePair {
    #[serde(default)]
    pub(crate) pair_address: Option<IgnoredAny>,
    #[serde(default)]
    pub(crate) base_token: Option<IgnoredAny>,
}
