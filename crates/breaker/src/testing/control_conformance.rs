//! The laws of [`BreakerControl`] as a suite, but for that of a stop. A broken law panics with what was expected.

use crate::{BreakerControl, BreakerView, Counts, Order, OrderRefused, Ordered, TransitionReason};

/// Checks every law on breakers that nobody calls meanwhile, of which there is at least one. They are closed afterwards.
/// `stores` says whether there is a store that takes orders.
pub async fn check(control: &dyn BreakerControl, stores: bool) {
    let names: Vec<String> = control.breakers().into_iter().map(|breaker| breaker.name).collect();
    assert!(!names.is_empty(), "there is a breaker to check");
    assert!(names.is_sorted_by(|one, next| one < next), "law 1: once each, by name: {names:?}");
    for name in &names {
        for order in [Order::ForceOpen, Order::Disable, Order::ForceOpen, Order::Reset, Order::Disable] {
            carries_out(control, stores, name, order).await;
        }
        let again = async |order| control.order(name, order).await.expect("a known name");
        let (first, second) = (again(Order::Disable).await, again(Order::Disable).await);
        assert_eq!(first, second, "law 3: nothing changes");
        let reset = again(Order::Reset).await.breaker;
        assert_eq!(reset.counts, Counts::default(), "law 3: a reset begins anew");
    }
    let before = control.breakers();
    let unknown = control.order("no such breaker", Order::ForceOpen).await;
    let name = "no such breaker".to_owned();
    assert_eq!(unknown, Err(OrderRefused::Unknown { name, known: names }), "law 4: an unknown name");
    assert_eq!(control.breakers(), before, "law 4: nothing changes");
}

async fn carries_out(control: &dyn BreakerControl, stores: bool, name: &str, order: Order) {
    let others = |all: Vec<BreakerView>| all.into_iter().filter(|breaker| breaker.name != name);
    let before: Vec<_> = others(control.breakers()).collect();
    let Ordered { breaker: view, stored } = control.order(name, order).await.expect("a known name");
    assert_eq!(stored, stores, "law 5: {order}");
    assert_eq!((view.name.as_str(), view.state), (name, order.state()), "law 2: {order}");
    assert_eq!(view.reason, Some(TransitionReason::Operator), "law 2: {order}");
    let after = control.breakers();
    assert!(after.contains(&view), "law 2: {order} returns the breaker as it is: {view:?}");
    assert_eq!(others(after).collect::<Vec<_>>(), before, "law 2: the others stay as they are");
}
