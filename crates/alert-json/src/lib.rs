//! The JSON forms of what alerts store and show. Each is declared once, and is written and read by that declaration, so that
//! every store, the journal beside them and whoever shows them agree.
//!
//! Words are words, times are as in `2026-12-01T08:30:00Z`, periods are whole microseconds and say so by their names, and measured
//! numbers are texts, so that they come back to the bit. Reading is strict: every field is there, no other one is, and each
//! value is spelt as it is written here. Anything else is a [`Misfit`], which says what is wrong.
//!
//! ```
//! use ttm_alert::Outcome;
//!
//! let outcome = Outcome::Refused { why: "401".to_owned() };
//! let json = ttm_alert_json::write(&outcome)?;
//! assert_eq!(json, r#"{"outcome":"refused","remote_id":null,"retry_after_us":null,"why":"401"}"#);
//! assert_eq!(ttm_alert_json::read::<Outcome>(&json)?, outcome);
//! let misfit = ttm_alert_json::read::<Outcome>(&json.replace("refused", "lost")).expect_err("it is no outcome");
//! assert_eq!(misfit.to_string(), "the unknown outcome \"lost\"");
//! # Ok::<(), ttm_alert_json::Misfit>(())
//! ```

mod form;
mod outcome;
mod quiet;
mod record;
mod shapes;

pub use form::{Form, Json, Misfit, alert_key, micros, period, read, write};
pub use outcome::OutcomeForm;
pub use record::{record, state};
