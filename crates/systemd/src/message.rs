//! The text of a datagram: assignments, one a line. What is not delivered yet is kept, each kind once.

use std::fmt::Write as _;

use ttm_recovery::Notice;

/// systemd cuts nothing off and reads 4,096 bytes; a person reads one line of `systemctl status`.
const LONGEST_STATUS: usize = 240;

/// What must arrive, however long it takes: the start would otherwise never be over for systemd.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pending {
    ready: bool,
    stopping: bool,
    /// The status that was told last or is to be told.
    status: String,
    status_changed: bool,
}

impl Pending {
    /// Adds a notice. Returns the line that is of use only now, or an empty one.
    pub(crate) fn add(&mut self, notice: &Notice) -> String {
        match notice {
            Notice::Ready => self.ready = true,
            Notice::Stopping => self.stopping = true,
            Notice::Status(words) => {
                let status = one_line(words);
                self.status_changed |= status != self.status;
                self.status = status;
            }
            Notice::Extend(by) => return format!("EXTEND_TIMEOUT_USEC={}\n", by.as_micros()),
            Notice::Alive => return "WATCHDOG=1\n".to_owned(),
        }
        String::new()
    }

    /// The lines of everything that waits.
    pub(crate) fn lines(&self) -> String {
        let mut lines = String::new();
        if self.ready {
            lines.push_str("READY=1\n");
        }
        if self.stopping {
            lines.push_str("STOPPING=1\n");
        }
        if self.status_changed {
            // Writing to a string does not fail.
            let _ = writeln!(lines, "STATUS={}", self.status);
        }
        lines
    }

    /// Everything was delivered.
    pub(crate) fn delivered(&mut self) {
        *self = Self { status: std::mem::take(&mut self.status), ..Self::default() };
    }
}

/// A line break would begin the next assignment.
fn one_line(words: &str) -> String {
    let words = words.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let mut line = words.collect::<Vec<_>>().join(" ");
    if line.len() > LONGEST_STATUS {
        line.truncate(line.floor_char_boundary(LONGEST_STATUS - '…'.len_utf8()));
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn status(words: &str) -> Notice {
        Notice::Status(words.to_owned())
    }

    #[test]
    fn what_was_not_delivered_is_said_again_once_and_in_order() {
        let mut pending = Pending::default();
        for notice in [status("starting"), Notice::Ready, Notice::Ready, status("running")] {
            assert_eq!(pending.add(&notice), "");
        }
        assert_eq!(pending.lines(), "READY=1\nSTATUS=running\n");
        pending.delivered();
        assert_eq!(pending.lines(), "");
        assert_eq!(pending.add(&status("running")), "");
        assert_eq!(pending.lines(), "", "the status has not changed");
        assert_eq!(pending.add(&Notice::Stopping), "");
        assert_eq!(pending.lines(), "STOPPING=1\n");
    }

    #[test]
    fn a_status_that_changes_back_before_it_was_delivered_is_still_said() {
        let mut pending = Pending::default();
        pending.add(&status("a"));
        pending.delivered();
        pending.add(&status("b"));
        pending.add(&status("a"));
        assert_eq!(pending.lines(), "STATUS=a\n");
    }

    #[test]
    fn what_counts_only_now_is_not_kept() {
        let mut pending = Pending::default();
        assert_eq!(pending.add(&Notice::Alive), "WATCHDOG=1\n");
        let half_a_minute = Notice::Extend(Duration::from_secs(30));
        assert_eq!(pending.add(&half_a_minute), "EXTEND_TIMEOUT_USEC=30000000\n");
        assert_eq!(pending, Pending::default());
    }

    #[test]
    fn a_status_is_one_line_of_bounded_length() {
        assert_eq!(one_line("degraded:\n\tREADY=1 \u{7} "), "degraded: READY=1");
        for words in ["é".repeat(400), "a".repeat(LONGEST_STATUS + 1)] {
            let line = one_line(&words);
            assert!(line.len() <= LONGEST_STATUS && line.ends_with('…'), "{line}");
        }
        let just = "a".repeat(LONGEST_STATUS);
        assert_eq!(one_line(&just), just);
    }
}
