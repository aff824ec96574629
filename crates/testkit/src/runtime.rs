//! A single-threaded runtime for tests: tasks run first in, first out, and when all of them are pending the clock jumps to the
//! next timer. It does not explore interleavings.

use std::collections::{BTreeMap, VecDeque};
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use jiff::Timestamp;
use parking_lot::Mutex;
use ttm_kernel::{BoxFuture, Clock, Entropy, Moment, Runtime, Task, TaskEnd};
use ttm_xoshiro_entropy::SeededEntropy;

use crate::ManualClock;

/// The future given to `block_on`; spawned tasks count from 1.
const MAIN: u64 = 0;

/// The runtime; clones share clock, timers and tasks.
#[derive(Clone)]
pub struct ManualRuntime {
    clock: Arc<ManualClock>,
    seed: u64,
    world: Arc<Mutex<World>>,
}

#[derive(Default)]
struct World {
    ready: VecDeque<u64>,
    timers: BTreeMap<(Moment, u64), Waker>,
    next_timer: u64,
    tasks: BTreeMap<u64, Slot>,
    last_task: u64,
}

/// A spawned task: its future (absent while it is polled and after its end), its end, and the waker of its handle.
struct Slot {
    future: Option<BoxFuture<'static, ()>>,
    aborted: bool,
    end: Option<TaskEnd>,
    waiting: Option<Waker>,
}

impl ManualRuntime {
    /// A runtime at [`Moment::ZERO`] with entropy from `seed`.
    pub fn new(seed: u64) -> Self {
        Self { clock: Arc::default(), seed, world: Arc::default() }
    }

    /// Its clock.
    pub fn clock(&self) -> &ManualClock {
        &self.clock
    }

    /// Runs `future` and the spawned tasks until `future` completes.
    ///
    /// # Panics
    /// On a deadlock, which is when everything is pending and no timer is left; and if `future` panics.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        self.world.lock().ready.push_back(MAIN);
        loop {
            let next = self.world.lock().ready.pop_front();
            match next {
                Some(MAIN) => {
                    let waker = self.waker(MAIN);
                    if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                        return output;
                    }
                }
                Some(task) => self.run(task),
                None => self.jump(),
            }
        }
    }

    /// Polls one task once.
    fn run(&self, id: u64) {
        let taken = {
            let mut world = self.world.lock();
            world.tasks.get_mut(&id).and_then(|slot| slot.future.take().map(|future| (future, slot.aborted)))
        };
        let Some((mut future, aborted)) = taken else { return };
        let waker = self.waker(id);
        let polled = if aborted {
            Ok(Poll::Ready(TaskEnd::Aborted))
        } else {
            let poll = || future.as_mut().poll(&mut Context::from_waker(&waker));
            catch_unwind(AssertUnwindSafe(poll)).map(|poll| poll.map(|()| TaskEnd::Finished))
        };
        let end = match polled {
            Ok(Poll::Pending) => {
                if let Some(slot) = self.world.lock().tasks.get_mut(&id) {
                    slot.future = Some(future);
                }
                return;
            }
            Ok(Poll::Ready(end)) => end,
            Err(payload) => TaskEnd::Panicked(message(payload.as_ref())),
        };
        // Dropped outside the lock: the future may own wakers of other tasks.
        drop(future);
        let waiting = self.world.lock().tasks.get_mut(&id).and_then(|slot| {
            slot.end = Some(end);
            slot.waiting.take()
        });
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Moves the clock to the next timer and wakes it.
    fn jump(&self) {
        let first = self.world.lock().timers.pop_first();
        let ((at, _), waker) = first.expect("a deadlock: everything is pending, and no timer is left");
        self.clock.set(at);
        waker.wake();
    }

    fn waker(&self, id: u64) -> Waker {
        Waker::from(Arc::new(Wakeup { world: Arc::clone(&self.world), id }))
    }
}

impl Clock for ManualRuntime {
    fn now(&self) -> Moment {
        self.clock.now()
    }

    fn wall(&self) -> Timestamp {
        self.clock.wall()
    }

    fn suspended(&self) -> Duration {
        self.clock.suspended()
    }
}

impl Runtime for ManualRuntime {
    fn sleep_until(&self, at: Moment) -> BoxFuture<'static, ()> {
        let id = {
            let mut world = self.world.lock();
            world.next_timer += 1;
            world.next_timer
        };
        Box::pin(Sleep { runtime: self.clone(), at, id })
    }

    fn spawn(&self, _name: &'static str, task: BoxFuture<'static, ()>) -> Task {
        let id = {
            let mut world = self.world.lock();
            world.last_task += 1;
            let id = world.last_task;
            world.tasks.insert(id, Slot { future: Some(task), aborted: false, end: None, waiting: None });
            world.ready.push_back(id);
            id
        };
        let (aborting, ending) = (self.clone(), self.clone());
        let abort = move || {
            let mut world = aborting.world.lock();
            if let Some(slot) = world.tasks.get_mut(&id) {
                slot.aborted = true;
                world.ready.push_back(id);
            }
        };
        // Like an async block, it must not be polled after it has completed.
        let mut completed = false;
        let end = poll_fn(move |cx| {
            assert!(!completed, "the end of a task is polled again after it has completed");
            let mut world = ending.world.lock();
            let slot = world.tasks.get_mut(&id).expect("slots live as long as the runtime");
            slot.waiting = Some(cx.waker().clone());
            let end = slot.end.clone().map_or(Poll::Pending, Poll::Ready);
            completed = end.is_ready();
            end
        });
        Task::new(Box::new(abort), Box::pin(end))
    }

    fn entropy(&self, stream: &'static str) -> Arc<dyn Entropy> {
        Arc::new(SeededEntropy::stream(self.seed, stream))
    }
}

/// A timer; dropping it removes it, so that an abandoned timer never advances the clock.
struct Sleep {
    runtime: ManualRuntime,
    at: Moment,
    id: u64,
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.runtime.now() >= self.at {
            return Poll::Ready(());
        }
        self.runtime.world.lock().timers.insert((self.at, self.id), cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.runtime.world.lock().timers.remove(&(self.at, self.id));
    }
}

/// Puts a task back into the queue.
struct Wakeup {
    world: Arc<Mutex<World>>,
    id: u64,
}

impl Wake for Wakeup {
    fn wake(self: Arc<Self>) {
        let mut world = self.world.lock();
        if !world.ready.contains(&self.id) {
            world.ready.push_back(self.id);
        }
    }
}

fn message(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::Recorder;

    fn at(seconds: u64) -> Moment {
        Moment::from_origin(Duration::from_secs(seconds))
    }

    #[test]
    fn the_clock_jumps_from_timer_to_timer_in_order() {
        let runtime = ManualRuntime::new(0);
        let seen = Arc::new(Recorder::default());
        let tasks: Vec<Task> = [3, 1, 2]
            .map(|second| {
                let (inner, seen) = (runtime.clone(), Arc::clone(&seen));
                let body = async move {
                    inner.sleep_until(at(second)).await;
                    seen.record(inner.now());
                };
                runtime.spawn("sleeper", Box::pin(body))
            })
            .into();
        runtime.block_on(async {
            for task in tasks {
                assert_eq!(task.await, TaskEnd::Finished);
            }
        });
        assert_eq!(seen.events(), [at(1), at(2), at(3)]);
    }

    #[test]
    fn a_panic_and_an_abort_are_distinguished() {
        let runtime = ManualRuntime::new(0);
        let panics = runtime.spawn("panics", Box::pin(async { panic!("boom {}", 7) }));
        let hangs = runtime.spawn("hangs", Box::pin(std::future::pending()));
        hangs.abort();
        runtime.block_on(async {
            assert_eq!(panics.await, TaskEnd::Panicked("boom 7".to_owned()));
            assert_eq!(hangs.await, TaskEnd::Aborted);
        });
    }

    #[test]
    fn an_abandoned_timer_does_not_advance_the_clock() {
        let runtime = ManualRuntime::new(0);
        runtime.block_on(async {
            let within = ttm_kernel::within(&runtime, at(60), runtime.sleep_until(at(1))).await;
            assert_eq!(within, Ok(()));
        });
        assert_eq!(runtime.now(), at(1));
        assert!(runtime.world.lock().timers.is_empty());
    }

    #[test]
    #[should_panic(expected = "a deadlock")]
    fn waiting_for_nothing_is_a_deadlock() {
        ManualRuntime::new(0).block_on(std::future::pending::<()>());
    }
}
