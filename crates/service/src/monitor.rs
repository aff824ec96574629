//! Samples resources, makes the health report, and turns figures into history. It reads the board and acts on nothing, so a
//! report can never be late because of what it reports.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use ttm_breaker::State as BreakerWord;
use ttm_health::{Facts, Phase, Status, assess};
use ttm_kernel::{Connections, Lane, Moment, Quantiles, Runtime, within};

use crate::gist::gist;
use crate::life::{Author, Life};
use crate::pause::{LATE, Watched, pause};
use crate::ports::Ports;
use crate::resident::Resident;
use crate::series::{self, sample};
use crate::stop::Stop;
use crate::vital::Vital;

mod facts;

/// Rates and percentiles of the API look back this far.
const API_WINDOW: Duration = Duration::from_mins(5);
/// The share of a CPU needs two samples; the second comes soon, so that it is not unknown for a whole interval.
const SECOND_SAMPLE: Duration = Duration::from_secs(5);
/// Measuring a process reads a few files; longer than this and it does not answer.
const RESOURCE_DEADLINE: Duration = Duration::from_secs(5);

pub(crate) struct Monitor {
    resident: Arc<Resident>,
    author: Author,
    runtime: Arc<dyn Runtime>,
    stop: Stop,
    vital: Vital,
    /// Status, readiness and reason of the report before, so that a change is worth a line.
    last: (Status, bool, String),
}

impl Monitor {
    pub(crate) fn new(resident: Arc<Resident>, life: Life) -> Self {
        let Life { author, runtime, stop, vital } = life;
        Self { resident, author, runtime, stop, vital, last: (Status::Unknown, false, String::new()) }
    }

    /// Watches until the stop is ordered, and makes a last report then.
    pub(crate) async fn run(mut self) {
        let (stop, runtime) = (self.stop.clone(), self.runtime.clone());
        tokio::select! {
            biased;
            _ = stop.ordered() => {}
            () = self.watch(&*runtime) => {}
        }
        self.report();
    }

    async fn watch(&mut self, runtime: &dyn Runtime) {
        let started = runtime.now();
        let resident = self.resident.clone();
        let (settings, orders) = (&resident.settings, &resident.breakers.orders);
        self.sample_resources().await;
        let mut report = started;
        let mut resources = started + SECOND_SAMPLE.min(settings.resource_check_interval);
        let mut health = started + settings.health_check_interval;
        let mut performance = started + settings.performance_check_interval;
        let mut ordered = orders.given();
        loop {
            let now = runtime.now();
            self.vital.got_on();
            if due(&mut resources, now, settings.resource_check_interval) {
                self.sample_resources().await;
            }
            if due(&mut health, now, settings.health_check_interval) {
                self.record_health();
            }
            if due(&mut performance, now, settings.performance_check_interval) {
                self.record_performance();
            }
            // Who ordered something looks at once.
            let given = orders.given();
            if due(&mut report, now, settings.report_interval) || given > ordered {
                ordered = given;
                self.report();
            }
            // What measuring took is no lateness of the timer.
            let next = report.min(resources).min(health).min(performance).max(runtime.now());
            tokio::select! {
                biased;
                () = orders.after(ordered) => {}
                () = runtime.sleep_until(next) => self.note_lateness(next),
            }
        }
    }

    /// Distinguishes a pause of the process, which excuses what it made late, from a lateness of this plane, which does not.
    fn note_lateness(&mut self, due: Moment) {
        let now = self.runtime.now();
        let late = now - due;
        if late <= LATE {
            return;
        }
        let late_s = late.as_secs_f64();
        let Some(lasted) = pause(due, now, &self.resident.pulse) else {
            return tracing::warn!(late_s, "the supervision plane was late: the process was not paused");
        };
        tracing::warn!(late_s, "the process was paused");
        for lane in Lane::ALL {
            let Some(status) = self.resident.board.group(lane) else { continue };
            for (what, at) in
                [(Watched::Progress, self.progress(&status)), (Watched::Tick, status.last_started)]
            {
                if let Some(at) = at {
                    self.resident.excuses.lock().paused((lane, what), at, lasted, now);
                }
            }
        }
    }

    /// Makes the report and the gauges from what is known now.
    fn report(&mut self) {
        let facts = self.facts();
        let report = self.resident.board.post_report(assess(&facts, &self.resident.settings.thresholds()));
        let reason = match report.reasons().first() {
            Some(reason) => reason,
            None if report.phase == Phase::Stopping => "the service was ordered to stop",
            None => "nothing is wrong",
        };
        let now = (report.status, report.ready, gist(reason));
        if now != self.last {
            self.last = now;
            // It may be ready no more because of a stop, whatever is wrong besides.
            let (status, ready, phase) = (report.status, report.ready, report.phase.as_str());
            tracing::info!(%status, ready, phase, reason, "health changed");
        }
        self.show(&facts, report.status);
        self.resident.board.post_facts(facts);
    }

    /// Shows figures to who collects them.
    fn show(&self, facts: &Facts, now: Status) {
        for (lane, facts) in [("hot", facts.data.hot), ("cold", facts.data.cold)] {
            metrics::gauge!("ttm_tokens", "lane" => lane).set(facts.tokens as f64);
            metrics::gauge!("ttm_tokens_stale", "lane" => lane).set(facts.stale as f64);
            metrics::gauge!("ttm_tokens_expired", "lane" => lane).set(facts.expired as f64);
            if let Some(Quantiles { p95, .. }) = facts.ages {
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
            let is = f64::from(u8::from(status == now));
            metrics::gauge!("ttm_health", "status" => status.as_str()).set(is);
        }
        for guard in &self.resident.guards {
            let name = guard.breaker().name().to_owned();
            let now = guard.breaker().snapshot(self.runtime.now()).state;
            for state in BreakerWord::ALL {
                let is = f64::from(u8::from(state == now));
                metrics::gauge!("ttm_breaker_state", "breaker" => name.clone(), "state" => state.as_str())
                    .set(is);
            }
        }
        metrics::gauge!("ttm_samples_waiting").set(facts.store.samples_waiting as f64);
        metrics::gauge!("ttm_samples_dropped").set(facts.store.samples_dropped as f64);
        let events = self.resident.events.counts();
        metrics::gauge!("ttm_events_waiting").set((events.waiting + events.in_flight) as f64);
        metrics::gauge!("ttm_events_dropped").set(events.dropped as f64);
        metrics::gauge!("ttm_uptime_seconds").set(facts.uptime.as_secs_f64());
    }

    async fn sample_resources(&self) {
        let deadline = self.runtime.now() + RESOURCE_DEADLINE;
        let sampled = match within(&*self.runtime, deadline, self.resident.ports.resources.sample()).await {
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
        self.resident.board.post_resources(sampled);
        let Some(measured) = sampled else { return };
        let at = self.runtime.wall();
        let figures = [
            ("resource.memory_bytes", measured.memory_bytes.map(|bytes| bytes as f64)),
            ("resource.cpu_percent", measured.cpu_percent),
            ("resource.disk_usage_percent", measured.disk_usage_percent),
            ("resource.open_file_descriptors", measured.open_file_descriptors.map(|open| open as f64)),
        ];
        self.record(at, figures.map(|(name, value)| (name, [], value)));
        let Ports { tokens, history, .. } = &self.resident.ports;
        let pools = [("state", tokens.connections()), ("history", history.connections())];
        let connections = pools.into_iter().filter_map(|(store, connections)| Some((store, connections?)));
        let figures = connections.flat_map(|(store, Connections { in_use, max })| {
            [("resource.connections_in_use", in_use), ("resource.connections_max", max)]
                .map(|(name, value)| (name, [store], Some(f64::from(value))))
        });
        self.record(at, figures);
    }

    /// Writes the figures that are known.
    fn record<const LABELS: usize>(
        &self,
        at: Timestamp,
        figures: impl IntoIterator<Item = (&'static str, [&'static str; LABELS], Option<f64>)>,
    ) {
        let Resident { settings, samples, .. } = &*self.resident;
        let known = figures
            .into_iter()
            .filter_map(|(name, labels, value)| sample(&settings.instance, name, &labels, at, value?));
        samples.put(self.author, known.collect::<Vec<_>>());
    }

    fn record_health(&self) {
        let at = self.runtime.wall();
        let Resident { board, .. } = &*self.resident;
        self.record(at, [("tokens.per_minute", [], Some(board.tokens_per_minute()))]);
        let data = board.data_facts();
        let of_lanes = [(Lane::Hot, data.hot), (Lane::Cold, data.cold)].map(|(lane, facts)| {
            let p95 = facts.ages.map(|Quantiles { p95, .. }| p95.as_secs_f64());
            [
                ("tokens.followed", [lane.as_str()], Some(facts.tokens as f64)),
                ("tokens.stale", [lane.as_str()], Some(facts.stale as f64)),
                ("tokens.age_p95_seconds", [lane.as_str()], p95),
            ]
        });
        self.record(at, of_lanes.into_iter().flatten());
    }

    fn record_performance(&self) {
        let window = self.resident.board.calls(API_WINDOW);
        let millis = |time: Option<Duration>| time.map(|time| time.as_secs_f64() * 1e3);
        let figures = [
            ("api.requests_per_minute", Some(self.resident.board.calls_per_minute())),
            ("api.error_rate", window.error_rate()),
            ("api.p50_ms", millis(window.p50)),
            ("api.p95_ms", millis(window.p95)),
            ("api.p99_ms", millis(window.p99)),
        ];
        let at = self.runtime.wall();
        self.record(at, figures.map(|(name, value)| (name, [], value)));
        let Resident { settings, samples, board, .. } = &*self.resident;
        samples.put(self.author, series::of_tally(&settings.instance, &board.tally, at));
    }
}

/// Whether `next` has come; moves it past `now`, without catching up on what was missed.
fn due(next: &mut Moment, now: Moment, interval: Duration) -> bool {
    let come = now >= *next;
    if come {
        *next = now + interval;
    }
    come
}

#[cfg(test)]
mod tests;
