//! The program `ttm`.
fn main() {}
