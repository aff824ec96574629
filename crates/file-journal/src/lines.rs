//! The text of a journal: a header line, and lines that each prove themselves by a checksum. It knows nothing of what they say.

use std::io::{self, ErrorKind};

/// A checksum and a space before the JSON.
const PREFIX: usize = 9;

/// What a text says, and how many bytes of it are whole lines.
pub(crate) struct Text<T> {
    pub(crate) entries: Vec<T>,
    pub(crate) whole: u64,
    /// Whether a write that never returned has left something behind them.
    pub(crate) is_torn: bool,
}

/// Reads the JSON of each line, with its newline.
pub(crate) fn parse<T>(
    text: &[u8],
    header: &str,
    read: impl Fn(&[u8]) -> Result<T, String>,
) -> io::Result<Text<T>> {
    let damaged = |what: String| io::Error::new(ErrorKind::InvalidData, what);
    // What is after the last newline is the rest of a write that never returned. After a crash it may end in zeros: some file
    // systems know the new length before they have the content.
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
    let written = text.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    if whole == 0 && header.as_bytes().starts_with(&text[..written]) {
        return Ok(Text { entries: Vec::new(), whole: 0, is_torn: !text.is_empty() });
    }
    let Some(lines) = text[..whole].strip_prefix(header.as_bytes()) else {
        let start = text[..text.len().min(32)].escape_ascii();
        return Err(damaged(format!(
            "is not a journal of this program's version: it begins with \"{start}\""
        )));
    };
    let entries = lines.split_inclusive(|byte| *byte == b'\n').zip(2..).map(|(line, number)| {
        let entry = proven(line).and_then(&read);
        entry.map_err(|what| damaged(format!("line {number} is damaged: {what}")))
    });
    // The header is written together with the first line.
    let is_torn = whole < text.len() || lines.is_empty();
    Ok(Text { entries: entries.collect::<io::Result<_>>()?, whole: whole as u64, is_torn })
}

/// The JSON of a line whose checksum is right, with its newline.
fn proven(line: &[u8]) -> Result<&[u8], String> {
    let (prefix, json) = line.split_at_checked(PREFIX).ok_or("it is too short")?;
    if prefix != checksum(json).as_bytes() {
        return Err("its checksum is wrong".to_owned());
    }
    Ok(json)
}

/// The line of a JSON that has no newline in it.
pub(crate) fn line(mut json: String) -> String {
    json.push('\n');
    checksum(json.as_bytes()) + &json
}

fn checksum(json: &[u8]) -> String {
    format!("{:08x} ", crc32fast::hash(json))
}
