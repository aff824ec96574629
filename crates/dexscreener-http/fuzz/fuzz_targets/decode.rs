//! Fuzzes the decoder with arbitrary bytes; run in `crates/dexscreener-http`:
//! `cargo +nightly fuzz run decode fuzz/corpus/decode fuzz/seeds -- -create_missing_dirs=1 -dict=fuzz/decode.dict`.
//!
//! The seeds contain valid pairs. Without them the fuzzer does not find one, and only looks for panics.

#![no_main]

use ttm_dexscreener_http::testing::{check, mints_in};

libfuzzer_sys::fuzz_target!(|body: &[u8]| check(body, &mints_in(body)));
