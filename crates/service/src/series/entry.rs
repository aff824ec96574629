//! What the catalogue says of a series.

/// The label of what is about one process.
pub const INSTANCE: &str = "instance";

/// One entry: the series that have this name, one for each combination of values of its labels.
#[derive(Clone, Copy, Debug)]
pub struct Series {
    /// The key without its labels.
    pub name: &'static str,
    /// Its labels in alphabetical order, without the instance, which its scope says.
    pub labels: &'static [Label],
    /// What a value is measured in.
    pub unit: Unit,
    /// How values are to be read.
    pub kind: Kind,
    /// When a value is written.
    pub written: Written,
    /// What it is about.
    pub scope: Scope,
    /// What it means, as a sentence.
    pub means: &'static str,
}

impl Series {
    /// The names of all its labels, in alphabetical order.
    pub fn label_names(&self) -> Vec<&'static str> {
        let instance = (self.scope == Scope::Process).then_some(INSTANCE);
        let mut names: Vec<_> = self.labels.iter().map(|label| label.name).chain(instance).collect();
        names.sort_unstable();
        names
    }
}

/// A label, whose values are few unless it is that of a token.
#[derive(Clone, Copy, Debug)]
pub struct Label {
    /// Its name.
    pub name: &'static str,
    /// Its values, for people.
    pub values: &'static str,
}

/// What a value is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A score or a part of one, without a unit.
    Score,
    /// Milliseconds.
    Milliseconds,
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
    /// Percent, mostly 0 to 100.
    Percent,
    /// A share, 0 to 1.
    Share,
    /// How many in a minute.
    PerMinute,
    /// How many tokens.
    Tokens,
    /// How many of what the name says.
    Count,
}

/// How values are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What is so at a time.
    Gauge,
    /// How often something has happened since the value before.
    Count,
    /// 1 each time that something happens.
    Event,
}

/// When a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// With each new score of the token.
    Score,
    /// When a run of the group ends.
    RunEnd,
    /// When the next run of the group begins.
    NextRun,
    /// With each health check.
    HealthCheck,
    /// With each sample of the resources.
    ResourceCheck,
    /// With each performance check.
    PerformanceCheck,
    /// When it happens.
    Happens,
}

/// What a series is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One token, whichever process looks at it.
    Token,
    /// The set of tokens, whichever process looks at it.
    Tokens,
    /// One process: the series has the label `instance`.
    Process,
}
