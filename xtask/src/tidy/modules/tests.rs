//! Small crates of a few files: each circle is found with its places, and what is none is not.

use super::*;
use crate::graph::Layer;

/// Checks a crate of these files under `src/`: exactly the expected circles are found.
#[track_caller]
fn check_files(files: &[(&str, &str)], expected: &[&str]) {
    let read = |path: &Path| {
        let name = path.strip_prefix("crates/x/src").ok()?.to_str()?;
        files.iter().find(|(file, _)| *file == name).map(|(_, text)| (*text).to_owned())
    };
    let crates = [Crate::new("ttm-x", Layer::Domain)];
    let found = check(&crates, &read).expect("every module has a file");
    let expected: Vec<String> = expected
        .iter()
        .map(|circle| format!("ttm-x: modules use one another in a circle: {circle}"))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn two_modules_that_use_each_other_are_found_with_their_places() {
    check_files(
        &[
            ("lib.rs", "mod a;\nmod b;"),
            ("a.rs", "use std::fmt;\nuse crate::b::B;"),
            ("b.rs", "\n\nfn f() -> crate::a::A { todo() }"),
        ],
        &["a → b (crates/x/src/a.rs:2), b → a (crates/x/src/b.rs:3)"],
    );
}

#[test]
fn modules_that_use_one_another_one_way_are_fine() {
    check_files(
        &[
            ("lib.rs", "mod a; mod b; mod c;"),
            ("a.rs", "use crate::{b::B, c};"),
            ("b.rs", "use crate::c::C;"),
            ("c.rs", "use std::b::a; use self::a::A; // crate::a\nconst S: &str = \"crate::a\";"),
        ],
        &[],
    );
}

#[test]
fn a_circle_of_three_through_files_below_and_groups_is_found_and_nothing_outside_of_it() {
    check_files(
        &[
            ("lib.rs", "mod a; mod b; mod c; mod user;"),
            ("a/mod.rs", "mod deep;"),
            ("a/deep.rs", "use crate::{c::d::E as F, user_of_none, b::{B, C}};"),
            ("b.rs", "mod inner { fn f() { assert!(super::super::c::g()); } }"),
            ("c.rs", "mod d;"),
            ("c/d.rs", "use super::super::a; use super::super::super::b;"),
            ("user.rs", "use super::{a, c};"),
        ],
        &["a → b (crates/x/src/a/deep.rs:1), a → c (crates/x/src/a/deep.rs:1), \
           b → c (crates/x/src/b.rs:1), c → a (crates/x/src/c/d.rs:1)"],
    );
}

#[test]
fn a_name_at_the_root_stands_for_its_module() {
    let a_and_b = [("a.rs", "use crate::{Renamed};"), ("b.rs", "fn f() { $crate::A::new() }")];
    check_files(
        &[
            &[("lib.rs", "mod a; mod b; pub use a::A; pub(crate) use self::b::{c::D as Renamed, E};")],
            &a_and_b[..],
        ]
        .concat(),
        &["a → b (crates/x/src/a.rs:1), b → a (crates/x/src/b.rs:1)"],
    );
    check_files(
        &[&[("lib.rs", "mod a; mod b; pub use a::*; use other::Renamed;")], &a_and_b[..]].concat(),
        &[],
    );
}

#[test]
fn what_stands_below_a_module_is_its_own() {
    check_files(
        &[
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "mod b { use super::c; } mod c { use super::b; } use crate::b::X;"),
            ("b.rs", "mod a { } use self::a::X;"),
        ],
        &[],
    );
}

#[test]
fn tests_may_use_what_they_like() {
    check_files(
        &[
            ("lib.rs", "mod a; mod b; #[cfg(test)] mod fakes; #[cfg(feature = \"testing\")] mod testing;"),
            ("a.rs", "use crate::b::B; fn f() {} #[cfg(test)] mod tests;"),
            (
                "b.rs",
                "#[cfg(test)] use crate::a::A; #[cfg(all(test, not(loom)))] mod tests { use crate::a::A; }
                 impl B { #[cfg(test)] fn f() { crate::a::g() } fn g() {} }",
            ),
            ("testing.rs", "use crate::a::A;"),
        ],
        &[],
    );
    check_files(
        &[
            ("lib.rs", "mod a; #[cfg(feature = \"testing\")] mod testing;"),
            ("a.rs", "#[cfg(test)] use std::fmt; #[cfg(feature = \"testing\")] use crate::testing::T;"),
            ("testing.rs", "use crate::a::A;"),
        ],
        &["a → testing (crates/x/src/a.rs:1), testing → a (crates/x/src/testing.rs:1)"],
    );
}
