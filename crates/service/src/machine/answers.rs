//! Handling of answers and failures: tokens are scored, saved and put back where they wait, or asked for again in another
//! way.

use std::sync::Arc;

use ttm_dispatch::{Ask, Asked, Priority, Seen as LastSeen, Single};
use ttm_kernel::{Lane, PerLane};
use ttm_market::{Mint, Observation, Token, TokenStatus};

use super::facts::Origin;
use super::place::{Wait, place_of, wait_of};
use super::runs::lane_of;
use super::standing::End;
use super::{Effect, Found, Machine, Notice, Now, Seen};

/// Tokens that an answer changed.
#[derive(Default)]
struct Observed {
    processed: PerLane<u64>,
    scored: u64,
    changed: Vec<Arc<Token>>,
}

impl Machine {
    /// Handles an answer.
    pub(super) fn take(&mut self, ask: &Ask<Mint>, found: Found, now: Now) {
        self.book.count_skipped(&found.skipped);
        if found.suspicious {
            self.book.count_suspicious_batch();
        }
        let was_silent = self.silence.is_on();
        self.note_what_is_listed(ask, &found.seen, now);
        let mut observed = Observed { changed: Vec::with_capacity(found.seen.len()), ..Observed::default() };
        match ask {
            Ask::Batch(asked) => self.take_batch(asked, found, was_silent, &mut observed, now),
            Ask::One(asked, Single::Unanswered) => {
                for (mint, seen) in found.seen {
                    match seen {
                        Seen::Unusable(_) => self.fail(ask, Origin::Upstream, now),
                        Seen::Missing if self.is_in_doubt(&mint, now) => {
                            self.fail(ask, Origin::Upstream, now);
                        }
                        _ => self.process(asked, &seen, &mut observed, now),
                    }
                }
            }
            Ask::One(_, Single::List) => {
                for (mint, seen) in found.seen {
                    match seen {
                        Seen::All(pools) if pools.is_empty() => self.book.note_empty_list(mint, now.wall),
                        seen => {
                            let before = self.whereabouts(&mint);
                            self.observe(mint, &seen, &mut observed, now);
                            self.move_over(mint, before, now);
                        }
                    }
                }
            }
        }
        let Observed { processed, scored, changed } = observed;
        self.effects.push_back(Effect::Save(changed));
        self.effects.push_back(Effect::Scored(scored));
        for lane in Lane::ALL {
            self.progress(lane, processed[lane], now);
        }
    }

    fn take_batch(
        &mut self,
        asked: &[Asked<Mint>],
        found: Found,
        was_silent: bool,
        observed: &mut Observed,
        now: Now,
    ) {
        let mut one_is_asked = false;
        for (asked, (mint, seen)) in asked.iter().zip(found.seen) {
            let has_rested = asked.from == Priority::Background;
            let is_unusable = matches!(seen, Seen::Unusable(_));
            let is_missing = matches!(seen, Seen::Missing);
            if has_rested && (is_unusable || is_missing && self.is_in_doubt(&mint, now)) {
                self.fail_one(asked, Origin::Upstream, false, now);
            } else if (is_unusable || is_missing) && !has_rested && self.is_watched(&mint) {
                // One of each batch is asked for alone in any case: perhaps only batches come back empty.
                if was_silent && one_is_asked && !is_unusable && self.is_expected(&mint) {
                    self.fail_one(asked, Origin::Upstream, false, now);
                } else if self.put_alone(*asked) {
                    one_is_asked = true;
                } else {
                    self.put_unanswered(mint, now);
                }
            } else {
                self.process(asked, &seen, observed, now);
            }
        }
    }

    /// Notes which tokens are listed and can be read, and whether any is listed at all.
    fn note_what_is_listed(&mut self, ask: &Ask<Mint>, seen: &[(Mint, Seen)], now: Now) {
        for (mint, seen) in seen {
            let notice = match seen {
                Seen::Primary(pairs) | Seen::All(pairs) if pairs.is_empty() => None,
                Seen::Unusable(why) if self.is_watched(mint) => {
                    self.unreadable.handle_unreadable(*mint, why, now.moment)
                }
                Seen::Missing if matches!(ask, Ask::Batch(_)) => None,
                Seen::Primary(_) | Seen::All(_) | Seen::Missing | Seen::Unusable(_) => {
                    self.unreadable.forget(mint)
                }
            };
            self.notice(notice);
        }
        let mut listed = seen.iter().filter(|(_, seen)| seen.is_listed()).map(|(mint, _)| mint).peekable();
        let notice = if listed.peek().is_some() {
            self.silence.handle_pairs(listed, now.moment)
        } else {
            let mints = seen.iter().map(|(mint, _)| *mint);
            let expected: Vec<Mint> = mints.filter(|mint| self.is_expected(mint)).collect();
            let is_batch = matches!(ask, Ask::Batch(_));
            self.silence.handle_no_pairs(&expected, is_batch, now.moment)
        };
        self.notice(notice);
    }

    pub(super) fn show_unanswered(&mut self, now: Now) {
        let (silence, unreadable) = (self.silence.facts(now.moment), self.unreadable.facts());
        self.effects.push_back(Effect::Unanswered { silence, unreadable });
    }

    pub(super) fn notice(&mut self, notice: Option<Notice>) {
        self.effects.extend(notice.map(Effect::Notice));
    }

    /// Whether it is unknown if a token is missing, since upstream lists nothing at all.
    fn is_in_doubt(&mut self, mint: &Mint, now: Now) -> bool {
        self.is_expected(mint) && !self.silence.is_missing(mint, now.moment)
    }

    /// Whether upstream should know a token: it is neither known to be unlisted nor archived.
    fn is_expected(&self, mint: &Mint) -> bool {
        self.book
            .get(mint)
            .is_some_and(|token| token.status != TokenStatus::Archived && token.unlisted.is_none())
    }

    fn is_watched(&self, mint: &Mint) -> bool {
        self.book.get(mint).is_some_and(|token| token.status != TokenStatus::Archived)
    }

    /// One token that was asked for is answered.
    fn process(&mut self, asked: &Asked<Mint>, seen: &Seen, observed: &mut Observed, now: Now) {
        observed.processed[lane_of(asked)] += 1;
        self.observe(asked.key, seen, observed, now);
        self.put_back(asked.key, now);
    }

    fn observe(&mut self, mint: Mint, seen: &Seen, observed: &mut Observed, now: Now) {
        if matches!(seen, Seen::Missing) {
            // It is known to be missing now: neither in doubt nor unreadable.
            self.silence.remove(&mint);
            let notice = self.unreadable.forget(&mint);
            self.notice(notice);
        }
        let observation = match seen {
            Seen::Primary(pairs) => Observation::Primary(pairs),
            Seen::All(pairs) => Observation::All(pairs),
            Seen::Missing | Seen::Unusable(_) => Observation::Missing,
        };
        let scored_before = self.book.quality().scored;
        let events = self.book.observe(mint, observation, now.wall);
        let is_scored = self.book.quality().scored > scored_before;
        if !events.is_empty() {
            self.effects.push_back(Effect::Market(events));
        }
        let Some(token) = self.book.get(&mint) else { return };
        observed.changed.push(token.clone());
        if is_scored && let Some(score) = token.score {
            observed.scored += 1;
            self.effects.push_back(Effect::Sample(mint, score));
        }
    }

    /// Too many tokens were missing for each to be asked for alone. One that was seen before is most likely listed, and is asked
    /// for again in its next round; one that never was may be unlisted, and is asked for along with those that are.
    fn put_unanswered(&mut self, mint: Mint, now: Now) {
        let config = self.book.config();
        let Some(token) = self.book.get(&mint) else { return };
        if token.score.is_none() {
            let rest = config.unlisted_backoff(1);
            self.back_off(mint, now.moment, rest);
        } else if let Some(place) = place_of(token, config) {
            self.put_in_line(mint, place, Some(LastSeen::at(now.moment)), End::Back, now.moment);
        }
    }

    /// No answer came: the last scores of the tokens are still served, marked with their age, while they are not too old.
    pub(super) fn fail(&mut self, ask: &Ask<Mint>, origin: Origin, now: Now) {
        let asked = keys_of(ask);
        // The next probe asks for another token: this one may be why it failed.
        let was_probe = asked.len() == 1 && self.upstream.is_away;
        for asked in asked {
            self.fail_one(asked, origin, was_probe, now);
        }
    }

    fn fail_one(&mut self, asked: &Asked<Mint>, origin: Origin, was_probe: bool, now: Now) {
        self.count_failed(asked, origin, now);
        let Some(token) = self.book.get(&asked.key) else { return };
        match wait_of(token, &self.book, now.wall) {
            None => {}
            Some(Wait::BackingOff(rest)) => {
                // Its backoff is over; without another one it would be asked for again with the next turn.
                let rest = rest.max(self.settings.schedule.interval(Lane::Cold));
                self.back_off(asked.key, now.moment, rest);
            }
            Some(Wait::InLine(place)) => {
                let end = if was_probe { End::Back } else { End::FrontAfterTick };
                self.put_in_line(asked.key, place, asked.seen, end, now.moment);
            }
        }
    }

    /// No answer came, perhaps because of one of the tokens: the dispatcher keeps them, to ask for them by halves until that one
    /// is alone. Only then has it failed, and the others were seen.
    pub(super) fn keep(&mut self, ask: &Ask<Mint>, origin: Origin, message: String, now: Now) {
        let asked = keys_of(ask);
        if let [asked] = asked {
            self.count_failed(asked, origin, now);
            // Else nothing but its age would show: it is asked for less and less often.
            if origin == Origin::Upstream && self.is_watched(&asked.key) {
                let notice = self.unreadable.handle_unreadable(asked.key, &message, now.moment);
                self.notice(notice);
                self.notice(Some(Notice::FailedAlone { mint: asked.key, message }));
            }
        }
        for asked in asked {
            match self.book.get(&asked.key).and_then(|token| wait_of(token, &self.book, now.wall)) {
                Some(wait) => self.stands_suspected(asked, wait, now.moment),
                None => self.dispatcher.remove(asked.key),
            }
        }
    }
}

/// The tokens that a request keeps in flight. A full list is asked for beside whatever its token waits for.
pub(super) fn keys_of(ask: &Ask<Mint>) -> &[Asked<Mint>] {
    match ask {
        Ask::Batch(asked) => asked,
        Ask::One(asked, Single::Unanswered) => std::slice::from_ref(asked),
        Ask::One(_, Single::List) => &[],
    }
}
