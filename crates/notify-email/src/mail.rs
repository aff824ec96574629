//! A message as e-mail: the same bytes for the same attempt.

use std::time::{Duration, SystemTime};

use lettre::Message;
use lettre::error::Error;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use ttm_alert::Attempt;
use ttm_alert::words::{Plain, Text, Words};
use ttm_kernel::Severity;

use crate::html;

/// The most bytes of the text, and of the HTML. No standard has such a limit; Gmail shows no more than about 102 kB of a message.
const MOST: usize = 96 * 1_024;
/// The most characters of a subject.
const MOST_OF_SUBJECT: usize = 200;
/// The longest id that is answered to, in bytes: a line of a header may have 998.
const MOST_OF_ID: usize = 512;

/// The id of a message. It is made of the idempotency key, so that mail servers and readers know a duplicate.
pub(crate) fn id(attempt: &Attempt, from: &Mailbox) -> String {
    format!("<{}@{}>", attempt.row.key.idempotency_key(), from.email.domain())
}

/// The id of the message that began the conversation.
pub(crate) fn first(attempt: &Attempt) -> Option<&str> {
    let id = attempt.row.message.replies_to.as_deref()?;
    let inner = id.strip_prefix('<')?.strip_suffix('>')?;
    let is_id =
        inner.contains('@') && inner.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>".contains(&byte));
    (is_id && id.len() <= MOST_OF_ID).then_some(id)
}

/// The whole e-mail. `note` is one paragraph more, for those who get it.
pub(crate) fn compose(
    attempt: &Attempt,
    words: &dyn Words,
    from: &Mailbox,
    to: &[Mailbox],
    note: Option<&str>,
) -> Result<Vec<u8>, Error> {
    let message = &attempt.row.message;
    let (subject, plain, html) = Text::fit(
        attempt,
        words,
        |text| lay_out(text, note),
        |(_, plain, html)| plain.len() <= MOST && html.len() <= MOST,
    );
    // A message that waited is sorted by when it was sent.
    let sent = attempt.was_down.map_or(message.at, |(_, now)| now);
    let sent = Duration::from_secs(u64::try_from(sent.as_second()).unwrap_or_default());
    let mut builder = Message::builder()
        .from(from.clone())
        .date(SystemTime::UNIX_EPOCH + sent)
        .subject(subject)
        .message_id(Some(id(attempt, from)))
        // No reply of a machine, such as that somebody is on holiday (RFC 3834).
        .raw_header(header("Auto-Submitted", "auto-generated"));
    for to in to {
        builder = builder.to(to.clone());
    }
    if message.fires && message.severity == Severity::Critical {
        builder = builder.raw_header(header("Importance", "high")).raw_header(header("X-Priority", "1"));
    }
    if let Some(first) = first(attempt) {
        builder = builder.in_reply_to(first.to_owned()).references(first.to_owned());
    }
    // At most 70 characters: without the name of the channel, which may be long.
    let boundary = format!("=_{}-{}", attempt.row.key.episode, attempt.row.key.step);
    let part = |kind, body: String| SinglePart::builder().header(kind).body(body);
    let alternative = MultiPart::alternative().boundary(boundary);
    let alternative = alternative.singlepart(part(ContentType::TEXT_PLAIN, plain));
    let email = builder.multipart(alternative.singlepart(part(ContentType::TEXT_HTML, html)))?;
    Ok(email.formatted())
}

fn lay_out(text: &Text, note: Option<&str>) -> (String, String, String) {
    let subject = text.title.chars().take(MOST_OF_SUBJECT).collect();
    let note_of_plain = note.map(|note| format!("{note}\n\n")).unwrap_or_default();
    let plain = format!("{}\n\n{note_of_plain}{}\n", text.title, text.body(&Plain));
    (subject, plain, html::document(text, note))
}

fn header(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}
