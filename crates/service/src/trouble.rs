//! What keeps going wrong with an API, as a sentence an operator can act on: reported when it begins, when it changes and when
//! it ends, however many calls fail meanwhile.

use std::time::Duration;

use jiff::Timestamp;
use ttm_kernel::Moment;

use super::gist::gist;

/// So long without an error, and the trouble is over with the next answer: what fails now and then is not reported each time.
const QUIET: Duration = Duration::from_secs(10);
/// So many different errors of one trouble are reported; one that says something else each time does not fill the log.
const MOST_REPORTED: usize = 8;

/// What goes wrong with an API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiTrouble {
    /// The last error.
    pub message: String,
    /// When the trouble began.
    pub since: Timestamp,
    /// When the last error came.
    pub at: Timestamp,
}

/// The trouble of one API, from its first error on.
#[derive(Debug)]
pub(super) struct Trouble {
    shown: ApiTrouble,
    last: Moment,
    /// The first error since the last answer. `None` if an answer came after it.
    unanswered: Option<Moment>,
    /// What the errors were about that were reported.
    reported: Vec<String>,
}

/// What is to be reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    Begins,
    Changes,
    Nothing,
}

impl Trouble {
    /// Notes an error of an API.
    pub(super) fn note(trouble: &mut Option<Self>, message: &str, now: Moment, wall: Timestamp) -> News {
        let Some(known) = trouble else {
            let shown = ApiTrouble { message: message.to_owned(), since: wall, at: wall };
            let reported = vec![gist(message)];
            *trouble = Some(Self { shown, last: now, unanswered: Some(now), reported });
            return News::Begins;
        };
        (known.last, known.shown.at) = (now, wall);
        known.unanswered.get_or_insert(now);
        message.clone_into(&mut known.shown.message);
        let about = gist(message);
        if known.reported.len() >= MOST_REPORTED || known.reported.contains(&about) {
            return News::Nothing;
        }
        known.reported.push(about);
        News::Changes
    }

    /// Notes an answer: the trouble that is over with it, if one is.
    pub(super) fn end(trouble: &mut Option<Self>, now: Moment) -> Option<ApiTrouble> {
        if let Some(trouble) = trouble {
            trouble.unanswered = None;
        }
        trouble.take_if(|trouble| now - trouble.last >= QUIET).map(|trouble| trouble.shown)
    }

    /// Since when there were errors and no answer.
    pub(super) fn unanswered_since(&self) -> Option<Moment> {
        self.unanswered
    }

    /// What readers see of it.
    pub(super) fn shown(&self) -> ApiTrouble {
        self.shown.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> (Moment, Timestamp) {
        let moment = Moment::from_origin(Duration::from_secs(seconds.unsigned_abs()));
        (moment, Timestamp::from_second(1_800_000_000 + seconds).expect("in range"))
    }

    fn note(trouble: &mut Option<Trouble>, message: &str, seconds: i64) -> News {
        let (now, wall) = at(seconds);
        Trouble::note(trouble, message, now, wall)
    }

    #[test]
    fn a_trouble_is_told_when_it_begins_when_it_changes_and_when_it_ends() {
        let mut trouble = None;
        assert_eq!(note(&mut trouble, "403", 0), News::Begins);
        assert_eq!(note(&mut trouble, "403", 1), News::Nothing);
        assert_eq!(note(&mut trouble, "503", 2), News::Changes);
        assert_eq!(note(&mut trouble, "403", 3), News::Nothing, "it was reported before");
        let shown = trouble.as_ref().expect("it goes on").shown();
        assert_eq!(shown, ApiTrouble { message: "403".to_owned(), since: at(0).1, at: at(3).1 });
        assert_eq!(Trouble::end(&mut trouble, at(12).0), None, "an answer between errors ends nothing");
        assert_eq!(Trouble::end(&mut trouble, at(13).0), Some(shown));
        assert_eq!(Trouble::end(&mut trouble, at(14).0), None);
        assert_eq!(note(&mut trouble, "403", 15), News::Begins);
    }

    #[test]
    fn errors_are_counted_from_the_first_one_after_an_answer() {
        let mut trouble = None;
        note(&mut trouble, "429", 0);
        note(&mut trouble, "429", 5);
        let since = |trouble: &Option<Trouble>| trouble.as_ref().expect("it goes on").unanswered_since();
        assert_eq!(since(&trouble), Some(at(0).0));
        assert_eq!(Trouble::end(&mut trouble, at(6).0), None);
        assert_eq!(since(&trouble), None, "it answers, and the trouble is not over");
        note(&mut trouble, "429", 7);
        assert_eq!(since(&trouble), Some(at(7).0));
    }

    #[test]
    fn an_error_that_differs_in_its_figures_alone_is_told_once() {
        let mut trouble = None;
        let broken = |column| format!("200, no JSON of this API: EOF at line 1 column {column}");
        let told = (0..9).filter(|n| note(&mut trouble, &broken(n * 7), *n) != News::Nothing).count();
        assert_eq!(told, 1);
        assert_eq!(trouble.expect("it goes on").shown().message, broken(56), "the last one is shown");
    }

    #[test]
    fn an_error_that_says_something_else_each_time_does_not_fill_the_log() {
        let mut trouble = None;
        let said = |n: i64| (100 + n).to_string();
        let told = (0..100).filter(|n| note(&mut trouble, &said(*n), *n) != News::Nothing).count();
        assert_eq!(told, MOST_REPORTED);
        assert_eq!(
            trouble.expect("it goes on").shown().message,
            "199",
            "and the last one is shown all the same"
        );
    }
}
