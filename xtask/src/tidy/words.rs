//! Rules for any text file: no host of a package registry, no folder of one person's machine, no stray white space.
//!
//! The words are assembled from halves here, so that this file passes its own check.

use std::path::Path;

use super::problem::Problem;

/// Hosts that cargo and the package manager know by themselves; a mirror may stand in for each.
const REGISTRIES: [&str; 4] = [
    concat!("crates", ".io"),
    concat!("pypi", ".org"),
    concat!("npmjs", ".org"),
    concat!("deb.debian", ".org"),
];
/// Roots of folders that exist on one machine only.
const MACHINE_FOLDERS: [&str; 4] =
    [concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/wo", "rk/"), concat!("/Us", "ers/")];
/// Cargo writes the registry's host into the lock file.
const GENERATED: &str = "Cargo.lock";
/// Extensions of the files whose white space is checked.
const NEAT: [&str; 3] = ["md", "rs", "toml"];

pub(super) fn check(path: &Path, text: &str) -> Vec<Problem> {
    if path.ends_with(GENERATED) {
        return Vec::new();
    }
    let neat = path.extension().and_then(|extension| extension.to_str()).is_some_and(|it| NEAT.contains(&it));
    let mut problems = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let mut found = |what: String| problems.push(Problem::new(index + 1, what));
        for host in REGISTRIES.iter().filter(|host| line.contains(**host)) {
            found(format!("names the registry's host {host}: the reader's settings choose a mirror"));
        }
        for folder in MACHINE_FOLDERS.iter().filter(|folder| has_path(line, folder)) {
            found(format!("names a folder under {folder}, which exists on one machine only"));
        }
        if neat && line.ends_with(char::is_whitespace) {
            found("has trailing white space".to_owned());
        }
        if neat && line.contains('\t') {
            found("contains a tab".to_owned());
        }
    }
    problems
}

/// Whether `folder` stands in the line as the beginning of a path, not in the middle of one.
fn has_path(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '}'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_line(file: &str, line: &str, expected: &[&str]) {
        let problems = check(Path::new(file), &format!("first\n{line}\nlast\n"));
        assert_eq!(problems.len(), expected.len(), "{problems:?}");
        for (problem, expected) in problems.iter().zip(expected) {
            assert_eq!(problem.line, 2);
            assert!(problem.what.contains(expected), "{problem:?}");
        }
    }

    #[test]
    fn a_registry_host_is_found_but_for_the_lock_file() {
        let line = format!("see https://{}/tokio", REGISTRIES[0]);
        check_line("README.md", &line, &["names the registry's host"]);
        check_line("Dockerfile", &line, &["names the registry's host"]);
        check_line("Cargo.lock", &line, &[]);
    }

    #[test]
    fn a_folder_of_one_machine_is_found_where_a_path_begins() {
        for folder in MACHINE_FOLDERS {
            check_line(
                "notes.txt",
                &format!("cd {folder}ann/project"),
                &["which exists on one machine only"],
            );
            check_line("notes.txt", &format!("https://example.com{folder}page, ${{BASE}}{folder}x"), &[]);
        }
    }

    #[test]
    fn stray_white_space_is_found_where_we_write_the_text() {
        check_line("README.md", "words ", &["has trailing white space"]);
        check_line("src/lib.rs", "fn\tf() {}", &["contains a tab"]);
        check_line("Makefile", "\tcc x.c ", &[]);
    }
}
