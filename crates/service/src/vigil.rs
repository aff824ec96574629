//! Whether the process counts as alive, for a thread that runs beside all planes: the supervision plane says until when, and is not
//! asked. If it hangs, or a critical part is late and nothing is done about it, that time passes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ttm_kernel::{Moment, Runtime};

/// The supervision plane says that it runs this often.
const EVERY: Duration = Duration::from_secs(1);
/// And it counts as running for so long after that.
const LASTS: Duration = Duration::from_secs(5);

/// What the supervision plane said last.
#[derive(Clone)]
pub struct Vigil {
    clock: Arc<dyn Runtime>,
    /// In nanoseconds: until when the supervision plane counts as running.
    beats_until: Arc<AtomicU64>,
    /// The same of the critical parts.
    parts_until: Arc<AtomicU64>,
}

impl Vigil {
    pub(crate) fn new(clock: &Arc<dyn Runtime>) -> Self {
        let beats_until = Arc::new(AtomicU64::new((clock.now() + LASTS).as_nanos()));
        Self { clock: clock.clone(), beats_until, parts_until: Arc::new(AtomicU64::new(u64::MAX)) }
    }

    /// Whether the process is alive: it should be replaced once it is not. Never waits.
    pub fn is_alive(&self) -> bool {
        let until = self.beats_until.load(Ordering::Acquire).min(self.parts_until.load(Ordering::Acquire));
        self.clock.now().as_nanos() <= until
    }

    /// The critical parts need nobody until then.
    pub(crate) fn parts_until(&self, until: Moment) {
        self.parts_until.store(until.as_nanos(), Ordering::Release);
    }

    /// Says again and again that the supervision plane runs.
    pub(crate) async fn beat(&self) {
        loop {
            let now = self.clock.now();
            self.beats_until.store((now + LASTS).as_nanos(), Ordering::Release);
            self.clock.sleep_until(now + EVERY).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use ttm_kernel::{Clock as _, within};
    use ttm_testkit::ManualRuntime;

    use super::*;

    #[test]
    fn a_process_is_alive_while_its_supervision_runs_and_no_critical_part_is_late() {
        let runtime = ManualRuntime::new(1);
        let wait = |time| runtime.block_on(runtime.sleep_until(runtime.now() + time));
        let clock = Arc::new(runtime.clone()) as Arc<dyn Runtime>;
        let vigil = Vigil::new(&clock);
        wait(LASTS);
        assert!(vigil.is_alive());
        wait(Duration::from_nanos(1));
        assert!(!vigil.is_alive(), "nothing has run");
        let until = clock.now() + Duration::from_mins(1);
        runtime.block_on(within(&*clock, until, vigil.beat())).expect_err("it beats for ever");
        assert!(vigil.is_alive());
        vigil.parts_until(clock.now());
        assert!(vigil.is_alive());
        wait(Duration::from_secs(1));
        assert!(!vigil.is_alive(), "a part is late");
    }
}
