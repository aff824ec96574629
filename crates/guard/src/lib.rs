//! Guard: limiter, breaker, retry and deadline around one outside call.
//!
//! [`Guard::call`] takes an operation through, for each attempt and in this order, each station only if it is configured:
//! 1. a look at the **breaker**, so that a call which will be rejected neither queues nor uses up a turn;
//! 2. a **place** among the attempts that may be under way at once;
//! 3. a turn of the **limiter**, which spaces the attempts of all callers evenly, since a burst breaks a limit that slides;
//! 4. the **breaker** itself, asked last of all, so that no queueing call holds a probe's place;
//! 5. the **attempt timeout**, which counts as a failure;
//! 6. the **retry policy**, which says when the next attempt is due, pays for it from the **budget** before the sleep, and
//!    never sleeps past the **deadline**.
//!
//! After a 429 the limiter holds back every caller until the time that the upstream asked for; then it continues at half of
//! its rate, which recovers linearly. A caller that decides at the last moment what to ask takes its turn first
//! ([`Guard::turn`]) and makes its call on it ([`Guard::call_on`]). All settings can change while calls are in flight
//! ([`Guard::reconfigure`]).
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use ttm_breaker::{Breaker, BreakerConfig};
//! use ttm_guard::{Disposition, Guard, GuardConfig, GuardError};
//! use ttm_kernel::{Moment, Runtime};
//! use ttm_retry::RetryPolicy;
//! use ttm_testkit::ManualRuntime; // in production `ttm_tokio_runtime::TokioRuntime`
//!
//! // One guard for one target; share it.
//! let runtime = ManualRuntime::new(7);
//! let breaker = Breaker::new("pools API", BreakerConfig::default(), runtime.entropy("breaker"));
//! let guard = Guard::new(
//!     GuardConfig::default(),
//!     Arc::new(breaker),
//!     RetryPolicy::default(),
//!     Arc::new(runtime.clone()),
//!     "guard",
//! );
//!
//! // The caller says what the operation's errors mean.
//! let classify = |status: &u16| match status {
//!     429 => Disposition::RateLimited { retry_after: None },
//!     401 | 403 => Disposition::Refused,
//!     500.. => Disposition::Transient { retry_after: None },
//!     _ => Disposition::Invalid,
//! };
//! let answer = runtime.block_on(guard.call(Moment::MAX, classify, |attempt| async move {
//!     if attempt.number < 3 { Err(503) } else { Ok("pools") }
//! }))?;
//! assert_eq!(answer, "pools");
//! # Ok::<(), GuardError<u16>>(())
//! ```
//!
//! It is generic over the [`Runtime`](ttm_kernel::Runtime) port, so it runs in the simulator. It knows nothing of HTTP or of
//! what the operation does.

mod config;
mod deadline;
mod error;
mod guard;
mod limiter;
mod pace;
mod places;
mod turn;

pub use config::{GuardConfig, GuardSettings};
pub use error::{Disposition, GuardError};
pub use guard::Guard;
pub use turn::{Attempt, Rate, SavedRate, Turn};
