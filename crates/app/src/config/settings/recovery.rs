//! The section `[recovery]`.

use ttm_recovery::{RecoveryConfig, RecoverySettings};

use super::reader::Reader;
use crate::config::{Key, Origin};

impl Reader<'_> {
    pub(super) fn recovery(&mut self) -> Option<RecoveryConfig> {
        let max_restart_attempts = self.integer("recovery.max_restart_attempts");
        let restart_cooldown = self.duration("recovery.restart_cooldown");
        let max_restarts_per_hour = self.integer("recovery.max_restarts_per_hour");
        let graceful_shutdown_timeout = self.duration("recovery.graceful_shutdown_timeout");
        let emergency_restart_threshold = self.duration("recovery.emergency_restart_threshold");
        let settings = RecoverySettings {
            max_restart_attempts: max_restart_attempts?,
            restart_cooldown: restart_cooldown?,
            max_restarts_per_hour: max_restarts_per_hour?,
            graceful_shutdown_timeout: graceful_shutdown_timeout?,
            emergency_restart_threshold: emergency_restart_threshold?,
        };
        let before = self.errors.len();
        let config = self.checked("recovery", RecoveryConfig::try_new(settings));
        // A default can only be wrong beside what was set: that is the place to mend.
        for error in self.errors.iter_mut().skip(before).filter(|error| error.origin == Origin::Default) {
            let others = ["recovery.max_restart_attempts", "recovery.graceful_shutdown_timeout"];
            let other =
                others.into_iter().filter_map(Key::find).find(|key| error.message.contains(key.split().1));
            if let Some(other) = other {
                error.origin = self.values.get(other.name).map_or(Origin::Default, |(_, origin)| origin);
            }
        }
        config
    }
}
