//! Stopping and restarting one lane, while the other one works on.

use ttm_dispatch::Asked;
use ttm_kernel::{Incarnation, Lane};
use ttm_market::Mint;

use super::place::{Wait, wait_of};
use super::runs::lane_of;
use super::standing::End;
use super::{InFlight, Machine, Notice, Now, RequestId, keys_of};

impl Machine {
    /// Holds a lane, or lets it go on: while it is held none of its tokens is asked for, and all keep their places. A machine starts
    /// with no lane held.
    pub const fn hold(&mut self, lane: Lane, held: bool) {
        self.dispatcher.set_held(lane, held);
    }

    /// The incarnation of a lane.
    pub fn incarnation(&self, lane: Lane) -> Incarnation {
        self.lanes[lane].incarnation
    }

    /// Whether no token of a lane is in flight.
    pub fn is_idle(&self, lane: Lane) -> bool {
        self.lanes[lane].in_flight == 0
    }

    /// Whether nothing of a lane is due, or in flight.
    pub fn has_nothing_due(&self, lane: Lane) -> bool {
        let counts = self.dispatcher.counts();
        counts.waiting[lane] == 0 && counts.unanswered[lane] == 0 && self.is_idle(lane)
    }

    /// Whether nothing of a lane is due, or in flight, although it can get on as far as is known.
    pub fn is_at_rest(&self, lane: Lane) -> bool {
        self.has_nothing_due(lane) && !self.lanes[lane].is_broken
    }

    /// The requests in flight whose answers count for no token any more.
    pub fn lost(&self) -> Vec<RequestId> {
        let is_lost = |(id, InFlight { request, asked_by }): (&RequestId, &InFlight)| {
            let asked = keys_of(&request.ask);
            let lost = !asked.is_empty() && !asked.iter().any(|asked| self.still_counts(*asked_by, asked));
            lost.then_some(*id)
        };
        self.requests.iter().filter_map(is_lost).collect()
    }

    /// Gives a lane a new incarnation: its run ends as deferred, its tokens in flight go back to the front of its line, and
    /// answers to what was asked before count no more for them. Full lists in flight belong to no run, and still count.
    /// An incarnation that is not newer changes nothing.
    pub fn reset(&mut self, lane: Lane, incarnation: Incarnation, now: Now) {
        if incarnation <= self.lanes[lane].incarnation {
            return;
        }
        self.end_run(lane, now.moment);
        let asked: Vec<Asked<Mint>> =
            self.in_flight().filter(|asked| lane_of(asked) == lane).copied().collect();
        // From behind, so that the first one ends up in front.
        for asked in asked.iter().rev() {
            self.dispatcher.release(&asked.key);
            let Some(token) = self.book.get(&asked.key) else { continue };
            match wait_of(token, &self.book, now.wall) {
                None => {}
                Some(Wait::BackingOff(rest)) => self.back_off(asked.key, now.moment, rest),
                Some(Wait::InLine(place)) => {
                    self.put_in_line(asked.key, place, asked.seen, End::Front, now.moment);
                }
            }
        }
        let accounts = &mut self.lanes[lane];
        (accounts.in_flight, accounts.incarnation) = (0, incarnation);
        self.show_standings();
        self.notice(Some(Notice::LaneReset { lane, taken_back: asked.len() }));
    }
}
