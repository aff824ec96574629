//! The text that an event carries, bounded. It is JSON, which those who write it make and the stores' columns hold to; here
//! it is never read.

use std::str::FromStr;
use std::sync::Arc;

/// A JSON object as text, at most [`Payload::MAX_BYTES`] long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload(Arc<str>);

/// A text is too long for a payload.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{got} bytes, expected at most {max}", max = Payload::MAX_BYTES)]
pub struct InvalidPayload {
    /// Its bytes.
    pub got: usize,
}

impl Payload {
    /// The longest payload, in bytes.
    pub const MAX_BYTES: usize = 16 * 1024;

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Payload {
    type Err = InvalidPayload;

    fn from_str(text: &str) -> Result<Self, InvalidPayload> {
        if text.len() > Self::MAX_BYTES {
            return Err(InvalidPayload { got: text.len() });
        }
        Ok(Self(text.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_bounded() {
        let of = |bytes| "x".repeat(bytes).parse::<Payload>();
        assert!(of(Payload::MAX_BYTES).is_ok());
        assert_eq!(of(Payload::MAX_BYTES + 1), Err(InvalidPayload { got: Payload::MAX_BYTES + 1 }));
    }
}
