//! One thing that a check found in a file.

use std::path::Path;

/// A problem and the line it is on, counted from 1.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) line: usize,
    pub(super) what: String,
}

impl Problem {
    pub(super) fn new(line: usize, what: impl Into<String>) -> Self {
        Self { line, what: what.into() }
    }
}

pub(super) fn placed(path: &Path, problems: Vec<Problem>) -> impl Iterator<Item = String> {
    problems.into_iter().map(move |problem| format!("{}:{}: {}", path.display(), problem.line, problem.what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_shown_with_its_file_and_line() {
        let shown: Vec<String> = placed(Path::new("a/b.rs"), vec![Problem::new(3, "broken")]).collect();
        assert_eq!(shown, ["a/b.rs:3: broken"]);
    }
}
