//! What suites do with the futures of a port, without a runtime: give one up half way, run two side by side.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

/// Polls a future a few times and drops it, as a caller does that gives up: a call may end at any of its waits. `None` if it was dropped.
pub async fn cancelled_after<F: Future>(mut polls: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|context| match (future.as_mut().poll(context), polls) {
        (Poll::Ready(output), _) => Poll::Ready(Some(output)),
        (Poll::Pending, 0) => Poll::Ready(None),
        (Poll::Pending, _) => {
            polls -= 1;
            Poll::Pending
        }
    })
    .await
}

/// Runs two futures side by side, the first one first, until both have ended.
pub async fn side_by_side<A: Future, B: Future>(one: A, other: B) -> (A::Output, B::Output) {
    let (mut one, mut other) = (pin!(one), pin!(other));
    let (mut first, mut second) = (None, None);
    poll_fn(|context| {
        if first.is_none()
            && let Poll::Ready(output) = one.as_mut().poll(context)
        {
            first = Some(output);
        }
        if second.is_none()
            && let Poll::Ready(output) = other.as_mut().poll(context)
        {
            second = Some(output);
        }
        match (first.take(), second.take()) {
            (Some(first), Some(second)) => Poll::Ready((first, second)),
            (one, other) => {
                (first, second) = (one, other);
                Poll::Pending
            }
        }
    })
    .await
}

/// Lets others run, once.
pub async fn yield_now() {
    let mut yielded = false;
    poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::task::{Context, Waker};

    use super::*;

    fn block_on<F: Future>(future: F) -> F::Output {
        let mut future = pin!(future);
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                return output;
            }
        }
    }

    #[test]
    fn a_future_is_given_up_after_as_many_waits_as_were_asked_for() {
        let three = || async {
            for _ in 0..3 {
                yield_now().await;
            }
        };
        for (polls, ends) in [(0, None), (2, None), (3, Some(())), (9, Some(()))] {
            assert_eq!(block_on(cancelled_after(polls, three())), ends, "{polls}");
        }
    }

    #[test]
    fn two_futures_take_turns_and_both_end() {
        let seen = RefCell::new(String::new());
        let writes = |letter, times| {
            let seen = &seen;
            async move {
                for _ in 0..times {
                    seen.borrow_mut().push(letter);
                    yield_now().await;
                }
                letter
            }
        };
        assert_eq!(block_on(side_by_side(writes('a', 2), writes('b', 4))), ('a', 'b'));
        assert_eq!(seen.into_inner(), "ababbb");
    }
}
