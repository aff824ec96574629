//! For the tests of other crates.
