//! The text that an event carries: one JSON object, bounded. It is checked and never read: what the fields mean is for
//! those who write and read them.

use std::str::FromStr;
use std::sync::Arc;

/// A JSON object as text, at most [`Payload::MAX_BYTES`] long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload(Arc<str>);

/// Why a text is no payload.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPayload {
    /// Too long.
    #[error("{got} bytes, expected at most {max}", max = Payload::MAX_BYTES)]
    Length {
        /// Its bytes.
        got: usize,
    },
    /// Not one JSON object.
    #[error("no JSON object: wrong at byte {at}")]
    Syntax {
        /// Where, in bytes from 0.
        at: usize,
    },
}

impl Payload {
    /// The longest payload, in bytes.
    pub const MAX_BYTES: usize = 16 * 1024;
    /// Values inside values, at most: readers recurse.
    const MAX_DEPTH: usize = 16;

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Payload {
    type Err = InvalidPayload;

    fn from_str(text: &str) -> Result<Self, InvalidPayload> {
        if text.len() > Self::MAX_BYTES {
            return Err(InvalidPayload::Length { got: text.len() });
        }
        let mut scan = Scan { text: text.as_bytes(), at: 0 };
        let is_object = scan.peek() == Some(b'{') && scan.value(Self::MAX_DEPTH).is_some();
        if is_object && scan.at == text.len() {
            Ok(Self(text.into()))
        } else {
            Err(InvalidPayload::Syntax { at: scan.at })
        }
    }
}

/// Walks over JSON (RFC 8259); `None` is where it stops being that.
struct Scan<'a> {
    text: &'a [u8],
    at: usize,
}

impl Scan<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn take(&mut self, wanted: impl Fn(u8) -> bool) -> Option<()> {
        self.peek().filter(|byte| wanted(*byte))?;
        self.at += 1;
        Some(())
    }

    fn byte(&mut self, wanted: u8) -> Option<()> {
        self.take(|byte| byte == wanted)
    }

    fn space(&mut self) {
        while self.take(|byte| b" \t\r\n".contains(&byte)).is_some() {}
    }

    fn digits(&mut self) -> Option<()> {
        self.take(|byte| byte.is_ascii_digit())?;
        while self.take(|byte| byte.is_ascii_digit()).is_some() {}
        Some(())
    }

    fn value(&mut self, depth: usize) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        match self.peek()? {
            b'{' => self.list(b'}', |scan| {
                scan.string()?;
                scan.space();
                scan.byte(b':')?;
                scan.space();
                scan.value(depth)
            }),
            b'[' => self.list(b']', |scan| scan.value(depth)),
            b'"' => self.string(),
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'n' => self.word(b"null"),
            _ => self.number(),
        }
    }

    fn list(&mut self, close: u8, mut entry: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.at += 1;
        self.space();
        if self.byte(close).is_some() {
            return Some(());
        }
        loop {
            entry(self)?;
            self.space();
            if self.byte(close).is_some() {
                return Some(());
            }
            self.byte(b',')?;
            self.space();
        }
    }

    fn string(&mut self) -> Option<()> {
        self.byte(b'"')?;
        while self.byte(b'"').is_none() {
            if self.byte(b'\\').is_none() {
                self.take(|byte| byte >= b' ')?;
            } else if self.byte(b'u').is_some() {
                for _ in 0..4 {
                    self.take(|byte| byte.is_ascii_hexdigit())?;
                }
            } else {
                self.take(|byte| br#""\/bfnrt"#.contains(&byte))?;
            }
        }
        Some(())
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        word.iter().try_for_each(|byte| self.byte(*byte))
    }

    fn number(&mut self) -> Option<()> {
        self.byte(b'-');
        if self.byte(b'0').is_none() {
            self.digits()?;
        }
        if self.byte(b'.').is_some() {
            self.digits()?;
        }
        if self.take(|byte| byte == b'e' || byte == b'E').is_some() {
            self.take(|byte| byte == b'+' || byte == b'-');
            self.digits()?;
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_one_object_of_json() {
        for good in
            ["{}", r#"{"a": [1, -0.5e+9, "ü\n\u00e9", true, null, {"b": []}], "c": false}"#, "{ \"a\" : 0 }"]
        {
            assert_eq!(
                good.parse::<Payload>().map(|payload| payload.as_str().to_owned()),
                Ok(good.to_owned())
            );
        }
        for bad in [
            "",
            "[]",
            "1",
            "{",
            "{}x",
            "{} ",
            "{a:1}",
            r#"{"a"}"#,
            r#"{"a":}"#,
            r#"{"a":1,}"#,
            r#"{"a":01}"#,
            r#"{"a":.5}"#,
            r#"{"a":1.}"#,
            r#"{"a":NaN}"#,
            r#"{"a":tru}"#,
            r#"{"a":"\x"}"#,
            "{\"a\":\"\n\"}",
            r#"{"a":"\u12g4"}"#,
            r#"{"a":[1 2]}"#,
            r#"{"a":""#,
        ] {
            assert!(matches!(bad.parse::<Payload>(), Err(InvalidPayload::Syntax { .. })), "{bad}");
        }
    }

    #[test]
    fn a_payload_is_neither_too_long_nor_too_deep() {
        let of = |inside: &str| format!(r#"{{"a":{inside}}}"#).parse::<Payload>();
        assert!(of(&format!("\"{}\"", "x".repeat(Payload::MAX_BYTES - 8))).is_ok());
        let longer = of(&format!("\"{}\"", "x".repeat(Payload::MAX_BYTES - 7)));
        assert_eq!(longer, Err(InvalidPayload::Length { got: Payload::MAX_BYTES + 1 }));
        assert!(of(&format!("{}{}", "[".repeat(15), "]".repeat(15))).is_ok());
        assert!(of(&format!("{}{}", "[".repeat(16), "]".repeat(16))).is_err());
    }
}
