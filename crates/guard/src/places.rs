//! How many attempts may be in flight at once: a semaphore whose limit can be lowered. A caller that finds no place waits in
//! line, and a place that becomes free is handed to the first in line, so that no later caller can take it in between.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

/// The places of one upstream.
///
/// Laws: (1) no place is given while the limit is reached, whatever it was before; (2) places are given in the order in which
/// they were asked for; (3) a place that was given to a waiter which is dropped goes to the next; (4) without a limit no
/// caller waits.
#[derive(Debug)]
pub(crate) struct Places {
    /// Whether there is a limit. Relaxed: an attempt that overlaps with a change may see the old value or the new.
    limited: AtomicBool,
    line: Mutex<Line>,
}

#[derive(Debug)]
struct Line {
    limit: Option<u32>,
    taken: u32,
    /// The wakers of those that wait, by their number in line.
    waiting: BTreeMap<u64, Waker>,
    came: u64,
}

/// A place; given back when dropped.
#[derive(Debug)]
pub(crate) struct Place(Arc<Places>);

impl Places {
    pub(crate) fn new(limit: Option<u32>) -> Self {
        let line = Line { limit, taken: 0, waiting: BTreeMap::new(), came: 0 };
        Self { limited: AtomicBool::new(limit.is_some()), line: Mutex::new(line) }
    }

    /// Attempts in flight may exceed a lower limit; the next begins when they are fewer. Those that began without a limit are
    /// not counted.
    pub(crate) fn reconfigure(&self, limit: Option<u32>) {
        self.limited.store(limit.is_some(), Ordering::Relaxed);
        let mut line = self.line();
        line.limit = limit;
        hand_out(line);
    }

    /// Whether an attempt needs a place.
    pub(crate) fn are_limited(&self) -> bool {
        self.limited.load(Ordering::Relaxed)
    }

    /// Waits for a place.
    pub(crate) async fn take(self: &Arc<Self>) -> Place {
        let mut waiting = Waiting { places: self, number: None };
        waiting.granted().await;
        // It has its place from here on.
        waiting.number = None;
        Place(Arc::clone(self))
    }

    /// Every change leaves the line consistent, and so does a poisoned lock.
    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give_back(&self) {
        let mut line = self.line();
        line.taken -= 1;
        hand_out(line);
    }
}

/// Gives free places to the first in line, and wakes them after the lock is released.
fn hand_out(mut line: MutexGuard<'_, Line>) {
    let mut woken = Vec::new();
    while line.has_room()
        && let Some((_, waker)) = line.waiting.pop_first()
    {
        line.taken += 1;
        woken.push(waker);
    }
    drop(line);
    woken.into_iter().for_each(Waker::wake);
}

impl Line {
    fn has_room(&self) -> bool {
        self.limit.is_none_or(|limit| self.taken < limit)
    }
}

/// A caller that waits for a place; dropped before it took one, it leaves the line, or hands on the place it was given.
struct Waiting<'a> {
    places: &'a Places,
    /// Its number in line; none before it joins and after it took its place.
    number: Option<u64>,
}

impl Waiting<'_> {
    fn granted(&mut self) -> impl Future<Output = ()> {
        poll_fn(|cx| {
            let mut line = self.places.line();
            match self.number {
                // No longer in line: a place was given to it.
                Some(number) if !line.waiting.contains_key(&number) => Poll::Ready(()),
                None if line.has_room() && line.waiting.is_empty() => {
                    line.taken += 1;
                    Poll::Ready(())
                }
                number => {
                    let number = number.unwrap_or(line.came);
                    line.came = line.came.max(number + 1);
                    line.waiting.insert(number, cx.waker().clone());
                    self.number = Some(number);
                    Poll::Pending
                }
            }
        })
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let Some(number) = self.number else { return };
        let waited = self.places.line().waiting.remove(&number).is_some();
        if !waited {
            self.places.give_back();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.give_back();
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::Context;

    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::*;

    #[derive(Clone, Debug)]
    enum Step {
        Ask,
        Finish(Index),
        GiveUp(Index),
        Limit(Option<u32>),
    }

    fn any_step() -> impl Strategy<Value = Step> {
        prop_oneof![
            6 => Just(Step::Ask),
            4 => any::<Index>().prop_map(Step::Finish),
            2 => any::<Index>().prop_map(Step::GiveUp),
            2 => prop::option::weighted(0.8, 1_u32..5).prop_map(Step::Limit),
        ]
    }

    /// The callers that wait and those that have a place, by their numbers, as the laws say.
    #[derive(Default)]
    struct Model {
        limit: Option<u32>,
        waiting: Vec<usize>,
        counted: Vec<usize>,
        uncounted: Vec<usize>,
    }

    impl Model {
        fn hand_out(&mut self) {
            while !self.waiting.is_empty()
                && self.limit.is_none_or(|limit| self.counted.len() < limit as usize)
            {
                self.counted.push(self.waiting.remove(0));
            }
        }
    }

    type Asking = Pin<Box<dyn Future<Output = Option<Place>>>>;

    fn poll(asking: &mut Asking) -> Poll<Option<Place>> {
        asking.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    }

    proptest! {
        #[test]
        fn places_are_given_as_the_model_gives_them(
            limit in prop::option::weighted(0.8, 1_u32..5),
            steps in prop::collection::vec(any_step(), 1..120),
        ) {
            let places = Arc::new(Places::new(limit));
            let mut model = Model { limit, ..Model::default() };
            let mut asking: BTreeMap<usize, Asking> = BTreeMap::new();
            let mut holding: BTreeMap<usize, Option<Place>> = BTreeMap::new();
            for (number, step) in steps.into_iter().enumerate() {
                match step {
                    Step::Ask => {
                        let places = Arc::clone(&places);
                        let mut new: Asking = Box::pin(async move {
                            if places.are_limited() { Some(places.take().await) } else { None }
                        });
                        match poll(&mut new) {
                            Poll::Ready(place) => drop(holding.insert(number, place)),
                            Poll::Pending => drop(asking.insert(number, new)),
                        }
                        if model.limit.is_some() {
                            model.waiting.push(number);
                        } else {
                            model.uncounted.push(number);
                        }
                    }
                    Step::Finish(index) if !holding.is_empty() => {
                        let number = *index.get(&holding.keys().copied().collect::<Vec<_>>());
                        holding.remove(&number);
                        model.counted.retain(|each| *each != number);
                        model.uncounted.retain(|each| *each != number);
                    }
                    // A caller that was given a place and not polled since hands it on.
                    Step::GiveUp(index) if !asking.is_empty() => {
                        let number = *index.get(&asking.keys().copied().collect::<Vec<_>>());
                        asking.remove(&number);
                        model.waiting.retain(|each| *each != number);
                        model.counted.retain(|each| *each != number);
                    }
                    Step::Finish(_) | Step::GiveUp(_) => {}
                    Step::Limit(limit) => {
                        places.reconfigure(limit);
                        model.limit = limit;
                    }
                }
                model.hand_out();
                // Polled every other time only, so that some give up after they were given a place.
                if number % 2 == 0 {
                    for (number, mut each) in std::mem::take(&mut asking) {
                        match poll(&mut each) {
                            Poll::Ready(place) => drop(holding.insert(number, place)),
                            Poll::Pending => drop(asking.insert(number, each)),
                        }
                    }
                    let waiting: Vec<usize> = asking.keys().copied().collect();
                    prop_assert_eq!(&waiting, &model.waiting);
                }
                prop_assert_eq!(places.line().taken as usize, model.counted.len());
            }
        }
    }
}
