//! Which priority gets the next turn: the most urgent, unless another is owed its floor. Each earns its share of every turn,
//! as in deficit round robin, so that no priority starves whatever the others want.

use crate::Priority;

/// A turn, in the unit that shares are counted in.
const TURN: u32 = 1_000_000;
/// Turns that candidates for activation may save up, so that one that comes after a while goes at once.
const SAVED: u32 = 3 * TURN;

/// What each priority has earned and not spent.
///
/// Laws: (1) a priority that can use every turn gets its floor of any long run of turns, less two turns; (2) if none is
/// owed a turn, the most urgent gets it; (3) a turn that any priority can use is used.
#[derive(Clone, Debug)]
pub(crate) struct Shares {
    floor: u32,
    activation: u32,
    owed: [u32; 4],
}

impl Shares {
    pub(crate) fn new(floor_percent: f64, activation_percent: f64) -> Self {
        Self { floor: share(floor_percent), activation: share(activation_percent), owed: [0; 4] }
    }

    /// Replaces the shares. What each priority has earned is kept.
    pub(crate) fn reconfigure(&mut self, floor_percent: f64, activation_percent: f64) {
        (self.floor, self.activation) = (share(floor_percent), share(activation_percent));
    }

    /// The priority that gets a turn, of those that can use it.
    pub(crate) fn choose(&mut self, can: [bool; 4]) -> Option<Priority> {
        let chosen = self.pick(can)?;
        for priority in Priority::ALL {
            let owed = &mut self.owed[priority.index()];
            if priority == Priority::Activation {
                *owed = (*owed + self.activation).min(SAVED);
            } else if can[priority.index()] {
                // Several may be owed a turn at once, and then take them in a row.
                *owed = (*owed + self.floor).min(2 * TURN);
            } else {
                *owed = 0;
            }
        }
        let owed = &mut self.owed[chosen.index()];
        *owed = owed.saturating_sub(TURN);
        Some(chosen)
    }

    fn pick(&self, can: [bool; 4]) -> Option<Priority> {
        let able = |priority: &Priority| can[priority.index()];
        let owed = |priority: &Priority| self.owed[priority.index()];
        let due = Priority::ALL.into_iter().filter(able).filter(|priority| owed(priority) >= TURN);
        // Of two that are owed the same the more urgent comes first: the last of equal maxima wins, so from behind.
        if let Some(due) = due.rev().max_by_key(owed) {
            return Some(due);
        }
        let [first, lower @ ..] = Priority::ALL;
        lower.into_iter().chain([first]).find(able)
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share is between 0 and 100")]
fn share(percent: f64) -> u32 {
    (percent / 100.0 * f64::from(TURN)).ceil() as u32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn turns(shares: &mut Shares, can: [bool; 4], turns: u32) -> [u32; 4] {
        let mut got = [0; 4];
        for _ in 0..turns {
            got[shares.choose(can).expect("one can").index()] += 1;
        }
        got
    }

    #[test]
    fn in_a_crowd_the_hot_line_gets_what_the_floors_leave() {
        let mut shares = Shares::new(5.0, 10.0);
        let [activation, hot, cold, background] = turns(&mut shares, [true; 4], 10_000);
        assert!((998..=1_003).contains(&activation), "{activation}");
        assert!((499..=501).contains(&cold) && (499..=501).contains(&background), "{cold} {background}");
        assert!(hot >= 7_990, "{hot}");
    }

    #[test]
    fn a_turn_that_no_other_can_use_goes_to_the_one_that_can() {
        let mut shares = Shares::new(5.0, 10.0);
        for only in Priority::ALL {
            let mut can = [false; 4];
            can[only.index()] = true;
            assert_eq!(turns(&mut shares, can, 100)[only.index()], 100);
        }
        assert_eq!(shares.choose([false; 4]), None);
    }

    #[test]
    fn a_candidate_for_activation_goes_before_the_hot_line() {
        let mut shares = Shares::new(5.0, 10.0);
        turns(&mut shares, [false, true, false, false], 100);
        let crowd = [true, true, true, true];
        assert_eq!(
            [(); 4].map(|()| shares.choose(crowd)),
            [
                Some(Priority::Activation),
                Some(Priority::Activation),
                Some(Priority::Activation),
                Some(Priority::Hot),
            ]
        );
    }

    proptest! {
        #[test]
        fn a_priority_that_can_use_every_turn_gets_its_floor(
            others in prop::collection::vec(any::<[bool; 4]>(), 100..400), always in 1_usize..4,
        ) {
            let mut shares = Shares::new(5.0, 10.0);
            let mut got = 0_u32;
            for (number, mut can) in others.into_iter().enumerate() {
                can[always] = true;
                got += u32::from(shares.choose(can).map(Priority::index) == Some(always));
                let floor = (number + 1) as f64 * 0.05;
                prop_assert!(f64::from(got) >= floor - 2.0, "{got} of {} turns", number + 1);
            }
        }
    }
}
