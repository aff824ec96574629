//! When something was ill.

use ttm_kernel::Moment;

/// Times in which something of any process was ill.
#[derive(Debug, Default)]
pub(super) struct Illness {
    /// In the order of their beginnings; those that touch are one.
    pub(super) spells: Vec<(Moment, Moment)>,
    /// How many of the tasks that were struck are among them.
    pub(super) seen: usize,
    /// How many answers on which a process panicked are among them.
    pub(super) panics: usize,
    /// Since when the hot group got nowhere because its requests panicked, and when the last of them did that shows it.
    pub(super) fruitless: Vec<(Moment, Moment)>,
}

impl Illness {
    pub(super) fn note(&mut self, from: Moment, to: Moment) {
        match self.spells.last_mut() {
            Some((_, until)) if from <= *until => *until = to.max(*until),
            _ => self.spells.push((from, to)),
        }
    }

    /// When something was last ill, at that moment or before.
    pub(super) fn last(&self, at: Moment) -> Option<Moment> {
        let begun = self.spells.iter().rev().find(|(from, _)| *from <= at);
        begun.map(|(_, until)| at.min(*until))
    }

    /// Whether something was ill between the two.
    pub(super) fn any_between(&self, from: Moment, to: Moment) -> bool {
        self.spells.iter().any(|(began, until)| *began <= to && from <= *until)
    }
}
