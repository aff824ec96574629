//! Scenarios: a whole program runs for minutes and yields named figures, each with an optional target.

use std::error::Error;

use serde_json::{Value, json};

use crate::report::{BOLD, rounded, verdict};

/// The result of a scenario.
pub type Figures = Result<Vec<Figure>, Box<dyn Error>>;

/// Shows the progress.
pub type Shown<'a> = &'a dyn Fn(&str);

/// A program to run.
pub struct Scenario {
    /// Its name.
    pub name: &'static str,
    /// Runs it, and returns the figures.
    pub play: fn(Shown<'_>) -> Figures,
}

/// A measured figure.
pub struct Figure {
    /// Its name.
    pub name: &'static str,
    /// Its value.
    pub value: f64,
    /// Its unit.
    pub unit: &'static str,
    /// The target; `None` if it is only for information.
    pub bound: Option<Bound>,
}

/// The target of a figure.
#[derive(Clone, Copy)]
pub enum Bound {
    /// At least this.
    AtLeast(f64),
    /// At most this.
    AtMost(f64),
}

impl Figure {
    /// A figure without a target.
    pub const fn new(name: &'static str, value: f64, unit: &'static str) -> Self {
        Self { name, value, unit, bound: None }
    }

    /// Sets the target.
    #[must_use]
    pub const fn bound(self, bound: Bound) -> Self {
        Self { bound: Some(bound), ..self }
    }

    fn target(&self) -> String {
        match self.bound {
            None => String::new(),
            Some(Bound::AtLeast(least)) => format!("at least {least}"),
            Some(Bound::AtMost(most)) => format!("at most {most}"),
        }
    }

    fn is_met(&self) -> Option<bool> {
        Some(match self.bound? {
            Bound::AtLeast(least) => self.value >= least,
            Bound::AtMost(most) => self.value <= most,
        })
    }
}

pub(crate) fn print(scenario: &Scenario, figures: &[Figure]) {
    anstream::println!("\n{BOLD}{:46}  {:>12}  {:16}{BOLD:#}", scenario.name, "measured", "target");
    for figure in figures {
        let (value, verdict) = (rounded(figure.value), figure.is_met().map(verdict).unwrap_or_default());
        anstream::println!(
            "{:46}  {value:>12}  {:16}  {verdict} {}",
            figure.name,
            figure.target(),
            figure.unit
        );
    }
}

pub(crate) fn objects(scenario: &Scenario, figures: &[Figure]) -> Vec<Value> {
    let object = |figure: &Figure| {
        json!({
            "name": format!("{}/{}", scenario.name, figure.name),
            "value": rounded(figure.value),
            "unit": figure.unit,
            "target": figure.bound.map(|_| figure.target()),
            "met": figure.is_met(),
        })
    };
    figures.iter().map(object).collect()
}
