//! Routes that no alert ever takes.

use super::*;

fn route(matching: &str) -> String {
    format!("[[alerts.routes]]\nmatch = {{ {matching} }}\nchannels = []\n")
}

#[test]
fn a_route_for_labels_that_no_alert_has_is_refused_where_they_are_set() {
    let own = "[alerts.rules.stale_things]\nseries = \"data.stale_percent\"\nenter = 5\n";
    let off = "[alerts.rules.disk]\nenabled = false\n";
    for (before, matching, message) in [
        (
            "",
            "rule = \"disk\", labels = { lane = \"hot\" }",
            "2: alerts.routes.1.match.labels.lane: alerts of disk have no label \"lane\"; they have none",
        ),
        (
            off,
            "rule = \"disk\", labels = { lane = \"hot\" }",
            "4: alerts.routes.1.match.labels.lane: alerts of disk have no label \"lane\"; they have none",
        ),
        (
            own,
            "rule = \"stale_things\", labels = { group = \"hot\" }",
            "5: alerts.routes.1.match.labels.group: alerts of stale_things have no label \"group\"; they have api, lane",
        ),
        (
            "",
            "rule = \"collector_stale\", labels = { api = \"x\" }",
            "2: alerts.routes.1.match.labels.api: alerts of collector_stale have no label \"api\"; they have collector",
        ),
        (
            "",
            "labels = { lanes = \"hot\" }",
            "2: alerts.routes.1.match.labels.lanes: no alert has the label \"lanes\"; there are api, by, channel, collector, group, lane, part, source, store",
        ),
        (
            "",
            "labels = { lane = \"hot\", group = \"hot\" }",
            "2: alerts.routes.1.match.labels.lane: no alert has the label \"lane\" beside group",
        ),
        (
            "",
            "labels = { lane = \"warm\" }",
            "2: alerts.routes.1.match.labels.lane: no alert has \"warm\" as its lane, expected hot or cold",
        ),
        (
            own,
            "rule = \"stale_things\", labels = { api = \"dexscreener\", lane = \"Hot\" }",
            "5: alerts.routes.1.match.labels.lane: no alert has \"Hot\" as its lane, expected hot or cold",
        ),
        (
            "",
            "severity = \"error\", labels = { group = \"hot-group\" }",
            "2: alerts.routes.1.match.labels.group: no alert has \"hot-group\" as its group, expected hot or cold",
        ),
        (
            "",
            "labels = { store = \"state\" }",
            "2: alerts.routes.1.match.labels.store: no alert has \"state\" as its store, expected store or metrics store",
        ),
    ] {
        let told = errors(&format!("{before}{}", route(matching)));
        assert_eq!(told, [format!("ttm.toml:{message}")], "{matching}");
    }
    for right in [
        "rule = \"data_stale\", labels = { api = \"dexscreener\", lane = \"cold\" }",
        "rule = \"stale_things\", labels = { lane = \"hot\" }",
        "rule = \"collector_stale\", labels = { collector = \"resources\" }",
        "labels = { store = \"metrics store\" }",
        "labels = { part = \"whatever-there-is\" }",
    ] {
        let read = read(&format!("{own}{}", route(right)), &[]);
        assert!(read.is_ok(), "{right}: {read:?}");
    }
}

#[test]
fn a_route_that_an_earlier_one_leaves_nothing_for_is_refused_where_it_begins() {
    for (earlier, later) in [
        ("", "rule = \"disk\""),
        ("", "severity = \"info\""),
        ("", ""),
        ("rule = \"disk\"", "rule = \"disk\", severity = \"critical\""),
        ("severity = \"error\"", "severity = \"ERROR\", labels = { lane = \"hot\" }"),
        (
            "labels = { lane = \"hot\" }",
            "rule = \"data_stale\", labels = { lane = \"hot\", api = \"dexscreener\" }",
        ),
    ] {
        let between = route("rule = \"cpu\", severity = \"warning\"");
        let told = errors(&[route(earlier), between, route(later)].concat());
        let mut expected = vec![format!(
            "ttm.toml:7: alerts.routes.3 is never reached: alerts.routes.1 matches all that it does, and the first that matches counts"
        )];
        if earlier.is_empty() {
            expected.insert(0, expected[0].replace(":7:", ":4:").replace("routes.3", "routes.2"));
        }
        assert_eq!(told, expected, "{earlier} before {later}");
    }
    for (earlier, later) in [
        ("rule = \"disk\"", ""),
        ("rule = \"disk\"", "rule = \"cpu\""),
        ("severity = \"error\"", "severity = \"critical\""),
        ("rule = \"data_stale\", severity = \"error\"", "rule = \"data_stale\""),
        ("labels = { lane = \"hot\" }", "labels = { lane = \"cold\" }"),
        ("labels = { lane = \"hot\", api = \"dexscreener\" }", "labels = { lane = \"hot\" }"),
    ] {
        let read = read(&[route(earlier), route(later)].concat(), &[]);
        assert!(read.is_ok(), "{earlier} before {later}: {read:?}");
    }
    let without = "[[alerts.routes]]\nchannels = []\n";
    let told = errors(&[without, without].concat());
    assert!(
        told.len() == 1 && told[0].starts_with("ttm.toml:3: alerts.routes.2 is never reached"),
        "{told:?}"
    );
    // One that is wrong by itself keeps nothing from another.
    let told = errors(&[route("rule = \"dsik\""), route("rule = \"cpu\"")].concat());
    assert_eq!(told.len(), 1, "{told:?}");
}
