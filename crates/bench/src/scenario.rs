//! What is measured by letting a whole program run for minutes: named figures, each with what was asked of it. It does not
//! know what is run.

use std::error::Error;

use serde_json::{Value, json};

use crate::report::{BOLD, rounded, verdict};

/// What a scenario comes to.
pub type Figures = Result<Vec<Figure>, Box<dyn Error>>;

/// Shows how far something is.
pub type Shown<'a> = &'a dyn Fn(&str);

/// Something to let run. It is given a way to show how far it is.
pub struct Scenario {
    /// Its name.
    pub name: &'static str,
    /// Runs it, and says what was measured.
    pub play: fn(Shown<'_>) -> Figures,
}

/// What was measured.
pub struct Figure {
    /// Of what.
    pub name: &'static str,
    /// How much.
    pub value: f64,
    /// Of which unit.
    pub unit: &'static str,
    /// What was asked; none when it is told for comparison.
    pub bound: Option<Bound>,
}

/// What was asked of a figure.
#[derive(Clone, Copy)]
pub enum Bound {
    /// At least this.
    AtLeast(f64),
    /// At most this.
    AtMost(f64),
}

impl Figure {
    /// A figure of which nothing was asked.
    pub const fn new(name: &'static str, value: f64, unit: &'static str) -> Self {
        Self { name, value, unit, bound: None }
    }

    /// With what was asked.
    #[must_use]
    pub const fn bound(self, bound: Bound) -> Self {
        Self { bound: Some(bound), ..self }
    }

    fn asked(&self) -> String {
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
    anstream::println!("\n{BOLD}{:46}  {:>12}  {:16}{BOLD:#}", scenario.name, "measured", "asked");
    for figure in figures {
        let (value, verdict) = (rounded(figure.value), figure.is_met().map(verdict).unwrap_or_default());
        anstream::println!(
            "{:46}  {value:>12}  {:16}  {verdict} {}",
            figure.name,
            figure.asked(),
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
            "asked": figure.bound.map(|_| figure.asked()),
            "met": figure.is_met(),
        })
    };
    figures.iter().map(object).collect()
}
