//! Parts that fail together on one thing: that is taken to be away, and one of them finds out.

use std::time::Duration;

use super::ladder::backoff;
use super::{By, LONGEST_SPREAD, Machine, Moment, Now, Outcome, PartId, Phase, TRIED_BY};

/// Failures that are no further apart have one cause.
pub(super) const TOGETHER: Duration = Duration::from_mins(1);

/// The part that finds out whether something is back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Probe {
    part: PartId,
    /// Since when what it probes is taken to be away.
    since: Moment,
}

impl Machine {
    /// Holds a part back if enough others have failed with it on one dependency; one of those goes on as the probe. Whether it does.
    pub(super) fn hold_back(&mut self, id: PartId, now: Now) -> bool {
        if let Some(on) = self.probed_by_another(id) {
            self.keep_back(id, on, now);
            return true;
        }
        for on in self.parts[id.0].spec.depends_on.iter().filter(|on| !self.probes.contains_key(*on)) {
            let failing = self.failing_together(on, now);
            let others = failing.iter().copied().filter(|other| *other != id);
            let Some(probe) = others.min_by_key(|other| self.parts[other.0].failed_at) else { continue };
            self.probes.insert(on, Probe { part: probe, since: now.moment });
            for other in failing.into_iter().filter(|other| *other != probe) {
                // What is in the middle of a step goes through with it.
                if matches!(self.phase_of(other), Some(Phase::BackingOff(_))) {
                    self.keep_back(other, on, now);
                }
            }
            return true;
        }
        false
    }

    /// What a part depends on, if that is taken to be away and another part finds out whether it is back.
    pub(super) fn probed_by_another(&self, id: PartId) -> Option<&'static str> {
        let is_probed = |on: &&&'static str| self.probes.get(*on).is_some_and(|probe| probe.part != id);
        self.parts[id.0].spec.depends_on.iter().find(is_probed).copied()
    }

    /// The parts that have failed within a minute on one dependency and are not held back, if they are so many that it is to blame.
    fn failing_together(&self, on: &str, now: Now) -> Vec<PartId> {
        let depends = |id: &PartId| self.parts[id.0].spec.depends_on.contains(&on);
        let has_failed = |id: &PartId| {
            let part = &self.parts[id.0];
            let is_held = matches!(self.phase_of(*id), Some(Phase::HeldBack { .. }));
            part.is_failing() && !is_held && part.failed_at.is_some_and(|at| now.moment - at <= TOGETHER)
        };
        let failing: Vec<PartId> = self.ids().filter(depends).filter(has_failed).collect();
        let all = self.ids().filter(depends).count();
        if failing.len() >= TRIED_BY || failing.len() * 2 >= all { failing } else { Vec::new() }
    }

    fn phase_of(&self, id: PartId) -> Option<Phase> {
        self.parts[id.0].repair.as_ref().map(|repair| repair.phase)
    }

    pub(super) fn keep_back(&mut self, id: PartId, on: &'static str, now: Now) {
        let has_begun = self.parts[id.0].repair.as_ref().is_some_and(|repair| repair.rung.is_some());
        self.close(id, if has_begun { Outcome::Failed } else { Outcome::Withdrawn }, now);
        let cause =
            format!("restart withheld: parts that depend on {on} fail together, so it is taken to be away");
        self.wait(id, on, cause, Phase::HeldBack { dependency: on }, now);
    }

    /// A part got on after it had failed: if it was the probe, what it depends on is there, and those that were held back start
    /// again, spread over time.
    pub(super) fn proved(&mut self, id: PartId, now: Now) {
        for (on, _) in self.probed_by(id) {
            self.probes.remove(on);
            for other in self.held_back(on) {
                let spread = self.parts[other.0].spec.interval.min(LONGEST_SPREAD);
                let at = now.moment + spread.mul_f64(share(now.jitter, other));
                self.phase(other, Phase::Resuming(at));
            }
        }
    }

    /// The probe is no more: the first of those that were held back is the next one, and pays for itself.
    pub(super) fn lose_probe(&mut self, id: PartId, now: Now) {
        for (on, Probe { since, .. }) in self.probed_by(id) {
            self.probes.remove(on);
            if let Some(next) = self.held_back(on).first().copied() {
                self.probes.insert(on, Probe { part: next, since });
                let failures = self.parts[next.0].failures;
                let at = now.moment + backoff(failures).mul_f64(now.jitter);
                self.phase(next, Phase::Resuming(at));
            }
        }
    }

    fn probed_by(&self, id: PartId) -> Vec<(&'static str, Probe)> {
        let probes = self.probes.iter().filter(|(_, probe)| probe.part == id);
        probes.map(|(on, probe)| (*on, *probe)).collect()
    }

    /// Whether a part is a probe whose budget is waited for: a harder step cures nothing that is away. But if it is not by the
    /// emergency threshold, it may be no outside fault.
    pub(super) fn probes_patiently(&self, id: PartId, now: Now) -> bool {
        let patience = self.config.settings().emergency_restart_threshold;
        let is_recent = |probe: &Probe| now.moment - probe.since < patience;
        self.probed_by(id).iter().any(|(on, probe)| is_recent(probe) && !self.held_back(on).is_empty())
    }

    fn held_back(&self, on: &'static str) -> Vec<PartId> {
        let is_held = |id: &PartId| self.phase_of(*id) == Some(Phase::HeldBack { dependency: on });
        self.ids().filter(is_held).collect()
    }

    /// A part that was held back is started again: as the next probe, or because the last one has proved that it can, and has
    /// paid for it.
    pub(super) fn resume(&mut self, id: PartId, now: Now) {
        self.end(id, Outcome::Withdrawn, now);
        let is_probe = !self.probed_by(id).is_empty();
        let part = &mut self.parts[id.0];
        let subject = part.spec.name;
        let cause = if is_probe {
            part.failures += 1;
            "it finds out whether what it depends on is back"
        } else {
            "what it depends on is back"
        };
        self.begin(id, subject, cause, By::Service, now);
        if let Some(repair) = &mut self.parts[id.0].repair {
            repair.is_paid = !is_probe;
        }
        self.climb(id, now);
    }
}

/// Spreads parts over `[0, 1)` from one random number: steps of the golden ratio leave even gaps.
fn share(jitter: f64, id: PartId) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a table has a dozen parts")]
    let step = id.0 as f64 * 0.618_033_988_749_895;
    (jitter + step).fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_start_again_at_different_times() {
        let mut shares: Vec<f64> = (0..10).map(|id| share(0.9, PartId(id))).collect();
        shares.sort_by(f64::total_cmp);
        assert!(shares.windows(2).all(|pair| pair[1] - pair[0] > 0.05), "{shares:?}");
        assert!(shares.iter().all(|share| (0.0..1.0).contains(share)));
    }
}
