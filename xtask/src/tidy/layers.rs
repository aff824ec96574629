//! The dependency table of ARCHITECTURE.md as code: which layer may use which, and which crates of others.
//!
//! Knows crates by their layer; the two that the table treats by name are the breaker and the retry under the guard.

use cargo_metadata::DependencyKind;

use super::graph::{Crate, Dependency, Layer};

/// The domains that the policy layer composes.
const UNDER_POLICY: [&str; 2] = ["ttm-breaker", "ttm-retry"];
/// The feature of `app` that brings the concrete adapters in.
const ADAPTERS: &str = "adapters";
/// What a domain's feature `testing` may bring in, and nothing else.
const TEST_TOOLS: [&str; 2] = ["mockall", "proptest"];

impl Layer {
    /// The layers of ours that this one may use.
    fn may_use(self) -> &'static [Self] {
        use Layer::{Adapter, App, Bench, Domain, E2e, Kernel, Policy, Probe, Sim, Technology, Test, Xtask};
        match self {
            // The tool stands outside the house, so that it builds when the house does not.
            Kernel | Xtask => &[],
            Domain | Technology | Test => &[Kernel],
            Policy => &[Kernel, Domain],
            Adapter => &[Kernel, Domain, Policy, Technology],
            App | Probe => &[Kernel, Domain, Policy, Adapter, App, Probe],
            Sim => &[Kernel, Domain, Policy, App, Test],
            E2e => &[Kernel, Domain, Policy, Technology, Adapter, App, Probe, Test, Sim],
            Bench => &[Kernel, Domain, Policy, Adapter, Test],
        }
    }

    /// The crates of others that this layer may use; None where the choice is its own.
    fn outside(self) -> Option<&'static [&'static str]> {
        match self {
            Self::Kernel => Some(&["jiff", "thiserror"]),
            Self::Domain => Some(&["async-trait", "bs58", "hdrhistogram", "httpdate", "jiff", "thiserror"]),
            Self::Policy => Some(&[
                "async-lock",
                "governor",
                "pin-project-lite",
                "quick_cache",
                "thiserror",
                "tower-layer",
                "tower-service",
            ]),
            _ => None,
        }
    }
}

/// Every way in which the crates break the table, one line each, naming the crate or the edge.
pub(super) fn check(crates: &[Crate]) -> Vec<String> {
    let mut problems = Vec::new();
    for from in crates {
        problems.extend(misnamed(from));
        let Some(layer) = from.layer else {
            let words: Vec<&str> = Layer::ALL.iter().map(|(word, _)| *word).collect();
            let words = words.join(", ");
            problems
                .push(format!("{}: [package.metadata.architecture] layer must be one of {words}", from.name));
            continue;
        };
        for dependency in &from.dependencies {
            let to = crates.iter().find(|each| each.name == dependency.to);
            let objection = match to {
                // A crate without a layer is a problem of its own.
                Some(to) => to.layer.and_then(|to_layer| inside(from, layer, to, to_layer, dependency)),
                None => outside(layer, dependency),
            };
            let when = if dependency.kind == DependencyKind::Development { " (tests)" } else { "" };
            problems.extend(objection.map(|why| format!("{} → {}{when}: {why}", from.name, dependency.to)));
        }
    }
    problems
}

/// Packages are named after their folders; those outside `crates/` are the tool and the end-to-end tests.
fn misnamed(each: &Crate) -> Option<String> {
    let expected = match &*each.folder {
        "tests" => "ttm-e2e".to_owned(),
        folder => format!("ttm-{}", folder.trim_start_matches("crates/")),
    };
    (each.name != expected)
        .then(|| format!("{}: the package in {} is called {expected}", each.name, each.folder))
}

/// Why `from` may not use `to`, both of ours.
fn inside(from: &Crate, layer: Layer, to: &Crate, to_layer: Layer, edge: &Dependency) -> Option<String> {
    let in_tests = edge.kind == DependencyKind::Development;
    // A crate's own tests ask for its own feature `testing`; test tools are for every crate's tests.
    if in_tests && (from.name == to.name || to_layer == Layer::Test) {
        return None;
    }
    if !layer.may_use().contains(&to_layer) {
        let other = if layer == to_layer {
            format!("another {}", to_layer.word())
        } else {
            noun(to_layer).to_owned()
        };
        return Some(format!("{} may not use {other}", noun(layer)));
    }
    if layer == Layer::Policy && to_layer == Layer::Domain && !UNDER_POLICY.contains(&&*to.name) {
        return Some(format!("of the domains, a policy uses {} alone", UNDER_POLICY.join(" and ")));
    }
    let with_adapters = edge.default_features || edge.features.iter().any(|feature| feature == ADAPTERS);
    if layer == Layer::Sim && to_layer == Layer::App && with_adapters {
        return Some(
            "the simulator takes the app without its concrete adapters (default-features = false)".to_owned(),
        );
    }
    None
}

/// Why a crate of `layer` may not use a crate of others.
fn outside(layer: Layer, edge: &Dependency) -> Option<String> {
    let allowed = layer.outside()?;
    let of_tests =
        layer == Layer::Domain && (edge.is_checker() || edge.optional && TEST_TOOLS.contains(&&*edge.to));
    if edge.kind == DependencyKind::Development || of_tests || allowed.contains(&&*edge.to) {
        return None;
    }
    Some(format!("of others, {} uses {} alone", noun(layer), allowed.join(", ")))
}

/// A layer's crate in a sentence.
fn noun(layer: Layer) -> &'static str {
    match layer {
        Layer::Kernel => "the kernel",
        Layer::Domain => "a domain",
        Layer::Policy => "a policy",
        Layer::Technology => "a technology",
        Layer::Adapter => "an adapter",
        Layer::App => "the app",
        Layer::Probe => "the probe",
        Layer::Test => "test tools",
        Layer::Sim => "the simulator",
        Layer::E2e => "the end-to-end tests",
        Layer::Bench => "the benchmarks",
        Layer::Xtask => "the project's tool",
    }
}

#[cfg(test)]
mod tests {
    use DependencyKind::{Development, Normal};

    use super::*;

    /// A small house with one crate per kind of room and no fault.
    fn house() -> Vec<Crate> {
        vec![
            Crate::new("ttm-kernel", Layer::Kernel).using("jiff", Normal),
            Crate::new("ttm-breaker", Layer::Domain).using("ttm-kernel", Normal),
            Crate::new("ttm-schedule", Layer::Domain)
                .using("ttm-kernel", Normal)
                .using("ttm-testkit", Development),
            Crate::new("ttm-guard", Layer::Policy).using("ttm-breaker", Normal).using("governor", Normal),
            Crate::new("ttm-sqlx-pool", Layer::Technology).using("ttm-kernel", Normal).using("sqlx", Normal),
            Crate::new("ttm-sqlite-state", Layer::Adapter)
                .using("ttm-schedule", Normal)
                .using("ttm-sqlx-pool", Normal)
                .using("sqlx", Normal),
            Crate::new("ttm-exchange-sim", Layer::Adapter).using("tokio", Normal),
            Crate::new("ttm-app", Layer::App).using("ttm-sqlite-state", Normal).using("ttm-guard", Normal),
            Crate::new("ttm-testkit", Layer::Test).using("ttm-kernel", Normal),
            Crate::new("ttm-sim", Layer::Sim).using("ttm-testkit", Normal),
        ]
    }

    /// Checks the house with one more crate in it: exactly the expected problems are found.
    #[track_caller]
    fn check_with(more: Crate, expected: &[&str]) {
        let mut crates = house();
        crates.retain(|each| each.name != more.name);
        crates.push(more);
        assert_eq!(check(&crates), expected);
    }

    #[test]
    fn a_sound_house_has_no_problem() {
        assert_eq!(check(&house()), [""; 0]);
    }

    #[test]
    fn a_domain_that_uses_another_domain_is_named_with_the_edge() {
        check_with(
            Crate::new("ttm-market", Layer::Domain).using("ttm-schedule", Normal),
            &["ttm-market → ttm-schedule: a domain may not use another domain"],
        );
    }

    #[test]
    fn a_domain_stays_alone_in_its_tests_too_but_for_itself_and_the_test_tools() {
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
    fn a_domain_takes_no_runtime_and_no_wire_format() {
        const WHY: &str =
            "of others, a domain uses async-trait, bs58, hdrhistogram, httpdate, jiff, thiserror alone";
        check_with(
            Crate::new("ttm-market", Layer::Domain).using("tokio", Normal).using("serde", Normal),
            &[&format!("ttm-market → tokio: {WHY}"), &format!("ttm-market → serde: {WHY}")],
        );
    }

    #[test]
    fn a_domain_has_its_test_tools_behind_a_feature_only() {
        let mut behind_a_feature = Crate::new("ttm-market", Layer::Domain).using("proptest", Normal);
        behind_a_feature.last().optional = true;
        check_with(behind_a_feature, &[]);
        check_with(
            Crate::new("ttm-market", Layer::Domain).using("proptest", Normal),
            &[
                "ttm-market → proptest: of others, a domain uses async-trait, bs58, hdrhistogram, httpdate, jiff, thiserror alone",
            ],
        );
    }

    #[test]
    fn a_domain_is_built_with_a_model_checker_for_that_checker_s_tests_only() {
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
    fn a_technology_knows_neither_a_domain_nor_who_stands_on_it() {
        check_with(
            Crate::new("ttm-sqlx-pool", Layer::Technology)
                .using("ttm-schedule", Normal)
                .using("ttm-guard", Normal)
                .using("ttm-sqlite-state", Development),
            &[
                "ttm-sqlx-pool → ttm-schedule: a technology may not use a domain",
                "ttm-sqlx-pool → ttm-guard: a technology may not use a policy",
                "ttm-sqlx-pool → ttm-sqlite-state (tests): a technology may not use an adapter",
            ],
        );
    }

    #[test]
    fn a_technology_is_for_adapters_alone() {
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
                "ttm-kernel → rand: of others, the kernel uses jiff, thiserror alone",
            ],
        );
    }

    #[test]
    fn the_guard_composes_the_breaker_and_the_retry_alone() {
        check_with(
            Crate::new("ttm-guard", Layer::Policy).using("ttm-schedule", Normal).using("tokio", Normal),
            &[
                "ttm-guard → ttm-schedule: of the domains, a policy uses ttm-breaker and ttm-retry alone",
                "ttm-guard → tokio: of others, a policy uses async-lock, governor, pin-project-lite, \
                quick_cache, thiserror, tower-layer, tower-service alone",
            ],
        );
    }

    #[test]
    fn the_app_uses_neither_test_tools_nor_the_simulator() {
        check_with(
            Crate::new("ttm-app", Layer::App)
                .using("ttm-testkit", Normal)
                .using("ttm-testkit", Development)
                .using("ttm-sim", Normal),
            &[
                "ttm-app → ttm-testkit: the app may not use test tools",
                "ttm-app → ttm-sim: the app may not use the simulator",
            ],
        );
    }

    #[test]
    fn the_simulator_touches_no_concrete_adapter() {
        const WHY: &str =
            "the simulator takes the app without its concrete adapters (default-features = false)";
        let mut lean = Crate::new("ttm-sim", Layer::Sim).using("ttm-app", Normal);
        lean.last().default_features = false;
        check_with(lean.clone(), &[]);

        let through_a_feature = {
            let mut each = lean;
            each.last().features = vec!["adapters".to_owned()];
            each
        };
        check_with(through_a_feature, &[&format!("ttm-sim → ttm-app: {WHY}")]);
        check_with(
            Crate::new("ttm-sim", Layer::Sim).using("ttm-app", Normal).using("ttm-sqlite-state", Normal),
            &[
                &format!("ttm-sim → ttm-app: {WHY}"),
                "ttm-sim → ttm-sqlite-state: the simulator may not use an adapter",
            ],
        );
    }

    #[test]
    fn the_testkit_knows_the_kernel_alone_and_the_tool_knows_nobody() {
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
    fn the_benchmarks_measure_what_is_ours_and_what_is_not_but_no_composition() {
        check_with(
            Crate::new("ttm-bench", Layer::Bench)
                .using("ttm-breaker", Development)
                .using("ttm-guard", Development)
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
    fn nobody_uses_the_benchmarks() {
        for (word, layer) in Layer::ALL {
            // The edge leads out of a house where the benchmarks are the one other crate.
            let from = Crate::new("ttm-stray", layer).using("ttm-bench", Normal);
            let problems = check(&[from, Crate::new("ttm-bench", Layer::Bench)]);
            let other = if layer == Layer::Bench { "another bench" } else { "the benchmarks" };
            let expected = format!("ttm-stray → ttm-bench: {} may not use {other}", noun(layer));
            assert_eq!(problems, [expected], "{word}");
        }
    }

    #[test]
    fn a_crate_without_a_layer_is_told_the_choices() {
        let mut stray = Crate::new("ttm-attic", Layer::Domain).using("tokio", Normal);
        stray.layer = None;
        check_with(
            stray,
            &["ttm-attic: [package.metadata.architecture] layer must be one of \
                kernel, domain, policy, technology, adapter, app, probe, test, sim, e2e, bench, xtask"],
        );
    }

    #[test]
    fn a_package_is_named_after_its_folder() {
        let mut misnamed = Crate::new("ttm-market", Layer::Domain);
        misnamed.folder = "crates/score".to_owned();
        check_with(misnamed, &["ttm-market: the package in crates/score is called ttm-score"]);
    }
}
