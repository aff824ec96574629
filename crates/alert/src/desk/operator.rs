//! What operators order.

use super::{AlertKey, Desk, QuietId};
use crate::message::bounded;
use crate::record::Ack;
use crate::{ChannelId, NotifyConfig, Now, Quiet, RuleSet};

/// There is nothing to acknowledge.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the alert {0} does not fire")]
pub struct NotFiring(pub AlertKey);

impl Desk {
    /// Somebody has seen an alert: it escalates no further as long as it gets no worse. It is repeated, and its end is told, all the
    /// same. Tell the operator so once that is stored.
    ///
    /// # Errors
    /// It does not fire.
    pub fn acknowledge(&mut self, key: &AlertKey, by: &str, now: Now) -> Result<(), NotFiring> {
        let cases = self.subjects.get_mut(key).map(|subject| &mut subject.cases);
        let firing = cases.and_then(|cases| cases.values_mut().rev().find(|case| case.ended.is_none()));
        let case = firing.ok_or_else(|| NotFiring(key.clone()))?;
        case.ack = Some(Ack { by: bounded(by), at: now.wall, severity: case.severity });
        self.unsaved.record(key);
        self.dirty.insert(key.clone());
        Ok(())
    }

    /// A silence or a maintenance window. It is in force at once.
    pub fn silence(&mut self, quiet: Quiet, now: Now) -> QuietId {
        self.newest_quiet += 1;
        let id = QuietId(self.newest_quiet);
        self.unsaved.quiet(id, Some(quiet.clone()));
        self.quiets.insert(id, quiet);
        self.look_at_quiets(now.wall);
        id
    }

    /// Ends a silence or a maintenance window. Says whether there was one.
    pub fn end_silence(&mut self, id: QuietId, now: Now) -> bool {
        let was = self.quiets.remove(&id).is_some();
        if was {
            self.unsaved.quiet(id, None);
        }
        self.look_at_quiets(now.wall);
        was
    }

    /// The silences and maintenance windows, ordered by their ids.
    pub fn silences(&self) -> impl Iterator<Item = (QuietId, &Quiet)> {
        self.quiets.iter().map(|(id, quiet)| (*id, quiet))
    }

    /// Has a channel told of an alert as if it had never been: the message of a dead letter once more, as it is true now. Says
    /// whether there is anything to tell.
    pub fn tell_again(&mut self, key: &AlertKey, channel: &ChannelId) -> bool {
        let Some(subject) = self.subjects.get_mut(key) else { return false };
        for case in subject.cases.values_mut() {
            let told = case.told.entry(channel.clone()).or_default();
            (told.said, told.is_due) = (None, true);
        }
        self.unsaved.record(key);
        self.dirty.insert(key.clone());
        true
    }

    /// Goes on with other rules and settings. Alerts of rules that stay go on; see [`Engine::reconfigure`](crate::Engine::reconfigure).
    pub fn reconfigure(&mut self, rules: RuleSet, config: NotifyConfig, now: Now) {
        self.engine.reconfigure(rules, now.moment, now.wall);
        self.config = config;
        self.hidden.clear();
        self.dirty.extend(self.subjects.keys().cloned());
    }
}
