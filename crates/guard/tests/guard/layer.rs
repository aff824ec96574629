//! The guard as a layer around a service, as other programs use it.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tower::{Layer, Service, ServiceExt, service_fn};
use ttm_breaker::{BreakerSettings, State};
use ttm_guard::{Disposition, GuardError, GuardLayer, GuardSettings};
use ttm_kernel::Moment;
use ttm_retry::RetrySettings;

use crate::rig::Rig;

fn transient(_: &&'static str) -> Disposition {
    Disposition::Transient { retry_after: None }
}

#[test]
fn a_service_is_asked_again_and_behind_an_open_breaker_not_at_all() {
    let rig = Rig::with(1, GuardSettings::default(), BreakerSettings::default(), RetrySettings::default());
    let asked = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&asked);
    let far_side = service_fn(move |request: u32| {
        let number = counter.fetch_add(1, Ordering::SeqCst) + 1;
        async move { if number < 3 { Err("down") } else { Ok(request + number) } }
    });
    let service = GuardLayer::new(Arc::clone(&rig.guard), transient).layer(far_side);
    let answer = rig.runtime.block_on(service.clone().oneshot(40));
    assert_eq!(answer.expect("the third attempt works"), 43);

    rig.guard.breaker().force_open(Moment::ZERO);
    let end = rig.runtime.block_on(service.oneshot(40)).expect_err("forced open");
    assert!(matches!(end, GuardError::Rejected(_)), "{end}");
    assert_eq!(asked.load(Ordering::SeqCst), 3);
    assert_eq!(rig.guard.breaker().snapshot(rig.now()).state, State::ForcedOpen);
}

#[test]
fn a_service_that_is_never_ready_takes_too_long() {
    #[derive(Clone)]
    struct NeverReady;
    impl Service<()> for NeverReady {
        type Response = ();
        type Error = &'static str;
        type Future = std::future::Ready<Result<(), &'static str>>;

        fn poll_ready(
            &mut self,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Result<(), &'static str>> {
            std::task::Poll::Pending
        }

        fn call(&mut self, (): ()) -> Self::Future {
            std::future::ready(Ok(()))
        }
    }
    let rig = Rig::new();
    let mut service = GuardLayer::new(Arc::clone(&rig.guard), transient).layer(NeverReady);
    let ready: Result<_, GuardError<Infallible>> = rig
        .runtime
        .block_on(async { service.ready().await.expect("the layer itself is always ready").call(()).await })
        .map_err(|error| match error {
            GuardError::TimedOut { attempts } => GuardError::TimedOut { attempts },
            other => panic!("{other}"),
        });
    assert!(matches!(ready, Err(GuardError::TimedOut { attempts: 3 })));
}
