//! What keeps an alert from being told: every message passes here when it is made and when it is sent.

use std::sync::Arc;

use jiff::Timestamp;

use super::{AlertKey, Case, Desk, Quiet, QuietId};
use crate::Labels;

/// Why nobody is told of an alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hidden {
    /// A silence or a maintenance window.
    Quiet(QuietId),
    /// It is a consequence of this one, in whose message it is listed.
    Consequence(AlertKey),
    /// It keeps changing, and that has been told.
    Flapping,
}

impl Desk {
    /// Why nobody is told of an alert right now; `None` if nothing keeps it from being told.
    pub fn hidden(&self, key: &AlertKey, at: Timestamp) -> Option<Hidden> {
        let subject = self.subjects.get(key)?;
        let (_, case) = subject.cases.last_key_value()?;
        let is_told = subject.is_flapping && !case.is_notice;
        self.hides(key, case, at).or(is_told.then_some(Hidden::Flapping))
    }

    /// What keeps a case from being told, other than that it keeps changing.
    pub(super) fn hides(&self, key: &AlertKey, case: &Case, at: Timestamp) -> Option<Hidden> {
        let mut on = self.quiet_now.iter().filter_map(|id| Some((id, self.quiets.get(id)?)));
        let is_silenced = |(_, quiet): &(&QuietId, &Quiet)| quiet.silences(key, case.severity, at);
        if let Some((id, _)) = on.find(is_silenced) {
            return Some(Hidden::Quiet(*id));
        }
        self.engine.cause(key).map(Hidden::Consequence)
    }

    /// Which silences and windows are on. What they kept from being told is looked at when one is not on any more.
    pub(super) fn look_at_quiets(&mut self, at: Timestamp) {
        let on = self.quiets.iter().filter(|(_, quiet)| quiet.is_on(at)).map(|(id, _)| *id).collect();
        if !self.quiet_now.is_subset(&on) {
            self.release(|_| true);
        }
        self.quiet_now = on;
        let over: Vec<QuietId> =
            self.quiets.iter().filter(|(_, quiet)| quiet.is_over(at)).map(|(id, _)| *id).collect();
        for id in over {
            self.quiets.remove(&id);
            self.unsaved.quiet(id, None);
        }
    }

    /// A cause is gone: what was hidden as its consequence is looked at.
    pub(super) fn release_consequences(&mut self, cause: &AlertKey) {
        let rules = Arc::clone(self.engine.rules());
        let Some(rule) = rules.find(&cause.rule) else { return self.release(|_| true) };
        for consequence in rules.inhibited_by(rule) {
            let name = rules.name(*consequence);
            let first = AlertKey::new(Arc::clone(&name), Labels::none());
            let of_rule = self.hidden.range(first..).take_while(|key| key.rule == name);
            let released: Vec<AlertKey> =
                of_rule.filter(|key| key.labels.agree(&cause.labels)).cloned().collect();
            for key in released {
                self.hidden.remove(&key);
                self.dirty.insert(key);
            }
        }
    }

    pub(super) fn release(&mut self, which: impl Fn(&AlertKey) -> bool) {
        self.dirty.extend(self.hidden.extract_if(.., which));
    }
}
