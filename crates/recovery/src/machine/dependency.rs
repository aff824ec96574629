//! Parts that fail together on one thing: that is taken to be away, and one of them finds out.

use std::time::Duration;

use super::ladder::backoff;
use super::{By, Fact, LONGEST_SPREAD, Machine, Now, Outcome, PartId, Phase, TRIED_BY};

/// Failures that are no further apart have one cause.
pub(super) const TOGETHER: Duration = Duration::from_mins(1);

impl Machine {
    /// Holds a part back if enough others have failed with it on one dependency; one of those goes on as the probe. Whether it does.
    pub(super) fn hold_back(&mut self, id: PartId, now: Now) -> bool {
        for on in self.parts[id.0].spec.depends_on {
            if let Some(probe) = self.probes.get(on) {
                if *probe == id {
                    continue;
                }
                self.keep_back(id, on, now);
                return true;
            }
            let of_it: Vec<PartId> =
                self.ids().filter(|other| self.parts[other.0].spec.depends_on.contains(on)).collect();
            let failing: Vec<PartId> = of_it
                .iter()
                .copied()
                .filter(|other| {
                    let part = &self.parts[other.0];
                    part.is_failing() && part.failed_at.is_some_and(|at| now.moment - at <= TOGETHER)
                })
                .collect();
            if failing.len() < 2 || (failing.len() < TRIED_BY && failing.len() * 2 < of_it.len()) {
                continue;
            }
            let others = failing.iter().copied().filter(|other| *other != id);
            let Some(probe) = others.min_by_key(|other| self.parts[other.0].failed_at) else { continue };
            self.probes.insert(on, probe);
            for other in failing.into_iter().filter(|other| *other != probe) {
                // What is in the middle of a step goes through with it.
                let is_idle = self.parts[other.0]
                    .repair
                    .as_ref()
                    .is_some_and(|repair| matches!(repair.phase, Phase::BackingOff(_)));
                if is_idle {
                    self.keep_back(other, on, now);
                }
            }
            return true;
        }
        false
    }

    fn keep_back(&mut self, id: PartId, on: &'static str, now: Now) {
        self.close(id, Outcome::Withdrawn, now);
        let subject = self.parts[id.0].spec.name;
        let cause =
            format!("restart withheld: parts that depend on {on} fail together, so it is taken to be away");
        let fact = Fact::Withheld { cause: cause.clone(), dependency: on.to_owned() };
        self.wait(id, subject, fact, cause, Phase::HeldBack { dependency: on }, now);
    }

    /// A part got on after it had failed: if it was the probe, what it depends on is there, and those that were held back start
    /// again, spread over time.
    pub(super) fn proved(&mut self, id: PartId, now: Now) {
        let proved: Vec<&'static str> =
            self.probes.iter().filter(|(_, probe)| **probe == id).map(|(on, _)| *on).collect();
        for on in proved {
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
        let lost: Vec<&'static str> =
            self.probes.iter().filter(|(_, probe)| **probe == id).map(|(on, _)| *on).collect();
        for on in lost {
            self.probes.remove(on);
            if let Some(next) = self.held_back(on).first().copied() {
                self.probes.insert(on, next);
                let failures = self.parts[next.0].failures;
                let at = now.moment + backoff(failures).mul_f64(now.jitter);
                self.phase(next, Phase::Resuming(at));
            }
        }
    }

    fn held_back(&self, on: &'static str) -> Vec<PartId> {
        let is_held = |id: &PartId| {
            let repair = self.parts[id.0].repair.as_ref();
            repair.is_some_and(|repair| repair.phase == Phase::HeldBack { dependency: on })
        };
        self.ids().filter(is_held).collect()
    }

    /// A part that was held back is started again: as the next probe, or because the last one has proved that it can, and has
    /// paid for it.
    pub(super) fn resume(&mut self, id: PartId, now: Now) {
        let Some(held) = self.parts[id.0].repair.take() else { return };
        self.end_repair(&held, Outcome::Withdrawn, now);
        let is_probe = self.probes.values().any(|probe| *probe == id);
        let part = &mut self.parts[id.0];
        part.failed_at = Some(now.moment);
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
