//! The supervision plane's eyes: samples resources, makes the health report, and turns figures into history. It acts
//! on nothing.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use ttm_breaker::{Breaker, State};
use ttm_health::{
    ApiFacts, BreakerState, DataFacts, Facts, GroupFacts, HealthView, Phase, Reached, Status, StoreFacts,
    Thresholds, assess,
};
use ttm_kernel::{Lane, Moment, Runtime, within};
use ttm_perf::Sample;
use ttm_schedule::LaneStatus;

use super::board::Board;
use super::events::EventLog;
use super::gist::gist;
use super::outbox::{SampleOutbox, TokenOutbox, Waiting};
use super::pause::{Excuses, LATE, Pulse, Watched, pause};
use super::series::sample;
use super::settings::ServiceSettings;
use super::shutdown::Shutdown;
use super::stores::StoreUse;
use crate::ports::Ports;

/// Rates and percentiles of the API look back this far.
const API_WINDOW: Duration = Duration::from_mins(5);
/// The share of a CPU needs two samples; the second comes soon, so that it is not unknown for a whole interval.
const SECOND_SAMPLE: Duration = Duration::from_secs(5);
/// Measuring a process reads a few files; longer than this and it does not answer.
const RESOURCE_DEADLINE: Duration = Duration::from_secs(5);

pub(super) struct Monitor {
    pub(super) runtime: Arc<dyn Runtime>,
    pub(super) settings: ServiceSettings,
    pub(super) ports: Ports,
    pub(super) breaker: Arc<Breaker>,
    pub(super) board: Arc<Board>,
    pub(super) tokens: Arc<TokenOutbox>,
    pub(super) samples: Arc<SampleOutbox>,
    pub(super) events: Arc<EventLog>,
    pub(super) shutdown: Shutdown,
    /// Status, readiness and reason of the report before, so that a change is worth a line.
    pub(super) last: (Status, bool, String),
    /// Beats in the work plane.
    pub(super) pulse: Arc<Pulse>,
    pub(super) excuses: Excuses,
}

impl Monitor {
    /// Watches until the stop is ordered.
    pub(super) async fn run(mut self) {
        let started = self.runtime.now();
        self.sample_resources().await;
        let mut report = started;
        let mut resources = started + SECOND_SAMPLE.min(self.settings.resource_check_interval);
        let mut health = started + self.settings.health_check_interval;
        let mut performance = started + self.settings.performance_check_interval;
        loop {
            let now = self.runtime.now();
            if due(&mut resources, now, self.settings.resource_check_interval) {
                self.sample_resources().await;
            }
            if due(&mut health, now, self.settings.health_check_interval) {
                self.record_health();
            }
            if due(&mut performance, now, self.settings.performance_check_interval) {
                self.record_performance();
            }
            if due(&mut report, now, self.settings.report_interval) {
                self.report();
            }
            // What measuring took is no lateness of the timer.
            let next = report.min(resources).min(health).min(performance).max(self.runtime.now());
            tokio::select! {
                biased;
                _ = self.shutdown.ordered() => break,
                () = self.runtime.sleep_until(next) => {}
            }
            self.note_lateness(next);
        }
        self.report();
    }

    /// Tells a pause of the process, which excuses what it made late, from a lateness of this plane, which does not.
    fn note_lateness(&mut self, due: Moment) {
        let now = self.runtime.now();
        let late = now - due;
        if late <= LATE {
            return;
        }
        let late_s = late.as_secs_f64();
        let Some(lasted) = pause(due, now, &self.pulse) else {
            return tracing::warn!(late_s, "the supervision plane was late: the process was not paused");
        };
        tracing::warn!(late_s, "the process was paused");
        for lane in Lane::ALL {
            let Some(status) = self.board.group(lane) else { continue };
            for (what, at) in
                [(Watched::Progress, self.progress(&status)), (Watched::Tick, status.last_started)]
            {
                if let Some(at) = at {
                    self.excuses.paused((lane, what), at, lasted, now);
                }
            }
        }
    }

    /// Makes the report and the gauges from what is known now.
    fn report(&mut self) {
        let facts = self.facts();
        let report = self.board.as_it_ends(assess(&facts, &self.settings.thresholds));
        let reason = match report.reasons.first() {
            Some(reason) => reason.as_str(),
            None if report.phase == Phase::Stopping => "the service stops, as it was told to",
            None => "nothing is wrong",
        };
        let now = (report.status, report.ready, gist(reason));
        if now != self.last {
            self.last = now;
            // It may be ready no more because of a stop, whatever is wrong besides.
            let (status, ready, phase) = (report.status, report.ready, report.phase.as_str());
            tracing::info!(%status, ready, phase, reason, "health changed");
        }
        for (lane, facts) in [("hot", facts.data.hot), ("cold", facts.data.cold)] {
            metrics::gauge!("ttm_tokens", "lane" => lane).set(facts.tokens as f64);
            metrics::gauge!("ttm_tokens_stale", "lane" => lane).set(facts.stale as f64);
            metrics::gauge!("ttm_tokens_expired", "lane" => lane).set(facts.expired as f64);
            if let Some([_, p95, ..]) = facts.ages {
                metrics::gauge!("ttm_token_age_p95_seconds", "lane" => lane).set(p95.as_secs_f64());
            }
        }
        if let Some(plan) = &facts.plan {
            metrics::gauge!("ttm_requests_per_minute_allowed").set(plan.requests_per_minute);
            for (lane, plan) in [("hot", plan.hot), ("cold", plan.cold)] {
                metrics::gauge!("ttm_tokens_deferred", "lane" => lane).set(plan.deferred as f64);
                metrics::gauge!("ttm_cycle_seconds", "lane" => lane).set(plan.cycle.as_secs_f64());
            }
        }
        for status in [Status::Healthy, Status::Degraded, Status::Critical, Status::Unknown] {
            let is = f64::from(u8::from(status == report.status));
            metrics::gauge!("ttm_health", "status" => status.as_str()).set(is);
        }
        let breaker = self.breaker.snapshot(self.runtime.now()).state;
        for state in State::ALL {
            let is = f64::from(u8::from(state == breaker));
            metrics::gauge!("ttm_breaker_state", "breaker" => "dexscreener", "state" => state.as_str())
                .set(is);
        }
        metrics::gauge!("ttm_samples_waiting").set(facts.store.samples_waiting as f64);
        metrics::gauge!("ttm_samples_dropped").set(facts.store.samples_dropped as f64);
        let events = self.events.counts();
        metrics::gauge!("ttm_events_waiting").set((events.waiting + events.in_flight) as f64);
        metrics::gauge!("ttm_events_dropped").set(events.dropped as f64);
        metrics::gauge!("ttm_uptime_seconds").set(facts.uptime.as_secs_f64());
        self.board.post_report(report);
    }

    fn facts(&self) -> Facts {
        let counts = self.samples.counts();
        let now = self.runtime.now();
        let stores = &self.board.stores;
        for (what, lost) in [
            (StoreUse::TokenWrites, self.tokens.lost()),
            (StoreUse::Samples, self.samples.lost()),
            (StoreUse::Events, self.events.outbox.lost()),
        ] {
            stores.dropped(what, lost, now);
        }
        let store = StoreFacts {
            uses: stores.facts(now),
            tokens_waiting: self.tokens.len() as u64,
            samples_waiting: counts.waiting + counts.in_flight,
            samples_dropped: counts.dropped,
        };
        Facts {
            at: self.runtime.wall(),
            uptime: self.board.uptime(),
            measured_for: self.runtime.now() - self.excuses.began,
            phase: self.board.phase(),
            waiting_for: None,
            hot: self.group(Lane::Hot),
            cold: self.group(Lane::Cold),
            tokens_per_minute: Some(self.board.tokens_per_minute()),
            resources: self.board.resources(),
            database_connections: self.connections(),
            api: self.api(),
            data: self.board.data_facts(),
            plan: self.board.plan(),
            store,
            sources: self.board.sources(),
            reached: self.board.report().reached,
        }
    }

    /// The pools of both stores together.
    fn connections(&self) -> Option<(u32, u32)> {
        match (self.ports.tokens.connections(), self.ports.history.connections()) {
            (Some((a, b)), Some((c, d))) => Some((a + c, b + d)),
            (one, other) => one.or(other),
        }
    }

    fn group(&self, lane: Lane) -> GroupFacts {
        let now = self.runtime.now();
        let interval = self.settings.schedule.interval(lane);
        let Some(status) = self.board.group(lane) else {
            return GroupFacts { interval, ..GroupFacts::default() };
        };
        let outcome = status.last_outcome.unwrap_or_default();
        let since = |what, at: Option<Moment>| at.map(|at| self.excuses.since((lane, what), at, now));
        GroupFacts {
            interval,
            last_run: status.last_finished.map(|at| wall_of(at, now, self.runtime.wall())),
            processing_time: status.last_duration,
            since_progress: since(Watched::Progress, self.progress(&status)),
            since_tick: since(Watched::Tick, status.last_started),
            since_held_up: status.last_held_up.map(|at| now - at),
            withheld_for: status.withheld_since.map(|at| now - at),
            running: status.running,
            missed_runs: status.missed_runs,
            attempted: outcome.attempted,
            failed: outcome.failed,
        }
    }

    /// From when on a group is late: its last progress, or the moment at which it could begin to make some.
    fn progress(&self, status: &LaneStatus) -> Option<Moment> {
        status.last_progress.or_else(|| (self.board.phase() == Phase::Running).then_some(self.excuses.began))
    }

    fn api(&self) -> ApiFacts {
        let window = self.board.calls(API_WINDOW);
        let (silence, unreadable) = self.board.answers.facts(self.runtime.now());
        ApiFacts {
            calls: window.calls,
            errors: window.errors,
            average_response_time: window.mean,
            p95_response_time: window.p95,
            breaker: Some(match self.breaker.snapshot(self.runtime.now()).state {
                State::Closed => BreakerState::Closed,
                State::Open => BreakerState::Open,
                State::HalfOpen => BreakerState::HalfOpen,
                State::ForcedOpen => BreakerState::ForcedOpen,
                State::Disabled => BreakerState::Disabled,
            }),
            cache_hit_rate: self.board.cache_hit_rate(),
            requests_per_minute: Some(self.board.calls_per_minute()),
            last_error: self.board.api_trouble(self.breaker.name()).map(|trouble| trouble.message),
            failing_for: self.board.api_failing_for(self.breaker.name()),
            silence,
            unreadable,
        }
    }

    async fn sample_resources(&self) {
        let deadline = self.runtime.now() + RESOURCE_DEADLINE;
        let sampled = match within(&*self.runtime, deadline, self.ports.resources.sample()).await {
            Ok(Ok(sample)) => Some(sample),
            Ok(Err(error)) => {
                tracing::warn!(%error, "resources are unknown");
                None
            }
            Err(_) => {
                tracing::warn!(
                    "resources are unknown: measuring took longer than {} s",
                    RESOURCE_DEADLINE.as_secs()
                );
                None
            }
        };
        self.board.post_resources(sampled);
        let Some(measured) = sampled else { return };
        let at = self.runtime.wall();
        let figures = [
            ("resource.memory_bytes", measured.memory_bytes.map(|bytes| bytes as f64)),
            ("resource.cpu_percent", measured.cpu_percent),
            ("resource.disk_usage_percent", measured.disk_usage_percent),
            ("resource.open_file_descriptors", measured.open_file_descriptors.map(|open| open as f64)),
        ];
        self.samples.put(known(&figures, at));
    }

    fn record_health(&self) {
        let at = self.runtime.wall();
        self.samples.put(known(&[("tokens.per_minute", Some(self.board.tokens_per_minute()))], at));
        let data = self.board.data_facts();
        for (lane, facts) in [(Lane::Hot, data.hot), (Lane::Cold, data.cold)] {
            if let Some([_, p95, ..]) = facts.ages {
                self.samples.put(sample(
                    "tokens.age_p95_seconds",
                    &[("lane", lane.as_str())],
                    at,
                    p95.as_secs_f64(),
                ));
            }
        }
    }

    fn record_performance(&self) {
        let window = self.board.calls(API_WINDOW);
        let millis = |time: Option<Duration>| time.map(|time| time.as_secs_f64() * 1e3);
        let figures = [
            ("api.requests_per_minute", Some(self.board.calls_per_minute())),
            ("api.error_rate", window.error_rate()),
            ("api.p50_ms", millis(window.p50)),
            ("api.p95_ms", millis(window.p95)),
            ("api.p99_ms", millis(window.p99)),
        ];
        self.samples.put(known(&figures, self.runtime.wall()));
    }
}

/// Samples of the figures that are known.
fn known(figures: &[(&str, Option<f64>)], at: Timestamp) -> Vec<Sample> {
    figures.iter().filter_map(|(name, value)| sample(name, &[], at, (*value)?)).collect()
}

/// Whether `next` has come; moves it past `now`, without catching up on what was missed.
fn due(next: &mut Moment, now: Moment, interval: Duration) -> bool {
    let come = now >= *next;
    if come {
        *next = now + interval;
    }
    come
}

/// The wall time of a moment in the past.
fn wall_of(at: Moment, now: Moment, wall: Timestamp) -> Timestamp {
    wall.checked_sub(now - at).unwrap_or(wall)
}

/// The report before the first facts: everything but the time is unknown.
pub(super) fn first_report(
    runtime: &dyn Runtime,
    settings: &ServiceSettings,
    uptime: Duration,
    waiting_for: Option<ttm_health::Waiting>,
) -> ttm_health::Report {
    let thresholds: &Thresholds = &settings.thresholds;
    let group = |lane| GroupFacts { interval: settings.schedule.interval(lane), ..GroupFacts::default() };
    let facts = Facts {
        at: runtime.wall(),
        uptime,
        measured_for: Duration::ZERO,
        phase: Phase::Starting,
        waiting_for,
        hot: group(Lane::Hot),
        cold: group(Lane::Cold),
        tokens_per_minute: None,
        resources: None,
        database_connections: None,
        api: ApiFacts::default(),
        data: DataFacts::default(),
        plan: None,
        store: StoreFacts::default(),
        sources: Vec::new(),
        reached: Reached::default(),
    };
    assess(&facts, thresholds)
}

#[cfg(test)]
mod tests;
