//! Test tools in programs that are released: none may be reached by way of normal and build dependencies, and no feature may be
//! switched on that is there for tests.
//!
//! The graph is `cargo tree`'s, which resolves features as a build of that one package does. `cargo metadata` unites the
//! features of the whole workspace, tests included, and so finds proptest under every program.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::graph::{Crate, Layer};
use crate::process;

/// Crates of others that only tests, checkers and benchmarks use.
const TEST_TOOLS: [&str; 9] = [
    "allocation-counter",
    "insta",
    "loom",
    "mockall",
    "proptest",
    "proptest-state-machine",
    "shuttle",
    "tempfile",
    "wiremock",
];

/// Features of ours that a release does not have.
const TEST_FEATURES: [&str; 1] = ["test-faults"];

/// One line of the tree.
#[derive(Debug)]
struct Node {
    depth: usize,
    name: String,
    features: Vec<String>,
}

/// Every test tool that a program reaches, or the simulator, which a program may use.
pub(super) fn problems(crates: &[Crate]) -> Result<Vec<String>> {
    let mut problems = Vec::new();
    for root in crates.iter().filter(|each| is_released(each)) {
        problems.extend(check(&read(process::root(), &root.name)?, crates));
    }
    Ok(problems)
}

fn is_released(each: &Crate) -> bool {
    matches!(each.layer, Some(Layer::App | Layer::Probe | Layer::Sim))
}

/// What a release build of the package is made of. A package that stands there twice has its dependencies once.
fn read(workspace: &Path, package: &str) -> Result<Vec<Node>> {
    let mut tree = Command::new("cargo");
    tree.args([
        "tree",
        "--package",
        package,
        "--edges",
        "normal,build",
        "--prefix",
        "depth",
        "--format",
        "{p};{f}",
    ]);
    let tree = process::output(tree.current_dir(workspace))?;
    tree.lines().map(|line| parse(line).with_context(|| format!("`cargo tree` says `{line}`"))).collect()
}

/// Reads a line such as `12serde v1.0.0;derive,std`. That of a package that stands there twice has ` (*)` at its end.
fn parse(line: &str) -> Option<Node> {
    let (package, features) = line.split_once(';')?;
    let features = features.trim_end_matches(" (*)").split(',').map(str::to_owned).collect();
    let (package, _) = package.split_once(' ')?;
    let name = package.trim_start_matches(|c: char| c.is_ascii_digit());
    Some(Node { depth: package.strip_suffix(name)?.parse().ok()?, name: name.to_owned(), features })
}

fn check(tree: &[Node], crates: &[Crate]) -> Vec<String> {
    let is_ours = |name: &str| {
        let layer = crates.iter().find(|each| each.name == name).and_then(|each| each.layer);
        matches!(layer, Some(Layer::Test | Layer::E2e | Layer::Bench))
    };
    let mut problems = Vec::new();
    let mut path: Vec<&str> = Vec::new();
    for node in tree {
        path.truncate(node.depth);
        path.push(&node.name);
        if TEST_TOOLS.contains(&&*node.name) || is_ours(&node.name) {
            problems.push(format!("{}: a test tool in a release build", path.join(" → ")));
        }
        for feature in node.features.iter().filter(|feature| TEST_FEATURES.contains(&feature.as_str())) {
            problems.push(format!("{}: the feature {feature} of tests in a release build", path.join(" → ")));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[track_caller]
    fn check_tree(tree: &str, expected: &[&str]) {
        let nodes: Vec<Node> =
            tree.lines().map(|line| parse(line.trim()).expect("a line of a tree")).collect();
        let testkit = Crate::new("ttm-testkit", Layer::Test);
        assert_eq!(check(&nodes, &[testkit]), expected);
    }

    #[test]
    fn a_test_tool_is_named_with_the_way_to_it() {
        check_tree(
            "0ttm-app v0.1.0 (/somewhere);
             1ttm-market v0.1.0 (/somewhere);testing
             2bitflags v2.0.0;
             2proptest v1.0.0;bit-set,std
             3rand v0.9.0;
             1ttm-market v0.1.0 (/somewhere);testing (*)",
            &["ttm-app → ttm-market → proptest: a test tool in a release build"],
        );
    }

    #[test]
    fn a_crate_of_ours_for_tests_is_one() {
        check_tree(
            "0ttm-app v0.1.0;\n1ttm-service v0.1.0;\n1ttm-testkit v0.1.0;",
            &["ttm-app → ttm-testkit: a test tool in a release build"],
        );
        check_tree("0ttm-app v0.1.0;\n1ttm-service v0.1.0;", &[]);
    }

    #[test]
    fn a_feature_for_tests_is_named_with_who_has_it() {
        check_tree(
            "0ttm-app v0.1.0;\n1ttm-service v0.1.0;default,test-faults (*)\n2serde v1.0.0;std",
            &["ttm-app → ttm-service: the feature test-faults of tests in a release build"],
        );
    }

    /// A workspace in which a program uses a library whose feature `testing` needs proptest, and the tests use that.
    #[track_caller]
    fn check_workspace(features: &str, expected: &[&str]) -> Result<()> {
        let folder = tempfile::tempdir()?;
        let write = |name: &str, manifest: &str| {
            fs::create_dir_all(folder.path().join(name).join("src"))?;
            fs::write(folder.path().join(name).join("src/lib.rs"), "")?;
            let package = format!("[package]\nname = \"{name}\"\nversion = \"1.0.0\"\nedition = \"2024\"\n");
            fs::write(folder.path().join(name).join("Cargo.toml"), package + manifest)
        };
        fs::write(
            folder.path().join("Cargo.toml"),
            "[workspace]\nresolver = \"3\"\nmembers = [\"app\", \"library\", \"proptest\"]\n",
        )?;
        write("proptest", "")?;
        write(
            "library",
            "[dependencies]\nproptest = { path = \"../proptest\", optional = true }\n\
             [features]\ntesting = [\"dep:proptest\"]\n",
        )?;
        write(
            "app",
            &format!(
                "[dependencies]\nlibrary = {{ path = \"../library\", features = [{features}] }}\n\
                 [dev-dependencies]\nlibrary = {{ path = \"../library\", features = [\"testing\"] }}\n"
            ),
        )?;
        assert_eq!(check(&read(folder.path(), "app")?, &[]), expected);
        Ok(())
    }

    #[test]
    fn features_of_tests_do_not_count_and_the_program_s_own_do() -> Result<()> {
        check_workspace("", &[])?;
        check_workspace("\"testing\"", &["app → library → proptest: a test tool in a release build"])
    }
}
