//! The laws of [`HealthView`] as a suite. All laws are checked before those that do not hold are reported.
//!
//! ```
//! use ttm_health::testing::{FakeHealthView, healthy_facts, view_conformance};
//! use ttm_health::{Thresholds, assess};
//!
//! let view = FakeHealthView::new(assess(&healthy_facts(), &Thresholds::default()));
//! view_conformance::check(&view, |report| view.publish(report));
//! ```

use std::time::Duration;

use ttm_kernel::check_laws;
use ttm_kernel::testing::{Laws, expect};

use super::healthy_facts;
use crate::{HealthView, Report, Status, Thresholds, assess};

/// Checks every law, and panics with those that do not hold. `publish` is what the one that makes reports does; no time passes.
pub fn check(view: &dyn HealthView, publish: impl Fn(Report)) {
    judge(view, publish).assert_hold();
}

/// Checks every law, and says which do not hold.
pub fn judge(view: &dyn HealthView, publish: impl Fn(Report)) -> Laws {
    let mut laws = Laws::of("HealthView");
    check_laws!(laws now:
        the_report_that_was_published_last_is_shown(view, &publish),
        asking_changes_nothing(view, &publish),
    );
    laws
}

/// Reports of a service that is well, badly stuck, and well again, each a minute after the one before.
fn reports() -> [Report; 3] {
    [0, 600, 1].map(|stuck| {
        let mut facts = healthy_facts();
        facts.uptime += Duration::from_secs(60 * (stuck % 7));
        facts.hot.since_progress = Some(Duration::from_secs(stuck));
        assess(&facts, &Thresholds::default())
    })
}

/// Whether it is better or worse than the one before, and however little differs.
fn the_report_that_was_published_last_is_shown(view: &dyn HealthView, publish: impl Fn(Report)) {
    let reports = reports();
    expect("the worst of the suite", true, reports[1].status != Status::Healthy);
    for report in reports.iter().chain(&reports) {
        publish(report.clone());
        expect("the report", report, &*view.report());
    }
    let later = Report { uptime: reports[2].uptime + Duration::from_secs(1), ..reports[2].clone() };
    publish(later.clone());
    expect("the report of a second later", &later, &*view.report());
}

fn asking_changes_nothing(view: &dyn HealthView, publish: impl Fn(Report)) {
    for report in reports() {
        publish(report.clone());
        for _ in 0..3 {
            expect("the report", &report, &*view.report());
        }
    }
}
