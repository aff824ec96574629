//! The signs of life of one incarnation of a part: the part gives them, the supervisor reads them. Those of an incarnation that
//! was replaced are read by nobody.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use ttm_kernel::{Moment, Runtime};

use crate::Stop;

/// A part that has nothing to do but to run shows that it does so often.
const EVERY: Duration = Duration::from_secs(10);

/// Gives signs of life.
#[derive(Clone)]
pub struct Vital {
    signs: Arc<Mutex<Signs>>,
    clock: Arc<dyn Runtime>,
}

/// The signs so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Signs {
    /// When it got on last.
    pub(crate) progress: Option<Moment>,
    /// What it waits for.
    pub(crate) waits: Option<WaitsFor>,
}

/// Something that a part depends on is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WaitsFor {
    pub(crate) on: &'static str,
    pub(crate) since: Moment,
    /// When it last found that out. `None` if it does not try again before a person has acted.
    pub(crate) tried_at: Option<Moment>,
}

impl Vital {
    /// Of a part that has given none. `clock` is that of its plane.
    pub(crate) fn new(clock: &Arc<dyn Runtime>) -> Self {
        Self { signs: Arc::default(), clock: clock.clone() }
    }

    /// It got on, or looked and found nothing to do.
    pub fn got_on(&self) {
        let progress = Some(self.clock.now());
        *self.signs.lock() = Signs { progress, waits: None };
    }

    /// It gets on until it is ordered to stop.
    pub async fn gets_on_until(&self, stop: &Stop) {
        while stop.deadline().is_none() {
            self.got_on();
            tokio::select! {
                biased;
                _ = stop.ordered() => {}
                () = self.clock.sleep_until(self.clock.now() + EVERY) => {}
            }
        }
    }

    /// What it depends on is away: it tried, or knew better.
    pub(crate) fn waits_for(&self, on: &'static str) {
        let now = self.clock.now();
        self.put(on, now, Some(now));
    }

    /// What it depends on is left alone until a person has acted.
    pub(crate) fn leaves_alone(&self, on: &'static str) {
        self.put(on, self.clock.now(), None);
    }

    fn put(&self, on: &'static str, now: Moment, tried_at: Option<Moment>) {
        let mut signs = self.signs.lock();
        let since = signs.waits.filter(|known| known.on == on).map_or(now, |known| known.since);
        signs.waits = Some(WaitsFor { on, since, tried_at });
    }

    /// The signs so far.
    pub(crate) fn signs(&self) -> Signs {
        *self.signs.lock()
    }
}

#[cfg(test)]
mod tests {
    use ttm_kernel::Clock as _;
    use ttm_testkit::ManualRuntime;

    use super::*;

    #[test]
    fn what_a_part_waits_for_is_away_since_it_first_said_so_and_until_it_gets_on() {
        let runtime = ManualRuntime::new(1);
        let wait = |time| runtime.block_on(runtime.sleep_until(runtime.now() + time));
        let vital = Vital::new(&(Arc::new(runtime.clone()) as Arc<dyn Runtime>));
        assert_eq!(vital.signs(), Signs::default());
        let began = runtime.now();
        vital.waits_for("store");
        wait(Duration::from_secs(5));
        vital.waits_for("store");
        let waits = WaitsFor { on: "store", since: began, tried_at: Some(runtime.now()) };
        assert_eq!(vital.signs(), Signs { progress: None, waits: Some(waits) });
        vital.leaves_alone("store");
        assert_eq!(vital.signs().waits, Some(WaitsFor { tried_at: None, ..waits }));
        vital.got_on();
        assert_eq!(vital.signs(), Signs { progress: Some(runtime.now()), waits: None });
        vital.waits_for("store");
        assert_eq!(vital.signs().progress, Some(runtime.now()), "progress is not forgotten");
    }
}
