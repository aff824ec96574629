//! What an evaluation costs, and what an alert takes of memory, while very many alerts fire.
//!
//! Times are processor time of the thread: of the wall clock, other load on the machine would have its share. The desk's owner is
//! not in them, which measures, records, and sends. Memory is what the allocator has given out and not got back, with labels of
//! 28 bytes, which come in their order: so nodes of B-trees are as empty as they can be.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::ops::Range;
use std::time::Duration;

use ttm_alert::{Engine, Labels, Measurement};
use ttm_bench::{Bound, Figure, Figures, Scenario, Shown};
use ttm_kernel::{Epoch, Moment};

use crate::desk::{EVERY, Worked, found, processor_time, rules};

pub(crate) const EVALUATION: Scenario =
    Scenario { name: "100,000 alerts, 1,000 changed facts", play: evaluation };
pub(crate) const MEMORY: Scenario = Scenario { name: "memory of 100,000 alerts", play: memory };

/// What an evaluation may take, and what of it without others having their turn.
const WHOLE: Bound = Bound::AtMost(5.0);
const SLICE: Bound = Bound::AtMost(1.0);

const ALERTS: usize = 100_000;
const CHANGED: usize = 1_000;
/// How many are measured, after so many that are not: by then, alerts that have begun fire, and those that have ended are over.
const EVALUATIONS: usize = 100;
const WARM_UP: usize = 10;

/// A series with labels, a rule with two levels, and more causes that inhibit it than any other has.
const SERIES: &str = "data.stale_percent";
const WELL: f64 = 1.0;
const BAD: f64 = 20.0;

fn labels(fact: usize) -> [(&'static str, String); 2] {
    let lane = if fact.is_multiple_of(2) { "hot" } else { "cold" };
    [("api", format!("exchange-{:05}", fact / 2)), ("lane", lane.to_owned())]
}

fn facts(range: Range<usize>, value: f64) -> Vec<Measurement> {
    let fact = |fact| found(SERIES, &labels(fact).each_ref().map(|(key, value)| (*key, &**value)), value);
    range.map(fact).collect()
}

/// A desk on which all alerts fire, and everybody knows.
fn crowded() -> Worked {
    let mut worked = Worked::new(&["ops"]);
    worked.evaluate(&facts(0..ALERTS, BAD));
    worked.tell();
    for _ in 0..WARM_UP {
        worked.pass(EVERY);
        worked.evaluate(&[]);
        worked.tell();
    }
    assert_eq!((worked.desk.engine().active(), worked.desk.is_saved()), (ALERTS, true), "all fire");
    worked
}

/// What was measured in some evaluations.
#[derive(Default)]
struct Spent {
    evaluations: Vec<Duration>,
    tellings: Vec<Duration>,
    slices: Vec<Duration>,
}

impl Spent {
    /// Evaluates what each round finds, and tells what follows from it.
    fn of(worked: &mut Worked, shown: &dyn Fn(usize), found: impl Fn(usize) -> Vec<Measurement>) -> Self {
        let mut spent = Self::default();
        for round in 0..WARM_UP + EVALUATIONS {
            shown(round);
            let found = found(round);
            worked.pass(EVERY);
            worked.slices.clear();
            worked.evaluate(&found);
            let evaluation = std::mem::take(&mut worked.slices);
            worked.tell();
            let telling = std::mem::take(&mut worked.slices);
            if round >= WARM_UP {
                spent.evaluations.push(evaluation.iter().sum());
                spent.tellings.push(telling.iter().sum());
                spent.slices.extend(evaluation.into_iter().chain(telling));
            }
        }
        spent
    }
}

#[expect(clippy::unnecessary_wraps, reason = "scenarios may fail")]
fn evaluation(shown: Shown<'_>) -> Figures {
    // Counting would slow down what allocates.
    let mut measured = None;
    allocation_counter::opt_out(|| {
        shown("all of them begin to fire");
        let mut worked = crowded();
        let of =
            |what: &'static str| move |round| shown(&format!("{what}, {round} of {}", WARM_UP + EVALUATIONS));
        let values = Spent::of(&mut worked, &of("values"), |round| {
            let first = round * CHANGED % ALERTS;
            facts(first..first + CHANGED, BAD + 0.1 * (round + 1) as f64)
        });
        let turns = Spent::of(&mut worked, &of("turns"), |round| {
            let (half, new) = (CHANGED / 2, ALERTS + round * CHANGED / 2);
            let mut found = facts(round * half..(round + 1) * half, WELL);
            found.extend(facts(new..new + half, BAD));
            found
        });
        measured = Some((values, turns));
    });
    let (values, turns) = measured.expect("it was measured");
    Ok(vec![
        milliseconds("values change: an evaluation, median", &values.evaluations, 50).bound(WHOLE),
        milliseconds("values change: an evaluation, 99th percentile", &values.evaluations, 99).bound(WHOLE),
        milliseconds("values change: a slice, 99th percentile", &values.slices, 99),
        milliseconds("values change: a slice, maximum", &values.slices, 100).bound(SLICE),
        milliseconds("half end, half begin: an evaluation, median", &turns.evaluations, 50).bound(WHOLE),
        milliseconds("half end, half begin: an evaluation, 99th", &turns.evaluations, 99).bound(WHOLE),
        milliseconds("half end, half begin: telling, median", &turns.tellings, 50),
        milliseconds("half end, half begin: telling, 99th", &turns.tellings, 99),
        milliseconds("half end, half begin: a slice, 99th", &turns.slices, 99),
        milliseconds("half end, half begin: a slice, maximum", &turns.slices, 100).bound(SLICE),
        milliseconds("a walk over 100,000 values in a map, median", &walks(), 50),
    ])
}

/// What every evaluation would cost at the least, if it looked at everything that fires.
fn walks() -> Vec<Duration> {
    let all: BTreeMap<Labels, f64> = facts(0..ALERTS, BAD).into_iter().map(|it| (it.labels, BAD)).collect();
    let walk = |_| {
        let begun = processor_time();
        black_box(black_box(&all).values().filter(|value| **value > BAD).count());
        processor_time().saturating_sub(begun)
    };
    (0..EVALUATIONS).map(walk).collect()
}

#[expect(clippy::unnecessary_wraps, reason = "scenarios may fail")]
fn memory(shown: Shown<'_>) -> Figures {
    shown("all of them begin to fire");
    let engine = each(|| {
        let mut engine = Engine::new(rules(), Epoch::new(1), Moment::ZERO);
        for round in 0..WARM_UP {
            engine.begin("health", Moment::from_origin(EVERY * u32::try_from(round).expect("small")));
            for fact in facts(0..if round == 0 { ALERTS } else { 0 }, BAD) {
                engine.handle(&fact).expect("the series is one of the rules");
            }
            engine.end("health");
            while engine.poll(CHANGED, facts(0..1, BAD)[0].at) {}
            while engine.poll_transition().is_some() {}
        }
        assert_eq!(engine.active(), ALERTS, "all fire");
        engine
    });
    let desk = each(crowded);
    let map = each(|| {
        facts(0..ALERTS, BAD).into_iter().map(|it| (it.labels, BAD)).collect::<BTreeMap<Labels, f64>>()
    });
    Ok(vec![
        Figure::new("a rule and labels that fire, in the engine", engine, "B").bound(Bound::AtMost(200.0)),
        Figure::new("the same, and who was told of it, in the desk", desk, "B"),
        Figure::new("its labels and a value, in a map", map, "B"),
    ])
}

/// The bytes that are left for each of all alerts.
fn each<T>(make: impl FnOnce() -> T) -> f64 {
    let mut all = None;
    let bytes = allocation_counter::measure(|| all = Some(make())).bytes_current;
    drop(all);
    bytes as f64 / ALERTS as f64
}

/// Of as many percent of these times as that, the longest.
fn milliseconds(name: &'static str, times: &[Duration], percent: usize) -> Figure {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let time = sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)];
    Figure::new(name, time.as_secs_f64() * 1e3, "ms")
}
