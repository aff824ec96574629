//! A small workspace, and one more crate that breaks a rule of the table: each broken rule is reported with its edge.

use DependencyKind::{Development, Normal};

use super::*;

/// A small workspace with one crate for each layer and no fault.
fn workspace() -> Vec<Crate> {
    vec![
        Crate::new("ttm-kernel", Layer::Kernel).using("jiff", Normal),
        Crate::new("ttm-breaker", Layer::Domain).using("ttm-kernel", Normal),
        Crate::new("ttm-schedule", Layer::Domain)
            .using("ttm-kernel", Normal)
            .using("ttm-testkit", Development),
        Crate::new("ttm-guard", Layer::Policy).using("ttm-breaker", Normal).using("pin-project-lite", Normal),
        Crate::new("ttm-sqlx-pool", Layer::Technology).using("ttm-kernel", Normal).using("sqlx", Normal),
        Crate::new("ttm-sqlite-state", Layer::Adapter)
            .using("ttm-schedule", Normal)
            .using("ttm-sqlx-pool", Normal)
            .using("sqlx", Normal),
        Crate::new("ttm-exchange-sim", Layer::Adapter).using("tokio", Normal),
        Crate::new("ttm-service", Layer::Service).using("ttm-guard", Normal).using("tracing", Normal),
        Crate::new("ttm-app", Layer::App).using("ttm-sqlite-state", Normal).using("ttm-service", Normal),
        Crate::new("ttm-testkit", Layer::Test).using("ttm-kernel", Normal).using("ttm-sqlx-pool", Normal),
        Crate::new("ttm-sim", Layer::Sim).using("ttm-service", Normal),
    ]
}

/// Checks the workspace with one more crate in it: exactly the expected problems are found.
#[track_caller]
fn check_with(more: Crate, expected: &[&str]) {
    let mut crates = workspace();
    crates.retain(|each| each.name != more.name);
    crates.push(more);
    assert_eq!(check(&crates), expected);
}

#[test]
fn a_sound_workspace_has_no_problem() {
    assert_eq!(check(&workspace()), [""; 0]);
}

#[test]
fn a_domain_that_uses_another_domain_is_named_with_the_edge() {
    check_with(
        Crate::new("ttm-market", Layer::Domain).using("ttm-schedule", Normal),
        &["ttm-market → ttm-schedule: a domain may not use another domain"],
    );
}

#[test]
fn a_domain_s_tests_may_use_only_itself_and_the_test_tools() {
    check_with(
        Crate::new("ttm-market", Layer::Domain)
            .using("ttm-market", Development)
            .using("ttm-testkit", Development)
            .using("tokio", Development)
            .using("ttm-schedule", Development),
        &["ttm-market → ttm-schedule (tests): a domain may not use another domain"],
    );
}

#[test]
fn a_domain_uses_no_runtime_and_no_wire_format() {
    const WHY: &str = "the only outside crates that a domain may use are async-trait, bs58, five8, hdrhistogram, httpdate, jiff, thiserror, uuid";
    check_with(
        Crate::new("ttm-market", Layer::Domain).using("tokio", Normal).using("serde", Normal),
        &[&format!("ttm-market → tokio: {WHY}"), &format!("ttm-market → serde: {WHY}")],
    );
}

#[test]
fn a_domain_may_use_test_tools_only_behind_a_feature() {
    let mut behind_a_feature = Crate::new("ttm-market", Layer::Domain).using("proptest", Normal);
    behind_a_feature.last().optional = true;
    check_with(behind_a_feature, &[]);
    check_with(
        Crate::new("ttm-market", Layer::Domain).using("proptest", Normal),
        &[
            "ttm-market → proptest: the only outside crates that a domain may use are async-trait, bs58, five8, hdrhistogram, httpdate, jiff, thiserror, uuid",
        ],
    );
}

#[test]
fn a_domain_may_use_a_model_checker_only_in_its_own_builds() {
    let mut checked = Crate::new("ttm-market", Layer::Domain).using("loom", Normal);
    checked.last().target = Some("cfg(loom)".to_owned());
    check_with(checked, &[]);
    let always = Crate::new("ttm-market", Layer::Domain).using("loom", Normal);
    assert!(check(&[always])[0].starts_with("ttm-market → loom: "));
}

#[test]
fn an_adapter_uses_no_other_adapter_not_even_in_tests() {
    check_with(
        Crate::new("ttm-dexscreener-http", Layer::Adapter)
            .using("ttm-sqlite-state", Normal)
            .using("ttm-exchange-sim", Development),
        &[
            "ttm-dexscreener-http → ttm-sqlite-state: an adapter may not use another adapter",
            "ttm-dexscreener-http → ttm-exchange-sim (tests): an adapter may not use another adapter",
        ],
    );
}

#[test]
fn a_technology_uses_neither_a_domain_that_it_is_not_named_after_nor_an_adapter() {
    check_with(
        Crate::new("ttm-sqlx-pool", Layer::Technology)
            .using("ttm-schedule", Normal)
            .using("ttm-guard", Normal)
            .using("ttm-sqlite-state", Development),
        &[
            "ttm-sqlx-pool → ttm-schedule: the only domain that a technology may use is one that its own name begins with",
            "ttm-sqlx-pool → ttm-guard: a technology may not use a policy",
            "ttm-sqlx-pool → ttm-sqlite-state (tests): a technology may not use an adapter",
        ],
    );
}

#[test]
fn a_technology_may_use_the_domain_that_it_is_named_after() {
    let json = |of: &str| Crate::new("ttm-schedule-json", Layer::Technology).using(of, Normal);
    check_with(json("ttm-schedule").using("serde", Normal), &[]);
    check_with(
        json("ttm-breaker"),
        &[
            "ttm-schedule-json → ttm-breaker: the only domain that a technology may use is one that its own name begins with",
        ],
    );
    check_with(
        Crate::new("ttm-schedules", Layer::Technology).using("ttm-schedule", Normal),
        &[
            "ttm-schedules → ttm-schedule: the only domain that a technology may use is one that its own name begins with",
        ],
    );
}

#[test]
fn a_technology_is_not_for_domains_or_the_app() {
    check_with(
        Crate::new("ttm-market", Layer::Domain).using("ttm-sqlx-pool", Normal),
        &["ttm-market → ttm-sqlx-pool: a domain may not use a technology"],
    );
    check_with(
        Crate::new("ttm-app", Layer::App).using("ttm-sqlx-pool", Normal),
        &["ttm-app → ttm-sqlx-pool: the app may not use a technology"],
    );
}

#[test]
fn the_kernel_is_a_leaf() {
    check_with(
        Crate::new("ttm-kernel", Layer::Kernel).using("ttm-schedule", Normal).using("rand", Normal),
        &[
            "ttm-kernel → ttm-schedule: the kernel may not use a domain",
            "ttm-kernel → rand: the only outside crates that the kernel may use are async-trait, jiff, thiserror",
        ],
    );
}

#[test]
fn the_guard_composes_only_the_breaker_and_the_retry() {
    check_with(
        Crate::new("ttm-guard", Layer::Policy).using("ttm-schedule", Normal).using("tokio", Normal),
        &[
            "ttm-guard → ttm-schedule: the only domains that a policy may use are ttm-breaker and ttm-retry",
            "ttm-guard → tokio: the only outside crates that a policy may use are pin-project-lite, thiserror",
        ],
    );
}

#[test]
fn the_app_may_use_the_simulator_but_no_test_tools() {
    check_with(
        Crate::new("ttm-app", Layer::App)
            .using("ttm-testkit", Normal)
            .using("ttm-testkit", Development)
            .using("ttm-sim", Normal),
        &["ttm-app → ttm-testkit: the app may not use test tools"],
    );
}

#[test]
fn the_service_and_the_simulator_name_no_adapter() {
    check_with(
        Crate::new("ttm-service", Layer::Service)
            .using("ttm-schedule", Normal)
            .using("ttm-guard", Normal)
            .using("ttm-testkit", Development)
            .using("ttm-sqlite-state", Normal)
            .using("reqwest", Normal),
        &[
            "ttm-service → ttm-sqlite-state: the service may not use an adapter",
            "ttm-service → reqwest: the only outside crates that the service may use are arc-swap, async-trait, futures-util, jiff, metrics, \
            parking_lot, serde_json, strum, thiserror, tokio, tokio-util, tracing",
        ],
    );
    check_with(
        Crate::new("ttm-sim", Layer::Sim)
            .using("ttm-service", Normal)
            .using("ttm-app", Normal)
            .using("ttm-testkit", Normal)
            .using("ttm-sqlite-state", Normal),
        &[
            "ttm-sim → ttm-app: the simulator may not use the app",
            "ttm-sim → ttm-testkit: the simulator may not use test tools",
            "ttm-sim → ttm-sqlite-state: the simulator may not use an adapter",
        ],
    );
}

#[test]
fn the_service_uses_neither_clock_nor_tasks_of_tokio() {
    let with = |features: &[&str]| {
        let mut service = Crate::new("ttm-service", Layer::Service).using("tokio", Normal);
        let features = features.iter().map(|feature| (*feature).to_owned()).collect();
        (service.last().default_features, service.last().features) = (false, features);
        service
    };
    check_with(with(&["sync", "macros"]), &[]);
    check_with(
        with(&["sync", "time"]),
        &["ttm-service → tokio: of tokio, the service may use only the features macros and sync"],
    );
}

#[test]
fn the_testkit_uses_only_the_kernel_and_the_tool_nothing() {
    check_with(
        Crate::new("ttm-testkit", Layer::Test).using("ttm-schedule", Normal),
        &["ttm-testkit → ttm-schedule: test tools may not use a domain"],
    );
    check_with(
        Crate::new("ttm-tool", Layer::Xtask).using("ttm-kernel", Normal),
        &["ttm-tool → ttm-kernel: the project's tool may not use the kernel"],
    );
}

#[test]
fn the_benchmarks_may_use_our_crates_and_their_peers_but_not_the_app() {
    check_with(
        Crate::new("ttm-bench", Layer::Bench)
            .using("ttm-breaker", Development)
            .using("ttm-guard", Development)
            .using("ttm-sim", Development)
            .using("ttm-sqlite-state", Development)
            .using("ttm-testkit", Development)
            .using("recloser", Development),
        &[],
    );
    check_with(
        Crate::new("ttm-bench", Layer::Bench)
            .using("ttm-app", Development)
            .using("ttm-sqlx-pool", Development),
        &[
            "ttm-bench → ttm-app (tests): the benchmarks may not use the app",
            "ttm-bench → ttm-sqlx-pool (tests): the benchmarks may not use a technology",
        ],
    );
}

#[test]
fn no_crate_may_use_the_benchmarks() {
    for (word, layer) in Layer::ALL {
        // In this workspace the benchmarks are the only other crate.
        let from = Crate::new("ttm-stray", layer).using("ttm-bench", Normal);
        let problems = check(&[from, Crate::new("ttm-bench", Layer::Bench)]);
        let other = if layer == Layer::Bench { "another bench" } else { "the benchmarks" };
        let expected = format!("ttm-stray → ttm-bench: {} may not use {other}", noun(layer));
        assert_eq!(problems, [expected], "{word}");
    }
}

#[test]
fn a_crate_without_a_layer_is_reported_with_the_choices() {
    let mut stray = Crate::new("ttm-attic", Layer::Domain).using("tokio", Normal);
    stray.layer = None;
    check_with(
        stray,
        &["ttm-attic: [package.metadata.architecture] layer must be one of \
            kernel, domain, policy, technology, adapter, service, app, probe, test, sim, e2e, bench, xtask"],
    );
}

#[test]
fn a_package_is_named_after_its_folder() {
    let mut misnamed = Crate::new("ttm-market", Layer::Domain);
    misnamed.folder = "crates/score".to_owned();
    check_with(misnamed, &["ttm-market: the package in crates/score is called ttm-score"]);
}
