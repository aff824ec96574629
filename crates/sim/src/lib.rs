//! The simulator: the production composition on a virtual clock under seeded faults.
//!
//! A [`Plan`] says what happens: a seed for every choice, a [`FaultSchedule`], the service's settings. Running it
//! boots the real service over simulated ports on the [`Executor`], inflicts the faults, holds what the world sees
//! against the promises (the [`oracle`]s), and gives an [`Outcome`] with a hash of everything that happened: two runs
//! of one plan are equal. A day takes a fraction of a second.
//!
//! It shows that the service conforms to this model of the world, not how long it will be up in the field.

mod batch;
mod executor;
mod fault;
pub mod oracle;
mod outcome;
mod plan;
mod planes;
mod process;
mod simulation;
pub mod world;

pub use batch::{Batch, Day};
pub use executor::{Executor, Place, Plane, RunEnd, SimRuntime, Yields};
pub use fault::{
    ExchangeFault, Fault, FaultKind, FaultSchedule, InvalidSchedule, Part, Percent, Poison, StoreFault,
    StoreTable, Swarm,
};
pub use oracle::{Promises, SLOT};
pub use outcome::{Failure, Outcome};
pub use plan::{InvalidPlan, Plan};
pub use planes::{NoReaders, SimPlanes};
