//! New settings for a machine that goes on.

use std::time::Duration;

use ttm_dispatch::Seen as LastSeen;
use ttm_kernel::Lane;
use ttm_market::{MarketEvent, Mint};

use super::place::place_of;
use super::{Effect, Machine, Now, WorkSettings};

impl Machine {
    /// Replaces the settings. Tokens, runs and requests in flight go on; each part says what it keeps: [`Book::reconfigure`],
    /// [`Scheduler::reconfigure`], [`Dispatcher::reconfigure`] and [`Control::reconfigure`].
    ///
    /// A token that waits in line and changes its lane by the new hot threshold goes to the end of its new line, behind none that
    /// was seen later than those that moved with it. It is asked for after the next tick of that lane, so that it waits for at
    /// most a tick more than a token that was put back there. One that is unlisted, in flight, or waits to be asked for apart
    /// changes its line when it is answered. What a token is worth in its line is set by the new threshold when it is next put there.
    ///
    /// [`Book::reconfigure`]: ttm_market::Book::reconfigure
    /// [`Scheduler::reconfigure`]: ttm_schedule::Scheduler::reconfigure
    /// [`Dispatcher::reconfigure`]: ttm_dispatch::Dispatcher::reconfigure
    /// [`Control::reconfigure`]: ttm_perf::Control::reconfigure
    pub fn reconfigure(&mut self, settings: WorkSettings, now: Now) {
        self.scheduler.reconfigure(&settings.schedule, now.moment);
        self.dispatcher.reconfigure(settings.dispatch.clone());
        let changes = self.control.reconfigure(settings.control.clone());
        self.apply_control(changes);
        let events = self.book.reconfigure(settings.market.clone());
        self.settings = settings;
        self.change_lines(&events, now);
        if !events.is_empty() {
            self.effects.push_back(Effect::Market(events));
        }
        for lane in Lane::ALL {
            self.show_status(lane);
        }
        self.show_plan(now.moment);
        self.show_standings();
        self.end_idle_runs(now);
    }

    /// Moves tokens that wait in a line to that of their new lane, the one that was seen longest ago first.
    fn change_lines(&mut self, events: &[MarketEvent], now: Now) {
        let changes_lane = |event: &MarketEvent| match event {
            MarketEvent::LaneChanged { mint, .. } => Some(*mint),
            _ => None,
        };
        let mut moved: Vec<(Option<LastSeen>, Mint)> = Vec::new();
        for mint in events.iter().filter_map(changes_lane) {
            let Some(token) = self.book.get(&mint).filter(|token| token.unlisted.is_none()) else { continue };
            let age = token.score.map(|score| now.wall.duration_since(score.at));
            let age = age.map(|age| Duration::try_from(age).unwrap_or(Duration::ZERO));
            moved.push((age.map(|age| LastSeen::before(now.moment, age)), mint));
        }
        moved.sort_unstable();
        for (seen, mint) in moved {
            let place = self.book.get(&mint).and_then(|token| place_of(token, self.book.config()));
            if let Some(place) = place {
                self.relocate(mint, place, seen);
            }
        }
    }
}
