//! What a process heard from the API, for the oracles: its errors as their caller shows them, and its answers.

use std::collections::VecDeque;
use std::time::Duration;

use ttm_kernel::Moment;

/// How long what was heard before is remembered: longer than any look at it comes late.
const REMEMBERED: Duration = Duration::from_mins(2);
/// Answers that come more seldom are no row of them.
const IN_A_ROW: Duration = Duration::from_secs(90);

/// What a process had heard at a moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// The last error and when it came; without words when the call was given up.
    pub error: Option<(Moment, Option<String>)>,
    /// When the last answer came.
    pub answer: Option<Moment>,
    /// When the first of a row of answers came that goes on.
    pub answering_since: Option<Moment>,
}

/// What a process heard lately, and the last of each before.
#[derive(Debug, Default)]
pub(super) struct Hearing {
    errors: VecDeque<(Moment, Option<String>)>,
    answers: VecDeque<Moment>,
    answering_since: Option<Moment>,
}

impl Hearing {
    pub(super) fn error(&mut self, error: Option<String>, now: Moment) {
        self.errors.push_back((now, error));
        self.answering_since = None;
        while self.errors.get(1).is_some_and(|(at, _)| *at + REMEMBERED < now) {
            self.errors.pop_front();
        }
    }

    pub(super) fn answer(&mut self, now: Moment) {
        if self.answers.back().is_none_or(|before| *before + IN_A_ROW < now) {
            self.answering_since = None;
        }
        self.answering_since.get_or_insert(now);
        self.answers.push_back(now);
        while self.answers.get(1).is_some_and(|at| *at + REMEMBERED < now) {
            self.answers.pop_front();
        }
    }

    pub(super) fn at(&self, moment: Moment) -> Heard {
        Heard {
            error: self.errors.iter().rev().find(|(at, _)| *at <= moment).cloned(),
            answer: self.answers.iter().rev().find(|at| **at <= moment).copied(),
            answering_since: self.answering_since.filter(|since| *since <= moment),
        }
    }
}
