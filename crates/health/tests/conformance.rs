//! The fakes obey the laws of their ports, and the suites find those that break one: each of these is a fake with one fault, and the
//! laws that notice it are exactly those named beside it.

use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use ttm_health::testing::{FakeHealthView, FakeResourceSource, conformance, healthy_facts, view_conformance};
use ttm_health::{
    HealthView, Report, ResourceError, ResourceSample, ResourceSource, Status, Thresholds, assess,
};
use ttm_kernel::testing::{Laws, assert_noticed};

#[derive(Clone, Copy, Debug, PartialEq)]
enum BadView {
    Sound,
    KeepsTheFirst,
    KeepsTheWorst,
    TakesEqualStatusForEqual,
    ShowsEachOnce,
    IsOneBehind,
}

struct Flawed {
    view: FakeHealthView,
    fault: BadView,
    published: Mutex<Vec<Report>>,
    asked: Mutex<usize>,
}

impl Flawed {
    fn new(fault: BadView) -> Self {
        let view = FakeHealthView::new(assess(&healthy_facts(), &Thresholds::default()));
        Self { view, fault, published: Mutex::default(), asked: Mutex::default() }
    }

    fn publish(&self, report: Report) {
        let before = self.view.report();
        let mut published = self.published.lock().expect("nothing panics with it");
        published.push(report.clone());
        *self.asked.lock().expect("nothing panics with it") = 0;
        let is_kept = match self.fault {
            BadView::KeepsTheFirst => published.len() > 1,
            BadView::KeepsTheWorst => before.status > report.status,
            BadView::TakesEqualStatusForEqual => {
                before.status == report.status && before.hot_stuck() == report.hot_stuck()
            }
            _ => false,
        };
        if !is_kept {
            let one_before = published.len().checked_sub(2).filter(|_| self.fault == BadView::IsOneBehind);
            self.view.publish(one_before.map_or(report, |before| published[before].clone()));
        }
    }
}

/// What a reader compares who looks at one figure.
trait HotStuck {
    fn hot_stuck(&self) -> String;
}

impl HotStuck for Report {
    fn hot_stuck(&self) -> String {
        format!("{:?}", self.scheduler)
    }
}

impl HealthView for Flawed {
    fn report(&self) -> Arc<Report> {
        let mut asked = self.asked.lock().expect("nothing panics with it");
        *asked += 1;
        let report = self.view.report();
        match self.fault {
            BadView::ShowsEachOnce if *asked > 1 => {
                Arc::new(Report { status: Status::Unknown, ..(*report).clone() })
            }
            _ => report,
        }
    }
}

fn judged_view(fault: BadView) -> Laws {
    let flawed = Flawed::new(fault);
    view_conformance::judge(&flawed, |report| flawed.publish(report))
}

const BAD_VIEWS: &[(BadView, &[&str])] = &[
    (BadView::KeepsTheFirst, &["the_report_that_was_published_last_is_shown", "asking_changes_nothing"]),
    (BadView::KeepsTheWorst, &["the_report_that_was_published_last_is_shown", "asking_changes_nothing"]),
    (BadView::TakesEqualStatusForEqual, &["the_report_that_was_published_last_is_shown"]),
    (BadView::ShowsEachOnce, &["asking_changes_nothing"]),
    (BadView::IsOneBehind, &["the_report_that_was_published_last_is_shown", "asking_changes_nothing"]),
];

#[test]
fn the_suite_of_views_notices_each_fault() {
    assert_noticed(BadView::Sound, BAD_VIEWS, judged_view);
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum BadSource {
    Works,
    HasAShareAtOnce,
    FailsTheSecondTime,
    DividesByZero,
    CountsBackwards,
}

struct Measures(FakeResourceSource, BadSource, Mutex<u64>);

#[async_trait]
impl ResourceSource for Measures {
    async fn sample(&self) -> Result<ResourceSample, ResourceError> {
        let sample = self.0.sample().await?;
        let mut count = self.2.lock().expect("nothing panics with it");
        *count += 1;
        match self.1 {
            BadSource::HasAShareAtOnce => Ok(ResourceSample { cpu_percent: Some(1.0), ..sample }),
            BadSource::FailsTheSecondTime if *count == 2 => {
                Err(ResourceError { message: "too soon".to_owned() })
            }
            BadSource::DividesByZero if *count > 1 => {
                Ok(ResourceSample { cpu_percent: Some(f64::NAN), ..sample })
            }
            BadSource::CountsBackwards => Ok(ResourceSample { disk_usage_percent: Some(-1.0), ..sample }),
            _ => Ok(sample),
        }
    }
}

fn judged_source(fault: BadSource) -> Laws {
    let sample =
        ResourceSample { cpu_percent: Some(2.0), disk_usage_percent: Some(3.0), ..Default::default() };
    let source = Measures(FakeResourceSource::new(sample), fault, Mutex::default());
    let mut suite = pin!(conformance::judge(&source));
    loop {
        if let Poll::Ready(laws) = suite.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return laws;
        }
    }
}

const BAD_SOURCES: &[(BadSource, &[&str])] = &[
    (BadSource::HasAShareAtOnce, &["a_share_of_time_needs_two_samples"]),
    (BadSource::FailsTheSecondTime, &["a_source_that_could_measure_once_can_do_so_again"]),
    (BadSource::DividesByZero, &["shares_are_finite_and_not_negative"]),
    (BadSource::CountsBackwards, &["shares_are_finite_and_not_negative"]),
];

#[test]
fn the_suite_of_sources_notices_each_fault() {
    assert_noticed(BadSource::Works, BAD_SOURCES, judged_source);
}
