//! Checks what self-healing did against its budgets, by every line that ever was in the durable ledger: across all processes, and
//! without asking any.

use std::collections::BTreeMap;
use std::time::Duration;

use ttm_kernel::Moment;
use ttm_recovery::{Entry, EntryKey, Fact, Outcome, Step};

const HOUR: Duration = Duration::from_hours(1);
/// What was made at the end of a window and stored a little later may seem to be in it.
const LATE: Duration = Duration::from_secs(2);

/// The second end of a process in an hour comes so long after the first one at the earliest,
const SECOND_END: Duration = Duration::from_mins(1);
/// and the third one so long after that.
const THIRD_END: Duration = Duration::from_mins(5);

/// How often what may be done.
#[derive(Clone, Copy, Debug)]
pub struct Budgets {
    /// The most restarts of one part
    pub restarts: usize,
    /// in a window of this length,
    pub window: Duration,
    /// and of all parts in an hour.
    pub per_hour: usize,
    /// The most planes that are built anew in an hour.
    pub rebuilds: usize,
    /// The most processes that end themselves in an hour.
    pub ends: usize,
}

impl Budgets {
    /// Those of the specification.
    pub const SPECIFIED: Self =
        Self { restarts: 3, window: Duration::from_mins(5), per_hour: 10, rebuilds: 2, ends: 3 };
}

/// A line of the ledger.
#[derive(Clone, Debug)]
pub struct Line {
    /// When it was made, by the world's clock.
    pub at: Moment,
    /// What it says.
    pub entry: Entry,
}

impl Line {
    /// The step that it says is taken.
    pub fn step(&self) -> Option<Step> {
        match self.entry.fact {
            Fact::Step { step, .. } => Some(step),
            _ => None,
        }
    }

    /// Whether something is restarted now. What a process says at its start of the one before restarts nothing.
    pub fn restarts(&self) -> bool {
        self.step().is_some_and(|step| self.entry.subject != Entry::PROCESS || step == Step::EndProcess)
    }

    /// Whether it says that a restart is withheld because this is away, and not that several parts fail together.
    pub fn blames(&self, what: &str) -> bool {
        let Fact::Withheld { cause, .. } = &self.entry.fact else { return false };
        cause.strip_prefix("restart withheld: ").is_some_and(|cause| cause.starts_with(what))
    }

    /// Whether it says that what was done helped.
    pub fn has_recovered(&self) -> bool {
        matches!(self.entry.fact, Fact::Ended { outcome: Outcome::Recovered, .. })
    }

    /// Whether it says that nothing more is done.
    pub fn escalates(&self) -> bool {
        matches!(self.entry.fact, Fact::Ended { outcome: Outcome::Escalated, .. })
    }
}

/// The first and the last of more than `most` moments within a window.
pub fn exceeds(times: &[Moment], most: usize, window: Duration) -> Option<(Moment, Moment)> {
    let ends = times.iter().skip(most);
    times.iter().zip(ends).find(|(first, last)| **last - **first + LATE < window).map(|(a, b)| (*a, *b))
}

/// Every budget that was exceeded. Between two moments for which `is_uncertain` holds none is checked.
pub fn overspent(
    lines: &[Line],
    rebuilds: &[Moment],
    budgets: &Budgets,
    is_uncertain: impl Fn(Moment, Moment) -> bool,
) -> Vec<String> {
    let mut parts: BTreeMap<&str, Vec<Moment>> = BTreeMap::new();
    let (mut all, mut ends) = (Vec::new(), Vec::new());
    for line in lines {
        let Fact::Step { step, charged } = line.entry.fact else { continue };
        if charged {
            parts.entry(&line.entry.subject).or_default().push(line.at);
            all.push(line.at);
        }
        if step == Step::EndProcess {
            ends.push(line.at);
        }
    }
    let Budgets { restarts, window, per_hour, rebuilds: most_rebuilds, ends: most_ends } = *budgets;
    let parts =
        parts.into_iter().map(|(part, times)| (format!("restarts of {part}"), times, restarts, window));
    let whole = [
        ("restarts".to_owned(), all, per_hour, HOUR),
        ("planes were built anew".to_owned(), rebuilds.to_vec(), most_rebuilds, HOUR),
        ("processes ended themselves".to_owned(), ends.clone(), most_ends, HOUR),
        ("process ended itself".to_owned(), ends.clone(), 1, SECOND_END),
        ("processes ended themselves".to_owned(), ends, 2, SECOND_END + THIRD_END),
    ];
    parts
        .chain(whole)
        .filter_map(|(what, mut times, most, window)| {
            times.sort();
            let (from, to) = exceeds(&times, most, window)?;
            (!is_uncertain(from, to)).then(|| format!("more than {most} {what} between {from:?} and {to:?}"))
        })
        .collect()
}

/// Checks that the steps of each recovery only go up the ladder.
///
/// # Errors
/// The first one that does not.
pub fn only_climbs(lines: &[Line]) -> Result<(), String> {
    let mut last: BTreeMap<EntryKey, Step> = BTreeMap::new();
    for line in lines {
        let Some(step) = line.step() else { continue };
        let before = last.insert(line.entry.recovery, step);
        if before.is_some_and(|before| step <= before) {
            let Entry { recovery, subject, .. } = &line.entry;
            return Err(format!("recovery {recovery} of {subject} goes from {before:?} to {step}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use ttm_kernel::Epoch;

    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::from_origin(Duration::from_secs(seconds))
    }

    fn line(number: u64, seconds: u64, subject: &str, fact: Fact) -> Line {
        let key = EntryKey { epoch: Epoch::new(1), number };
        let entry =
            Entry { key, recovery: key, at: Timestamp::UNIX_EPOCH, subject: subject.to_owned(), fact };
        Line { at: at(seconds), entry }
    }

    fn steps(subject: &str, step: Step, seconds: impl IntoIterator<Item = u64>) -> Vec<Line> {
        let fact = |charged| Fact::Step { step, charged };
        (0..).zip(seconds).map(|(n, seconds)| line(n, seconds, subject, fact(true))).collect()
    }

    fn spent(lines: &[Line], rebuilds: &[Moment]) -> Vec<String> {
        overspent(lines, rebuilds, &Budgets::SPECIFIED, |_, _| false)
    }

    #[test]
    fn a_budget_is_exceeded_by_one_more_in_its_window() {
        assert!(spent(&steps("work", Step::Graceful, [0, 100, 200, 300]), &[]).is_empty());
        let found = spent(&steps("work", Step::Graceful, [0, 100, 200, 297]), &[]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("more than 3 restarts of work"), "{found:?}");
        let hours = spent(&steps("work", Step::Start, (0..11).map(|n| n * 350)), &[]);
        assert!(hours[0].contains("more than 10 restarts between"), "{hours:?}");
        let ends = spent(&steps(Entry::PROCESS, Step::EndProcess, [0, 1_000, 2_000, 3_000]), &[]);
        assert!(ends[0].contains("processes ended themselves"), "{ends:?}");
        let ends = |seconds: &[u64]| {
            spent(&steps(Entry::PROCESS, Step::EndProcess, seconds.iter().copied()), &[]).join("")
        };
        assert!(ends(&[0, 30]).contains("more than 1 process ended itself"));
        assert!(ends(&[0, 60, 300]).contains("more than 2 processes ended themselves"));
        assert_eq!(ends(&[0, 60, 360]), "");
        assert!(spent(&[], &[at(0), at(1_000), at(3_600)]).is_empty());
        assert!(spent(&[], &[at(0), at(1_000), at(3_000)])[0].contains("planes were built anew"));
    }

    #[test]
    fn only_what_says_that_the_api_is_away_blames_it() {
        let blames = |cause: &str| {
            let fact = Fact::Withheld {
                cause: format!("restart withheld: {cause}"),
                dependency: "dexscreener".to_owned(),
            };
            line(0, 0, "hot-group", fact).blames("dexscreener")
        };
        assert!(blames("dexscreener has been away for 61 s"));
        assert!(!blames("parts that depend on dexscreener fail together, so it is taken to be away"));
        assert!(!blames("store has been away for 61 s"));
        assert!(!steps("hot-group", Step::Graceful, [0])[0].blames("dexscreener"));
    }

    #[test]
    fn a_step_down_the_ladder_is_detected() {
        let step = |step| Fact::Step { step, charged: true };
        let mut lines = steps("work", Step::Graceful, [0]);
        let later = line(1, 30, "work", step(Step::Emergency));
        let entry = Entry { recovery: lines[0].entry.key, ..later.entry };
        lines.push(Line { entry, ..later });
        assert_eq!(only_climbs(&lines), Ok(()));
        lines.reverse();
        assert!(only_climbs(&lines).is_err());
    }
}
