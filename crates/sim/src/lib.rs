//! The simulator: the production composition on a virtual clock under seeded faults.
//!
//! A [`Plan`] holds all inputs: a seed for every random choice, a [`FaultSchedule`], the service's settings. Running
//! it boots the real service over simulated ports on the [`Executor`], injects the faults, and checks what is visible
//! from outside against the promises (the [`oracle`]s). Its [`Outcome`] has a hash of everything that happened, which
//! is equal for two runs of one plan. A simulated day takes a fraction of a second.
//!
//! It shows that the service keeps its promises in this model of the world; it does not predict uptime in production.

mod batch;
mod executor;
mod fault;
pub mod oracle;
mod outcome;
mod panics;
mod plan;
mod planes;
mod process;
mod rates;
mod simulation;
pub mod world;

pub use batch::{Batch, Day};
pub use executor::{Ailment, Executor, Exhausted, Place, Plane, RunEnd, SimRuntime, Struck, Yields};
pub use fault::{
    Channel, ChannelFault, ExchangeFault, Fault, FaultKind, FaultSchedule, InvalidSchedule, JobFault, Part,
    Percent, Poison, Requests, StoreFault, StoreTable, Swarm,
};
pub use oracle::{Promises, SLOT, Told};
pub use outcome::{Failure, Outcome};
pub use plan::{InvalidPlan, Plan};
pub use planes::{NoReaders, SimPlanes};
pub use rates::{Pooled, RATES, Rate};
