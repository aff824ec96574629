//! What is due by the clock: to measure, to tell those who want to know what is, and to say that this process lives.

use std::sync::Arc;
use std::time::Duration;

use ttm_alert::Measurement;
use ttm_breaker::State;
use ttm_guard::Guard;
use ttm_health::{HealthView as _, Phase};
use ttm_kernel::Moment;

use super::{AT_ONCE, Alerts, measure, step_aside};
use crate::resident::Resident;

/// Facts that are older than this and the interval of reports are not measured: whoever gathers them is late or gone.
const FRESH: Duration = Duration::from_secs(5);

/// Little is known when the first facts are measured: a process that dies within half a minute again and again would never say so.
const SECOND_LOOK: Duration = Duration::from_secs(10);

impl Alerts {
    /// Measures what is due.
    pub(super) async fn evaluate(&mut self) {
        let (now, board) = (self.runtime.now(), self.resident.board.clone());
        self.seat.watch_clock(now, self.runtime.wall());
        let is_reading = !self.seat.is_read && !self.seat.goes_unread;
        if board.phase() != Phase::Running || is_reading || now < self.seat.next_evaluation {
            return;
        }
        let wall = self.runtime.wall();
        if let Some((at, facts)) = board.facts()
            && now - at <= self.resident.settings.report_interval + FRESH
        {
            let beside = self.beside();
            let progress = &self.resident.settings.progress;
            let found = measure::health(&facts, &beside, progress);
            self.judge("health", &found, now).await;
        }
        let (sampled, sample) = board.sampled();
        if sampled > self.seat.resources_seen {
            // A share of the processors needs two samples.
            let is_first = self.seat.resources_seen.is_none();
            let found = measure::resources(sample.as_ref(), is_first, wall);
            self.judge("resources", &found, now).await;
            self.seat.resources_seen = sampled;
        }
        // Not before, so that whoever replaces this part meanwhile measures at once.
        let every = self.resident.settings.alerts.every;
        let is_first = self.seat.evaluations == 0;
        self.seat.evaluations += 1;
        self.seat.next_evaluation = now + if is_first { every.min(SECOND_LOOK) } else { every };
    }

    /// Gives the desk all that was found at one time.
    async fn judge(&mut self, collector: &str, found: &[Measurement], now: Moment) {
        self.seat.desk.begin(collector, now);
        for some in found.chunks(AT_ONCE) {
            self.seat.handle(some);
            step_aside().await;
        }
        self.seat.desk.end(collector);
    }

    pub(super) fn beside(&self) -> measure::Beside {
        let Resident { board, guards, tokens, events, alerting, ports, .. } = &*self.resident;
        let now = self.resident.clock.now();
        let keeps_back = |guard: &Arc<Guard>| {
            let is_open = match guard.breaker().snapshot(now).state {
                State::Open | State::HalfOpen | State::ForcedOpen => true,
                State::Closed | State::Disabled => false,
            };
            (guard.breaker().name().to_owned(), is_open)
        };
        let channels = alerting.channels.iter().map(|(id, it)| (id.to_string(), it.failing.get().is_some()));
        // One telling that failed says nothing: by now another one would have.
        let feeds = ports.feeds.iter().map(|(id, feed)| {
            (id.to_string(), alerting.feeds.get(id).is_some_and(|failing| failing.lasts(feed.every(), now)))
        });
        measure::Beside {
            parts: board.parts(),
            breakers: guards.iter().map(keeps_back).collect(),
            refusals: guards.iter().map(|guard| board.refusals(guard.breaker().name())).collect(),
            channels: channels.chain(feeds).collect(),
            heartbeat_fails: self.heart.fails(),
            lost: measure::Lost { tokens: tokens.counts().dropped, events: events.counts().dropped },
            clock_steps: self.seat.clock_steps,
        }
    }

    pub(super) fn tell_feeds(&mut self) {
        let now = self.runtime.now();
        if self.resident.lease.holds() && self.seat.desk.engine().has_evaluated() {
            self.feeds.tell(&self.seat.desk, now, self.runtime.wall(), &self.resident.clock);
        }
    }

    /// Tells somebody that this process lives and does what it is for.
    pub(super) fn beat(&mut self) {
        if self.resident.lease.holds() && self.resident.board.report().live {
            self.heart.beat(self.runtime.now(), &self.resident.clock);
        }
    }
}
