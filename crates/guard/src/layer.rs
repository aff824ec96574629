//! The guard as a `tower::Layer`, for programs that are built of services. It decides nothing that the guard does not.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use tower_layer::Layer;
use tower_service::Service;
use ttm_kernel::{BoxFuture, Moment};

use crate::{Disposition, Guard, GuardError};

/// Puts a [`Guard`] around a service. `C` says what the service's errors mean.
#[derive(Clone, Debug)]
pub struct GuardLayer<C> {
    guard: Arc<Guard>,
    classify: C,
}

impl<C> GuardLayer<C> {
    /// A layer of this guard: one guard for one target, so share it between services that ask the same.
    pub const fn new(guard: Arc<Guard>, classify: C) -> Self {
        Self { guard, classify }
    }
}

impl<S, C: Clone> Layer<S> for GuardLayer<C> {
    type Service = Guarded<S, C>;

    fn layer(&self, inner: S) -> Guarded<S, C> {
        Guarded { inner, guard: Arc::clone(&self.guard), classify: self.classify.clone() }
    }
}

/// A service behind a [`Guard`]. It clones the service and the request for each attempt.
#[derive(Clone, Debug)]
pub struct Guarded<S, C> {
    inner: S,
    guard: Arc<Guard>,
    classify: C,
}

impl<S, C, R> Service<R> for Guarded<S, C>
where
    S: Service<R> + Clone + Send + Sync + 'static,
    S::Future: Send,
    S::Response: Send,
    S::Error: Send,
    C: Fn(&S::Error) -> Disposition + Clone + Send + Sync + 'static,
    R: Clone + Send + Sync + 'static,
{
    type Response = S::Response;
    type Error = GuardError<S::Error>;
    type Future = BoxFuture<'static, Result<S::Response, Self::Error>>;

    /// Always ready: each attempt waits for the service itself, inside of its timeout.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: R) -> Self::Future {
        let Self { inner, guard, classify } = self.clone();
        Box::pin(async move {
            let attempt = |_| {
                let (mut service, request) = (inner.clone(), request.clone());
                async move {
                    poll_fn(|cx| service.poll_ready(cx)).await?;
                    service.call(request).await
                }
            };
            guard.call(Moment::MAX, classify, attempt).await.map(|answer| answer.value)
        })
    }
}
