//! Fakes that remember what they were told. They measure nothing.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::{HealthView, Report, ResourceError, ResourceSample, ResourceSource};

/// Gives the sample that it was set to, and can be told to fail. Clones share what they were told.
#[derive(Clone, Debug, Default)]
pub struct FakeResourceSource(Arc<Mutex<Source>>);

#[derive(Debug, Default)]
struct Source {
    sample: ResourceSample,
    sampled: bool,
    failure: Option<String>,
}

impl FakeResourceSource {
    /// Gives `sample`; the CPU share from the second time on, as the port has it.
    pub fn new(sample: ResourceSample) -> Self {
        let fake = Self::default();
        fake.set(sample);
        fake
    }

    /// Gives this from now on.
    pub fn set(&self, sample: ResourceSample) {
        lock(&self.0).sample = sample;
    }

    /// Fails from now on, until [`heal`](Self::heal).
    pub fn fail_with(&self, message: &str) {
        lock(&self.0).failure = Some(message.to_owned());
    }

    /// Works again.
    pub fn heal(&self) {
        lock(&self.0).failure = None;
    }
}

#[async_trait]
impl ResourceSource for FakeResourceSource {
    async fn sample(&self) -> Result<ResourceSample, ResourceError> {
        let mut source = lock(&self.0);
        if let Some(message) = &source.failure {
            return Err(ResourceError { message: message.clone() });
        }
        let first = !std::mem::replace(&mut source.sampled, true);
        let cpu_percent = source.sample.cpu_percent.filter(|_| !first);
        Ok(ResourceSample { cpu_percent, ..source.sample })
    }
}

/// Shows the report that was published last. Clones share it.
#[derive(Clone, Debug)]
pub struct FakeHealthView(Arc<Mutex<Arc<Report>>>);

impl FakeHealthView {
    /// Shows `report`.
    pub fn new(report: Report) -> Self {
        Self(Arc::new(Mutex::new(Arc::new(report))))
    }

    /// Shows this from now on.
    pub fn publish(&self, report: Report) {
        *lock(&self.0) = Arc::new(report);
    }
}

impl HealthView for FakeHealthView {
    fn report(&self) -> Arc<Report> {
        lock(&self.0).clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
