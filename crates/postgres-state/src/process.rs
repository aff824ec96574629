//! Identifies this process, and tells whether another one is still alive.
//!
//! A process id alone is not enough: ids are reused, start over at each boot, and are separate in each container. So a process
//! is identified by boot, namespace, id and start time.

use std::fs;

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

/// A process on some machine; a field is empty if the system does not provide it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) host: String,
    pub(crate) boot: String,
    pub(crate) namespace: String,
    pub(crate) pid: i32,
    /// In ticks since the boot.
    pub(crate) started: i64,
}

impl Process {
    pub(crate) fn this() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
        let namespace = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
        let pid = i32::try_from(std::process::id()).unwrap_or_default();
        Self {
            host: read("/proc/sys/kernel/hostname"),
            boot: read("/proc/sys/kernel/random/boot_id"),
            namespace: namespace.to_string_lossy().into_owned(),
            pid,
            started: stat(pid).map_or(0, |(_, started)| started),
        }
    }

    /// Whether `other` is still alive. Unknown for another machine, boot or namespace, and for a process that must not be
    /// inspected.
    pub(crate) fn lives(&self, other: &Self) -> Option<bool> {
        let comparable = !self.boot.is_empty() && !self.namespace.is_empty() && other.started > 0;
        if !comparable || (&self.boot, &self.namespace) != (&other.boot, &other.namespace) {
            return None;
        }
        if test_kill_process(Pid::from_raw(other.pid)?) == Err(Errno::SRCH) {
            return Some(false);
        }
        // Another process has the id now, or it is a zombie.
        stat(other.pid).map(|(state, started)| started == other.started && !matches!(state, 'Z' | 'X'))
    }
}

/// The state and start time of a process. Its name may contain anything, and ends at the last parenthesis.
fn stat(pid: i32) -> Option<(char, i64)> {
    let line = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = line.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?.chars().next()?;
    // The start time is the twenty-second field, the state the third.
    let started = fields.nth(18)?.parse().ok()?;
    Some((state, started))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_and_one_with_another_start_time_is_dead() {
        let this = Process::this();
        assert!(this.started > 0 && !this.boot.is_empty(), "{this:?}");
        assert_eq!(this.lives(&this), Some(true));
        assert_eq!(this.lives(&Process { started: this.started + 1, ..this.clone() }), Some(false));
    }

    #[test]
    fn nothing_is_known_of_another_boot_or_namespace() {
        let this = Process::this();
        let gone = Process { started: this.started + 1, ..this.clone() };
        assert_eq!(this.lives(&Process { boot: "another".to_owned(), ..gone.clone() }), None);
        assert_eq!(this.lives(&Process { namespace: "another".to_owned(), ..gone.clone() }), None);
        assert_eq!(this.lives(&Process { started: 0, ..gone }), None);
    }

    #[test]
    fn a_process_that_has_ended_is_dead_before_and_after_its_parent_reaps_it() {
        let mut child = std::process::Command::new("true").spawn().expect("a program that ends");
        let pid = i32::try_from(child.id()).expect("a process id");
        let (_, started) = stat(pid).expect("it is there until it is waited for");
        let this = Process::this();
        let other = Process { pid, started, ..this.clone() };
        child.wait().expect("it ends");
        assert_eq!(this.lives(&other), Some(false));
    }
}
