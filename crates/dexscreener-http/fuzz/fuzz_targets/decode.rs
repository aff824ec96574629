//! Any bytes at the decoder, in `crates/dexscreener-http`:
//! `cargo +nightly fuzz run decode fuzz/corpus/decode fuzz/seeds -- -create_missing_dirs=1 -dict=fuzz/decode.dict`.
//!
//! The seeds have pairs that are kept; from nothing the fuzzer does not come upon one, and then only panics are looked for.

#![no_main]

use ttm_dexscreener_http::testing::{check, mints_in};

libfuzzer_sys::fuzz_target!(|body: &[u8]| check(body, &mints_in(body)));
