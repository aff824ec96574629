//! Decompresses gzip bodies. The HTTP client could do it, but stops after the first member of a body with several.

use std::io::{self, Read};

use flate2::bufread::GzDecoder;

/// Why a body cannot be decompressed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UnpackError {
    /// A content encoding that was not requested.
    #[error("the body is encoded as {0:?}, expected gzip or none")]
    Unknown(String),
    /// It is truncated or invalid.
    #[error("the compressed body is invalid: {0}")]
    Broken(#[from] io::Error),
    /// It decompresses to more than the limit.
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
}

/// Whether a `Content-Encoding` means gzip.
fn is_packed(encoding: Option<&str>) -> Result<bool, UnpackError> {
    let Some(encoding) = encoding.map(str::trim_ascii) else { return Ok(false) };
    let is = |name: &str| encoding.eq_ignore_ascii_case(name);
    if encoding.is_empty() || is("identity") {
        Ok(false)
    } else if is("gzip") || is("x-gzip") {
        Ok(true)
    } else {
        Err(UnpackError::Unknown(encoding.chars().filter(|c| !c.is_control()).take(40).collect()))
    }
}

/// The decompressed body, of at most `limit` bytes.
pub(crate) fn unpack(body: Vec<u8>, encoding: Option<&str>, limit: usize) -> Result<Vec<u8>, UnpackError> {
    if !is_packed(encoding)? || body.is_empty() {
        return Ok(body);
    }
    let mut unpacked = Vec::new();
    unpack_members(&body, limit, &mut unpacked)?;
    if unpacked.len() > limit { Err(UnpackError::TooLarge(limit)) } else { Ok(unpacked) }
}

/// Decompresses member after member until `limit` is exceeded. Zeros after the last one are padding, as for gzip(1).
fn unpack_members(mut packed: &[u8], limit: usize, unpacked: &mut Vec<u8>) -> io::Result<()> {
    loop {
        let mut member = GzDecoder::new(packed);
        // One byte more than the limit shows that it is exceeded.
        let room = (limit + 1).saturating_sub(unpacked.len()) as u64;
        member.by_ref().take(room).read_to_end(unpacked)?;
        packed = member.into_inner();
        if unpacked.len() > limit || packed.iter().all(|byte| *byte == 0) {
            return Ok(());
        }
    }
}

/// The first `limit` bytes of a body that may be incomplete; unchanged if it is not gzip.
pub(crate) fn unpack_start(body: Vec<u8>, encoding: Option<&str>, limit: usize) -> Vec<u8> {
    let mut start = body;
    if is_packed(encoding).unwrap_or(false) {
        let mut unpacked = Vec::new();
        // What was decompressed before an error is kept.
        let _cut_off = unpack_members(&start, limit, &mut unpacked);
        start = unpacked;
    }
    start.truncate(limit);
    start
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn packed(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).expect("writing to memory cannot fail");
        encoder.finish().expect("writing to memory cannot fail")
    }

    #[test]
    fn all_members_are_decompressed_under_either_name_of_gzip() {
        let body = [packed(b"[1,"), packed(b""), packed(b"2]")].concat();
        for encoding in ["gzip", "x-gzip", " GZIP "] {
            assert_eq!(unpack(body.clone(), Some(encoding), 100).expect("valid gzip"), b"[1,2]");
        }
        for encoding in [None, Some(""), Some("identity")] {
            assert_eq!(unpack(body.clone(), encoding, 100).expect("nothing to do"), body);
        }
        assert_eq!(unpack(Vec::new(), Some("gzip"), 100).expect("nothing in it"), b"");
    }

    #[test]
    fn zeros_after_the_last_member_are_padding() {
        let (first, second) = (packed(b"[1,"), packed(b"2]"));
        for zeros in [1, 9, 18, 512] {
            let padded = [&first[..], &second, &vec![0; zeros]].concat();
            assert_eq!(unpack(padded.clone(), Some("gzip"), 100).expect("valid gzip"), b"[1,2]", "{zeros}");
            assert_eq!(unpack_start(padded, Some("gzip"), 100), b"[1,2]");
        }
        let none = packed(b"");
        assert_eq!(unpack([&none[..], &[0; 9]].concat(), Some("gzip"), 100).expect("valid gzip"), b"");
        for broken in
            [[&first[..], &[0; 9], b"x"].concat(), [&first[..], &[0; 9], &second].concat(), vec![0; 40]]
        {
            assert!(matches!(unpack(broken, Some("gzip"), 100), Err(UnpackError::Broken(_))));
        }
    }

    #[test]
    fn decompression_stops_at_the_limit() {
        let bomb = packed(&vec![b' '; 10_000_000]);
        assert!(bomb.len() < 20_000);
        assert!(matches!(unpack(bomb, Some("gzip"), 1_000), Err(UnpackError::TooLarge(1_000))));
        let fits = packed(&[b' '; 1_000]);
        assert_eq!(unpack(fits, Some("gzip"), 1_000).expect("it fits").len(), 1_000);
    }

    #[test]
    fn an_invalid_body_or_another_encoding_is_an_error() {
        let whole = packed(b"hello, hello, hello");
        for broken in [&whole[..whole.len() - 1], &whole[..12], b"hello", &[&whole[..], b"x"].concat()] {
            assert!(matches!(unpack(broken.to_vec(), Some("gzip"), 100), Err(UnpackError::Broken(_))));
        }
        let error = unpack(whole, Some("br\u{7}"), 100).expect_err("brotli was not requested");
        assert_eq!(error.to_string(), "the body is encoded as \"br\", expected gzip or none");
    }

    #[test]
    fn the_start_of_an_incomplete_body_is_decompressed_as_far_as_possible() {
        let whole = packed(b"error code: 1015");
        assert_eq!(unpack_start(whole.clone(), Some("gzip"), 512), b"error code: 1015");
        assert_eq!(unpack_start(whole.clone(), Some("gzip"), 5), b"error");
        assert_eq!(unpack_start(whole[..whole.len() - 4].to_vec(), Some("gzip"), 512), b"error code: 1015");
        assert_eq!(unpack_start(b"plain".to_vec(), Some("br"), 3), b"pla");
    }
}
