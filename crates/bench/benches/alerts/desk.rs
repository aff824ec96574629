//! A desk with the default rules, worked as the service works it, on a clock of its own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rustix::time::{ClockId, clock_gettime};
use ttm_alert::{
    Attempt, ChannelId, Desk, Labels, Measurement, NotifyConfig, NotifySettings, Now, Outcome, Reading,
    RuleSet, defaults,
};
use ttm_kernel::{Epoch, Moment};

/// How many pieces of work the service does before others on its plane get their turn.
const AT_ONCE: usize = 50;
/// How often everything is evaluated, as by default.
pub(crate) const EVERY: Duration = Duration::from_secs(30);

/// The desk, its clock, and what it has done.
pub(crate) struct Worked {
    pub(crate) desk: Desk,
    time: Duration,
    /// How many messages were sent, by group and channel.
    pub(crate) sent: BTreeMap<(Arc<str>, ChannelId), usize>,
    /// The processor time since others on the thread last had their turn.
    slice: Duration,
    /// That of each such time before, since this was last taken.
    pub(crate) slices: Vec<Duration>,
}

impl Worked {
    /// One that tells these channels, and knows of nothing wrong.
    pub(crate) fn new(channels: &[&str]) -> Self {
        let default_channels = channels.iter().map(|name| ChannelId::new(name)).collect();
        let settings = NotifySettings { default_channels, ..NotifySettings::default() };
        let config = NotifyConfig::try_new(settings).expect("the defaults are valid");
        let desk = Desk::new(rules(), config, Epoch::new(1), now(Duration::ZERO));
        let (sent, slices) = (BTreeMap::new(), Vec::new());
        Self { desk, time: Duration::ZERO, sent, slice: Duration::ZERO, slices }
    }

    /// Everything is evaluated, and this was found.
    pub(crate) fn evaluate(&mut self, found: &[Measurement]) {
        self.call(|desk, now| desk.begin("health", now.moment));
        for some in found.chunks(AT_ONCE) {
            self.call(|desk, _| {
                for measurement in some {
                    desk.handle(measurement).expect("the series are those of the rules");
                }
            });
            self.step_aside();
        }
        self.call(|desk, now| {
            desk.end("health");
            desk.begin("resources", now.moment);
            desk.end("resources");
        });
        self.decide();
    }

    /// Decides all that there is to decide.
    fn decide(&mut self) {
        self.call(Desk::handle_timeout);
        loop {
            let is_more = self.call(|desk, now| {
                let is_more = desk.poll(AT_ONCE, now);
                while desk.poll_transition().is_some() {}
                is_more
            });
            self.step_aside();
            if !is_more {
                return;
            }
        }
    }

    /// Stores and sends all that there is to store and to send; every channel takes everything.
    pub(crate) fn tell(&mut self) {
        loop {
            let commit = self.call(Desk::poll_commit);
            self.step_aside();
            let waiting = self.call(Desk::poll_channels);
            let send = |channel| self.call(|desk, now| desk.poll_send(channel, now));
            let sends: Vec<Attempt> = waiting.iter().filter_map(send).collect();
            self.call(|desk, now| desk.poll_timeout(now));
            self.step_aside();
            if commit.is_none() && sends.is_empty() {
                return;
            }
            self.call(|desk, _| desk.handle_committed());
            for attempt in sends {
                let key = &attempt.row.key;
                *self.sent.entry((Arc::clone(&key.alert.rule), key.channel.clone())).or_default() += 1;
                let taken = Outcome::Delivered { remote_id: None };
                self.call(|desk, now| desk.handle_outcome(key, &taken, Duration::ZERO, now));
            }
            self.decide();
        }
    }

    /// Time passes, of which each second is looked at.
    pub(crate) fn pass(&mut self, time: Duration) {
        for _ in 0..time.as_secs() {
            self.time += Duration::from_secs(1);
            self.decide();
            self.tell();
        }
    }

    fn call<T>(&mut self, run: impl FnOnce(&mut Desk, Now) -> T) -> T {
        let (desk, now) = (&mut self.desk, now(self.time));
        let begun = processor_time();
        let result = run(desk, now);
        self.slice += processor_time().saturating_sub(begun);
        result
    }

    /// Others on the thread have their turn.
    fn step_aside(&mut self) {
        self.slices.push(std::mem::take(&mut self.slice));
    }
}

/// The default rules.
pub(crate) fn rules() -> RuleSet {
    let catalogue = defaults::catalogue(EVERY, 2 * EVERY);
    RuleSet::try_new(defaults::rules(), catalogue).expect("the defaults are valid")
}

/// What was found for the fact of a series with these labels.
pub(crate) fn found(series: &'static str, labels: &[(&str, &str)], value: f64) -> Measurement {
    let labels = Labels::try_new(labels.iter().copied()).expect("short enough");
    Measurement { series, labels, reading: Reading::Value(value), at: wall(Duration::ZERO) }
}

fn now(time: Duration) -> Now {
    Now { moment: Moment::from_origin(time), wall: wall(time), jitter: 0.5 }
}

fn wall(time: Duration) -> Timestamp {
    Timestamp::from_second(1_800_000_000).expect("it is in range") + time
}

/// The processor time of this thread, in which other load on the machine has no part.
pub(crate) fn processor_time() -> Duration {
    clock_gettime(ClockId::ThreadCPUTime).try_into().expect("it is not negative")
}
