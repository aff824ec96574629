//! New settings for a dispatcher that goes on.

use ttm_kernel::Lane;

use super::Dispatcher;
use crate::DispatchConfig;

impl<K: Copy + Ord> Dispatcher<K> {
    /// Replaces the settings.
    ///
    /// Kept is where every key is: its place in line, its rest or backoff with the time at which it ends, and the turns that
    /// priorities are owed. So no key is lost, asked twice or asked sooner than it was to be. The new settings apply to every
    /// later decision:
    /// - Requests in flight keep their keys. Keys that are asked apart because their batch failed are asked in parts of the new
    ///   size at most.
    /// - Above a lower limit, requests, single questions and full lists stay, and no more are added before there is room.
    /// - A limit that was set by [`set_max_in_flight`](Self::set_max_in_flight) is kept unless the config's own changes.
    /// - Rests and backoffs that begin later have the new length.
    pub fn reconfigure(&mut self, config: DispatchConfig) {
        let settings = config.settings();
        for lane in Lane::ALL {
            self.lines[lane].set_fresh_for(config.fresh_for(lane));
        }
        self.suspects.reconfigure(settings.bad_rest, settings.longest_bad_rest);
        self.shares.reconfigure(settings.floor_percent, settings.activation_percent);
        if settings.max_in_flight != self.config.settings().max_in_flight {
            self.max_in_flight = settings.max_in_flight;
        }
        self.config = config;
    }
}
