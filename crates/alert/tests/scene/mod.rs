//! How the stories of desks begin: a quiet minute under the usual settings.

use std::time::Duration;

use ttm_alert::testing::Stage;
use ttm_alert::{Escalation, Matcher, NotifyConfig, NotifySettings, Quiet, When};

pub(crate) const HOUR: u64 = 3_600;

/// Everything goes to `ops`.
pub(crate) fn settings() -> NotifySettings {
    NotifySettings { default_channels: vec![Stage::id("ops")], ..NotifySettings::default() }
}

/// A stage under these settings, whose minute of quiet is over.
pub(crate) fn with(settings: NotifySettings) -> Stage {
    let mut stage = Stage::new(NotifyConfig::try_new(settings).expect("valid"));
    stage.is("open", "at=x", 0.0);
    stage.is("late", "at=x", 0.0);
    stage.is("load", "at=x", 5.0);
    stage.pass(60);
    assert_eq!(stage.told(), [""; 0]);
    stage
}

/// One under the usual settings.
pub(crate) fn stage() -> Stage {
    with(settings())
}

/// One on which `phone` is told next.
pub(crate) fn escalating() -> Stage {
    let channels = vec![Stage::id("ops"), Stage::id("phone")];
    let escalation = Escalation { channels, ..settings().escalation };
    with(NotifySettings { escalation, ..settings() })
}

/// A silence for so many seconds from now on.
pub(crate) fn silence(stage: &Stage, seconds: u64, rule: &str) -> Quiet {
    let from = stage.wall();
    let until = Some(from + Duration::from_secs(seconds));
    let matcher = Matcher { rule: Some(rule.to_owned()), ..Matcher::default() };
    Quiet::try_new(matcher, When::Once { from, until }, "ada", "we know").expect("valid")
}
