//! The fake of the control port obeys its laws, and the suite finds controls that break one.

use std::panic::{AssertUnwindSafe, catch_unwind};

use async_trait::async_trait;
use jiff::Timestamp;
use ttm_breaker::testing::{FakeBreakerControl, control_conformance};
use ttm_breaker::{BreakerControl, BreakerView, Counts, Order, OrderRefused, Ordered};
use ttm_testkit::ManualRuntime;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Bug {
    None,
    ListsInAnotherOrder,
    ListsTwice,
    ChangesNothing,
    OrdersAll,
    ForgetsWhoOrdered,
    ReturnsTheBreakerBefore,
    CarriesOutAgain,
    KeepsCounts,
    TakesAnyName,
    HidesTheKnown,
    SaysNothingIsStored,
}

struct Broken {
    control: FakeBreakerControl,
    bug: Bug,
    /// A fake's time stands still, and so does its count of what was done again.
    again: std::sync::atomic::AtomicU64,
}

impl Broken {
    fn with(&self, mut view: BreakerView) -> BreakerView {
        if self.bug == Bug::ForgetsWhoOrdered {
            view.reason = None;
        }
        if self.bug == Bug::KeepsCounts {
            view.counts = Counts { failures: 3, ..Counts::default() };
        }
        if self.bug == Bug::CarriesOutAgain {
            view.counts.ignored = self.again.load(std::sync::atomic::Ordering::Relaxed);
        }
        view
    }
}

#[async_trait]
impl BreakerControl for Broken {
    fn breakers(&self) -> Vec<BreakerView> {
        let mut all: Vec<_> = self.control.breakers().into_iter().map(|view| self.with(view)).collect();
        match self.bug {
            Bug::ListsInAnotherOrder => all.reverse(),
            Bug::ListsTwice => all.extend(all.clone()),
            _ => {}
        }
        all
    }

    async fn order(&self, name: &str, order: Order) -> Result<Ordered, OrderRefused> {
        let before = self.breakers().into_iter().find(|view| view.name == name);
        let one = match self.bug {
            Bug::ChangesNothing => before.clone().map(stored).map(Ok),
            Bug::TakesAnyName if before.is_none() => Some(self.control.order("api/pairs", order).await),
            _ => None,
        };
        if self.bug == Bug::OrdersAll {
            for view in self.breakers() {
                self.control.order(&view.name, order).await.expect("a known name");
            }
        }
        let ordered = match one {
            Some(ordered) => ordered,
            None => self.control.order(name, order).await,
        };
        if self.bug == Bug::CarriesOutAgain {
            self.again.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
        match (ordered, before) {
            (Ok(_), Some(before)) if self.bug == Bug::ReturnsTheBreakerBefore => Ok(stored(before)),
            (Err(OrderRefused::Unknown { name, .. }), _) if self.bug == Bug::HidesTheKnown => {
                Err(OrderRefused::Unknown { name, known: Vec::new() })
            }
            (ordered, _) => ordered.map(|ordered| Ordered {
                breaker: self.with(ordered.breaker),
                stored: ordered.stored && self.bug != Bug::SaysNothingIsStored,
            }),
        }
    }
}

fn stored(breaker: BreakerView) -> Ordered {
    Ordered { breaker, stored: true }
}

/// Whether the suite passes a control with this bug.
fn passes(bug: Bug) -> bool {
    let control = FakeBreakerControl::new(["profiles", "api/pairs"], Timestamp::UNIX_EPOCH);
    let broken = Broken { control, bug, again: 0.into() };
    let check = || ManualRuntime::new(1).block_on(control_conformance::check(&broken, true));
    catch_unwind(AssertUnwindSafe(check)).is_ok()
}

#[test]
fn the_fake_control_obeys_every_law() {
    for stores in [true, false] {
        let fake = FakeBreakerControl::new(["b", "a"], Timestamp::UNIX_EPOCH);
        fake.stores(stores);
        ManualRuntime::new(1).block_on(control_conformance::check(&fake, stores));
    }
}

#[test]
fn the_suite_refuses_every_broken_control() {
    assert!(passes(Bug::None), "the wrapper itself breaks nothing");
    for bug in [
        Bug::ListsInAnotherOrder,
        Bug::ListsTwice,
        Bug::ChangesNothing,
        Bug::OrdersAll,
        Bug::ForgetsWhoOrdered,
        Bug::ReturnsTheBreakerBefore,
        Bug::CarriesOutAgain,
        Bug::KeepsCounts,
        Bug::TakesAnyName,
        Bug::HidesTheKnown,
        Bug::SaysNothingIsStored,
    ] {
        assert!(!passes(bug), "{bug:?} goes unnoticed");
    }
}

#[test]
fn an_order_and_its_word_name_each_other() {
    for order in Order::ALL {
        assert_eq!(Order::parse(order.as_str()), Some(order));
    }
    assert_eq!((Order::parse("Reset"), Order::parse("close"), Order::parse("")), (None, None, None));
}
