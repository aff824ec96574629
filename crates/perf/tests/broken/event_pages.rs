//! How a record of events with one fault answers.

use std::cmp::Reverse;

use ttm_perf::{Event, EventCursor, EventPage, EventQuery};

use super::events::{Broken, Bug};
use super::is_like;

/// The key by which it orders what it has found, the greatest first.
fn place(bug: Bug, event: &Event) -> (jiff::Timestamp, i128, i128, String) {
    let bits = event.id().bits();
    let half = |bits: u128| u64::try_from(bits & u128::from(u64::MAX)).expect("half of them");
    let halves = (half(bits >> 64), half(bits));
    let (first, second) = match bug {
        Bug::TakesIdsForSigned => (bits.cast_signed(), 0),
        Bug::TakesHalvesOfIdsForSigned => (i128::from(halves.0), i128::from(halves.1.cast_signed())),
        Bug::OrdersIdsAscending => (-i128::from(halves.0), -i128::from(halves.1)),
        Bug::TakesIdsForText => (0, 0),
        _ => (i128::from(halves.0), i128::from(halves.1)),
    };
    let text = if bug == Bug::TakesIdsForText { bits.to_string() } else { String::new() };
    (event.at(), first, second, text)
}

fn is_of_kind(bug: Bug, query: &EventQuery, kind: &str) -> bool {
    let prefix = query.kind();
    match bug {
        Bug::IgnoresKindsWithoutASubject if query.subject().is_none() => true,
        Bug::ForgetsTheKindOnLaterPages if query.cursor().is_some() => true,
        Bug::TakesUnderscoresOfKindsForAnything => {
            kind.get(..prefix.len()).is_some_and(|begin| is_like(begin, prefix, '_'))
        }
        Bug::FindsKindsByAnyPart => kind.contains(prefix),
        Bug::FindsWholeKinds => {
            prefix.is_empty() || kind == prefix || kind.starts_with(&format!("{prefix}."))
        }
        _ => kind.starts_with(prefix),
    }
}

fn is_of_subject(bug: Bug, query: &EventQuery, subject: &str) -> bool {
    let Some(wanted) = query.subject() else { return bug != Bug::FindsNothingWithoutASubject };
    let wanted = wanted.as_str();
    match bug {
        Bug::ForgetsTheSubjectOnLaterPages if query.cursor().is_some() => true,
        Bug::FindsSubjectsByTheirBegin => subject.starts_with(wanted),
        Bug::FindsSubjectsByTheirEnd => subject.ends_with(wanted),
        Bug::FindsSubjectsWithoutCase => subject.eq_ignore_ascii_case(wanted),
        Bug::StoresSubjectsInLowerCase => subject == wanted.to_lowercase(),
        Bug::CutsSubjects => subject == &wanted[..wanted.len().min(127)],
        Bug::TakesUnderscoresForAnything => is_like(subject, wanted, '_'),
        Bug::TakesPercentForAnything if wanted.ends_with('%') => {
            subject.starts_with(wanted.trim_end_matches('%'))
        }
        Bug::TakesStarsForAnything if wanted.ends_with('*') => {
            subject.starts_with(wanted.trim_end_matches('*'))
        }
        _ => subject == wanted,
    }
}

fn is_in_time(bug: Bug, query: &EventQuery, event: &Event) -> bool {
    let (first, last, at) = (query.first(), query.last(), event.at());
    let is_later_page = query.cursor().is_some();
    let has_begun = match bug {
        Bug::LeavesOutTheBegin => at > first,
        Bug::ForgetsTheBeginOnLaterPages if is_later_page => true,
        _ => at >= first,
    };
    let is_before_the_end = match bug {
        Bug::ForgetsTheEndOnLaterPages if is_later_page => true,
        Bug::HoldsTheEnd => at.as_microsecond() <= last.as_microsecond() + 1,
        _ => at <= last,
    };
    has_begun && is_before_the_end
}

impl Broken {
    /// What it answers.
    pub(super) fn page(&self, query: &EventQuery) -> EventPage {
        let bug = self.bug();
        let kind = |event: &Event| is_of_kind(bug, query, event.kind().as_str());
        let subject = |event: &Event| is_of_subject(bug, query, event.subject().as_str());
        let mut found =
            self.events_where(|event| is_in_time(bug, query, event) && subject(event) && kind(event));
        if let Some(subject) = query.subject()
            && bug == Bug::RemembersThatThereWasNothing
            && self.remembers_nothing(subject.as_str(), !found.is_empty())
        {
            return EventPage::default();
        }
        found.sort_by_cached_key(|event| Reverse(place(bug, event)));
        if let Some(cursor) = query.cursor() {
            let is_after = |event: &Event| match bug {
                Bug::SkipsTheRestOfATime => event.at() < cursor.at,
                Bug::RepeatsTheLastOfAPage => EventCursor::of(event) <= cursor,
                Bug::CountsPagesFromTheNewest => true,
                _ => EventCursor::of(event) < cursor,
            };
            if bug == Bug::CountsPagesFromTheNewest {
                let before = found.iter().filter(|event| EventCursor::of(event) >= cursor).count();
                let pages = before.div_ceil(query.limit());
                found.drain(..(pages * query.limit()).min(found.len()));
            }
            found.retain(is_after);
        }
        match bug {
            Bug::IgnoresTheLimit => return EventPage { events: found, next: None },
            Bug::PromisesAnEmptyPage if found.len() == query.limit() => {
                let next = found.last().map(EventCursor::of);
                return EventPage { events: found, next };
            }
            _ => {}
        }
        let mut page = EventPage::cut(found, query.limit());
        if bug == Bug::EndsAfterOnePage {
            page.next = None;
        }
        page
    }
}
