//! Named phases of a long run: each announces itself, is timed, and shows up in a table at the end.
//!
//! A failed phase does not stop the next one, so one run reports everything that is wrong.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// The phases run so far.
#[derive(Default)]
pub(crate) struct Phases {
    done: Vec<Phase>,
}

struct Phase {
    name: String,
    took: Duration,
    failed: bool,
}

/// The result of some work, and how long it took.
pub(crate) struct Timed {
    took: Duration,
    result: Result<()>,
}

impl Timed {
    #[expect(clippy::disallowed_methods, reason = "this tool reports how long things took")]
    pub(crate) fn run(work: impl FnOnce() -> Result<()>) -> Self {
        let start = Instant::now();
        let result = work();
        Self { took: start.elapsed(), result }
    }
}

impl Phases {
    /// Runs one phase and reports its end on standard error; true when it succeeded.
    pub(crate) fn run(&mut self, name: &str, work: impl FnOnce() -> Result<()>) -> bool {
        eprintln!("\n==> {name}");
        self.report(name, Timed::run(work))
    }

    /// Reports the end of a phase that ran elsewhere; true when it succeeded.
    pub(crate) fn report(&mut self, name: &str, Timed { took, result }: Timed) -> bool {
        match &result {
            Ok(()) => eprintln!("<== {name}: {:.1} s", took.as_secs_f64()),
            Err(error) => eprintln!("<== {name}: FAILED after {:.1} s: {error:#}", took.as_secs_f64()),
        }
        self.done.push(Phase { name: name.to_owned(), took, failed: result.is_err() });
        result.is_ok()
    }

    /// One line per phase: name, seconds, outcome.
    pub(crate) fn table(&self) -> String {
        let width = self.done.iter().map(|phase| phase.name.len()).max().unwrap_or(0).max("total".len());
        let mut lines: Vec<String> = self
            .done
            .iter()
            .map(|phase| {
                let outcome = if phase.failed { "FAILED" } else { "ok" };
                format!("{:width$} {:8.1} s  {outcome}", phase.name, phase.took.as_secs_f64())
            })
            .collect();
        let total: Duration = self.done.iter().map(|phase| phase.took).sum();
        lines.push(format!("{:width$} {:8.1} s", "total", total.as_secs_f64()));
        lines.join("\n")
    }

    /// An error that names the failed phases, if any failed.
    pub(crate) fn verdict(&self) -> Result<()> {
        let failed: Vec<&str> =
            self.done.iter().filter(|phase| phase.failed).map(|phase| &*phase.name).collect();
        if !failed.is_empty() {
            bail!("failed: {}", failed.join(", "));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_phase_is_named_and_the_next_one_still_runs() {
        let mut phases = Phases::default();
        assert!(phases.run("first", || Ok(())));
        assert!(!phases.run("second", || bail!("broken on purpose")));
        assert!(phases.run("third", || Ok(())));

        let verdict = phases.verdict().expect_err("one phase failed");
        assert_eq!(verdict.to_string(), "failed: second");
        let table = phases.table();
        assert_eq!(table.lines().count(), 4, "three phases and the total:\n{table}");
        assert!(table.lines().nth(1).is_some_and(|line| line.ends_with("FAILED")), "{table}");
    }
}
