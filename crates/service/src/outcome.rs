//! What the work plane makes of an answer, of a failure and of an edit: tokens are scored, put back in their place, and
//! handed on. It starts no request.

use std::time::Duration;

use ttm_dispatch::{Ask, Asked, Demand, Seen as LastSeen, Single, outlook};
use ttm_health::{LanePlan, PlanFacts};
use ttm_kernel::Moment;
use ttm_market::{ListPurpose, MarketEvent, Mint, Observation, Token, TokenStatus};
use ttm_schedule::Group;

use super::place::{Wait, line_of, place_of, wait_of};
use super::request::{Found, Seen};
use super::series::ScoreSeries;
use super::work::{Work, group_of, slot};

/// Lists that are only good to have are wanted while fewer than this many wait: those of hot tokens come first.
const FEW: usize = 16;

impl Work {
    /// An answer came.
    pub(super) fn take(&mut self, ask: &Ask<Mint>, found: Found) {
        self.book.count_skipped(&found.skipped);
        if found.suspicious {
            self.book.count_suspicious_batch();
        }
        let mut processed = [0; 2];
        let mut scored = 0;
        let mut changed = Vec::with_capacity(found.seen.len());
        let was_silent = self.note_what_is_said(ask, &found.seen);
        match ask {
            Ask::Batch(asked) => {
                let mut one_is_asked = false;
                for (asked, (mint, seen)) in asked.iter().zip(found.seen) {
                    let rested = asked.from == ttm_dispatch::Priority::Background;
                    let is_unusable = matches!(seen, Seen::Unusable(_));
                    if rested && (is_unusable || matches!(seen, Seen::Missing) && self.is_in_doubt(&mint)) {
                        self.fail_one(asked, false);
                        continue;
                    }
                    if (is_unusable || matches!(seen, Seen::Missing)) && !rested && self.is_watched(&mint) {
                        // One of each batch is asked alone all the same: it may be batches that come back empty.
                        if was_silent && one_is_asked && !is_unusable && self.is_expected(&mint) {
                            self.fail_one(asked, false);
                        } else if self.dispatcher.put_alone(*asked) {
                            one_is_asked = true;
                        } else {
                            self.put_unanswered(mint);
                        }
                        continue;
                    }
                    processed[slot(group_of(asked))] += 1;
                    scored += self.observe(mint, &seen, &mut changed);
                    self.put_back(mint);
                }
            }
            Ask::One(asked, why) => {
                for (mint, seen) in found.seen {
                    match why {
                        Single::Unanswered if matches!(seen, Seen::Unusable(_)) => self.fail(ask),
                        Single::Unanswered if matches!(seen, Seen::Missing) && self.is_in_doubt(&mint) => {
                            self.fail(ask);
                        }
                        Single::Unanswered => {
                            processed[slot(group_of(asked))] += 1;
                            scored += self.observe(mint, &seen, &mut changed);
                            self.put_back(mint);
                        }
                        Single::List if matches!(&seen, Seen::All(pools) if pools.is_empty()) => {
                            self.book.note_empty_list(mint, self.runtime.wall());
                        }
                        Single::List => {
                            let before = self.whereabouts(&mint);
                            scored += self.observe(mint, &seen, &mut changed);
                            self.move_over(mint, before);
                        }
                    }
                }
            }
        }
        self.post_answers(self.runtime.now());
        self.board.post_tokens(changed);
        self.board.post_scored(scored);
        metrics::counter!("ttm_tokens_scored_total").increment(scored);
        for group in Group::ALL {
            let processed = processed[slot(group)];
            if processed > 0 {
                self.state.done[slot(group)].attempted += processed;
                self.state.done[slot(group)].processed += processed;
                self.progress(group, processed);
            }
        }
    }

    /// Notes whether the API has something to say of any token and whether that can be read; whether it said nothing before.
    fn note_what_is_said(&mut self, ask: &Ask<Mint>, seen: &[(Mint, Seen)]) -> bool {
        let (was_silent, now) = (self.state.silence.is_on(), self.runtime.now());
        for (mint, seen) in seen {
            match seen {
                Seen::Primary(pairs) | Seen::All(pairs) if pairs.is_empty() => {}
                Seen::Unusable(why) if self.is_watched(mint) => {
                    self.state.unreadable.handle_unreadable(*mint, why, now);
                }
                Seen::Missing if matches!(ask, Ask::Batch(_)) => {}
                Seen::Primary(_) | Seen::All(_) | Seen::Missing | Seen::Unusable(_) => {
                    self.state.unreadable.forget(mint);
                }
            }
        }
        let mut with_pairs = seen.iter().filter(|(_, seen)| match seen {
            Seen::Primary(pairs) | Seen::All(pairs) => !pairs.is_empty(),
            // It is listed.
            Seen::Unusable(_) => true,
            Seen::Missing => false,
        });
        if let Some(first) = with_pairs.next() {
            let mints = std::iter::once(first).chain(with_pairs).map(|(mint, _)| mint);
            self.state.silence.handle_pairs(mints, now);
        } else {
            let expected: Vec<Mint> =
                seen.iter().map(|(mint, _)| *mint).filter(|mint| self.is_expected(mint)).collect();
            if !expected.is_empty() {
                self.state.silence.handle_no_pairs(expected.iter(), matches!(ask, Ask::Batch(_)), now);
            }
        }
        was_silent
    }

    fn post_answers(&self, now: Moment) {
        self.board.answers.post(self.state.silence.facts(now), self.state.unreadable.facts(), now);
    }

    /// Whether nobody can tell that a token is missing, since the API says nothing of any.
    fn is_in_doubt(&mut self, mint: &Mint) -> bool {
        self.is_expected(mint) && !self.state.silence.is_missing(mint, self.runtime.now())
    }

    /// Whether the API should know a token: it is not taken for unlisted, or archived.
    fn is_expected(&self, mint: &Mint) -> bool {
        self.book
            .get(mint)
            .is_some_and(|token| token.status != TokenStatus::Archived && token.unlisted.is_none())
    }

    fn is_watched(&self, mint: &Mint) -> bool {
        self.book.get(mint).is_some_and(|token| token.status != TokenStatus::Archived)
    }

    /// One token; 1 when it was scored.
    fn observe(&mut self, mint: Mint, seen: &Seen, changed: &mut Vec<std::sync::Arc<Token>>) -> u64 {
        let wall = self.runtime.wall();
        if matches!(seen, Seen::Missing) {
            // It is known to be missing now, and neither waited for nor unreadable.
            self.state.silence.remove(&mint);
            self.state.unreadable.forget(&mint);
        }
        let observation = match seen {
            Seen::Primary(pairs) => Observation::Primary(pairs),
            Seen::All(pairs) => Observation::All(pairs),
            Seen::Missing | Seen::Unusable(_) => Observation::Missing,
        };
        let events = self.book.observe(mint, observation, wall);
        log(&events);
        self.events.market(&events);
        let Some(token) = self.book.get(&mint) else { return 0 };
        changed.push(token.clone());
        self.tokens.put(token.clone());
        let Some(score) = token.score.filter(|score| score.at == wall) else { return 0 };
        self.samples.put(self.score_series.samples(mint, &score).into_iter().flatten());
        1
    }

    /// Too many were missing for each to be asked alone. What was seen before is most likely there, and asked again in its
    /// next round; what never was may be unlisted, and is asked along with those that are.
    fn put_unanswered(&mut self, mint: Mint) {
        let now = self.runtime.now();
        let config = self.book.config();
        let Some(token) = self.book.get(&mint) else { return };
        if token.score.is_none() {
            self.dispatcher.put_to_rest(mint, now, config.unlisted_backoff(1));
        } else if let Some(place) = place_of(token, config) {
            self.dispatcher.put(mint, place, Some(LastSeen::at(now)));
        }
    }

    /// Puts a token that was asked for where it waits for the next time.
    fn put_back(&mut self, mint: Mint) {
        let (now, wall) = (self.runtime.now(), self.runtime.wall());
        let Some(token) = self.book.get(&mint) else { return };
        match wait_of(token, &self.book, wall) {
            None => return,
            Some(Wait::AtRest(rest)) => return self.dispatcher.put_to_rest(mint, now, rest),
            Some(Wait::InLine(place)) => self.dispatcher.put(mint, place, Some(LastSeen::at(now))),
        }
        let Some(purpose) = self.book.wants_list(&mint, wall) else { return };
        if purpose != ListPurpose::Completeness || self.dispatcher.lists_waiting()[1] < FEW {
            self.dispatcher.want_list(mint, purpose == ListPurpose::Activation);
        }
    }

    /// In which line a token waits, and whether it rests.
    fn whereabouts(&self, mint: &Mint) -> Option<(ttm_dispatch::Line, bool)> {
        let token = self.book.get(mint)?;
        Some((place_of(token, self.book.config())?.line, token.unlisted.is_some()))
    }

    /// A token that waits was seen by way of its full list, and may belong elsewhere now.
    fn move_over(&mut self, mint: Mint, before: Option<(ttm_dispatch::Line, bool)>) {
        if before.is_none() || before == self.whereabouts(&mint) {
            return;
        }
        match self.book.get(&mint).and_then(|token| place_of(token, self.book.config())) {
            None => self.dispatcher.remove(mint),
            Some(place) => self.dispatcher.relocate(mint, place, Some(LastSeen::at(self.runtime.now()))),
        }
    }

    /// No answer came: what was known of the tokens is served on, marked with its age, as long as it is of any use.
    pub(super) fn fail(&mut self, ask: &Ask<Mint>) {
        let asked = keys_of(ask);
        // The next probe is another: this one may fail for its own sake.
        let was_probe = asked.len() == 1 && self.client.is_away();
        for asked in asked {
            self.fail_one(asked, was_probe);
        }
    }

    fn fail_one(&mut self, asked: &Asked<Mint>, was_probe: bool) {
        self.count_failed(asked);
        let Some(token) = self.book.get(&asked.key) else { return };
        match wait_of(token, &self.book, self.runtime.wall()) {
            None => {}
            Some(Wait::AtRest(rest)) => {
                // It has rested already; let alone for a moment, it does not come again with the next turn.
                let rest = rest.max(self.intervals[slot(Group::Cold)]);
                self.dispatcher.put_to_rest(asked.key, self.runtime.now(), rest);
            }
            Some(Wait::InLine(place)) if was_probe => self.dispatcher.put(asked.key, place, asked.seen),
            Some(Wait::InLine(place)) => self.dispatcher.put_failed(asked.key, place, asked.seen),
        }
    }

    /// No answer came, maybe for one of the tokens: the dispatcher keeps them, to ask for them by halves until that one is
    /// alone. Only then has it failed, and the others were seen.
    pub(super) fn keep(&mut self, ask: &Ask<Mint>, message: &str) {
        let asked = keys_of(ask);
        if let [asked] = asked {
            self.count_failed(asked);
            metrics::counter!("ttm_tokens_failed_alone_total").increment(1);
            tracing::warn!(mint = %asked.key, message, "a token makes its requests fail; it is asked alone, and less often each time");
        }
        for asked in asked {
            if !self.is_watched(&asked.key) {
                self.dispatcher.remove(asked.key);
            }
        }
    }

    fn count_failed(&mut self, asked: &Asked<Mint>) {
        let Some(token) = self.book.get(&asked.key) else { return };
        let known = token.score.map(|score| self.runtime.wall().duration_since(score.at));
        let longest = self.book.config().serve_stale_for();
        let of_use = known.is_some_and(|age| Duration::try_from(age).unwrap_or(Duration::ZERO) <= longest);
        let done = &mut self.state.done[slot(group_of(asked))];
        done.attempted += 1;
        done.failed += 1;
        *(if of_use { &mut done.stale } else { &mut done.skipped }) += 1;
    }

    /// Puts every token of the book where it waits; what was seen longest ago comes first.
    pub(super) fn put_all(&mut self) {
        let (now, wall) = (self.runtime.now(), self.runtime.wall());
        let mut all: Vec<_> = self.book.iter().cloned().collect();
        all.sort_by_key(|token| token.score.map(|score| score.at));
        for token in &all {
            match wait_of(token, &self.book, wall) {
                None => {}
                Some(Wait::AtRest(rest)) => self.dispatcher.put_to_rest(token.mint, now, rest),
                Some(Wait::InLine(place)) => {
                    // Another process saw it: however lately that was, whether this one can is only known by asking.
                    let fresh_for = self.dispatcher.config().fresh_for(place.line);
                    let seen = token.score.map(|score| {
                        let age = Duration::try_from(wall.duration_since(score.at)).unwrap_or(Duration::ZERO);
                        LastSeen::before(now, age.max(fresh_for))
                    });
                    self.dispatcher.put(token.mint, place, seen);
                }
            }
        }
        self.board.post_tokens(all);
    }

    /// The set of tokens was edited.
    pub(super) fn take_roster(&mut self, tokens: Vec<Token>) {
        let now = self.runtime.now();
        let (added, removed) = self.book.reconcile(tokens);
        for token in removed.iter().filter(|token| token.status != TokenStatus::Archived) {
            self.dispatcher.remove(token.mint);
            self.state.silence.remove(&token.mint);
            self.state.unreadable.forget(&token.mint);
        }
        let mut changed = Vec::with_capacity(added.len());
        for mint in &added {
            let Some(token) = self.book.get(mint) else { continue };
            if let Some(place) = place_of(token, self.book.config()) {
                self.dispatcher.put_first(*mint, place, now);
            }
            changed.push(token.clone());
        }
        // The keys of removed tokens go; the others are made again when they are needed.
        self.score_series = ScoreSeries::default();
        self.post_answers(now);
        self.board.forget_tokens(removed.iter().map(|token| token.mint));
        self.board.post_tokens(changed);
        tracing::info!(
            added = added.len(),
            removed = removed.len(),
            tokens = self.book.len(),
            "the set of tokens was edited"
        );
    }

    /// Shows operators what the next requests are for.
    pub(super) fn post_plan(&self, now: Moment) {
        let config = self.dispatcher.config();
        let counts = self.dispatcher.counts();
        let rate = self.client.rate();
        let budget = self.budget_per_minute * rate.share;
        let lanes = Group::ALL.map(|group| {
            let line = line_of(group);
            let at = line as usize;
            let unanswered = counts.unanswered[at];
            Demand { keys: counts.in_line[at], interval: self.intervals[slot(group)], unanswered }
        });
        let others = counts.lists[0] > 0;
        let outlooks = outlook(lanes[0], lanes[1], budget, config, others);
        let wait =
            self.client.open_until().max(rate.paused_until).map_or(Duration::ZERO, |until| until - now);
        let lane = |at: usize| {
            let outlook = outlooks[at];
            let deferred = counts.waiting[at] as u64;
            let share = deferred as f64 / (counts.in_line[at].max(1)) as f64;
            LanePlan {
                requests_per_minute: outlook.requests_per_minute,
                cycle: outlook.cycle,
                deferred,
                comes_within: wait.saturating_add(outlook.cycle.mul_f64(share.min(1.0))),
            }
        };
        self.board.post_plan(PlanFacts {
            requests_per_minute: budget,
            paused_for: rate.paused_until.map(|until| until - now),
            hot: lane(0),
            cold: lane(1),
            resting: counts.resting as u64,
            lists_waiting: (counts.lists[0] + counts.lists[1]) as u64,
            in_flight: (counts.in_flight as u64, self.control.in_flight() as u64),
            tokens_per_batch: counts.keys_per_batch(),
            attempt_timeout: self.control.attempt_timeout(),
        });
        self.board.post_look_ups(counts.asked, counts.fresh.iter().sum());
    }

    /// Shows operators what was wrong with the data.
    pub(super) fn post_quality(&self) {
        let quality = self.book.quality();
        metrics::counter!("ttm_observations_missing_total").absolute(quality.missing);
        metrics::counter!("ttm_numbers_unusable_total").absolute(quality.unusable_numbers);
        metrics::counter!("ttm_batches_suspicious_total").absolute(quality.suspicious_batches);
        for (reason, count) in quality.skipped.iter() {
            metrics::counter!("ttm_pairs_skipped_total", "reason" => reason.as_str()).absolute(count);
        }
        metrics::gauge!("ttm_pool_lists_bytes").set(self.book.list_bytes() as f64);
    }
}

/// The tokens of a request, but for one that asks for a full list, which is extra.
pub(super) fn keys_of(ask: &Ask<Mint>) -> &[Asked<Mint>] {
    match ask {
        Ask::Batch(asked) => asked,
        Ask::One(asked, Single::Unanswered) => std::slice::from_ref(asked),
        Ask::One(_, Single::List) => &[],
    }
}

fn log(events: &[MarketEvent]) {
    for event in events {
        // One a token: at the first start there would be one for each. The record of events keeps them.
        tracing::debug!(%event, "token");
    }
}
