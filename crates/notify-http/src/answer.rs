//! What an answer means by its status, whoever gives it.

use std::time::Duration;

use serde::de::DeserializeOwned;
use ttm_alert::Outcome;

use crate::secrets::Secrets;

/// A complete answer, but for what of its body is beyond the bound.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// By its headers.
    pub(crate) retry_after: Option<Duration>,
    pub(crate) body: Vec<u8>,
}

/// What a receiver says of an error in its own words.
#[derive(Debug, Default)]
pub(crate) struct Said {
    /// What went wrong.
    pub(crate) what: Option<String>,
    /// How long to wait, if that is not in the headers.
    pub(crate) retry_after: Option<Duration>,
}

impl Answer {
    pub(crate) fn is_success(&self) -> bool {
        matches!(self.status, 200..=299)
    }

    /// The body, if it is of this shape.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(&self.body).ok()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).trim().to_owned()
    }

    /// What became of a message that was answered with an error, by the law of the port. `code` is the receiver's own, where
    /// that is more precise than the status.
    pub(crate) fn failure(&self, code: u16, said: Said, secrets: &Secrets) -> Outcome {
        let why = self.why(said.what, secrets);
        match code {
            408 | 425 | 429 | 500..=599 => {
                Outcome::Retry { after: self.retry_after.or(said.retry_after), why }
            }
            _ => Outcome::Refused { why },
        }
    }

    /// An answer that says neither that the message was taken nor that it was not.
    pub(crate) fn unclear(&self, secrets: &Secrets) -> Outcome {
        let why = format!("{}, which is no answer of this service", self.why(None, secrets));
        Outcome::Retry { after: self.retry_after, why }
    }

    fn why(&self, what: Option<String>, secrets: &Secrets) -> String {
        let status = self.status;
        if let 300..=399 = status {
            return format!("{status}, a redirect, and none is followed");
        }
        let what = what.unwrap_or_else(|| self.text());
        if what.is_empty() {
            format!("{status}, without a word")
        } else if what.starts_with('<') {
            format!("{status}, a page")
        } else {
            format!("{status}, {}", secrets.without(&what))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status, retry_after: None, body: body.as_bytes().to_vec() }
    }

    fn failure(status: u16, body: &str) -> Outcome {
        answer(status, body).failure(status, Said::default(), &Secrets::default())
    }

    #[test]
    fn what_passes_by_itself_is_tried_again_and_all_else_refused() {
        for status in 300..600 {
            let passes = matches!(status, 408 | 425 | 429 | 500..);
            assert_eq!(matches!(failure(status, ""), Outcome::Retry { .. }), passes, "{status}");
        }
    }

    #[test]
    fn a_reason_has_the_status_and_what_was_said() {
        let why = |outcome| match outcome {
            Outcome::Retry { why, .. } | Outcome::Refused { why } => why,
            Outcome::Delivered { .. } => String::new(),
        };
        assert_eq!(why(failure(404, " no_service\n")), "404, no_service");
        assert_eq!(why(failure(500, "")), "500, without a word");
        assert_eq!(why(failure(502, "\n<html>Bad gateway")), "502, a page");
        assert_eq!(why(failure(302, "over there")), "302, a redirect, and none is followed");
        let unclear = answer(200, "hello").unclear(&Secrets::default());
        assert_eq!(why(unclear), "200, hello, which is no answer of this service");
    }
}
