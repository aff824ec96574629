//! Faults inside the process: what a bug in one of its parts does to it.

use std::fmt;

use crate::executor::Ailment;

/// Something that the process does goes wrong. What hangs or spins does so for good: the fault's end only means that no other task
/// falls ill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobFault {
    /// A part waits for something that never comes, until it is aborted.
    PartHangs(Part),
    /// A part never yields again, and keeps a thread of its plane.
    PartSpins(Part),
    /// A part panics soon after each of its starts.
    PartPanicsAlways(Part),
    /// Requests wait for something that never comes, until they are aborted.
    RequestsHang(Requests),
    /// One request never yields again, and keeps a thread of its plane.
    RequestsSpin,
    /// Requests panic as soon as they run.
    RequestsPanic(Requests),
    /// What decodes the API's answers panics on each of them. It decodes none that is an error.
    AnswersPanic,
    /// Memory grows to more than nine tenths of its limit, and stays there until the process ends.
    Leaks,
}

/// Which requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requests {
    /// Those of the hot group.
    Hot,
    /// Those of the cold group.
    Cold,
    /// All of them.
    All,
}

impl JobFault {
    /// The names of the tasks that fall ill, and how.
    pub(crate) fn strikes(self) -> Option<(&'static [&'static str], Ailment)> {
        Some(match self {
            Self::PartHangs(part) => (part.task(), Ailment::Hangs),
            Self::PartSpins(part) => (part.task(), Ailment::Spins),
            Self::PartPanicsAlways(part) => (part.task(), Ailment::Panics),
            Self::RequestsHang(requests) => (requests.tasks(), Ailment::Hangs),
            Self::RequestsSpin => (Requests::All.tasks(), Ailment::Spins),
            Self::RequestsPanic(requests) => (requests.tasks(), Ailment::PanicsAtOnce),
            Self::AnswersPanic | Self::Leaks => return None,
        })
    }

    /// Parses what `Display` writes.
    pub(super) fn parse(kind: &str, word: &str) -> Option<Self> {
        Some(match kind {
            "part-hangs" => Self::PartHangs(Part::parse(word)?),
            "part-spins" => Self::PartSpins(Part::parse(word)?),
            "part-panics-always" => Self::PartPanicsAlways(Part::parse(word)?),
            "requests-hang" => Self::RequestsHang(Requests::parse(word)?),
            "requests-panic" => Self::RequestsPanic(Requests::parse(word)?),
            "answers-panic" if word.is_empty() => Self::AnswersPanic,
            "requests-spin" if word.is_empty() => Self::RequestsSpin,
            "leaks" if word.is_empty() => Self::Leaks,
            _ => return None,
        })
    }
}

impl fmt::Display for JobFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PartHangs(part) => write!(f, "part-hangs={}", part.name()),
            Self::PartSpins(part) => write!(f, "part-spins={}", part.name()),
            Self::PartPanicsAlways(part) => write!(f, "part-panics-always={}", part.name()),
            Self::RequestsHang(requests) => write!(f, "requests-hang={}", requests.as_str()),
            Self::RequestsSpin => f.write_str("requests-spin"),
            Self::RequestsPanic(requests) => write!(f, "requests-panic={}", requests.as_str()),
            Self::AnswersPanic => f.write_str("answers-panic"),
            Self::Leaks => f.write_str("leaks"),
        }
    }
}

impl Requests {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Hot => "hot",
            Self::Cold => "cold",
            Self::All => "all",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        [Self::Hot, Self::Cold, Self::All].into_iter().find(|requests| requests.as_str() == word)
    }

    /// The names of their tasks.
    const fn tasks(self) -> &'static [&'static str] {
        const ALL: &[&str] = &["hot request", "activation request", "cold request", "background request"];
        match self {
            Self::Hot => ALL.split_at(1).0,
            Self::Cold => ALL.split_at(1).1,
            Self::All => ALL,
        }
    }
}

/// A part of the process that runs for as long as the process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The groups.
    Work,
    /// Follows edits of the set of tokens.
    Roster,
    /// Stores the tokens.
    TokenWriter,
    /// Stores the breakers.
    BreakerWriter,
    /// Stores the samples.
    SampleWriter,
    /// Stores the events.
    EventWriter,
    /// Renews the lease on the store.
    LeaseKeeper,
    /// The monitor.
    Monitor,
    /// Signals the monitor that the work plane runs.
    Pulse,
    /// Answers readers.
    Api,
    /// Follows the lists that others keep.
    Sources,
    /// Tells people what is wrong.
    Alerts,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Work,
        Self::Roster,
        Self::TokenWriter,
        Self::BreakerWriter,
        Self::SampleWriter,
        Self::EventWriter,
        Self::LeaseKeeper,
        Self::Monitor,
        Self::Pulse,
        Self::Api,
        Self::Sources,
        Self::Alerts,
    ];

    /// The name of its task.
    pub const fn name(self) -> &'static str {
        self.task()[0]
    }

    /// The name of its task, as a list of one.
    const fn task(self) -> &'static [&'static str] {
        match self {
            Self::Work => &["work"],
            Self::Roster => &["roster"],
            Self::TokenWriter => &["token-writer"],
            Self::BreakerWriter => &["breaker-writer"],
            Self::SampleWriter => &["sample-writer"],
            Self::EventWriter => &["event-writer"],
            Self::LeaseKeeper => &["lease-keeper"],
            Self::Monitor => &["monitor"],
            Self::Pulse => &["pulse"],
            Self::Api => &["api"],
            Self::Sources => &["sources"],
            Self::Alerts => &["alerts"],
        }
    }

    /// The part with this name.
    pub(super) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|part| part.name() == word)
    }
}
