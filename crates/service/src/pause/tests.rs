//! What is a pause of the process, and what it excuses.

use super::*;

const HOT: (Lane, Watched) = (Lane::Hot, Watched::Progress);

fn at(seconds: u64) -> Moment {
    Moment::from_origin(Duration::from_secs(seconds))
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A pulse that beat at each of these seconds.
fn pulse(beats: impl IntoIterator<Item = u64>) -> Pulse {
    let pulse = Pulse::new(at(0));
    beats.into_iter().for_each(|second| pulse.beat(at(second)));
    pulse
}

#[test]
fn what_both_planes_missed_is_a_pause_whichever_looks_first() {
    assert_eq!(pause(at(11), at(40), &pulse(0..=10)), Some(secs(29)), "the pulse has not looked yet");
    assert_eq!(pause(at(11), at(40), &pulse((0..=10).chain([40]))), Some(secs(29)), "the pulse was first");
    assert_eq!(pause(at(10), at(40), &pulse((0..=10).chain([39, 40]))), Some(secs(29)));
}

#[test]
fn a_plane_that_is_late_while_the_other_runs_was_not_paused() {
    assert_eq!(pause(at(11), at(40), &pulse(0..=40)), None);
    // A part of it alone: the planes were late one after the other.
    assert_eq!(pause(at(11), at(40), &pulse((0..=10).chain(25..=40))), None);
    // The pulse was silent long ago.
    assert_eq!(pause(at(111), at(140), &pulse((0..=10).chain(40..=140))), None);
    assert_eq!(pause(at(11), at(16), &pulse(0..=10)), None, "timers may be late");
}

#[test]
fn the_first_pause_gives_all_the_time_anew_and_the_next_ones_their_own() {
    let mut excuses = Excuses::new(Moment::ZERO);
    assert_eq!(excuses.since(HOT, at(10), at(50)), secs(40));
    excuses.paused(HOT, at(10), secs(20), at(70));
    assert_eq!(excuses.since(HOT, at(10), at(80)), secs(10));
    for resumed in [90, 100, 110] {
        // Six seconds of every ten.
        excuses.paused(HOT, at(10), secs(6), at(resumed));
    }
    assert_eq!(excuses.since(HOT, at(10), at(110)), secs(40 - 18), "what it had to run it had");
    assert_eq!(excuses.since((Lane::Cold, Watched::Progress), at(10), at(110)), secs(100), "another's");
}

#[test]
fn what_happened_since_owes_nothing_to_the_pause() {
    let mut excuses = Excuses::new(Moment::ZERO);
    excuses.paused(HOT, at(10), secs(20), at(70));
    assert_eq!(excuses.since(HOT, at(75), at(80)), secs(5));
    excuses.paused(HOT, at(75), secs(20), at(100));
    assert_eq!(excuses.since(HOT, at(75), at(100)), secs(0), "and has its first pause before it");
}
