//! systemd as the service manager: what it is told, its watchdog, and the listener in its descriptor store.
//!
//! [`Systemd`] is the [`ServiceManager`](ttm_recovery::ServiceManager) port: one datagram for each notice, never a wait. A
//! full queue delays what must arrive (`READY`, `STOPPING`, the status) to the next notice, and a manager that is gone changes
//! nothing. [`Watchdog`] is the thread that pings it. [`inherited`] is the listener that systemd kept while the process was
//! restarted, and [`Systemd::keep`] hands it over.
//!
//! The protocol is spoken here rather than by the crate `sd-notify`, which reads the environment at every call, does not know
//! sockets in the abstract namespace, and blocks on a full queue: the watchdog's thread would then hang with systemd.
//!
//! The crate knows nothing of what is alive or ready, and logs nothing: [`Delivery`] is told to the caller.

mod environment;
mod manager;
mod message;
mod socket;
mod store;
#[cfg(feature = "testing")]
pub mod testing;
mod watchdog;

pub use environment::Environment;
pub use manager::{Delivery, Systemd};
pub use socket::BadSocket;
pub use store::{LISTENER, inherited};
pub use watchdog::Watchdog;
