//! The series that rules may be about, and who measures them. The list itself is data of whoever measures; the one of this
//! service stands beside its rules.

use std::time::Duration;

/// What the values of a series are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeriesKind {
    /// A value of its own at each evaluation.
    Gauge,
    /// A total since the process began, which begins at zero.
    Counter,
    /// 1 while something lasts, 0 otherwise.
    Event,
}

/// What a value is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Hundredths, 0 to 100.
    Percent,
    /// Seconds.
    Seconds,
    /// How many.
    Count,
    /// Whether.
    Flag,
}

impl Unit {
    /// The word for the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Percent => "percent",
            Self::Seconds => "seconds",
            Self::Count => "count",
            Self::Flag => "flag",
        }
    }
}

/// A series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Series {
    /// Its name, as in `resource.cpu_percent`.
    pub name: &'static str,
    /// What its values are.
    pub kind: SeriesKind,
    /// What they are measured in.
    pub unit: Unit,
    /// The keys of its labels, sorted: those of every alert about it.
    pub labels: &'static [&'static str],
    /// Who measures it: a name in [`Catalogue::collectors`].
    pub collector: &'static str,
}

/// Who measures: all its series are evaluated together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Collector {
    /// Its name, which is the label of the alert that it is stale.
    pub name: &'static str,
    /// How often it evaluates.
    pub interval: Duration,
}

/// All series and those who measure them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalogue {
    /// The series.
    pub series: Vec<Series>,
    /// Who measures them.
    pub collectors: Vec<Collector>,
}

impl Catalogue {
    /// The place of a series.
    pub(crate) fn find(&self, name: &str) -> Option<usize> {
        self.series.iter().position(|series| series.name == name)
    }

    /// The place of a collector.
    pub(crate) fn collector(&self, name: &str) -> Option<usize> {
        self.collectors.iter().position(|collector| collector.name == name)
    }
}
