//! The port [`ThreadSource`] on `/proc/self/task`: what each thread of this process does, and how
//! much processor time it has used, to ten milliseconds on most kernels.
//!
//! The kernel makes these files up as they are read, so nothing is waited for. What a thread waits in is the name of a function
//! of the kernel, which hardened systems keep to themselves; it is `None` there.

use std::io::{self, Read};
use std::time::Duration;

use procfs::process::{Process, Stat, Task};
use procfs::{FromRead, ProcError, ProcResult};
use rustix::io::Errno;
use ttm_recovery::{ThreadFacts, ThreadSource};

/// The threads of this process.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProcfsThreads;

impl ThreadSource for ProcfsThreads {
    fn threads(&self) -> io::Result<Vec<ThreadFacts>> {
        let mut threads = Vec::new();
        for task in Process::myself().and_then(|this| this.tasks()).map_err(io::Error::other)? {
            match task.and_then(|task| facts(&task)) {
                Ok(facts) => threads.push(facts),
                Err(error) if has_ended(&error) => {}
                Err(error) => return Err(io::Error::other(error)),
            }
        }
        threads.sort_unstable_by_key(|thread| thread.id);
        Ok(threads)
    }
}

fn facts(task: &Task) -> ProcResult<ThreadFacts> {
    let Stat { comm, state, utime, stime, .. } = task.stat()?;
    let waits_in = task.read("wchan").ok().and_then(|Wchan(function)| function);
    let id = task.tid.unsigned_abs();
    Ok(ThreadFacts { id, name: comm, state, waits_in, cpu: from_ticks(utime.saturating_add(stime)) })
}

/// A thread that ends while it is looked at: its folder is gone, or still open with nothing behind it.
fn has_ended(error: &ProcError) -> bool {
    match error {
        ProcError::NotFound(_) => true,
        ProcError::Io(error, _) => error.raw_os_error() == Some(Errno::SRCH.raw_os_error()),
        _ => false,
    }
}

fn from_ticks(ticks: u64) -> Duration {
    let per_second = procfs::ticks_per_second().max(1);
    let nanos = ticks % per_second * 1_000_000_000 / per_second;
    Duration::from_secs(ticks / per_second) + Duration::from_nanos(nanos)
}

/// The function of the kernel that a thread waits in: `0` if it does not wait, or if that is not told.
struct Wchan(Option<String>);

impl FromRead for Wchan {
    fn from_read<R: Read>(mut file: R) -> ProcResult<Self> {
        let mut function = String::new();
        file.read_to_string(&mut function)?;
        let function = function.trim_end();
        Ok(Self((!matches!(function, "" | "0")).then(|| function.to_owned())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_named_only_while_a_thread_waits_in_it() {
        let read = |text: &str| Wchan::from_read(text.as_bytes()).expect("it is text").0;
        assert_eq!(read("futex_wait_queue"), Some("futex_wait_queue".to_owned()));
        assert_eq!((read("0"), read("")), (None, None));
    }

    #[test]
    fn ticks_are_parts_of_a_second() {
        let second = procfs::ticks_per_second();
        assert_eq!(from_ticks(3 * second), Duration::from_secs(3));
        assert_eq!(from_ticks(second / 2), Duration::from_millis(500));
        assert!(from_ticks(u64::MAX) > Duration::from_hours(1));
    }

    #[test]
    fn only_a_thread_that_is_gone_is_left_out() {
        let of = |errno: Errno| ProcError::Io(errno.into(), None);
        assert!(has_ended(&ProcError::NotFound(None)) && has_ended(&of(Errno::SRCH)));
        assert!(!has_ended(&of(Errno::MFILE)) && !has_ended(&ProcError::PermissionDenied(None)));
    }
}
