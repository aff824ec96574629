//! How a machine starts: with the tokens of the store, or where the machine before it was lost.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use ttm_dispatch::Dispatcher;
use ttm_kernel::{Incarnation, Lane, Moment, PerLane};
use ttm_market::{Book, Mint, Token, TokenStatus};
use ttm_perf::Control;
use ttm_schedule::Scheduler;

use super::runs::Accounts;
use super::silence::Silence;
use super::unreadable::Unreadable;
use super::{Effect, Machine, Now, Standing, Upstream, WorkSettings};

/// What a machine starts with.
#[derive(Clone, Debug, Default)]
pub struct Boot {
    /// All tokens.
    pub tokens: Vec<Arc<Token>>,
    /// Where they stand, as the machine before published it last. One that it never placed stands where it was put first.
    pub standings: BTreeMap<Mint, Standing>,
    /// What else the machine before had; `None` for the first machine of a process.
    pub carried: Option<Carried>,
}

/// What outlives a machine, beside the tokens and where they stand.
#[derive(Clone, Debug)]
pub struct Carried {
    /// When the first machine put its tokens in line.
    began: Now,
    scheduler: Scheduler,
    control: Control,
    next_control: Moment,
    incarnations: PerLane<Incarnation>,
    /// Which lanes have not got on since a request of theirs failed in this process.
    broken: PerLane<bool>,
    looked_up: LookUps,
}

/// How often something was asked of upstream so far, and how often what was known was as good.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LookUps {
    /// Tokens that were asked for.
    pub(super) asked: u64,
    /// Tokens that were due, and had just been seen.
    pub(super) cached: u64,
}

impl Machine {
    /// A machine that works on these tokens.
    ///
    /// The first one of a process starts with a tick of both lanes, now. One that replaces another continues it: ticks, runs that
    /// were missed, adaptive control, rests and backoffs are kept; every token stands where it stood, and one that was in flight
    /// stands where it was taken from, so that the same tokens are asked for in the same order. Runs under way are aborted: what
    /// they did is saved, and what they did not get to is still due. These start over: doubts and silences, full lists and the wish
    /// for them, the floors that priorities are owed, and batches that were being asked for by halves. A token that was passed over
    /// because it had just been seen is due again.
    pub fn boot(settings: WorkSettings, begins_with: Boot, now: Now) -> Self {
        let Boot { tokens, mut standings, carried } = begins_with;
        let is_first = carried.is_none();
        let Carried { began, mut scheduler, mut control, next_control, incarnations, broken, looked_up } =
            carried.unwrap_or_else(|| Carried {
                began: now,
                scheduler: Scheduler::new(&settings.schedule, now.moment),
                control: Control::new(settings.control.clone()),
                next_control: Moment::ZERO,
                incarnations: PerLane::default(),
                broken: PerLane::default(),
                looked_up: LookUps::default(),
            });
        // They may come from before a change of the settings; the same ones change nothing.
        scheduler.reconfigure(&settings.schedule, now.moment);
        let changes = control.reconfigure(settings.control.clone());
        let mut book = Book::new(settings.market.clone());
        for token in tokens {
            book.insert(token);
        }
        standings.retain(|mint, _| book.get(mint).is_some_and(|token| token.status != TokenStatus::Archived));
        let mut machine = Self {
            book,
            began,
            scheduler,
            dispatcher: Dispatcher::new(settings.dispatch.clone()),
            control,
            next_control,
            upstream: Upstream::default(),
            lanes: PerLane::from_fn(|lane| Accounts::of(incarnations[lane], broken[lane])),
            looked_up_before: looked_up,
            requests: BTreeMap::new(),
            turn_is_wanted: false,
            blocked_until: Moment::ZERO,
            silence: Silence::default(),
            unreadable: Unreadable::default(),
            stop: None,
            placings: 0,
            moved: Vec::new(),
            effects: VecDeque::new(),
            settings,
        };
        machine.apply_control(changes);
        machine.restore(&standings, |machine| machine.put_all_but(&standings, began), now.moment);
        if is_first {
            machine.effects.push_back(Effect::Show(machine.book.iter().cloned().collect()));
        } else {
            machine.resume(now);
        }
        machine
    }

    /// What a machine that replaces this one needs beside the tokens and their standings.
    pub fn carried(&self) -> Carried {
        Carried {
            began: self.began,
            scheduler: self.scheduler.clone(),
            control: self.control.clone(),
            next_control: self.next_control,
            incarnations: PerLane::from_fn(|lane| self.lanes[lane].incarnation),
            broken: PerLane::from_fn(|lane| self.lanes[lane].is_broken),
            looked_up: self.looked_up(),
        }
    }

    /// By this machine, and by those before it in this process.
    pub(super) fn looked_up(&self) -> LookUps {
        let LookUps { asked, cached } = self.looked_up_before;
        let counts = self.dispatcher.counts();
        LookUps { asked: asked + counts.asked, cached: cached + counts.fresh.values().sum::<u64>() }
    }

    fn resume(&mut self, now: Now) {
        for lane in Lane::ALL {
            let status = self.scheduler.status(lane);
            if status.running {
                self.scheduler.handle_aborted(lane, status.runs, now.moment);
                self.show_status(lane);
            }
        }
        self.effects.push_back(Effect::AttemptTimeout(self.control.attempt_timeout()));
    }
}
