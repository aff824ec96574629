//! What counts as a pause of the process, and what it excuses.

use super::*;

const HOT: (Lane, Watched) = (Lane::Hot, Watched::Progress);

fn at(seconds: u64) -> Moment {
    Moment::from_origin(Duration::from_secs(seconds))
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A pulse with a beat at each of these seconds.
fn pulse(beats: impl IntoIterator<Item = u64>) -> Pulse {
    let pulse = Pulse::new(at(0));
    beats.into_iter().for_each(|second| pulse.beat(at(second)));
    pulse
}

#[test]
fn time_that_both_planes_missed_is_a_pause_whichever_resumes_first() {
    assert_eq!(pause(at(11), at(40), &pulse(0..=10)), Some(secs(29)), "the pulse has not resumed yet");
    assert_eq!(pause(at(11), at(40), &pulse((0..=10).chain([40]))), Some(secs(29)), "the pulse was first");
    assert_eq!(pause(at(10), at(40), &pulse((0..=10).chain([39, 40]))), Some(secs(29)));
}

#[test]
fn a_plane_that_is_late_while_the_other_runs_was_not_paused() {
    assert_eq!(pause(at(11), at(40), &pulse(0..=40)), None);
    // The planes were late one after the other, and only partly together.
    assert_eq!(pause(at(11), at(40), &pulse((0..=10).chain(25..=40))), None);
    // The pulse was silent long ago.
    assert_eq!(pause(at(111), at(140), &pulse((0..=10).chain(40..=140))), None);
    assert_eq!(pause(at(11), at(16), &pulse(0..=10)), None, "timers may be late");
}

#[test]
fn the_first_pause_restarts_the_deadline_and_later_ones_extend_it_by_their_length() {
    let mut excuses = Excuses::new(Moment::ZERO);
    assert_eq!(excuses.since(HOT, at(10), at(50)), secs(40));
    excuses.paused(HOT, at(10), secs(20), at(70));
    assert_eq!(excuses.since(HOT, at(10), at(80)), secs(10));
    for resumed in [90, 100, 110] {
        // Six seconds of every ten.
        excuses.paused(HOT, at(10), secs(6), at(resumed));
    }
    assert_eq!(excuses.since(HOT, at(10), at(110)), secs(40 - 18), "the rest of the time it was able to run");
    assert_eq!(
        excuses.since((Lane::Cold, Watched::Progress), at(10), at(110)),
        secs(100),
        "another part is not excused"
    );
}

#[test]
fn progress_after_a_pause_is_not_excused_by_it() {
    let mut excuses = Excuses::new(Moment::ZERO);
    excuses.paused(HOT, at(10), secs(20), at(70));
    assert_eq!(excuses.since(HOT, at(75), at(80)), secs(5));
    excuses.paused(HOT, at(75), secs(20), at(100));
    assert_eq!(excuses.since(HOT, at(75), at(100)), secs(0), "and its own first pause restarts the deadline");
}
