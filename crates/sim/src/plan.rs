//! The inputs of a simulation, and the line that replays one.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use ttm_alert::{ChannelId, Escalation, NotifyConfig, NotifySettings};
use ttm_health::Report;
use ttm_service::{AlertSettings, PARTS, Part, ServiceSettings};

use crate::FaultSchedule;
use crate::fault::Channel;
use crate::oracle::recovery::Budgets;
use crate::oracle::{BreakerRules, Promises};
use crate::world::Defect;

/// Everything that decides what happens. As text it is one line, without the settings: `SEED SECONDS TOKENS
/// SCHEDULE`.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Decides every random choice.
    pub seed: u64,
    /// How long it runs.
    pub lasts: Duration,
    /// Tokens in the store at the start.
    pub tokens: usize,
    /// Whether the service follows new profiles; in this world there is one a minute.
    pub profiles: bool,
    /// What breaks.
    pub faults: FaultSchedule,
    /// The service's settings.
    pub settings: ServiceSettings,
    /// What the upstream API and the operators were promised.
    pub promised: Promises,
    /// Falsifies every report before the health oracle sees it, which must notice. `None` except in mutants.
    pub misreport: Option<fn(&mut Report)>,
    /// Rules of the world that are broken on purpose.
    pub defects: Vec<Defect>,
    /// The service's table of parts.
    pub parts: Vec<Part>,
}

/// A line that is not a valid plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{line:?} is not a valid plan; expected `SEED SECONDS TOKENS SCHEDULE`, such as `7 86400 40 at 2h for 20m api-503`"
)]
pub struct InvalidPlan {
    line: String,
}

/// No oracle reads the report more often, and assessing it every second would take half of a run's time.
const REPORT_INTERVAL: Duration = Duration::from_secs(30);

/// The time that the service manager grants a stop by default.
const STOP_WITHIN: Duration = Duration::from_secs(30);

impl Plan {
    /// The smallest number that takes two batches, so that they can overtake each other.
    const TOKENS: usize = 31;

    /// A plan for the service with its default settings, and the promises that follow from them.
    ///
    /// # Panics
    /// Only if the default settings of the service are invalid.
    pub fn new(seed: u64, lasts: Duration, faults: FaultSchedule) -> Self {
        let defaults = ServiceSettings::default();
        let settings = ServiceSettings {
            report_interval: REPORT_INTERVAL,
            alerts: alerts(defaults.resource_check_interval),
            ..defaults
        };
        let breaker = settings.breaker.settings();
        let promised = Promises {
            // What the API's reference allows; the service is configured to stay below it.
            requests_per_minute: 300,
            attempts: usize::try_from(settings.retry.settings().max_attempts).unwrap_or(usize::MAX),
            breaker: BreakerRules {
                failure_threshold: breaker.failure_threshold.expect("the default has this rule"),
                recovery_timeout: breaker.recovery_timeout,
                half_open_max_calls: breaker.half_open_max_calls,
                success_threshold: breaker.success_threshold,
                probe_lease: breaker.probe_lease,
            },
            recovery: Budgets::SPECIFIED,
            stop_within: STOP_WITHIN,
        };
        Self {
            seed,
            lasts,
            tokens: Self::TOKENS,
            profiles: false,
            faults,
            settings,
            promised,
            misreport: None,
            defects: Vec::new(),
            parts: PARTS.to_vec(),
        }
    }
}

/// The default rules, told on one channel, and on a second one when nobody acknowledges.
fn alerts(resources: Duration) -> AlertSettings {
    let channels = Channel::ALL.map(|channel| ChannelId::new(channel.name())).to_vec();
    let defaults = NotifySettings::default();
    let notify = NotifySettings {
        default_channels: channels[..1].to_vec(),
        escalation: Escalation { channels, ..defaults.escalation.clone() },
        ..defaults
    };
    let notify = NotifyConfig::try_new(notify).expect("these are valid");
    AlertSettings { notify, ..AlertSettings::new(REPORT_INTERVAL, resources) }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} {}", self.seed, self.lasts.as_secs(), self.tokens, self.faults)
    }
}

impl FromStr for Plan {
    type Err = InvalidPlan;

    /// Parses the plan of a line, with the default settings.
    fn from_str(line: &str) -> Result<Self, InvalidPlan> {
        let parse = || {
            let mut words = line.trim_start().splitn(4, ' ');
            let seed = words.next()?.parse().ok()?;
            let lasts = Duration::from_secs(words.next()?.parse().ok()?);
            let tokens = words.next()?.parse().ok()?;
            let faults = words.next().unwrap_or_default().parse().ok()?;
            Some(Self { tokens, ..Self::new(seed, lasts, faults) })
        };
        parse().ok_or_else(|| InvalidPlan { line: line.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_round_trips_through_its_line() {
        for line in ["7 86400 40 at 2h for 20m api-503; at 5h for 10s kill", "7 60 1 "] {
            assert_eq!(line.parse::<Plan>().expect("a plan").to_string(), line);
        }
        for line in ["", "7 60", "7 60 1 at noon", "seven 60 1 "] {
            assert_eq!(line.parse::<Plan>().expect_err("not a plan").line, line);
        }
    }
}
