//! The dependency table of ARCHITECTURE.md as code: which layer may use which, and which crates of others.
//!
//! Knows crates by their layer; only the breaker and the retry, which the guard composes, are known by name.

use cargo_metadata::DependencyKind;

use crate::graph::{Crate, Dependency, Layer};

/// The domains that the policy layer composes.
const UNDER_POLICY: [&str; 2] = ["ttm-breaker", "ttm-retry"];
/// All that a domain's feature `testing` may bring in.
const TEST_TOOLS: [&str; 2] = ["mockall", "proptest"];

impl Layer {
    /// The layers of ours that this one may use.
    fn may_use(self) -> &'static [Self] {
        use Layer::{
            Adapter, App, Bench, Domain, E2e, Kernel, Policy, Probe, Service, Sim, Technology, Test, Xtask,
        };
        match self {
            // The tool uses nothing of ours, so it builds even if our crates do not.
            Kernel | Xtask => &[],
            Domain => &[Kernel],
            // Of the domains, only what `inside` says.
            Policy | Technology => &[Kernel, Domain],
            Test => &[Kernel, Technology],
            Adapter => &[Kernel, Domain, Policy, Technology],
            Service => &[Kernel, Domain, Policy],
            Sim => &[Kernel, Domain, Policy, Service, Technology],
            App | Probe => &[Kernel, Domain, Policy, Adapter, Service, Sim, App, Probe],
            E2e => &[Kernel, Domain, Policy, Technology, Adapter, Service, App, Probe, Test, Sim],
            Bench => &[Kernel, Domain, Policy, Adapter, Test, E2e, Sim],
        }
    }

    /// The outside crates that this layer may use; `None` if any.
    fn outside(self) -> Option<&'static [&'static str]> {
        match self {
            Self::Kernel => Some(&["async-trait", "jiff", "thiserror"]),
            Self::Domain => Some(&[
                "async-trait",
                "bs58",
                "five8",
                "hdrhistogram",
                "httpdate",
                "jiff",
                "thiserror",
                "uuid",
            ]),
            Self::Policy => Some(&["pin-project-lite", "thiserror"]),
            Self::Service => Some(&[
                "arc-swap",
                "async-trait",
                "futures-util",
                "jiff",
                "metrics",
                "parking_lot",
                "serde_json",
                "strum",
                "thiserror",
                "tokio",
                "tokio-util",
                "tracing",
            ]),
            _ => None,
        }
    }
}

/// The features of tokio that the service may use: none that reads a clock, sleeps, spawns or opens a socket. Those are
/// ports.
const SERVICE_TOKIO: [&str; 2] = ["macros", "sync"];

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
        return Some(format!("the only domains that a policy may use are {}", UNDER_POLICY.join(" and ")));
    }
    // `ttm-alert-json` is the JSON of `ttm-alert`.
    let is_of_it = from.name.strip_prefix(&*to.name).is_some_and(|technology| technology.starts_with('-'));
    if layer == Layer::Technology && to_layer == Layer::Domain && !is_of_it {
        return Some(
            "the only domain that a technology may use is one that its own name begins with".to_owned(),
        );
    }
    None
}

/// Why a crate of `layer` may not use an outside crate.
fn outside(layer: Layer, edge: &Dependency) -> Option<String> {
    let allowed = layer.outside()?;
    if layer == Layer::Service && edge.to == "tokio" && edge.kind == DependencyKind::Normal {
        let may_have = |feature: &String| SERVICE_TOKIO.contains(&feature.as_str());
        let wrong = edge.default_features || !edge.features.iter().all(may_have);
        return wrong.then(|| {
            format!("of tokio, the service may use only the features {}", SERVICE_TOKIO.join(" and "))
        });
    }
    let of_tests =
        layer == Layer::Domain && (edge.is_checker() || edge.optional && TEST_TOOLS.contains(&&*edge.to));
    if edge.kind == DependencyKind::Development || of_tests || allowed.contains(&&*edge.to) {
        return None;
    }
    Some(format!("the only outside crates that {} may use are {}", noun(layer), allowed.join(", ")))
}

/// A layer's crate in a sentence.
fn noun(layer: Layer) -> &'static str {
    match layer {
        Layer::Kernel => "the kernel",
        Layer::Domain => "a domain",
        Layer::Policy => "a policy",
        Layer::Technology => "a technology",
        Layer::Adapter => "an adapter",
        Layer::Service => "the service",
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
mod tests;
