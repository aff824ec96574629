//! A schedule as one line of text: `at 2h for 20m api-503; at 5h for 10s kill; at 6h for 0s wall-step=-1h`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::SignedDuration;
use jiff::fmt::friendly::{Spacing, SpanParser, SpanPrinter};

use super::{
    Channel, ChannelFault, ExchangeFault, Fault, FaultKind, FaultSchedule, JobFault, Part, Percent,
    StoreFault, StoreTable,
};
use crate::Plane;

const PRINTER: SpanPrinter = SpanPrinter::new().spacing(Spacing::None);
const PARSER: SpanParser = SpanParser::new();

/// A part of a line that is not a valid fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{part:?} is not a valid fault; expected e.g. `at 2h for 20m api-503`")]
pub struct InvalidSchedule {
    part: String,
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Exchange(fault) => return fault.fmt(f),
            Self::Store(table, fault) => return write!(f, "{}-{fault}", table.as_str()),
            Self::Job(fault) => return fault.fmt(f),
            Self::Channel(channel, fault) => return write!(f, "{}-{fault}", channel.name()),
            Self::PlaneStalls(plane) => return write!(f, "plane-stalls={}", plane_word(*plane)),
            Self::PartPanics(part) => return write!(f, "part-panics={}", part.name()),
            Self::PartEnds(part) => return write!(f, "part-ends={}", part.name()),
            Self::ResourcesUnknown => "resources-unknown",
            Self::Kill => "kill",
            Self::Terminate => "terminate",
            Self::Freeze => "freeze",
            Self::SecondProcess => "second-process",
            Self::WallStep(by) => {
                let sign = if by.is_negative() { "-" } else { "" };
                return write!(f, "wall-step={sign}{}", PRINTER.duration_to_string(&by.abs()));
            }
        })
    }
}

impl fmt::Display for StoreFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gone => "gone",
            Self::Hang => "hang",
            Self::LostAcks => "lost-acks",
            Self::Full => "full",
            Self::Busy => "busy",
            Self::ReadOnly => "read-only",
            Self::NoRight => "no-right",
            Self::Unexpected => "unexpected",
            Self::Corrupt => "corrupt",
            Self::Rejects(share) => return write!(f, "rejects={share}%"),
        })
    }
}

impl fmt::Display for ExchangeFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unavailable => "api-503",
            Self::ServerError(status) => return write!(f, "api-{status}"),
            Self::Forbidden => "api-403",
            Self::Hang => "api-hang",
            Self::SlowDrip => "api-drip",
            Self::Truncated => "api-truncated",
            Self::TooLarge => "api-too-large",
            Self::WrongType => "api-wrong-type",
            Self::Limited(None) => "api-429",
            Self::Limited(Some(seconds)) => return write!(f, "api-429={seconds}s"),
            Self::Nulls => "api-nulls",
            Self::FlakyNulls(share) => return write!(f, "api-flaky-nulls={share}%"),
            Self::EmptyBatch(share) => return write!(f, "api-empty-batch={share}%"),
            Self::HalfBatch => "api-half",
            Self::Delisted(share) => return write!(f, "api-delisted={share}%"),
            Self::Poison(share) => return write!(f, "api-poison={share}%"),
            Self::Stale(seconds) => return write!(f, "api-stale={seconds}s"),
            Self::ExtraPairs => "api-extra-pairs",
            Self::BadPairs(share) => return write!(f, "api-bad-pairs={share}%"),
            Self::Sparse => "api-sparse",
        })
    }
}

impl FromStr for FaultKind {
    type Err = InvalidSchedule;

    fn from_str(text: &str) -> Result<Self, InvalidSchedule> {
        let invalid = || InvalidSchedule { part: text.to_owned() };
        if let Some(api) = text.strip_prefix("api-") {
            return exchange(api).map(Self::Exchange).ok_or_else(invalid);
        }
        let of_store = StoreTable::EACH.iter().find_map(|table| {
            let fault = text.strip_prefix(table.as_str())?.strip_prefix('-')?;
            Some(Self::Store(*table, store(fault)?))
        });
        if let Some(fault) = of_store {
            return Ok(fault);
        }
        let of_channel = Channel::ALL.into_iter().find_map(|channel| {
            let fault = text.strip_prefix(channel.name())?.strip_prefix('-')?;
            Some(Self::Channel(channel, ChannelFault::parse(fault)?))
        });
        if let Some(fault) = of_channel {
            return Ok(fault);
        }
        Ok(match text.split_once('=').unwrap_or((text, "")) {
            ("plane-stalls", word) => Self::PlaneStalls(plane(word).ok_or_else(invalid)?),
            ("part-panics", word) => Self::PartPanics(Part::parse(word).ok_or_else(invalid)?),
            ("part-ends", word) => Self::PartEnds(Part::parse(word).ok_or_else(invalid)?),
            ("resources-unknown", "") => Self::ResourcesUnknown,
            ("kill", "") => Self::Kill,
            ("terminate", "") => Self::Terminate,
            ("freeze", "") => Self::Freeze,
            ("second-process", "") => Self::SecondProcess,
            ("wall-step", by) => Self::WallStep(PARSER.parse_duration(by).map_err(|_| invalid())?),
            (kind, word) => Self::Job(JobFault::parse(kind, word).ok_or_else(invalid)?),
        })
    }
}

fn plane_word(plane: Plane) -> &'static str {
    match plane {
        Plane::Main => "main",
        Plane::Work => "work",
        Plane::Supervision => "supervision",
        Plane::Io => "io",
    }
}

fn plane(word: &str) -> Option<Plane> {
    Plane::ALL.into_iter().find(|plane| plane_word(*plane) == word)
}

/// Parses the fault after the name of a table.
fn store(text: &str) -> Option<StoreFault> {
    Some(match text.split_once('=').unwrap_or((text, "")) {
        ("gone", "") => StoreFault::Gone,
        ("hang", "") => StoreFault::Hang,
        ("lost-acks", "") => StoreFault::LostAcks,
        ("full", "") => StoreFault::Full,
        ("busy", "") => StoreFault::Busy,
        ("read-only", "") => StoreFault::ReadOnly,
        ("no-right", "") => StoreFault::NoRight,
        ("unexpected", "") => StoreFault::Unexpected,
        ("corrupt", "") => StoreFault::Corrupt,
        ("rejects", share) => StoreFault::Rejects(percent(share)?),
        _ => return None,
    })
}

/// Parses the fault after `api-`.
fn exchange(text: &str) -> Option<ExchangeFault> {
    Some(match text.split_once('=').unwrap_or((text, "")) {
        ("503", "") => ExchangeFault::Unavailable,
        ("403", "") => ExchangeFault::Forbidden,
        ("hang", "") => ExchangeFault::Hang,
        ("drip", "") => ExchangeFault::SlowDrip,
        ("truncated", "") => ExchangeFault::Truncated,
        ("too-large", "") => ExchangeFault::TooLarge,
        ("wrong-type", "") => ExchangeFault::WrongType,
        ("429", "") => ExchangeFault::Limited(None),
        ("429", after) => ExchangeFault::Limited(Some(seconds(after)?)),
        ("nulls", "") => ExchangeFault::Nulls,
        ("flaky-nulls", share) => ExchangeFault::FlakyNulls(percent(share)?),
        ("empty-batch", share) => ExchangeFault::EmptyBatch(percent(share)?),
        ("half", "") => ExchangeFault::HalfBatch,
        ("delisted", share) => ExchangeFault::Delisted(percent(share)?),
        ("poison", share) => ExchangeFault::Poison(percent(share)?),
        ("stale", age) => ExchangeFault::Stale(seconds(age)?),
        ("extra-pairs", "") => ExchangeFault::ExtraPairs,
        ("bad-pairs", share) => ExchangeFault::BadPairs(percent(share)?),
        ("sparse", "") => ExchangeFault::Sparse,
        (status, "") => {
            let status = status.parse().ok().filter(|status| (500..600).contains(status))?;
            ExchangeFault::ServerError(status)
        }
        _ => return None,
    })
}

impl fmt::Display for FaultSchedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, Fault { at, lasts, kind }) in self.faults().iter().enumerate() {
            let separator = if i == 0 { "" } else { "; " };
            let [at, lasts] = [at, lasts].map(|time| PRINTER.unsigned_duration_to_string(time));
            write!(f, "{separator}at {at} for {lasts} {kind}")?;
        }
        Ok(())
    }
}

impl FromStr for FaultSchedule {
    type Err = InvalidSchedule;

    fn from_str(line: &str) -> Result<Self, InvalidSchedule> {
        let parts = line.split(';').map(str::trim).filter(|part| !part.is_empty());
        parts.map(fault).collect::<Result<_, _>>().map(Self::new)
    }
}

fn fault(part: &str) -> Result<Fault, InvalidSchedule> {
    let invalid = || InvalidSchedule { part: part.to_owned() };
    let words: Vec<&str> = part.split_whitespace().collect();
    let ["at", at, "for", lasts, kind] = words[..] else { return Err(invalid()) };
    let (at, lasts) = duration(at).zip(duration(lasts)).ok_or_else(invalid)?;
    Ok(Fault { at, lasts, kind: kind.parse()? })
}

fn duration(text: &str) -> Option<Duration> {
    PARSER.parse_duration(text).ok().and_then(|time: SignedDuration| time.try_into().ok())
}

fn seconds(text: &str) -> Option<u32> {
    duration(text).and_then(|time| u32::try_from(time.as_secs()).ok())
}

fn percent(text: &str) -> Option<Percent> {
    text.strip_suffix('%')?.parse().ok().filter(|share| *share <= 100)
}

#[cfg(test)]
mod tests {
    use ttm_xoshiro_entropy::SeededEntropy;

    use super::super::Swarm;
    use super::*;

    #[test]
    fn a_schedule_reads_like_a_sentence() {
        let line = "at 2h for 20m api-503; at 5h for 10s kill; at 5h30m for 0s wall-step=-1h; at 6h for 1500ms api-429=30s";
        let schedule: FaultSchedule = line.parse().expect("valid");
        assert_eq!(schedule.faults().len(), 4);
        assert_eq!(schedule.faults()[2].kind, FaultKind::WallStep(SignedDuration::from_hours(-1)));
        assert_eq!(schedule.to_string().parse(), Ok(schedule.clone()));
        assert_eq!(schedule.to_string(), line.replace("1500ms", "1s500ms"));
    }

    #[test]
    fn every_drawn_schedule_round_trips_through_its_line() {
        for seed in 0..200 {
            let schedule = Swarm::default().draw(&SeededEntropy::new(seed));
            assert_eq!(schedule.to_string().parse(), Ok(schedule));
        }
    }

    #[test]
    fn every_kind_round_trips_through_its_text() {
        for word in [
            "api-503 api-500 api-502 api-520 api-403 api-hang api-drip api-truncated api-too-large api-wrong-type",
            "api-429 api-429=20s api-nulls api-flaky-nulls=30% api-empty-batch=0% api-half api-delisted=100%",
            "api-stale=30s api-poison=3% api-extra-pairs api-bad-pairs=5% api-sparse store-gone store-hang store-lost-acks",
            "store-full store-busy store-read-only tokens-no-right events-corrupt samples-rejects=5% breakers-gone",
            "lease-gone second-process resources-unknown kill terminate freeze plane-stalls=work plane-stalls=supervision",
            "part-panics=token-writer part-ends=work wall-step=-1h tokens-unexpected recoveries-gone plane-stalls=io",
            "part-hangs=api part-spins=sources part-panics-always=monitor requests-hang=hot requests-hang=cold",
            "requests-hang=all requests-spin requests-panic=cold answers-panic leaks",
            "ops-down ops-hangs phone-mute phone-refuses ops-limited=30s alerts-full",
        ]
        .iter()
        .flat_map(|words| words.split(' '))
        {
            assert_eq!(word.parse::<FaultKind>().expect(word).to_string(), word);
        }
    }

    #[test]
    fn an_invalid_fault_is_named_in_the_error() {
        for (line, part) in [
            ("at 2h for 20m", "at 2h for 20m"),
            ("at 2h for 20m api-418", "api-418"),
            ("at 2h for 20m api-flaky-nulls", "api-flaky-nulls"),
            ("at 2h for 20m api-delisted=101%", "api-delisted=101%"),
            ("at 2h for 20m api-half=30%", "api-half=30%"),
            ("at 2h for 20m tokens-sick", "tokens-sick"),
            ("at 2h for 20m part-ends=all", "part-ends=all"),
            ("at 2h for 20m plane-stalls=sky", "plane-stalls=sky"),
            ("at 2h for 20m part-hangs=all", "part-hangs=all"),
            ("at 2h for 20m requests-hang", "requests-hang"),
            ("at 2h for 20m leaks=5", "leaks=5"),
            ("at 2h for 20m answers-panic=hot", "answers-panic=hot"),
            ("at 2h for -5m kill", "at 2h for -5m kill"),
            ("at 1h for 1s kill; at 2h for 1s wall-step=soon", "wall-step=soon"),
        ] {
            assert_eq!(line.parse::<FaultSchedule>(), Err(InvalidSchedule { part: part.to_owned() }));
        }
    }
}
