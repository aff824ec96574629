//! For the tests of other crates: faithful fakes of the ports, their laws as suites, and strategies. It knows no
//! runtime: the suites are plain futures.
#![expect(
    clippy::missing_panics_doc,
    reason = "a test helper that is wrong panics, and so does a law that is broken"
)]

pub mod conformance;
mod pair_source;
mod profile_source;
mod strategy;
mod token_source;
mod token_store;

pub use crate::port::{MockPairSource, MockProfileSource, MockTokenStore, MockTokenView};
pub use crate::source::MockTokenSource;
pub use pair_source::{FakePairSource, PairCall};
pub use profile_source::FakeProfileSource;
pub use strategy::{
    any_f64, mint, pair, pair_address, pairs, score_inputs, score_state, timestamp, token, token_of, trades,
};
pub use token_source::FakeTokenSource;
pub use token_store::FakeTokenStore;
