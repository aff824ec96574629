//! A machine whose time the test moves and whose requests it answers, for tests of one rule each.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ttm_dispatch::{Ask, DispatchSettings, Request, Single};
use ttm_kernel::{Incarnation, Lane};
use ttm_market::{Mint, Token};
use ttm_schedule::RunOutcome;
use ttm_service::machine::{
    Answer, Boot, Effect, Failed, Found, Machine, Notice, Now, RequestId, Standing, Upstream,
};

use crate::world::{self, Says, mint, token};

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MINUTE: Duration = Duration::from_mins(1);

/// More requests than any test of one rule makes: the machine asks without end.
const TOO_MANY: u32 = 10_000;

/// A request in flight.
pub(crate) struct Asked {
    pub(crate) id: RequestId,
    pub(crate) request: Request<Mint>,
}

impl Asked {
    /// The tokens that are asked for.
    pub(crate) fn mints(&self) -> Vec<Mint> {
        match &self.request.ask {
            Ask::Batch(asked) => asked.iter().map(|asked| asked.key).collect(),
            Ask::One(asked, _) => vec![asked.key],
        }
    }

    /// The token that is asked for alone because a batch did not answer it.
    pub(crate) fn single(&self) -> Option<Mint> {
        match &self.request.ask {
            Ask::One(asked, Single::Unanswered) => Some(asked.key),
            _ => None,
        }
    }
}

pub(crate) struct Stage {
    pub(crate) machine: Machine,
    pub(crate) upstream: Upstream,
    time: Duration,
    /// What the machine wanted done and the test did not look at yet.
    effects: Vec<Effect>,
    dispatch: DispatchSettings,
    tokens: BTreeMap<Mint, Token>,
    standings: BTreeMap<Mint, Standing>,
    /// How many requests there were.
    requests: u32,
}

impl Stage {
    /// So many tokens, of which none was ever scored, one second after their first tick.
    pub(crate) fn new(tokens: u32) -> Self {
        Self::with(tokens, world::dispatch())
    }

    pub(crate) fn with(tokens: u32, dispatch: DispatchSettings) -> Self {
        let now = world::at(Duration::ZERO);
        let settings = world::settings(dispatch.clone());
        let mut stage = Self {
            machine: Machine::boot(settings, world::first((0..tokens).map(token)), now),
            upstream: Upstream::default(),
            time: Duration::ZERO,
            effects: Vec::new(),
            dispatch,
            tokens: BTreeMap::new(),
            standings: BTreeMap::new(),
            requests: 0,
        };
        stage.look();
        stage.wait(SECOND);
        stage
    }

    /// So many tokens that were scored a moment ago, one second after a tick of both lanes.
    pub(crate) fn scored(tokens: u32, says: impl Fn(Mint) -> Says) -> Self {
        let mut stage = Self::new(tokens);
        while let Some(asked) = stage.ask() {
            stage.answer(&asked, &says);
        }
        stage.wait((91 * SECOND).saturating_sub(stage.time));
        stage.effects();
        stage
    }

    pub(crate) fn now(&self) -> Now {
        world::at(self.time)
    }

    pub(crate) fn wait(&mut self, time: Duration) {
        self.time += time;
        self.look();
    }

    fn look(&mut self) {
        self.machine.handle_upstream(self.upstream);
        self.machine.handle_timeout(self.now());
        while let Some(effect) = self.machine.poll_effect() {
            match &effect {
                Effect::Save(tokens) | Effect::Show(tokens) => {
                    self.tokens.extend(tokens.iter().map(|token| (token.mint, Token::clone(token))));
                }
                Effect::Standing(standings) => self.standings.extend(standings.iter().copied()),
                _ => {}
            }
            self.effects.push(effect);
        }
    }

    /// What the machine wanted done since the last look.
    pub(crate) fn effects(&mut self) -> Vec<Effect> {
        self.look();
        std::mem::take(&mut self.effects)
    }

    pub(crate) fn notices(&mut self) -> Vec<Notice> {
        let notice = |effect| if let Effect::Notice(notice) = effect { Some(notice) } else { None };
        self.effects().into_iter().filter_map(notice).collect()
    }

    /// The outcomes of the runs of a lane that ended since the last look.
    pub(crate) fn runs(&mut self, of: Lane) -> Vec<RunOutcome> {
        let run = |effect| match effect {
            Effect::RunEnded { lane, outcome, .. } if lane == of => Some(outcome),
            _ => None,
        };
        self.effects().into_iter().filter_map(run).collect()
    }

    /// How often each token was saved since the last look, in the order of saving.
    pub(crate) fn saved(&mut self) -> Vec<Mint> {
        let save = |effect| if let Effect::Save(tokens) = effect { Some(tokens) } else { None };
        self.effects().into_iter().filter_map(save).flatten().map(|token| token.mint).collect()
    }

    /// The next request, if the machine wants a turn now or in the second after, full lists apart.
    pub(crate) fn ask(&mut self) -> Option<Asked> {
        self.next(|asked| !matches!(asked.request.ask, Ask::One(_, Single::List)))
    }

    /// The next request that the test wants. Others find nothing.
    pub(crate) fn next(&mut self, wanted: impl Fn(&Asked) -> bool) -> Option<Asked> {
        for _ in 0..60 {
            if !self.machine.wants_turn(self.now()) {
                self.wait(Duration::from_millis(200));
                if !self.machine.wants_turn(self.now()) {
                    return None;
                }
            }
            self.machine.handle_upstream(self.upstream);
            let (id, request) = self.machine.poll_request(self.now())?;
            self.requests += 1;
            assert!(self.requests < TOO_MANY, "it asks without end, now for {:?}", request.ask);
            let asked = Asked { id, request };
            if wanted(&asked) {
                return Some(asked);
            }
            self.end(
                &asked,
                Answer::Found(Found { seen: asked.seen(&|_| Says::Missing), ..Found::default() }),
            );
        }
        None
    }

    pub(crate) fn answer(&mut self, asked: &Asked, says: impl Fn(Mint) -> Says) {
        self.end(asked, Answer::Found(Found { seen: asked.seen(&says), ..Found::default() }));
    }

    /// The request fails, for a reason that has nothing to do with its tokens.
    pub(crate) fn fail(&mut self, asked: &Asked) {
        let failed = Failed { may_be_the_tokens: false, message: "no answer".to_owned() };
        self.end(asked, Answer::Failed(failed));
    }

    /// The request fails, perhaps because of its tokens.
    pub(crate) fn blame(&mut self, asked: &Asked) {
        let failed = Failed { may_be_the_tokens: true, message: "400".to_owned() };
        self.end(asked, Answer::Failed(failed));
    }

    pub(crate) fn end(&mut self, asked: &Asked, answer: Answer) {
        self.machine.handle_upstream(self.upstream);
        self.machine.handle_answer(asked.id, answer, self.now());
        self.look();
    }

    /// Gives a lane its first new incarnation.
    pub(crate) fn reset(&mut self, lane: Lane) {
        self.machine.reset(lane, Incarnation::FIRST.next(), self.now());
        self.look();
    }

    /// The machine is lost, and another one begins with what it published.
    pub(crate) fn replace(&mut self) {
        self.look();
        let boot = Boot {
            tokens: self.tokens.values().cloned().map(Arc::new).collect(),
            standings: self.standings.clone(),
            carried: Some(self.machine.carried()),
        };
        let settings = world::settings(self.dispatch.clone());
        self.machine = Machine::boot(settings, boot, self.now());
        self.look();
    }

    /// Whether a token is known to be unlisted, as it was saved or shown last in these effects.
    pub(crate) fn unlisted(effects: &[Effect], of: Mint) -> bool {
        let tokens = effects.iter().filter_map(|effect| match effect {
            Effect::Save(tokens) | Effect::Show(tokens) => Some(tokens),
            _ => None,
        });
        tokens.flatten().rfind(|token| token.mint == of).is_some_and(|token| token.unlisted.is_some())
    }
}

impl Asked {
    pub(crate) fn seen(&self, says: &impl Fn(Mint) -> Says) -> Vec<(Mint, ttm_service::machine::Seen)> {
        let seen = |mint: Mint| match &self.request.ask {
            Ask::Batch(_) => says(mint).in_batch(mint),
            Ask::One(_, Single::Unanswered) => says(mint).alone(mint),
            Ask::One(_, Single::List) => says(mint).in_list(mint),
        };
        self.mints().into_iter().map(|mint| (mint, seen(mint))).collect()
    }
}

/// Says the same of every token but one.
pub(crate) fn but(number: u32, says: Says, others: Says) -> impl Fn(Mint) -> Says {
    move |of| if of == mint(number) { says } else { others }
}
