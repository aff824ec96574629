//! Another service manager that runs the service on the same store for a while, and the checks of the two processes.
//! The one that does not hold the lease is always called the second, so a takeover swaps the two.

use std::time::Duration;

use ttm_kernel::{Clock, Moment};

use super::state::{RESTART_AFTER, Second, Simulation, State};
use crate::process::{Exit, Process};

impl Simulation<'_> {
    /// Another service manager starts, or continues for longer.
    pub(super) fn begin_second(&mut self, until: Moment) {
        let now = self.executor.now();
        let host = 1 - self.host;
        let second = self.second.get_or_insert_with(|| Second {
            until,
            host,
            number: 0,
            state: State::Down { until: now },
            booted: now,
            held: Vec::new(),
            ended: Vec::new(),
        });
        second.until = second.until.max(until);
    }

    /// When the second service manager acts next.
    pub(super) fn second_due(&self) -> Moment {
        match &self.second {
            Some(Second { state: State::Down { until: boots }, until, .. }) => *boots.min(until),
            // Its exit is checked in every slot.
            Some(Second { state: State::Up(_), until, .. }) if *until > self.executor.now() => *until,
            Some(_) | None => Moment::MAX,
        }
    }

    /// Makes the process that holds the lease the current one.
    pub(super) fn follow_lease(&mut self) {
        let holder = self.world.leases.holder();
        let Some(second) = self.second.as_ref().filter(|second| holder == Some(second.number.into())) else {
            return;
        };
        if matches!(second.state, State::Up(_)) {
            self.executor.runtime().trace(format_args!("process {} took over", second.number));
            self.takeovers += 1;
            self.swap();
        }
    }

    /// Acts as the second service manager.
    pub(super) fn manage_second(&mut self) {
        let now = self.executor.now();
        let Some(Second { until, .. }) = self.second else { return };
        self.swap();
        self.follow_jobs();
        let mut is_over = false;
        match &self.state {
            State::Up(process) => {
                if let Some((at, exit)) = process.exit() {
                    self.judge_exit(process, at, &exit);
                    self.gone(at + RESTART_AFTER);
                    is_over = now >= until;
                } else if now >= until {
                    self.terminate(Duration::MAX);
                }
            }
            State::Stopping { process, since, .. } => {
                if let Some((at, exit)) = process.exit() {
                    self.judge_stop(process, *since, at, &exit);
                    self.gone(Moment::MAX);
                    is_over = true;
                }
            }
            State::Down { .. } if now >= until => is_over = true,
            State::Down { until } if now >= *until => self.boot(),
            State::Down { .. } => {}
        }
        self.swap();
        if is_over {
            self.second = None;
        }
    }

    /// Whether the process ended its start because another one holds the lease; if so, checks that it named the
    /// holder and touched nothing.
    pub(super) fn is_refused(&self, process: &Process, error: &str) -> bool {
        let number = process.number();
        let Some(holder) = self.world.succession.refused_for(number.into()) else { return false };
        if !error.contains(&format!("another process holds the store: process {holder}")) {
            self.verdicts.broken(format_args!(
                "a refusal does not name process {holder}, which holds the lease: {error}"
            ));
        }
        if self.world.touched(number) {
            self.verdicts
                .broken(format_args!("process {number} touched the store although it was refused the lease"));
        }
        true
    }

    /// Whether another process took the lease over from this one, which therefore stops and cannot store what it has
    /// left.
    pub(super) fn is_superseded(&self, process: &Process) -> bool {
        self.world.succession.is_superseded(process.number().into())
    }

    /// Checks that a superseded process stops in time: it learns of the takeover at its next renewal or write.
    pub(super) fn judge_superseded(&self, process: &Process, at: Moment, exit: &Exit) {
        let Exit::Failed(reason, _) = exit else { return };
        if !reason.contains("took over") {
            self.verdicts.broken(format_args!(
                "superseded process {} stops for another reason: {reason}",
                process.number()
            ));
        }
        let thawed = self.held.iter().map(|hold| hold.until).filter(|until| *until <= at).max();
        let since = self.world.succession.granted_at().max(self.faults.lease_was_away(at));
        let since = since.max(thawed.unwrap_or(Moment::ZERO));
        let took = at - since.min(at);
        if took > NOTICED_WITHIN + self.plan.promised.stop_within {
            self.verdicts
                .broken(format_args!("a superseded process stopped {took:?} after it could know that"));
        }
    }

    /// Swaps the current process and the second one.
    fn swap(&mut self) {
        let Some(second) = &mut self.second else { return };
        std::mem::swap(&mut self.host, &mut second.host);
        std::mem::swap(&mut self.number, &mut second.number);
        std::mem::swap(&mut self.state, &mut second.state);
        std::mem::swap(&mut self.booted, &mut second.booted);
        std::mem::swap(&mut self.held, &mut second.held);
        self.fed = self.executor.now();
        std::mem::swap(&mut self.ended, &mut second.ended);
    }
}

/// Two renewals, each with its deadline, and a margin for late timers.
const NOTICED_WITHIN: Duration = Duration::from_secs(21);
