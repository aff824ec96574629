//! One step of one pair: what is seen of it, what becomes of it, and when time alone changes it next.

use std::time::Duration;

use super::{
    AlertKey, Change, Condition, Ending, Engine, Episode, EpisodeId, Moment, Pair, PairKey, Phase, Reading,
    Seen, Timestamp, Transition, Turn, Window, finite,
};

impl Engine {
    /// A reading for a pair.
    pub(super) fn see(&mut self, key: &PairKey, reading: &Reading, at: Timestamp) {
        let pace = self.pace(key.rule);
        self.paces[pace].restored.remove(key);
        let before = self.due(key);
        let value = match self.rules.rule(key.rule).condition {
            Condition::Rate { window, .. } => self.count(key, reading, window),
            Condition::Threshold { .. } | Condition::Absence { .. } | Condition::Event => reading.value(),
        };
        if *reading == Reading::Gone {
            self.windows.remove(key);
        }
        // What is seen between two evaluations has been observed for no part of the time between them.
        let from = if self.paces[pace].is_evaluating { Duration::ZERO } else { self.paces[pace].interval };
        match (value, reading) {
            (Some(value), _) => self.judge(key, value, at, from),
            (None, Reading::Gone) => self.step(key, [Seen::Gone; 2], None, at, from),
            (None, _) => self.step(key, [Seen::Unknown; 2], None, at, from),
        }
        self.queue(key, before);
    }

    /// Takes up the total of a counter. Gives its growth within the window; `None` without a total, and beyond
    /// [`MOST`](Self::MOST) counters, which is counted.
    fn count(&mut self, key: &PairKey, reading: &Reading, window: Duration) -> Option<f64> {
        let pace = &self.paces[self.pace(key.rule)];
        let total = reading.value();
        if !self.windows.contains_key(key) {
            total?;
            if self.windows.len() >= Self::MOST {
                self.refused += 1;
                return None;
            }
        }
        let base = total.filter(|_| pace.new_rules.contains(&key.rule));
        let new = || Window::from_total(base.unwrap_or(0.0));
        let counter = self.windows.entry(key.clone()).or_insert_with(new);
        counter.is_known = false;
        total.map(|total| {
            counter.count(total, window, pace.observed);
            counter.left(window, pace.observed)
        })
    }

    /// Time has passed for a pair.
    pub(super) fn pass(&mut self, key: &PairKey, at: Timestamp) {
        let before = self.due(key);
        let now = self.paces[self.pace(key.rule)].observed;
        let counter = self.windows.get_mut(key).filter(|counter| counter.is_known);
        match (self.rules.rule(key.rule).condition, counter) {
            (Condition::Rate { window, .. }, Some(counter)) => {
                let value = counter.left(window, now);
                self.judge(key, value, at, Duration::ZERO);
            }
            _ => self.step(key, [Seen::Same; 2], None, at, Duration::ZERO),
        }
        self.queue(key, before);
    }

    fn judge(&mut self, key: &PairKey, value: f64, at: Timestamp, from: Duration) {
        let condition = self.rules.rule(key.rule).condition;
        let (side, limit) = condition.limit();
        let worse = condition.worse().map_or(Seen::Good, |worse| worse.limit.judge(side, value));
        self.step(key, [limit.judge(side, value), worse], Some(value), at, from);
    }

    /// What is seen of both levels; what begins with it counts `from` so long after the observed time.
    fn step(&mut self, key: &PairKey, seen: [Seen; 2], value: Option<f64>, at: Timestamp, from: Duration) {
        let pairs = &mut self.pairs[key.rule.place()];
        let known = pairs.get(&key.labels);
        if known.is_none() && (seen[0] != Seen::Bad || self.active >= Self::MOST) {
            self.refused += u64::from(seen[0] == Seen::Bad);
            return;
        }
        let before = known.cloned().unwrap_or_default();
        let rule = self.rules.rule(key.rule);
        let timing = rule.timing();
        let pace = &self.paces[self.rules.collector_of(key.rule).unwrap_or(self.paces.len() - 1)];
        let now = |seen| if seen == Seen::Unknown { pace.confirmed } else { pace.observed };
        let mut pair = before.clone();
        let change;
        (pair.base, change) = before.base.step(seen[0], timing, now(seen[0]));
        pair.base = pair.base.postponed(before.base, from);
        let (worse, _) = before.worse().step(seen[1], timing, now(seen[1]));
        pair.set_worse(worse.postponed(before.worse(), from));
        pair.value = value.unwrap_or(before.value);
        if change == Some(Change::Fired) {
            self.episodes += 1;
            let id = EpisodeId { epoch: self.epoch, number: self.episodes };
            pair.begin(Episode { id, started: at });
        }
        let (was, is) = (before.severity(rule), pair.severity(rule));
        let turn = change
            .map(|change| turn(change, seen[0]))
            .or((was != is && before.base.phase().fires()).then_some(Turn::Severity));
        let severity = if matches!(turn, Some(Turn::Resolved(_))) { was } else { is };
        self.transitions.extend(turn.map(|turn| Transition {
            key: AlertKey { rule: self.rules.name(key.rule), labels: key.labels.clone() },
            turn,
            episode: pair.episode(),
            severity,
            value: finite(pair.value),
            at,
        }));
        // One step may be two turns: it recovers, and is less severe from now on.
        if was != is && matches!(turn, Some(Turn::Recovering | Turn::Relapsed)) {
            let severity =
                self.transitions.back().map(|first| Transition { turn: Turn::Severity, ..first.clone() });
            self.transitions.extend(severity);
        }
        if pair.base.phase() == Phase::Inactive {
            self.active -= usize::from(pairs.remove(&key.labels).is_some());
        } else {
            self.active += usize::from(pairs.insert(key.labels.clone(), pair).is_none());
        }
    }

    /// When time alone changes a pair, on the clock of its rule.
    fn due(&self, key: &PairKey) -> Option<Moment> {
        let rule = self.rules.rule(key.rule);
        let pair = self.pairs[key.rule.place()].get(&key.labels);
        let own = pair.and_then(|pair: &Pair| pair.due(rule.timing()));
        let Condition::Rate { window, .. } = rule.condition else { return own };
        let growth = self.windows.get(key).and_then(|counter| counter.due(window));
        own.into_iter().chain(growth).min()
    }

    /// Puts a pair where it belongs in the queue.
    fn queue(&mut self, key: &PairKey, before: Option<Moment>) {
        let after = self.due(key);
        let place = self.pace(key.rule);
        let due = &mut self.paces[place].due;
        if before != after {
            if let Some(before) = before {
                due.remove(&(before, key.clone()));
            }
            due.extend(after.map(|after| (after, key.clone())));
        }
    }
}

fn turn(change: Change, seen: Seen) -> Turn {
    match change {
        Change::Pending => Turn::Pending,
        Change::Cancelled => Turn::Cancelled,
        Change::Fired => Turn::Fired,
        Change::Recovering => Turn::Recovering,
        Change::Relapsed => Turn::Relapsed,
        Change::Resolved if seen == Seen::Gone => Turn::Resolved(Ending::Gone),
        Change::Resolved => Turn::Resolved(Ending::Recovered),
    }
}
