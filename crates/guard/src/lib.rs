//! Guard: limiter, breaker, retry and deadline around one outside call.
//!
//! [`Guard::call`] takes an operation through, for each attempt and in this order:
//! 1. the **limiter**, which spaces the attempts of all callers evenly, since a burst breaks a limit that slides;
//! 2. the **breaker**, asked last of all that can wait, so that nobody holds a probe's place while queueing;
//! 3. the **attempt timeout**, which counts as a failure;
//! 4. the **retry policy**, which says when the next attempt is due, and never sleeps past the **deadline**.
//!
//! When the far side says "too many", the limiter holds back every caller until the time it asked for.
//!
//! How many calls run at once is the caller's to bound: the guard queues whoever comes. It knows nothing of HTTP or of
//! what the operation does; the caller translates its errors into a [`Disposition`].

mod answer;
mod attempt;
mod cache;
mod call;
mod config;
mod error;
mod guard;
mod lapse;
#[cfg(feature = "tower")]
mod layer;
mod limiter;

pub use answer::{Answer, Attempt, Source};
pub use cache::{Cache, CacheConfig, CacheSettings, Freshness};
pub use config::{GuardConfig, GuardSettings};
pub use error::{Disposition, GuardError};
pub use guard::Guard;
#[cfg(feature = "tower")]
pub use layer::{GuardLayer, Guarded};
