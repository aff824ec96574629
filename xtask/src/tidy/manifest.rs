//! Rules for a member's `Cargo.toml`: lints are inherited, and versions live in the workspace's manifest only.

use toml::{Table, Value};

use super::problem::Problem;

/// The tables that list dependencies, at the top of a manifest and under each `[target.'…']`.
const TABLES: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];

pub(super) fn check(text: &str) -> Vec<Problem> {
    let manifest: Table = match text.parse() {
        Ok(manifest) => manifest,
        Err(error) => return vec![Problem::new(1, format!("is not valid TOML: {}", error.message()))],
    };
    let mut problems = Vec::new();
    let lints = manifest.get("lints").and_then(Value::as_table);
    if !lints.is_some_and(inherits) {
        problems.push(Problem::new(1, "lacks `[lints] workspace = true`"));
    }
    check_dependencies(text, &manifest, &mut problems);
    let targets = manifest.get("target").and_then(Value::as_table);
    for target in targets.into_iter().flat_map(Table::values).filter_map(Value::as_table) {
        check_dependencies(text, target, &mut problems);
    }
    problems
}

fn check_dependencies(text: &str, manifest: &Table, problems: &mut Vec<Problem>) {
    let tables = TABLES.iter().filter_map(|name| manifest.get(*name)?.as_table());
    for (name, value) in tables.flatten() {
        let inherited = value.as_table().is_some_and(inherits);
        // A crate that asks for its own feature in its own tests names its own folder; there is no version in it.
        let itself = value.get("path").and_then(Value::as_str) == Some(".") && value.get("version").is_none();
        if !inherited && !itself {
            let line = text
                .lines()
                .position(|line| line.trim_start().starts_with(name))
                .map_or(1, |index| index + 1);
            problems.push(Problem::new(
                line,
                format!("`{name}` must be `workspace = true`: versions live in the root"),
            ));
        }
    }
}

fn inherits(table: &Table) -> bool {
    table.get("workspace").and_then(Value::as_bool) == Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_that_inherits_everything_is_fine() {
        let manifest = r#"
            [dependencies]
            jiff.workspace = true
            tokio = { workspace = true, features = ["rt"] }
            [dev-dependencies]
            ttm-market = { path = ".", features = ["testing"] }
            [lints]
            workspace = true
        "#;
        assert_eq!(check(manifest), []);
    }

    #[test]
    fn versions_paths_and_repositories_of_its_own_are_found_in_every_table() {
        let manifest = r#"
[lints]
workspace = true
[dependencies]
jiff = "1"
ttm-kernel = { path = "../kernel" }
[build-dependencies]
cc = { git = "https://example.com/cc" }
[target.'cfg(unix)'.dev-dependencies]
rustix = { version = "1", features = ["process"] }
"#;
        let found: Vec<(usize, String)> = check(manifest).into_iter().map(|p| (p.line, p.what)).collect();
        let names = ["jiff", "ttm-kernel", "cc", "rustix"];
        let expected = [5, 6, 8, 10]
            .into_iter()
            .zip(names.map(|name| format!("`{name}` must be `workspace = true`: versions live in the root")));
        assert_eq!(found, expected.collect::<Vec<_>>());
    }

    #[test]
    fn missing_lints_are_reported() {
        assert_eq!(check("[package]\nname = \"x\""), [Problem::new(1, "lacks `[lints] workspace = true`")]);
        assert_eq!(check("[lints.rust]\nmissing_docs = \"warn\"").len(), 1);
    }

    #[test]
    fn invalid_toml_is_reported() {
        let problems = check("[lints\n");
        assert!(
            problems.first().is_some_and(|problem| problem.what.starts_with("is not valid TOML: ")),
            "{problems:?}"
        );
    }
}
