//! `cargo xtask bench`: runs the benches that crates declare.
//!
//! Prints what they measure and asserts nothing: speed is never a test.

use anyhow::{Result, bail};
use clap::Args;

use crate::graph::{self, Crate};
use crate::process::{self, cargo};
use crate::services::{DATABASE_URL, Postgres};

/// The benches that run the program, and the program's crate.
const WITH_THE_PROGRAM: [&str; 3] = ["alerts", "market", "recovery"];
const PROGRAM: &str = "ttm-app";
/// The bench that makes faults in it, and needs a database.
const WITH_FAULTS: &str = "recovery";

#[derive(Args)]
#[command(after_help = "Examples:\n  cargo xtask bench\n  cargo xtask bench breaker")]
pub(crate) struct Options {
    /// Runs only the benches whose package or name contains this
    name: Option<String>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    for (package, bench) in chosen(&graph::read()?, options.name.as_deref().unwrap_or_default())? {
        if WITH_THE_PROGRAM.contains(&&*bench) {
            process::run(&mut cargo(["build", "--release", "--package", PROGRAM]))?;
        }
        let mut measure = cargo(["bench", "--package", &package, "--bench", &bench]);
        if bench != WITH_FAULTS {
            process::run(&mut measure)?;
            continue;
        }
        let faulty = ["--features", "test-faults", "--bin", "ttm-faulty"];
        process::run(cargo(["build", "--release", "--package", PROGRAM]).args(faulty))?;
        let postgres = Postgres::start()?;
        process::run(measure.env(DATABASE_URL, postgres.url()))?;
    }
    Ok(())
}

/// The benches whose package or own name contains `part`, as pairs of both.
fn chosen(crates: &[Crate], part: &str) -> Result<Vec<(String, String)>> {
    let all: Vec<(String, String)> = crates
        .iter()
        .flat_map(|each| each.benches.iter().map(|bench| (each.name.clone(), bench.clone())))
        .collect();
    if all.is_empty() {
        bail!(
            "no crate has a bench yet; one lies in benches/ of its crate, with a [[bench]] in the manifest"
        );
    }
    let names: Vec<String> = all.iter().map(|(package, bench)| format!("{package}/{bench}")).collect();
    let chosen: Vec<_> =
        all.into_iter().filter(|(package, bench)| package.contains(part) || bench.contains(part)).collect();
    if chosen.is_empty() {
        bail!("no bench matches `{part}`; there are: {}", names.join(", "));
    }
    Ok(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Layer;

    fn crates() -> Vec<Crate> {
        let mut market = Crate::new("ttm-market", Layer::Domain);
        market.benches = vec!["score".to_owned(), "mint".to_owned()];
        vec![market, Crate::new("ttm-retry", Layer::Domain)]
    }

    #[test]
    fn a_part_of_either_name_chooses() -> Result<()> {
        assert_eq!(chosen(&crates(), "")?.len(), 2);
        assert_eq!(chosen(&crates(), "market")?.len(), 2);
        assert_eq!(chosen(&crates(), "sco")?, [("ttm-market".to_owned(), "score".to_owned())]);
        Ok(())
    }

    #[test]
    fn an_error_lists_the_benches_if_none_matches() {
        let error = chosen(&crates(), "retry").expect_err("retry has no bench");
        assert_eq!(
            error.to_string(),
            "no bench matches `retry`; there are: ttm-market/score, ttm-market/mint"
        );
        let error = chosen(&[], "").expect_err("there are none");
        assert!(error.to_string().starts_with("no crate has a bench yet"), "{error}");
    }
}
