//! Where each token stands: every placing goes to the dispatcher and, as plain data, to the starter of the machine that
//! replaces this one. A token in flight still stands where it was taken from.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use ttm_dispatch::{Asked, Backoff, Place, Seen as LastSeen};
use ttm_kernel::{Lane, Moment};
use ttm_market::Mint;

use super::place::Wait;
use super::{Effect, Machine};

/// Standings that one effect holds at most: as many as an answer has tokens.
const AT_ONCE: usize = 30;

/// Where a token stands. Its content is private to the machine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Standing {
    spot: Spot,
    /// Counts placings: of two tokens in one line the smaller one came first.
    order: u64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Spot {
    /// In a line, since the run of this number.
    Line { place: Place, seen: Option<LastSeen>, end: End, run: u64 },
    /// Backing off.
    Rest { since: Moment, lasts: Duration },
    /// To be asked for alone.
    Alone(Asked<Mint>),
    /// Backing off because it makes every request fail.
    Bad { asked: Asked<Mint>, failures: u32, until: Moment },
}

/// The end of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Behind all others, due after the next tick.
    Back,
    /// In front of all others after the next tick.
    FrontAfterTick,
    /// In front of all others, and due.
    Front,
}

impl Machine {
    pub(super) fn put_in_line(
        &mut self,
        mint: Mint,
        place: Place,
        seen: Option<LastSeen>,
        end: End,
        now: Moment,
    ) {
        self.enter_line(mint, place, seen, end, now);
        self.stands(mint, Spot::Line { place, seen, end, run: self.run(place.lane) });
    }

    pub(super) fn back_off(&mut self, mint: Mint, now: Moment, rest: Duration) {
        self.dispatcher.back_off(mint, now, rest);
        self.stands(mint, Spot::Rest { since: now, lasts: rest });
    }

    /// Queues a token to be asked for alone, if there is room.
    pub(super) fn put_alone(&mut self, asked: Asked<Mint>) -> bool {
        let has_room = self.dispatcher.put_alone(asked);
        if has_room {
            self.stands(asked.key, Spot::Alone(asked));
        }
        has_room
    }

    /// A token was added: it is due at once. If a request for it is in flight from before, that is enough.
    pub(super) fn put_first(&mut self, mint: Mint, place: Place, now: Moment) {
        self.dispatcher.put_first(mint, place, now);
        let run = self.run(place.lane);
        self.stands(mint, Spot::Line { place, seen: None, end: End::Front, run });
    }

    /// A token that waits belongs into another line. One that waits to be asked for apart keeps waiting for that.
    pub(super) fn relocate(&mut self, mint: Mint, place: Place, seen: Option<LastSeen>) {
        if self.dispatcher.relocate(mint, place, seen) {
            let run = self.run(place.lane);
            self.stands(mint, Spot::Line { place, seen, end: End::Back, run });
        }
    }

    /// The dispatcher kept tokens of a failed request. One that failed alone is left alone by a machine that replaces this one
    /// for as long as by this one; the others are due again there, each where it was taken from.
    pub(super) fn stands_suspected(&mut self, asked: &Asked<Mint>, wait: Wait, now: Moment) {
        let spot = match (self.dispatcher.backoff(&asked.key), wait) {
            (Some(Backoff { failures, until }), _) => {
                Spot::Bad { asked: *asked, failures, until: until.unwrap_or(Moment::ZERO) }
            }
            (None, Wait::BackingOff(_)) => Spot::Rest { since: now, lasts: Duration::ZERO },
            (None, Wait::InLine(place)) => {
                let run = self.run(place.lane);
                Spot::Line { place, seen: asked.seen, end: End::Front, run }
            }
        };
        self.stands(asked.key, spot);
    }

    fn stands(&mut self, mint: Mint, spot: Spot) {
        self.placings += 1;
        self.moved.push((mint, Standing { spot, order: self.placings }));
    }

    /// Publishes where tokens were placed.
    pub(super) fn show_standings(&mut self) {
        for moved in self.moved.chunks(AT_ONCE) {
            self.effects.push_back(Effect::Standing(moved.to_vec()));
        }
        self.moved.clear();
    }

    fn run(&self, lane: Lane) -> u64 {
        self.scheduler.status(lane).runs
    }

    fn enter_line(&mut self, mint: Mint, place: Place, seen: Option<LastSeen>, end: End, now: Moment) {
        match end {
            End::Back => self.dispatcher.put(mint, place, seen),
            End::FrontAfterTick => self.dispatcher.put_failed(mint, place, seen),
            End::Front => self.dispatcher.put_in_front(mint, place, seen, now),
        }
    }

    /// Puts tokens where they stood. `put_others` puts those of which nothing is known: they stand where they were put first,
    /// behind those that were put in front since, and before all others.
    pub(super) fn restore(
        &mut self,
        standings: &BTreeMap<Mint, Standing>,
        put_others: impl FnOnce(&mut Self),
        now: Moment,
    ) {
        self.placings = standings.values().map(|standing| standing.order).max().unwrap_or(0);
        let mut in_order: Vec<(Mint, Standing)> =
            standings.iter().map(|(mint, standing)| (*mint, *standing)).collect();
        in_order.sort_by_key(|(_, standing)| standing.order);
        // Whatever was put before the last tick of its lane is due. Of those, the ones that were put in front stand in front: the
        // last first, and of those that a tick put in front the first first.
        let (due, after): (Vec<_>, Vec<_>) =
            in_order.into_iter().partition(|(_, standing)| match standing.spot {
                Spot::Line { place, run, .. } => run < self.run(place.lane),
                _ => false,
            });
        let (back, mut front): (Vec<_>, Vec<_>) = due
            .into_iter()
            .partition(|(_, standing)| matches!(standing.spot, Spot::Line { end: End::Back, .. }));
        front.sort_by_key(|(_, Standing { spot, order })| match spot {
            Spot::Line { end: End::FrontAfterTick, run, .. } => (Reverse(run + 1), true, *order),
            Spot::Line { run, .. } => (Reverse(*run), false, u64::MAX - order),
            _ => (Reverse(0), false, *order),
        });
        for (mint, standing) in front {
            self.stand_at_back(mint, standing, now);
        }
        put_others(self);
        for (mint, standing) in back {
            self.stand_at_back(mint, standing, now);
        }
        for lane in Lane::ALL {
            if let Some(tick) = self.scheduler.status(lane).last_started {
                self.dispatcher.tick(lane, tick);
            }
        }
        for (mint, standing) in after {
            match standing.spot {
                Spot::Line { place, seen, end, .. } => self.enter_line(mint, place, seen, end, now),
                Spot::Rest { since, lasts } => self.dispatcher.back_off(mint, since, lasts),
                // In flight or not, there was room for it.
                Spot::Alone(asked) => self.dispatcher.put_alone_again(asked),
                Spot::Bad { asked, failures, until } => self.dispatcher.put_bad(asked, failures, until),
            }
        }
    }

    fn stand_at_back(&mut self, mint: Mint, standing: Standing, now: Moment) {
        if let Spot::Line { place, seen, .. } = standing.spot {
            self.enter_line(mint, place, seen, End::Back, now);
        }
    }
}
