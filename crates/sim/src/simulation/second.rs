//! Another service manager that runs the service on the same store for a while: what it does, and what is held against the
//! two of them. The one of the two processes that has not got the store is always the second one.

use std::time::Duration;

use ttm_kernel::{Clock, Moment};

use super::state::{RESTART_AFTER, Second, Simulation, State};
use crate::process::{Exit, Process};

impl Simulation<'_> {
    /// Another service manager begins, or goes on for longer.
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
            part_ended: None,
        });
        second.until = second.until.max(until);
    }

    /// When there is something to do for it.
    pub(super) fn second_due(&self) -> Moment {
        match &self.second {
            Some(Second { state: State::Down { until: boots }, until, .. }) => *boots.min(until),
            // Its exit is looked for in every slot.
            Some(Second { state: State::Up(_), until, .. }) if *until > self.executor.now() => *until,
            Some(_) | None => Moment::MAX,
        }
    }

    /// The process that got the store is the present one from now on.
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

    /// Does what the other service manager does.
    pub(super) fn manage_second(&mut self) {
        let now = self.executor.now();
        let Some(Second { until, .. }) = self.second else { return };
        self.swap();
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

    /// Whether the process ended its start because another one has the store, as it had to, and touched nothing.
    pub(super) fn is_refused(&self, process: &Process, error: &str) -> bool {
        let number = process.number();
        let Some(holder) = self.world.succession.refused_for(number.into()) else { return false };
        if !error.contains(&format!("another process holds the store: process {holder}")) {
            self.verdicts
                .broken(format_args!("a refusal does not say that process {holder} has the store: {error}"));
        }
        if self.world.touched(number) {
            self.verdicts.broken(format_args!("process {number} touched a store that it was refused"));
        }
        true
    }

    /// Whether another process has got the store from this one, which therefore stops, and cannot store what it has left.
    pub(super) fn is_superseded(&self, process: &Process) -> bool {
        self.world.succession.is_superseded(process.number().into())
    }

    /// A superseded process is told so by its next attempt to renew, or to write.
    pub(super) fn judge_superseded(&self, process: &Process, at: Moment, exit: &Exit) {
        let Exit::Failed(reason, _) = exit else { return };
        if !reason.contains("took over") {
            self.verdicts.broken(format_args!("process {} says why it stops: {reason}", process.number()));
        }
        let thawed = self.held.iter().map(|hold| hold.until).filter(|until| *until <= at).max();
        let since = self.world.succession.granted_at().max(self.faults.lease_was_away(at));
        let since = since.max(thawed.unwrap_or(Moment::ZERO));
        let took = at - since.min(at);
        if took > TOLD_WITHIN + self.plan.promised.stop_within {
            self.verdicts.broken(format_args!("a superseded process stopped {took:?} after it could know"));
        }
    }

    /// Changes the places of the two.
    fn swap(&mut self) {
        let Some(second) = &mut self.second else { return };
        std::mem::swap(&mut self.host, &mut second.host);
        std::mem::swap(&mut self.number, &mut second.number);
        std::mem::swap(&mut self.state, &mut second.state);
        std::mem::swap(&mut self.booted, &mut second.booted);
        std::mem::swap(&mut self.held, &mut second.held);
        std::mem::swap(&mut self.ended, &mut second.ended);
        std::mem::swap(&mut self.part_ended, &mut second.part_ended);
    }
}

/// Two renewals, each with its deadline, and a little for late timers.
const TOLD_WITHIN: Duration = Duration::from_secs(21);
