//! The responses that a process received from the API, for the oracles: errors as their caller reports them, and
//! answers.

use std::collections::VecDeque;
use std::time::Duration;

use ttm_kernel::Moment;

/// How long responses are kept: longer than an oracle ever looks back.
const RETENTION: Duration = Duration::from_mins(2);
/// A longer gap between two answers ends an unbroken run of them.
const MAX_GAP: Duration = Duration::from_secs(90);

/// The last responses that a process had received at a moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LastResponses {
    /// The last error and when it came; without text if the caller gave the call up.
    pub error: Option<(Moment, Option<String>)>,
    /// When the last answer came.
    pub answer: Option<Moment>,
    /// When the first answer of the current unbroken run came.
    pub answering_since: Option<Moment>,
}

/// The recent responses to a process, and the last older one of each kind.
#[derive(Debug, Default)]
pub(super) struct ResponseLog {
    errors: VecDeque<(Moment, Option<String>)>,
    answers: VecDeque<Moment>,
    answering_since: Option<Moment>,
}

impl ResponseLog {
    pub(super) fn error(&mut self, error: Option<String>, now: Moment) {
        self.errors.push_back((now, error));
        self.answering_since = None;
        while self.errors.get(1).is_some_and(|(at, _)| *at + RETENTION < now) {
            self.errors.pop_front();
        }
    }

    pub(super) fn answer(&mut self, now: Moment) {
        if self.answers.back().is_none_or(|before| *before + MAX_GAP < now) {
            self.answering_since = None;
        }
        self.answering_since.get_or_insert(now);
        self.answers.push_back(now);
        while self.answers.get(1).is_some_and(|at| *at + RETENTION < now) {
            self.answers.pop_front();
        }
    }

    pub(super) fn at(&self, moment: Moment) -> LastResponses {
        LastResponses {
            error: self.errors.iter().rev().find(|(at, _)| *at <= moment).cloned(),
            answer: self.answers.iter().rev().find(|at| **at <= moment).copied(),
            answering_since: self.answering_since.filter(|since| *since <= moment),
        }
    }
}
