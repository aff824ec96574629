//! The life of one level: the whole table of transitions, and laws of observed time.

use std::time::Duration;

use proptest::prelude::*;
use ttm_alert::{Change, Phase, Seen, Timing, Track};
use ttm_kernel::Moment;

const TIMING: Timing = Timing { hold: Duration::from_secs(10), keep: Duration::from_secs(20) };

fn at(seconds: u64) -> Moment {
    Moment::from_origin(Duration::from_secs(seconds))
}

/// A track in this phase, of which nothing has been observed yet.
fn in_phase(phase: Phase) -> Track {
    let seen: &[Seen] = match phase {
        Phase::Inactive => &[],
        Phase::Pending => &[Seen::Bad],
        Phase::Firing => return Track::restored(Phase::Firing, Duration::ZERO),
        Phase::Recovering => {
            return Track::restored(Phase::Firing, Duration::ZERO).step(Seen::Good, TIMING, at(0)).0;
        }
    };
    seen.iter().fold(Track::default(), |track, seen| track.step(*seen, TIMING, at(0)).0)
}

/// What a phase does at once, and how it is seen then.
type Row = &'static [(Seen, Phase, Change)];

#[test]
fn each_phase_does_at_once_what_its_row_says() {
    use Change::{Cancelled, Pending, Recovering, Relapsed, Resolved};
    use Seen::{Bad, Between, Gone, Good};
    let table: [(Phase, Row); 4] = [
        (Phase::Inactive, &[(Bad, Phase::Pending, Pending)]),
        (
            Phase::Pending,
            &[
                (Between, Phase::Inactive, Cancelled),
                (Good, Phase::Inactive, Cancelled),
                (Gone, Phase::Inactive, Cancelled),
            ],
        ),
        (Phase::Firing, &[(Good, Phase::Recovering, Recovering), (Gone, Phase::Inactive, Resolved)]),
        (
            Phase::Recovering,
            &[
                (Bad, Phase::Firing, Relapsed),
                (Between, Phase::Firing, Relapsed),
                (Gone, Phase::Inactive, Resolved),
            ],
        ),
    ];
    for (phase, row) in table {
        for seen in Seen::ALL {
            let (track, change) = in_phase(phase).step(seen, TIMING, at(1));
            let expected = row.iter().find(|(known, _, _)| *known == seen);
            let expected = expected.map_or((phase, None), |(_, to, change)| (*to, Some(*change)));
            assert_eq!((track.phase(), change), expected, "{phase}, {seen:?}");
        }
    }
}

#[test]
fn time_alone_fires_what_is_pending_and_resolves_what_recovers() {
    for (phase, seen, needed, change) in [
        (Phase::Pending, Seen::Bad, 10, Change::Fired),
        (Phase::Recovering, Seen::Good, 20, Change::Resolved),
    ] {
        for seen in [seen, Seen::Same] {
            let track = in_phase(phase);
            assert_eq!(track.due(TIMING), Some(at(needed)));
            assert_eq!(track.step(seen, TIMING, at(needed - 1)).1, None);
            assert_eq!(track.step(seen, TIMING, at(needed)).1, Some(change));
        }
    }
}

#[test]
fn without_waits_a_level_fires_and_resolves_at_once() {
    let timing = Timing::default();
    let (track, change) = Track::default().step(Seen::Bad, timing, at(5));
    assert_eq!((track.phase(), change), (Phase::Firing, Some(Change::Fired)));
    let (track, change) = track.step(Seen::Good, timing, at(5));
    assert_eq!((track, change), (Track::default(), Some(Change::Resolved)));
}

/// The pain: a collector that fails resolves what it would have measured.
#[test]
fn false_resolve_on_missing_data() {
    for phase in [Phase::Firing, Phase::Recovering] {
        let (mut track, _) = in_phase(phase).step(Seen::Unknown, TIMING, at(5));
        for second in 6..10_000 {
            let change;
            (track, change) = track.step([Seen::Unknown, Seen::Same][second % 2], TIMING, at(second as u64));
            assert_eq!((track.phase(), change), (phase, None));
        }
    }
}

#[test]
fn missing_data_stops_the_clock_and_keeps_what_was_observed() {
    let (track, _) = in_phase(Phase::Pending).step(Seen::Unknown, TIMING, at(4));
    assert_eq!((track.held(at(1_000)), track.due(TIMING)), (Duration::from_secs(4), None));
    let (track, change) = track.step(Seen::Bad, TIMING, at(1_000));
    assert_eq!((change, track.due(TIMING)), (None, Some(at(1_006))));
}

#[test]
fn the_gap_between_two_processes_counts_nothing() {
    let track = in_phase(Phase::Recovering);
    let held = track.held(at(7));
    let track = Track::restored(track.phase(), held);
    assert_eq!(track.step(Seen::Same, TIMING, at(5_000)).1, None, "nothing was seen yet");
    let (track, change) = track.step(Seen::Good, TIMING, at(5_000));
    assert_eq!((change, track.due(TIMING)), (None, Some(at(5_013))));
}

/// The pain: a value at 69.9 and 70.1 in turn is an alert each time.
#[test]
fn threshold_flapping_at_69_9_and_70_1() {
    let mut track = Track::default();
    let mut changes = Vec::new();
    for second in 0..100_u64 {
        let seen = if second % 2 == 0 { Seen::Bad } else { Seen::Between };
        let change;
        (track, change) = track.step(seen, Timing { hold: Duration::ZERO, ..TIMING }, at(second));
        changes.extend(change);
    }
    assert_eq!(changes, [Change::Fired]);
}

fn any_seen() -> impl Strategy<Value = Seen> {
    prop::sample::select(Seen::ALL.to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// A level fires only after it was seen to be bad for `hold`, and is resolved only after good for `keep` or when it is gone,
    /// counted by a list of everything that was seen.
    #[test]
    fn only_observed_time_counts(steps in prop::collection::vec((any_seen(), 0_u64..8), 1..200)) {
        let (mut track, mut now) = (Track::default(), 0);
        let (mut bad, mut good, mut last) = (0, 0, Seen::Unknown);
        for (seen, later) in steps {
            now += later;
            let seen = if matches!(seen, Seen::Same) { last } else { seen };
            // The time before an evaluation that saw nothing is not on the clock.
            let at_now = if seen == Seen::Unknown { now - later } else { now };
            match (last, seen) {
                (Seen::Bad, Seen::Bad) => bad += later,
                (Seen::Good, Seen::Good) => good += later,
                _ => {}
            }
            let before = track.phase();
            let change;
            (track, change) = track.step(seen, TIMING, at(at_now));
            match change {
                Some(Change::Fired) => prop_assert!(bad >= 10 && seen == Seen::Bad, "{bad}"),
                Some(Change::Resolved) => {
                    prop_assert!(before.fires());
                    prop_assert!(seen == Seen::Gone || good >= 20 && seen == Seen::Good, "{good}");
                }
                _ => prop_assert_eq!(before.fires(), track.phase().fires()),
            }
            if !matches!(seen, Seen::Bad | Seen::Unknown) {
                bad = 0;
            }
            if !matches!(seen, Seen::Good | Seen::Unknown) {
                good = 0;
            }
            last = seen;
        }
    }
}
