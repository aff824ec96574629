//! Any bytes at the decoder: `cargo +nightly fuzz run decode` in `crates/dexscreener-http`.

#![no_main]

use ttm_dexscreener_http::testing::{check, mints_in};

libfuzzer_sys::fuzz_target!(|body: &[u8]| check(body, &mints_in(body)));
