//! The address of a Solana token.

use std::fmt;
use std::str::FromStr;

/// The 32 bytes of a token's address, written in base58 (Bitcoin's alphabet, case-sensitive).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mint([u8; 32]);

/// Why a text is not a valid mint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMint {
    /// A base58 text of 32 bytes has between 32 and 44 characters.
    #[error("{got} characters, expected 32 to 44 of base58")]
    Length {
        /// Characters in the text.
        got: usize,
    },
    /// `0`, `O`, `I`, `l` and everything that is no letter or digit are not base58.
    #[error("{character:?} at position {position} is not base58")]
    Character {
        /// The character.
        character: char,
        /// Its position, counted from 1.
        position: usize,
    },
    /// The text decodes, but not to 32 bytes.
    #[error("decodes to {got} bytes, expected 32")]
    Bytes {
        /// Bytes that it decodes to.
        got: usize,
    },
}

impl Mint {
    /// Wrapped SOL: a quote that pools are scored against.
    pub const WSOL: Self = Self([
        6, 155, 136, 87, 254, 171, 129, 132, 251, 104, 127, 99, 70, 24, 192, 53, 218, 196, 57, 220, 26, 235,
        59, 85, 152, 160, 240, 0, 0, 0, 0, 1,
    ]);

    /// Circle's USDC: a quote that pools are scored against.
    pub const USDC: Self = Self([
        198, 250, 122, 243, 190, 219, 173, 58, 61, 101, 243, 106, 171, 201, 116, 49, 177, 187, 228, 194, 210,
        246, 224, 228, 124, 166, 2, 3, 69, 47, 93, 97,
    ]);

    /// The mint with these bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl FromStr for Mint {
    type Err = InvalidMint;

    fn from_str(text: &str) -> Result<Self, InvalidMint> {
        // This decoder is many times quicker, and the other says what is wrong with what it refuses.
        let mut exact = [0_u8; 32];
        if (32..=44).contains(&text.len()) && five8::decode_32(text, &mut exact).is_ok() {
            return Ok(Self(exact));
        }
        let characters = text.chars().count();
        if !(32..=44).contains(&characters) {
            return Err(InvalidMint::Length { got: characters });
        }
        // 44 base58 characters hold at most 33 bytes.
        let mut bytes = [0_u8; 33];
        match bs58::decode(text).onto(&mut bytes) {
            Ok(32) => {
                exact.copy_from_slice(&bytes[..32]);
                Ok(Self(exact))
            }
            Ok(got) => Err(InvalidMint::Bytes { got }),
            Err(
                bs58::decode::Error::InvalidCharacter { index, .. }
                | bs58::decode::Error::NonAsciiCharacter { index },
            ) => {
                let character = text[index..].chars().next().unwrap_or('\u{fffd}');
                Err(InvalidMint::Character { character, position: text[..index].chars().count() + 1 })
            }
            Err(_) => Err(InvalidMint::Bytes { got: 33 }),
        }
    }
}

impl fmt::Display for Mint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0_u8; 44];
        let length = bs58::encode(&self.0).onto(&mut text[..]).map_err(|_| fmt::Error)?;
        f.pad(std::str::from_utf8(&text[..length]).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Mint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mint({self})")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WSOL: &str = "So11111111111111111111111111111111111111112";
    const USDC: &str = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v";

    #[test]
    fn the_quotes_are_the_addresses_that_they_claim_to_be() {
        assert_eq!(Mint::WSOL.to_string(), WSOL);
        assert_eq!(Mint::USDC.to_string(), USDC);
        assert_eq!(WSOL.parse(), Ok(Mint::WSOL));
        assert_eq!(USDC.parse(), Ok(Mint::USDC));
    }

    #[test]
    fn a_bad_mint_is_refused_with_its_reason() {
        let parse = str::parse::<Mint>;
        assert_eq!(parse(""), Err(InvalidMint::Length { got: 0 }));
        assert_eq!(parse("So1"), Err(InvalidMint::Length { got: 3 }));
        assert_eq!(
            parse("So1111111111111111111111111111111111111111O"),
            Err(InvalidMint::Character { character: 'O', position: 43 })
        );
        assert_eq!(
            parse("So111111111111111111é11111111111111111111112"),
            Err(InvalidMint::Character { character: 'é', position: 21 })
        );
        assert_eq!(parse(&"2".repeat(32)), Err(InvalidMint::Bytes { got: 23 }));
        assert_eq!(parse(&"z".repeat(44)), Err(InvalidMint::Bytes { got: 33 }));
    }

    proptest! {
        #[test]
        fn what_is_a_mint_is_what_the_plain_decoder_says(bytes: [u8; 32], text in "[1-9A-HJ-NP-Za-km-z]{30,46}") {
            prop_assert_eq!(bs58::encode(bytes).into_string().parse(), Ok(Mint(bytes)));
            let plain = bs58::decode(&text).into_vec().ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
            prop_assert_eq!(text.parse::<Mint>().ok(), plain.map(Mint));
        }
    }
}
