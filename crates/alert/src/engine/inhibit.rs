//! What is a consequence of what.

use super::{AlertKey, Engine};

impl Engine {
    /// The alert that this one is a consequence of right now, if one of them fires.
    pub fn cause(&self, key: &AlertKey) -> Option<AlertKey> {
        let rule = self.rules.find(&key.rule)?;
        let inhibitors = self.rules.inhibitors_of(rule).iter();
        inhibitors.filter(|inhibitor| !self.pairs[inhibitor.place()].is_empty()).find_map(|inhibitor| {
            // With all of its labels known there is one alert to look at, however many fire.
            let labels = match key.labels.only(self.rules.label_keys(*inhibitor)) {
                Some(labels) => {
                    let pair = self.pairs[inhibitor.place()].get(&labels);
                    pair.filter(|pair| pair.base.phase().fires()).map(|_| labels)
                }
                None => self
                    .firing(*inhibitor)
                    .map(|(labels, ..)| labels)
                    .find(|it| it.agree(&key.labels))
                    .cloned(),
            };
            labels.map(|labels| AlertKey { rule: self.rules.name(*inhibitor), labels })
        })
    }

    /// The alerts that fire as consequences of this one, at first hand. `left` is how many alerts may be looked at for that, and
    /// is counted down.
    pub(crate) fn consequences(&self, cause: &AlertKey, left: &mut usize) -> Vec<AlertKey> {
        let mut found = Vec::new();
        let rules = self.rules.find(&cause.rule).map_or(&[][..], |rule| self.rules.inhibited_by(rule));
        for rule in rules {
            let pairs = &self.pairs[rule.place()];
            let key = |labels| AlertKey { rule: self.rules.name(*rule), labels };
            if let Some(labels) = cause.labels.only(self.rules.label_keys(*rule)) {
                *left = left.saturating_sub(1);
                let fires = pairs.get(&labels).is_some_and(|pair| pair.base.phase().fires());
                found.extend(fires.then(|| key(labels)));
                continue;
            }
            let looked = pairs.iter().take(*left);
            *left -= looked.len();
            let firing = looked.filter(|(_, pair)| pair.base.phase().fires()).map(|(labels, _)| labels);
            found.extend(firing.filter(|labels| labels.agree(&cause.labels)).cloned().map(key));
        }
        found
    }
}
