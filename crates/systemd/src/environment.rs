//! What systemd tells a service through its environment. Read once; everything else gets it as a value.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// The variables of `sd_notify(3)`, `sd_watchdog_enabled(3)` and `sd_listen_fds(3)`, as they were found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// `NOTIFY_SOCKET`: where notices go. `None` outside systemd.
    pub notify_socket: Option<OsString>,
    /// `WATCHDOG_USEC`: how long systemd waits for a ping.
    pub watchdog_usec: Option<OsString>,
    /// `WATCHDOG_PID`: the process that is to ping. Any if it is absent.
    pub watchdog_pid: Option<OsString>,
    /// `LISTEN_FDNAMES`: the names of the descriptors that were passed, with colons between them.
    pub descriptor_names: Option<OsString>,
    /// `STATE_DIRECTORY`: the folders for what outlives the service, with colons between them.
    pub state_folders: Option<OsString>,
}

impl Environment {
    /// That of this process.
    #[expect(clippy::disallowed_methods, reason = "systemd speaks to a service through its environment")]
    pub fn read() -> Self {
        Self {
            notify_socket: std::env::var_os("NOTIFY_SOCKET"),
            watchdog_usec: std::env::var_os("WATCHDOG_USEC"),
            watchdog_pid: std::env::var_os("WATCHDOG_PID"),
            descriptor_names: std::env::var_os("LISTEN_FDNAMES"),
            state_folders: std::env::var_os("STATE_DIRECTORY"),
        }
    }

    /// The time that the process with this id has for each ping. `None` if systemd waits for none, or for another process's.
    pub(crate) fn watchdog(&self, pid: u32) -> Option<Duration> {
        let number = |text: &OsString| text.to_str().and_then(|text| text.parse::<u64>().ok());
        let is_ours = self.watchdog_pid.as_ref().is_none_or(|of| number(of) == Some(pid.into()));
        let micros = self.watchdog_usec.as_ref().and_then(number)?;
        (is_ours && micros > 0).then(|| Duration::from_micros(micros))
    }

    /// The first folder for what outlives the service.
    pub fn state_folder(&self) -> Option<PathBuf> {
        let first = self.state_folders.as_ref()?.to_str()?.split(':').next()?;
        (!first.is_empty()).then(|| first.into())
    }

    /// The place of the descriptor with this name among those that were passed.
    pub(crate) fn place_of(&self, name: &str) -> Option<usize> {
        self.descriptor_names.as_ref()?.to_str()?.split(':').position(|each| each == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watched(usec: Option<&str>, pid: Option<&str>) -> Option<Duration> {
        let (watchdog_usec, watchdog_pid) = (usec.map(Into::into), pid.map(Into::into));
        Environment { watchdog_usec, watchdog_pid, ..Environment::default() }.watchdog(7)
    }

    #[test]
    fn the_first_state_folder_counts() {
        let folder = |given: Option<&str>| {
            Environment { state_folders: given.map(Into::into), ..Environment::default() }.state_folder()
        };
        assert_eq!(folder(Some("/var/lib/ttm:/var/lib/other")), Some("/var/lib/ttm".into()));
        assert_eq!((folder(Some("")), folder(None)), (None, None));
    }

    #[test]
    fn only_the_named_process_is_watched_and_only_for_a_positive_time() {
        let minute = Some(Duration::from_mins(1));
        assert_eq!(watched(Some("60000000"), Some("7")), minute);
        assert_eq!(watched(Some("60000000"), None), minute);
        for (usec, pid) in [
            (None, Some("7")),
            (Some("60000000"), Some("8")),
            (Some("60000000"), Some("")),
            (Some("60000000"), Some("seven")),
            (Some("0"), Some("7")),
            (Some("-1"), Some("7")),
            (Some("60s"), None),
        ] {
            assert_eq!(watched(usec, pid), None, "{usec:?} {pid:?}");
        }
    }

    #[test]
    fn a_descriptor_is_found_by_its_whole_name() {
        let place = |names: Option<&str>| {
            let descriptor_names = names.map(Into::into);
            Environment { descriptor_names, ..Environment::default() }.place_of("http")
        };
        assert_eq!(place(Some("http")), Some(0));
        assert_eq!(place(Some("metrics:https:http")), Some(2));
        for names in [None, Some(""), Some("https"), Some("unknown")] {
            assert_eq!(place(names), None, "{names:?}");
        }
    }
}
