//! Repairs JSON whose strings contain what JSON does not allow; leaves everything outside of strings alone.

use std::borrow::Cow;

/// A body as text: without a byte order mark, and with U+FFFD for invalid UTF-8.
pub(crate) fn text(body: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(without_mark(body).trim_ascii())
}

/// A body without a byte order mark.
pub(crate) fn without_mark(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)
}

/// The JSON with U+FFFD in its strings for control characters, unpaired surrogates and invalid escapes.
pub(crate) fn strings(json: &str) -> Cow<'_, str> {
    let mut mended = String::new();
    let (mut kept, mut at, mut inside) = (0, 0, false);
    let bytes = json.as_bytes();
    while let Some(byte) = bytes.get(at) {
        let (length, is_sound) = match byte {
            b'"' => {
                inside = !inside;
                (1, true)
            }
            b'\\' if inside => escape(&bytes[at..]),
            0..=0x1f if inside => (1, false),
            _ => (1, true),
        };
        if !is_sound {
            mended.push_str(&json[kept..at]);
            mended.push(char::REPLACEMENT_CHARACTER);
            kept = at + length;
        }
        at += length;
    }
    if kept == 0 {
        return Cow::Borrowed(json);
    }
    mended.push_str(&json[kept..]);
    Cow::Owned(mended)
}

/// The length of the escape at the start, and whether it is valid. Of an invalid escape only the backslash is replaced.
fn escape(bytes: &[u8]) -> (usize, bool) {
    match bytes.get(1) {
        Some(b'u') => match (unit(bytes), unit(bytes.get(6..).unwrap_or_default())) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => (12, true),
            (Some(0xd800..=0xdfff), _) => (6, false),
            (Some(_), _) => (6, true),
            (None, _) => (1, false),
        },
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => (2, true),
        _ => (1, false),
    }
}

/// The UTF-16 unit of `\uXXXX` at the start.
fn unit(bytes: &[u8]) -> Option<u16> {
    let digits = bytes.strip_prefix(b"\\u")?.get(..4)?;
    digits.iter().try_fold(0_u16, |unit, digit| {
        let digit = char::from(*digit).to_digit(16)?;
        Some(unit << 4 | u16::try_from(digit).ok()?)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(json: &str, mended: &str) {
        assert_eq!(strings(json), mended);
        serde_json::from_str::<serde_json::Value>(mended).expect("valid JSON");
    }

    #[test]
    fn invalid_characters_become_the_replacement_character() {
        check(r#"["\ud800"]"#, "[\"\u{fffd}\"]");
        check(r#"["\udc00\ud83d\ude80\ud83d"]"#, "[\"\u{fffd}\\ud83d\\ude80\u{fffd}\"]");
        check(r#"["\ud83dx\ude80"]"#, "[\"\u{fffd}x\u{fffd}\"]");
        check(r#"["\ud83d\ud83d\ude80"]"#, "[\"\u{fffd}\\ud83d\\ude80\"]");
        check("[\n\"a\nb\0\u{1f}\"\t]", "[\n\"a\u{fffd}b\u{fffd}\u{fffd}\"\t]");
        check(r#"["\x41\u00","\uzzzz"]"#, "[\"\u{fffd}x41\u{fffd}u00\",\"\u{fffd}uzzzz\"]");
    }

    #[test]
    fn valid_json_is_not_copied() {
        for json in
            [r#"{"a":["\"\\\/\b\f\n\r\t\u0041\uABcd\ud83d\uDE80",1e9,null]}"#, "[ \n\t{}]", r#"["\\"]"#, ""]
        {
            assert!(matches!(strings(json), Cow::Borrowed(same) if same == json), "{json}");
        }
    }

    #[test]
    fn an_unterminated_string_stays_invalid() {
        for json in ["\"", "\"\\", "\"\\u", "\"\\u12", "\"\\ud800", "\"\\ud800\\u"] {
            assert!(serde_json::from_str::<serde_json::Value>(&strings(json)).is_err(), "{json}");
        }
    }

    #[test]
    fn a_byte_order_mark_is_removed_and_invalid_bytes_are_replaced() {
        assert_eq!(text(b"\xef\xbb\xbf [] \n"), "[]");
        assert_eq!(text(b"[\"\xff\"]"), "[\"\u{fffd}\"]");
    }

    proptest! {
        #[test]
        fn valid_json_is_unchanged(text in any::<String>(), other in ".*") {
            let value = serde_json::json!({ other.clone(): [text, { "x": other }] });
            let json = value.to_string();
            prop_assert!(matches!(strings(&json), Cow::Borrowed(_)), "{json}");
        }

        #[test]
        fn any_string_is_readable_after_repair(units in prop::collection::vec(any::<u16>(), 0..20)) {
            let escapes: Vec<String> = units.iter().map(|unit| format!("\\u{unit:04x}")).collect();
            let json = format!("\"{}\"", escapes.concat());
            let read: String = serde_json::from_str(&strings(&json)).expect("valid JSON");
            let expected = String::from_utf16_lossy(&units);
            prop_assert_eq!(read, expected);
        }
    }
}
