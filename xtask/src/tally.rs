//! The sum of many test programs' results, read from their closing lines.
//!
//! Knows one line of the test harness, and nothing of cargo.

use std::fmt;
use std::ops::AddAssign;

/// Counts of tests, summed over test programs. Shown as `N passed, N failed`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    /// Tests that were skipped with `#[ignore]`, or code blocks that are not tested.
    pub(crate) ignored: u64,
}

impl Tally {
    /// Reads a line such as `test result: ok. 5 passed; 0 failed; 0 ignored; …`; `None` for any other line.
    pub(crate) fn from_line(line: &str) -> Option<Self> {
        let counts = line.trim_start().strip_prefix("test result: ")?.split_once(". ")?.1;
        let mut tally = Self::default();
        for count in counts.split("; ") {
            match count.split_once(' ') {
                Some((number, "passed")) => tally.passed = number.parse().ok()?,
                Some((number, "failed")) => tally.failed = number.parse().ok()?,
                Some((number, "ignored")) => tally.ignored = number.parse().ok()?,
                _ => {}
            }
        }
        Some(tally)
    }

    /// Whether any test ran at all.
    pub(crate) fn is_empty(self) -> bool {
        self.passed + self.failed == 0
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_are_summed_and_other_lines_are_not() {
        let output = "running 5 tests\n\
             test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\
             test x ... FAILED\n\
             test result: FAILED. 2 passed; 3 failed; 0 ignored; 0 measured; 7 filtered out; finished in 1.20s\n";
        let mut sum = Tally::default();
        for tally in output.lines().filter_map(Tally::from_line) {
            sum += tally;
        }
        assert_eq!(sum, Tally { passed: 7, failed: 3, ignored: 1 });
        assert_eq!(sum.to_string(), "7 passed, 3 failed");
    }

    #[test]
    fn a_program_without_tests_counts_as_empty() {
        let line =
            "test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 4 filtered out; finished in 0.00s";
        assert!(Tally::from_line(line).is_some_and(Tally::is_empty));
        assert_eq!(Tally::from_line("test result of something else"), None);
    }
}
