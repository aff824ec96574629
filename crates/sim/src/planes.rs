//! The planes of a simulated process, and a surface without readers.

use std::io;
use std::sync::Arc;

use ttm_kernel::{BoxFuture, Runtime};
use ttm_service::{Controls, Planes, Ports, Stop, Surface, Vital};

use crate::{Plane, SimRuntime};

/// The planes of one process, as places on the executor.
pub struct SimPlanes(SimRuntime);

impl SimPlanes {
    /// The planes of the process that this handle belongs to.
    pub fn new(process: &SimRuntime) -> Self {
        Self(process.clone())
    }
}

impl Planes for SimPlanes {
    fn supervision(&self) -> Arc<dyn Runtime> {
        Arc::new(self.0.on(Plane::Supervision))
    }

    fn io(&self) -> Arc<dyn Runtime> {
        Arc::new(self.0.on(Plane::Io))
    }

    fn build_work(&self) -> io::Result<Arc<dyn Runtime>> {
        Ok(Arc::new(self.0.build_work()))
    }
}

/// A surface that serves nothing.
pub struct NoReaders;

impl Surface for NoReaders {
    fn serve(&self, stop: Stop, vital: Vital) -> BoxFuture<'static, ()> {
        Box::pin(async move { vital.gets_on_until(&stop).await })
    }

    fn opened(&self, _: &Ports) {}

    fn started(&self, _: Controls) {}
}
