//! The future of one call. A first attempt that needs no more than the breaker and a timeout is polled right here, so that
//! an operation which is ready at once costs little more than the breaker does. Everything else is boxed.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use ttm_kernel::{BoxFuture, Moment};

use super::attempt::{Failure, GuardPermit, Limit};
use crate::deadline::CallDeadline;
use crate::{Attempt, Disposition, Guard, GuardError};

pin_project! {
    /// `C` classifies, `F` is the operation and `Fut` its future; `G` makes `R`, the rest of the call.
    pub(super) struct Call<'a, C, F, Fut, G, R> {
        guard: &'a Guard,
        deadline: Moment,
        // Taken by the rest of the call.
        parts: Option<(C, F, G)>,
        // The first attempt, once it began.
        #[pin]
        running: Option<Fut>,
        stage: Stage<'a, R>,
    }
}

enum Stage<'a, R> {
    /// Nothing was polled, and the first attempt is polled here.
    Plain,
    /// Nothing was polled, and the first attempt needs a limiter or a place.
    Whole,
    /// The first attempt has to wait.
    Waiting(Waiting<'a>),
    /// Another future goes on.
    Rest(Pin<Box<R>>),
    /// The call is over.
    Over,
}

struct Waiting<'a> {
    permit: GuardPermit<'a>,
    deadline: CallDeadline<'a>,
    limit: Limit,
    timer: BoxFuture<'static, ()>,
}

impl<'a, C, F, Fut, G, R> Call<'a, C, F, Fut, G, R> {
    #[inline]
    pub(super) fn new(guard: &'a Guard, deadline: Moment, classify: C, operation: F, go_on: G) -> Self {
        let parts = Some((classify, operation, go_on));
        let plain = guard.is_plain() && deadline == Moment::MAX;
        let stage = if plain { Stage::Plain } else { Stage::Whole };
        Self { guard, deadline, parts, running: None, stage }
    }
}

impl<'a, T, E, C, F, Fut, G, R> Future for Call<'a, C, F, Fut, G, R>
where
    C: Fn(&E) -> Disposition,
    F: FnMut(Attempt) -> Fut,
    Fut: Future<Output = Result<T, E>>,
    G: FnOnce(&'a Guard, CallDeadline<'a>, Option<Failure<E>>, C, F) -> R,
    R: Future<Output = Result<T, GuardError<E>>>,
{
    type Output = R::Output;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<R::Output> {
        let mut this = self.as_mut().project();
        if matches!(this.stage, Stage::Plain) {
            let guard = *this.guard;
            *this.stage = Stage::Over;
            guard.deposit();
            let permit = match guard.breaker.admit(guard) {
                Ok(permit) => permit,
                Err(rejected) => return Poll::Ready(Err(GuardError::Rejected(rejected))),
            };
            let (_, operation, _) = this.parts.as_mut().expect("a new call has its parts");
            this.running.set(Some(operation(Attempt { number: 1 })));
            let running = this.running.as_mut().as_pin_mut().expect("it was set just now");
            match running.poll(cx) {
                Poll::Ready(Ok(value)) => {
                    permit.success(guard);
                    return Poll::Ready(Ok(value));
                }
                Poll::Ready(Err(error)) => {
                    let deadline = guard.call_deadline(Moment::MAX);
                    self.as_mut().fail(permit, deadline, error);
                }
                Poll::Pending => ready!(self.as_mut().wait(permit, cx)),
            }
        }
        self.poll_rest(cx)
    }
}

impl<'a, T, E, C, F, Fut, G, R> Call<'a, C, F, Fut, G, R>
where
    C: Fn(&E) -> Disposition,
    F: FnMut(Attempt) -> Fut,
    Fut: Future<Output = Result<T, E>>,
    G: FnOnce(&'a Guard, CallDeadline<'a>, Option<Failure<E>>, C, F) -> R,
    R: Future<Output = Result<T, GuardError<E>>>,
{
    /// Everything but the first poll of a plain call.
    #[inline(never)]
    fn poll_rest(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<R::Output> {
        loop {
            let this = self.as_mut().project();
            // Taken out while it is polled: a permit dropped while a panic unwinds counts as a panic, one dropped later does not.
            match mem::replace(this.stage, Stage::Over) {
                Stage::Whole => {
                    this.guard.deposit();
                    let deadline = this.guard.call_deadline(*this.deadline);
                    self.as_mut().go_on(deadline, None);
                }
                Stage::Waiting(mut waiting) => {
                    let running = this.running.as_pin_mut().expect("what waits was begun");
                    match running.poll(cx) {
                        Poll::Ready(Ok(value)) => {
                            waiting.permit.success(*this.guard);
                            return Poll::Ready(Ok(value));
                        }
                        Poll::Ready(Err(error)) => {
                            self.as_mut().fail(waiting.permit, waiting.deadline, error);
                        }
                        Poll::Pending if waiting.timer.as_mut().poll(cx).is_pending() => {
                            *this.stage = Stage::Waiting(waiting);
                            return Poll::Pending;
                        }
                        Poll::Pending => self.as_mut().time_out(waiting),
                    }
                }
                Stage::Rest(mut rest) => {
                    let polled = rest.as_mut().poll(cx);
                    if polled.is_pending() {
                        *this.stage = Stage::Rest(rest);
                    }
                    return polled;
                }
                Stage::Plain | Stage::Over => panic!("a call was polled after its answer"),
            }
        }
    }

    /// The first attempt has to wait, so its timeout starts.
    #[inline]
    fn wait(mut self: Pin<&mut Self>, permit: GuardPermit<'a>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.as_mut().project();
        let mut deadline = this.guard.call_deadline(*this.deadline);
        let limit = this.guard.limit(&mut deadline);
        let mut timer = this.guard.runtime.sleep_until(limit.until);
        let polled = timer.as_mut().poll(cx);
        let waiting = Waiting { permit, deadline, limit, timer };
        if polled.is_pending() {
            *this.stage = Stage::Waiting(waiting);
        } else {
            self.time_out(waiting);
        }
        polled
    }

    /// The first attempt took too long.
    #[cold]
    fn time_out(self: Pin<&mut Self>, waiting: Waiting<'a>) {
        let Waiting { permit, deadline, limit, .. } = waiting;
        permit.report(limit.too_slow, self.guard);
        self.go_on(deadline, Some(Failure::TIMED_OUT));
    }

    /// The first attempt failed.
    #[inline]
    fn fail(mut self: Pin<&mut Self>, permit: GuardPermit<'a>, deadline: CallDeadline<'a>, error: E) {
        let this = self.as_mut().project();
        let (classify, _, _) = this.parts.as_ref().expect("the first attempt takes no part");
        let (verdict, failure) = this.guard.judge(error, classify);
        permit.report(verdict, *this.guard);
        self.go_on(deadline, Some(failure));
    }

    /// Hands over to the boxed future that makes all further attempts.
    fn go_on(self: Pin<&mut Self>, deadline: CallDeadline<'a>, failed: Option<Failure<E>>) {
        let mut this = self.project();
        // An attempt that is over releases what it holds before the next one begins.
        this.running.set(None);
        let (classify, operation, go_on) = this.parts.take().expect("the rest begins once");
        *this.stage = Stage::Rest(Box::pin(go_on(this.guard, deadline, failed, classify, operation)));
    }
}
