//! The laws about the listing of the known series: 7.

use ttm_kernel::testing::{expect, works};

use super::fixture::{append, key, sample};
use crate::{MetricStore, Sample};

/// In the order of their bytes, which is that of no language: none ignores punctuation and tells upper case from lower first.
const SORTED: [&str; 9] = [
    "law7.a",
    "law7.a-c",
    "law7.a.b",
    "law7.ab0",
    "law7.a{mint=SO2}",
    "law7.a{mint=So1}",
    "law7.a{mint=sO0}",
    "law7.b",
    "law7.z_",
];

/// Names that begin otherwise, though not by much.
const OTHERS: [&str; 4] = ["law70", "law7", "own.law7.a", "law6.law7.a"];

async fn known(store: &dyn MetricStore) {
    let batch: Vec<Sample> =
        SORTED.iter().rev().chain(&OTHERS).map(|name| sample(&key(name), 0, 1.0)).collect();
    append(store, &batch).await;
    // A series is known once, however many samples it has.
    append(store, &SORTED.map(|name| sample(&key(name), 1, 1.0))).await;
}

async fn list(store: &dyn MetricStore, prefix: &str, after: Option<&str>, limit: usize) -> Vec<String> {
    let keys = works("series", store.series(prefix, after.map(key), limit).await);
    keys.iter().map(ToString::to_string).collect()
}

/// Law 7.
pub(super) async fn keys_are_listed_in_the_order_of_their_bytes(store: &dyn MetricStore) {
    known(store).await;
    expect("keys", SORTED, list(store, "law7.", None, 100).await);
    expect("keys", &SORTED[4..7], list(store, "law7.a{", None, 100).await);
    expect("keys", &SORTED[7..8], list(store, "law7.b", None, 100).await);
    let all = list(store, "", None, usize::MAX).await;
    assert!(
        all.is_sorted_by(|one, next| one < next),
        "all keys: expected them in order and once, got {all:?}"
    );
    for name in SORTED.iter().chain(&OTHERS) {
        assert!(all.iter().any(|key| key == name), "all keys: expected {name} among them, got {all:?}");
    }
}

/// Law 7.
pub(super) async fn keys_are_listed_to_the_limit(store: &dyn MetricStore) {
    known(store).await;
    for limit in [0, 1, 2, 8, 9, 10] {
        let expected = &SORTED[..limit.min(SORTED.len())];
        expect(format!("keys, limited to {limit}"), expected, list(store, "law7.", None, limit).await);
    }
}

/// Law 7: by the last key of the page before; it need not be there, nor have the prefix.
pub(super) async fn keys_are_listed_page_by_page(store: &dyn MetricStore) {
    known(store).await;
    for (after, left) in [
        ("law7.a", 1),
        ("law7.a-c", 2),
        ("law7.a.a", 2),
        ("law7.ab", 3),
        ("law7.a{mint=SO9}", 5),
        ("law7.b", 8),
        ("law7.z_", 9),
        ("law6", 0),
        ("law70", 9),
    ] {
        let expected = &SORTED[left..SORTED.len().min(left + 2)];
        expect(format!("keys after {after}"), expected, list(store, "law7.", Some(after), 2).await);
    }
}

/// Law 7: what some languages take for any character, and what they find in the middle or without its case.
pub(super) async fn a_prefix_is_no_pattern(store: &dyn MetricStore) {
    known(store).await;
    for prefix in [
        "law7.%",
        "law7._",
        "law7_",
        "law7.?",
        "law7.*",
        "law7.[a-z]",
        "LAW7",
        "law7.A",
        "law7.bb",
        "aw7.a",
        "law7.a{mint=so",
        "law7.\u{0}",
        "law7.'",
        "law7.\\",
        "law7.ü",
        "law7.\u{10ffff}",
    ] {
        expect(
            format!("keys that begin with {prefix:?}"),
            Vec::<String>::new(),
            list(store, prefix, None, 100).await,
        );
    }
}
