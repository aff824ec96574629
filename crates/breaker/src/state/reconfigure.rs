//! New settings for a machine that goes on.

use ttm_kernel::Moment;

use super::{Machine, Mode};
use crate::window::CallWindow;
use crate::{BreakerSettings, TransitionReason};

impl Machine {
    /// Replaces the settings; [`Breaker::reconfigure`](crate::Breaker::reconfigure) says what is kept.
    pub(crate) fn reconfigure(&mut self, settings: BreakerSettings, jitter: f64, now: Moment) {
        if settings == self.settings {
            return;
        }
        let now = now.max(self.newest);
        self.newest = now;
        self.suppressed_until = Moment::ZERO;
        let same_window =
            self.settings.rates.map(|rates| rates.window) == settings.rates.map(|rates| rates.window);
        self.window = settings.rates.as_ref().map(|rates| match self.window.take().filter(|_| same_window) {
            Some(mut window) => {
                window.make_room(rates);
                window
            }
            None => CallWindow::new(rates, now),
        });
        self.probes.reconfigure(settings.half_open_max_calls, settings.probe_lease);
        self.settings = settings;
        match self.mode {
            Mode::Open { .. } | Mode::HalfOpen if self.settings.metrics_only => {
                self.close(TransitionReason::Reconfigured, now);
            }
            // A lower limit may leave no place for a probe that would decide it later.
            Mode::HalfOpen => self.judge_recovery(jitter, now),
            Mode::Closed | Mode::Open { .. } | Mode::ForcedOpen | Mode::Disabled => {}
        }
    }
}
