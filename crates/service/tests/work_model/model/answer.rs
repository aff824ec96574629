//! What the model expects of an answer: for each token whether it was processed, failed, or is asked for another way.

use ttm_kernel::{Lane, PerLane};

use super::{
    Answer, Arc, Ask, Asked, At, BATCH, Duration, Effect, Ending, Failed, Found, InFlight, MarketEvent, Mint,
    Model, Priority, RequestId, Says, Single, Suspicion, TestCaseError, Token, keys_of, lane_of, prop_assert,
    prop_assert_eq,
};

/// What becomes of a token that was asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    /// It was answered: it is saved, and goes where that puts it.
    Processed,
    Failed,
    Alone,
    /// There is no room for it to be asked for alone.
    Unanswered,
}

impl Model {
    pub(super) fn answer(&mut self, id: RequestId, ending: &Ending) -> Result<(), TestCaseError> {
        let InFlight { request, late, .. } = self.requests.remove(&id).expect("it is in flight");
        let asked: Vec<Asked<Mint>> =
            keys_of(&request.ask).into_iter().filter(|asked| !late.contains(&asked.key)).collect();
        let says = match ending {
            Ending::Found(says) => *says,
            _ => [Says::Missing; BATCH],
        };
        let (answer, said) = answer_to(&request.ask, ending, says);
        let said: Vec<(Mint, Says)> = said.into_iter().filter(|(mint, _)| !late.contains(mint)).collect();
        let fates = match &answer {
            Answer::Found(_) => self.fates(&request.ask, &asked, &said),
            Answer::Failed(_) | Answer::Panicked(_) | Answer::Aborted => {
                asked.iter().map(|_| Fate::Failed).collect()
            }
        };
        let is_blamed = matches!(answer, Answer::Panicked(_) | Answer::Aborted)
            || matches!(answer, Answer::Failed(Failed { may_be_the_tokens: true, .. }));
        let is_found = matches!(answer, Answer::Found(_));
        self.machine.handle_upstream(self.upstream);
        self.machine.handle_answer(id, answer, self.now());
        // What is saved tells where a token goes.
        let mut rest = Vec::new();
        let (mut saved, mut sampled) = (Vec::new(), Vec::new());
        while let Some(effect) = self.machine.poll_effect() {
            match effect {
                Effect::Save(tokens) => saved.extend(tokens),
                Effect::Sample(mint, _) => sampled.push(mint),
                Effect::Market(events) => self.check_events(&events, &said)?,
                other => rest.push(other),
            }
        }
        self.check_saved(&request.ask, is_found, &said, &fates, &saved, &sampled)?;
        let before = match &request.ask {
            Ask::One(asked, Single::List) => self.whereabouts(&asked.key),
            _ => None,
        };
        self.tokens.extend(saved.into_iter().map(|token| (token.mint, token)));
        let was_done = self.done;
        for (asked, fate) in asked.iter().zip(fates) {
            self.settle(asked, fate, is_blamed);
            if is_found {
                self.failed_here[lane_of(asked)].remove(&asked.key);
            }
            if matches!(ending, Ending::Panicked) && request.suspicion != Suspicion::Likely {
                self.failed_here[lane_of(asked)].insert(asked.key);
                self.is_broken[lane_of(asked)] = true;
            }
        }
        for lane in Lane::ALL {
            let processed = self.done[lane].processed;
            if processed > was_done[lane].processed && processed >= self.failed_here[lane].len() as u64 {
                self.progress[lane] = Some(self.now().moment);
                self.is_broken[lane] = false;
            }
        }
        if let Ask::One(asked, Single::List) = &request.ask {
            self.move_over(asked.key, before);
        }
        for effect in rest {
            self.effect(effect)?;
        }
        Ok(())
    }

    /// Only tokens that are there and were answered have events.
    fn check_events(&self, events: &[MarketEvent], said: &[(Mint, Says)]) -> Result<(), TestCaseError> {
        for event in events {
            let (MarketEvent::Activated { mint, .. }
            | MarketEvent::Archived { mint, .. }
            | MarketEvent::Unlisted { mint, .. }
            | MarketEvent::Relisted { mint }
            | MarketEvent::LaneChanged { mint, .. }) = event;
            prop_assert!(self.tokens.contains_key(mint), "{event} of a removed token");
            prop_assert!(said.iter().any(|(said, _)| said == mint), "{event} without an answer");
        }
        Ok(())
    }

    /// What was answered is saved, and what was read is sampled; nothing else is.
    fn check_saved(
        &self,
        ask: &Ask<Mint>,
        is_found: bool,
        said: &[(Mint, Says)],
        fates: &[Fate],
        saved: &[Arc<Token>],
        sampled: &[Mint],
    ) -> Result<(), TestCaseError> {
        let is_list = matches!(ask, Ask::One(_, Single::List));
        let answered = |index: usize, says: Says| {
            if is_list { is_found && says.is_read() } else { fates[index] == Fate::Processed }
        };
        let is_there = |mint: &Mint| self.tokens.contains_key(mint);
        let expected: Vec<(Mint, Says)> = said
            .iter()
            .enumerate()
            .filter(|(index, (mint, says))| answered(*index, *says) && is_there(mint))
            .map(|(_, said)| *said)
            .collect();
        let mints: Vec<Mint> = saved.iter().map(|token| token.mint).collect();
        prop_assert_eq!(&mints, &expected.iter().map(|(mint, _)| *mint).collect::<Vec<_>>(), "saved");
        let is_scored = |mint: &Mint| self.lane(mint).is_some();
        let read = expected.iter().filter(|(mint, says)| says.is_read() && is_scored(mint));
        prop_assert_eq!(sampled, &read.map(|(mint, _)| *mint).collect::<Vec<_>>()[..], "sampled");
        Ok(())
    }

    fn fates(&mut self, ask: &Ask<Mint>, asked: &[Asked<Mint>], said: &[(Mint, Says)]) -> Vec<Fate> {
        let was_silent = self.is_silent;
        self.hear(!matches!(ask, Ask::One(..)), said);
        let is_alone = matches!(ask, Ask::One(..));
        let mut one_is_asked = false;
        let waiting = |lane| self.at.values().filter(|at| **at == At::Alone(lane)).count();
        let mut alone = PerLane::from_fn(waiting);
        let most_alone = self.settings.dispatch.settings().alone;
        let mut fates = Vec::new();
        for (asked, (mint, says)) in asked.iter().zip(said) {
            let is_watched = self.lane(mint).is_some();
            let fate =
                match says {
                    Says::Hot | Says::Cold | Says::Thin => Fate::Processed,
                    Says::Unreadable if is_alone || asked.from == Priority::Background => Fate::Failed,
                    Says::Missing if is_alone || asked.from == Priority::Background => {
                        if self.is_in_doubt(mint) { Fate::Failed } else { Fate::Processed }
                    }
                    _ if !is_watched => Fate::Processed,
                    Says::Missing if was_silent && one_is_asked && self.is_expected(mint) => Fate::Failed,
                    Says::Missing | Says::Unreadable if alone[lane_of(asked)] < most_alone => {
                        alone[lane_of(asked)] += 1;
                        one_is_asked = true;
                        Fate::Alone
                    }
                    Says::Missing | Says::Unreadable => Fate::Unanswered,
                };
            if fate == Fate::Processed && *says == Says::Missing {
                self.doubts.remove(mint);
            }
            fates.push(fate);
        }
        fates
    }

    /// Whether upstream lists anything.
    fn hear(&mut self, is_batch: bool, said: &[(Mint, Says)]) {
        let listed = said.iter().filter(|(_, says)| says.is_listed());
        let mut is_any = false;
        for (mint, _) in listed {
            is_any = true;
            self.doubts.remove(mint);
        }
        if is_any {
            (self.is_silent, self.spoke) = (false, Some(self.now().moment));
        } else if is_batch && said.iter().any(|(mint, _)| self.is_expected(mint)) {
            self.is_silent = true;
        }
    }

    fn is_expected(&self, mint: &Mint) -> bool {
        self.lane(mint).is_some() && self.tokens[mint].unlisted.is_none()
    }

    fn is_in_doubt(&mut self, mint: &Mint) -> bool {
        if !self.is_expected(mint) {
            return false;
        }
        let now = self.now().moment;
        if self.is_silent {
            let since = *self.doubts.entry(*mint).or_insert(now);
            if self.spoke.is_none_or(|spoke| spoke <= since) && now - since < Duration::from_hours(1) {
                return true;
            }
        }
        self.doubts.remove(mint);
        false
    }

    fn settle(&mut self, asked: &Asked<Mint>, fate: Fate, is_blamed: bool) {
        let (mint, lane) = (asked.key, lane_of(asked));
        let now = self.now();
        let is_there = self.tokens.contains_key(&mint);
        match fate {
            Fate::Processed => {
                self.done[lane].processed += 1;
                self.put(mint, false);
            }
            Fate::Failed if is_blamed => {
                self.unsure[lane] += u64::from(is_there);
                match self.lane(&mint) {
                    Some(_) => self.at.insert(mint, At::Suspected),
                    None => self.at.remove(&mint),
                };
            }
            Fate::Failed => {
                self.done[lane].failed += u64::from(is_there);
                self.put(mint, false);
                if let Some(At::Rest(until)) = self.at.get_mut(&mint) {
                    *until = (*until).max(now.moment + self.settings.schedule.interval(Lane::Cold));
                }
            }
            Fate::Alone => drop(self.at.insert(mint, At::Alone(lane))),
            Fate::Unanswered => match self.tokens.get(&mint) {
                Some(token) if token.score.is_none() => {
                    let rest = self.settings.market.unlisted_backoff(1);
                    self.at.insert(mint, At::Rest(now.moment + rest));
                }
                _ => {
                    let lane = self.lane(&mint).expect("it is watched");
                    self.at.insert(mint, At::Line { lane, due: false });
                }
            },
        }
    }

    fn whereabouts(&self, mint: &Mint) -> Option<(Lane, bool)> {
        Some((self.lane(mint)?, self.tokens[mint].unlisted.is_some()))
    }

    /// A full list may have shown that a token belongs elsewhere.
    fn move_over(&mut self, mint: Mint, before: Option<(Lane, bool)>) {
        let after = self.whereabouts(&mint);
        if before.is_none() || before == after {
            return;
        }
        match (after, self.at.get(&mint)) {
            (_, Some(At::InFlight(_))) => {}
            (None, _) => self.leave(&mint),
            (Some((lane, _)), Some(At::Line { .. } | At::Rest(_))) => {
                self.leave(&mint);
                self.at.insert(mint, At::Line { lane, due: false });
            }
            // It may have waited in line.
            (Some(_), Some(At::Suspected)) => {
                self.leave(&mint);
                self.at.insert(mint, At::Suspected);
            }
            (Some(_), _) => {}
        }
    }
}

/// The answer to a request, and what it says of each token.
fn answer_to(ask: &Ask<Mint>, ending: &Ending, says: [Says; BATCH]) -> (Answer, Vec<(Mint, Says)>) {
    let asked: Vec<Mint> = match ask {
        Ask::Batch(asked) => asked.iter().map(|asked| asked.key).collect(),
        Ask::One(asked, _) => vec![asked.key],
    };
    let is_list = matches!(ask, Ask::One(_, Single::List));
    // A list without a pool that can be read is empty.
    let says = says.map(|says| if is_list && !says.is_read() { Says::Missing } else { says });
    let said: Vec<(Mint, Says)> = asked.into_iter().zip(says).collect();
    let answer = match ending {
        Ending::Found(_) | Ending::Nothing => {
            let seen = said.iter().map(|(mint, says)| {
                let seen = match ask {
                    Ask::Batch(_) => says.in_batch(*mint),
                    Ask::One(_, Single::Unanswered) => says.alone(*mint),
                    Ask::One(_, Single::List) => says.in_list(*mint),
                };
                (*mint, seen)
            });
            Answer::Found(Found { seen: seen.collect(), ..Found::default() })
        }
        Ending::Failed { may_be_the_tokens } => {
            Answer::Failed(Failed { may_be_the_tokens: *may_be_the_tokens, message: "no answer".to_owned() })
        }
        Ending::Panicked => Answer::Panicked("boom".to_owned()),
    };
    (answer, said)
}
