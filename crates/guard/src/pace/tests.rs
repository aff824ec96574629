//! Single turns, and laws over many.

use proptest::prelude::*;

use super::*;

const SPACING: Duration = Duration::from_millis(200);

fn at(millis: u64) -> Moment {
    Moment::from_origin(Duration::from_millis(millis))
}

fn pace() -> Pace {
    Pace::new(SPACING, Duration::from_mins(1), Duration::from_secs(5))
}

fn take(pace: &mut Pace, now: Moment) -> Moment {
    pace.take(now, Moment::MAX).expect("there is no deadline").at
}

#[test]
fn turns_are_evenly_spaced_and_none_is_saved_up() {
    let mut pace = pace();
    assert_eq!([0, 0, 10].map(|now| take(&mut pace, at(now))), [at(0), at(200), at(400)]);
    assert_eq!([10_000, 10_000].map(|now| take(&mut pace, at(now))), [at(10_000), at(10_200)]);
    assert_eq!(pace.take(at(10_000), at(10_400)), Err(at(10_400)));
    assert_eq!(take(&mut pace, at(10_000)), at(10_400), "a turn that was refused is not lost");
}

#[test]
fn a_turn_that_comes_as_late_as_the_next_one_is_over() {
    let mut pace = pace();
    let turn = pace.take(at(1_000), Moment::MAX).expect("there is no deadline");
    assert!(pace.holds(turn, at(1_199)) && !pace.holds(turn, at(1_200)));
    pace.slow_down(at(1_050), at(1_050));
    assert!(!pace.holds(turn, at(1_199)));
}

#[test]
fn a_429_halves_the_rate_once_for_all_that_was_under_way_and_it_grows_back_evenly() {
    let mut pace = pace();
    for late in [0, 100, 400] {
        pace.slow_down(at(1_000 + late), at(5_000));
    }
    assert_eq!(take(&mut pace, at(2_000)), at(5_000));
    assert_eq!(take(&mut pace, at(5_000)), at(5_400));
    for (seconds, share) in [(5, 0.5), (20, 0.75), (35, 1.0), (90, 1.0)] {
        assert!((pace.share(at(seconds * 1_000)) - share).abs() < 1e-9, "{share} after {seconds} s");
    }
    pace.slow_down(at(20_000), at(20_000));
    assert_eq!(take(&mut pace, at(20_000)), at(21_000), "whatever the upstream asks for");
    assert!((pace.share(at(21_000)) - 0.375).abs() < 1e-9);
    for again in 1..50 {
        pace.slow_down(at(20_000 + 5_000 * again), at(20_000 + 5_000 * again));
    }
    assert!(pace.share(at(265_000)) >= LEAST, "never to nothing");
}

#[test]
fn answers_of_attempts_that_outlast_the_pause_are_no_news() {
    let mut pace = pace();
    for late in [0, 1_100, 2_500, 4_999] {
        pace.slow_down(at(10_000 + late), at(11_000 + late));
    }
    assert!((pace.left - CUT).abs() < 1e-9, "{}", pace.left);
    assert_eq!(pace.pause(at(15_500)), Some(at(15_999)), "each of them pauses");
    pace.slow_down(at(16_000), at(17_000));
    assert!(pace.left < CUT, "this one was asked since");
}

#[test]
fn fifty_callers_that_gave_up_delay_no_other() {
    let mut pace = pace();
    take(&mut pace, at(0));
    let given_up: Vec<Slot> =
        (0..50).map(|_| pace.take(at(0), Moment::MAX).expect("there is no deadline")).collect();
    // Those in the middle first: one that is left keeps its turn, and the others go between.
    let kept = given_up[30];
    given_up.iter().filter(|slot| **slot != kept).for_each(|slot| pace.give_back(*slot));
    let next: Vec<Moment> = (0..50).map(|_| take(&mut pace, at(50))).collect();
    let others = (1..=51).map(|turn| at(200 * turn)).filter(|turn| *turn != kept.at);
    assert_eq!(next, others.collect::<Vec<_>>());
    assert_eq!(kept.at, at(6_200));
}

#[test]
fn a_turn_from_before_a_429_that_is_given_back_after_it_is_lost() {
    let mut pace = pace();
    let given_up: Vec<Slot> =
        (0..10).map(|_| pace.take(at(0), Moment::MAX).expect("there is no deadline")).collect();
    pace.slow_down(at(10), at(10));
    // Somebody still waits for the last one, and the next comes after that.
    for slot in &given_up[..9] {
        pace.give_back(*slot);
    }
    assert_eq!(take(&mut pace, at(1_500)), at(2_000));
    assert!(take(&mut pace, at(1_500)) >= at(2_000) + SPACING.div_f64(0.6), "at the slower pace");
}

#[test]
fn a_process_goes_on_where_the_one_before_was_and_its_first_turn_comes_after_a_spacing() {
    let mut before = pace();
    before.slow_down(at(1_000), at(21_000));
    let saved = before.save(at(2_000));
    assert_eq!(saved, SavedRate { share: 0.5, paused_for: Duration::from_secs(19) });
    let resumed = |elapsed| {
        let mut pace = pace();
        pace.resume(saved, Duration::from_secs(elapsed), at(3));
        pace
    };
    assert_eq!(take(&mut resumed(4), at(3)), at(15_003), "the pause goes on");
    let mut after = resumed(34);
    assert!((after.share(at(3)) - 0.75).abs() < 1e-9, "it grew back since the pause ended");
    assert_eq!(take(&mut after, at(3)), at(3) + SPACING.div_f64(0.75));
    let mut whole = pace();
    whole.resume(SavedRate::default(), Duration::ZERO, at(3));
    assert_eq!([3, 3].map(|now| take(&mut whole, at(now))), [at(203), at(403)]);
    let mut nonsense = pace();
    nonsense.resume(SavedRate { share: f64::NAN, ..SavedRate::default() }, Duration::MAX, at(3));
    assert_eq!(take(&mut nonsense, at(3)), at(203));
}

#[test]
fn turns_that_wait_are_kept_at_a_quicker_pace_and_taken_anew_at_a_slower_one() {
    let (recovery, attempt) = (Duration::from_mins(1), Duration::from_secs(5));
    let reconfigured = |spacing_ms, now| {
        let mut pace = pace();
        let taken: Vec<Slot> =
            (0..5).map(|_| pace.take(at(0), Moment::MAX).expect("there is no deadline")).collect();
        pace.reconfigure(Duration::from_millis(spacing_ms), recovery, attempt, at(now));
        (pace, taken)
    };
    let (mut quicker, taken) = reconfigured(50, 300);
    assert!(quicker.holds(taken[2], at(400)));
    assert_eq!([0, 0].map(|_| take(&mut quicker, at(300))), [at(1_000), at(1_050)]);
    let (mut slower, taken) = reconfigured(1_000, 300);
    assert!(!slower.holds(taken[2], at(400)));
    slower.give_back(taken[3]);
    assert_eq!([0, 0].map(|_| take(&mut slower, at(300))), [at(1_300), at(2_300)]);
    // All have come: the last of them, at 800 ms, is the one to keep away from.
    let (mut quicker, _) = reconfigured(50, 810);
    assert_eq!(take(&mut quicker, at(810)), at(850));
    let (mut slower, _) = reconfigured(1_000, 810);
    assert_eq!(take(&mut slower, at(810)), at(1_800));
}

#[test]
fn a_turn_from_before_a_slower_pace_that_is_given_back_at_a_quicker_one_is_lost() {
    let (recovery, attempt) = (Duration::from_mins(1), Duration::from_secs(5));
    let mut pace = pace();
    let given_up: Vec<Slot> =
        (0..5).map(|_| pace.take(at(0), Moment::MAX).expect("there is no deadline")).collect();
    pace.reconfigure(Duration::from_secs(1), recovery, attempt, at(300));
    // It is wide enough for this pace, but the turn at 400 ms would be given twice.
    pace.reconfigure(Duration::from_millis(100), recovery, attempt, at(300));
    pace.give_back(given_up[2]);
    assert_eq!([0, 0].map(|_| take(&mut pace, at(300))), [at(400), at(500)]);
}

#[test]
fn a_pause_and_the_share_that_is_left_outlive_other_settings() {
    let mut pace = pace();
    let attempt = Duration::from_secs(5);
    pace.slow_down(at(0), at(10_000));
    pace.reconfigure(Duration::from_millis(100), Duration::from_mins(2), attempt, at(1_000));
    assert_eq!(pace.pause(at(1_000)), Some(at(10_000)));
    assert!((pace.share(at(10_000)) - 0.5).abs() < 1e-9);
    assert!((pace.share(at(40_000)) - 0.75).abs() < 1e-9, "a quarter in half a minute");
    pace.reconfigure(SPACING, Duration::from_mins(1), attempt, at(40_000));
    assert_eq!(pace.pause(at(40_000)), None);
    assert!((pace.share(at(40_000)) - 0.75).abs() < 1e-9);
    assert!((pace.share(at(55_000)) - 1.0).abs() < 1e-9, "a quarter in 15 seconds");
}

proptest! {
    #[test]
    fn lives_that_follow_each_other_keep_the_pace_together(lives in prop::collection::vec(1_u64..3_000, 1..60)) {
        let (mut born, mut turns) = (0, Vec::new());
        for lasts in lives {
            let mut pace = pace();
            pace.resume(SavedRate::default(), Duration::ZERO, at(born));
            let dies = at(born + lasts);
            turns.extend(std::iter::from_fn(|| pace.take(at(born), dies).ok().map(|slot| slot.at)));
            born += lasts;
        }
        prop_assert!(turns.windows(2).all(|two| two[1] - two[0] >= SPACING), "{turns:?}");
    }

    #[test]
    fn turns_keep_their_distance_and_none_is_lost_whichever_callers_give_up(
        steps in prop::collection::vec((0_u64..400, any::<Option<prop::sample::Index>>()), 1..400),
    ) {
        let (mut pace, mut now) = (pace(), 0);
        let mut waiting: Vec<Slot> = Vec::new();
        let mut used: Vec<Moment> = Vec::new();
        for (wait, gives_up) in steps {
            now += wait;
            used.extend(waiting.extract_if(.., |slot| slot.at <= at(now)).map(|slot| slot.at));
            match gives_up {
                Some(index) if !waiting.is_empty() => {
                    pace.give_back(waiting.swap_remove(index.index(waiting.len())));
                }
                _ => {
                    let slot = pace.take(at(now), Moment::MAX).expect("there is no deadline");
                    let ahead = waiting.iter().filter(|other| other.at < slot.at).count();
                    let ahead = u32::try_from(ahead).unwrap_or(u32::MAX);
                    // Only callers that still wait are ahead of it.
                    prop_assert!(slot.at <= at(now) + SPACING * (ahead + 1), "{slot:?} behind {ahead}");
                    waiting.push(slot);
                }
            }
        }
        used.extend(waiting.into_iter().map(|slot| slot.at));
        used.sort();
        prop_assert!(used.windows(2).all(|two| two[1] - two[0] >= SPACING), "{used:?}");
    }

    #[test]
    fn turns_that_are_used_are_as_far_apart_as_was_set_when_they_were_used(
        steps in prop::collection::vec((0_u64..100, prop::option::weighted(0.1, 1_u64..300)), 1..200),
    ) {
        let (mut pace, mut now, mut spacing, mut pace_of) = (pace(), 0, SPACING, SPACING);
        let mut waiting: Vec<Slot> = Vec::new();
        let mut last_used: Option<Moment> = None;
        for (wait, other_spacing) in steps {
            // Whoever waits comes at its turn, to the millisecond, and takes another if it does not hold.
            let mut used = Vec::new();
            for _ in 0..wait {
                now += 1;
                for slot in waiting.extract_if(.., |slot| slot.at <= at(now)).collect::<Vec<_>>() {
                    if pace.holds(slot, at(now)) {
                        used.push(at(now));
                    } else {
                        let slot = pace.take(at(now), Moment::MAX).expect("there is no deadline");
                        if slot.at <= at(now) { used.push(at(now)) } else { waiting.push(slot) }
                    }
                }
            }
            if let Some(millis) = other_spacing {
                (spacing, pace_of) = (Duration::from_millis(millis), spacing);
                pace.reconfigure(spacing, Duration::from_mins(1), Duration::from_secs(5), at(now));
            } else {
                let slot = pace.take(at(now), Moment::MAX).expect("there is no deadline");
                if slot.at <= at(now) { used.push(at(now)) } else { waiting.push(slot) }
            }
            for turn in used {
                prop_assert!(last_used.is_none_or(|last| turn - last >= pace_of));
                last_used = Some(turn);
            }
            pace_of = spacing;
        }
    }

    #[test]
    fn no_minute_holds_more_turns_than_the_rate(
        steps in prop::collection::vec((0_u64..2_000, prop::option::weighted(0.05, 0_u64..30_000)), 1..600),
    ) {
        let (mut pace, mut now) = (pace(), 0);
        let mut turns: Vec<Moment> = Vec::new();
        for (wait, too_many) in steps {
            now += wait / 10;
            if let Some(pause) = too_many {
                pace.slow_down(at(now), at(now + pause));
            }
            let turn = take(&mut pace, at(now));
            prop_assert!(pace.pause(at(now)).is_none_or(|until| turn >= until));
            prop_assert!(turns.last().is_none_or(|last| turn - *last >= SPACING));
            turns.push(turn);
        }
    }
}
