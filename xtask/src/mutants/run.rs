//! One run of a test program: it passes, or it is ended at its first failing test, or after the longest time.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use anyhow::Result;
use rustix::process::{Pid, Signal, kill_process_group};

/// A mutant may loop forever.
const LONGEST: Duration = Duration::from_mins(2);

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Every test passed.
    Passed,
    Failed,
    /// It was ended after the longest time.
    Endless,
}

pub(super) fn run(tests: &mut Command) -> Result<Outcome> {
    run_for(tests, LONGEST)
}

fn run_for(tests: &mut Command, longest: Duration) -> Result<Outcome> {
    // A group of its own, so that all of it can be ended.
    let mut running = tests.stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0).spawn()?;
    let output = running.stdout.take().expect("standard output is piped");
    let (send, failed) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut lines = BufReader::new(output).split(b'\n').map_while(Result::ok);
            if lines.any(|line| is_failure(&line)) {
                // The receiver waits until this sender is gone, or gives up.
                let _ = send.send(());
            }
        });
        match failed.recv_timeout(longest) {
            Err(RecvTimeoutError::Disconnected) if running.wait()?.success() => Ok(Outcome::Passed),
            Err(RecvTimeoutError::Disconnected) => Ok(Outcome::Failed),
            Err(RecvTimeoutError::Timeout) => end(&mut running).map(|()| Outcome::Endless),
            Ok(()) => end(&mut running).map(|()| Outcome::Failed),
        }
    })
}

/// Whether the harness says that a test failed.
fn is_failure(line: &[u8]) -> bool {
    line.starts_with(b"test ") && line.ends_with(b" ... FAILED")
}

fn end(running: &mut Child) -> Result<()> {
    if let Some(group) = Pid::from_raw(i32::try_from(running.id())?) {
        // It is gone already if it ended at the same moment.
        let _ = kill_process_group(group, Signal::KILL);
    }
    running.wait()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(script: &str, longest: Duration, expected: Outcome) -> Result<()> {
        assert_eq!(run_for(Command::new("sh").args(["-c", script]), longest)?, expected, "{script}");
        Ok(())
    }

    #[test]
    fn a_program_passes_if_no_test_fails_and_it_ends_well() -> Result<()> {
        check("echo 'test a ... ok'; echo 'it FAILED to fail'", LONGEST, Outcome::Passed)?;
        check("exit 101", LONGEST, Outcome::Failed)?;
        check("kill -9 $$", LONGEST, Outcome::Failed)
    }

    #[test]
    fn the_first_failing_test_ends_the_run() -> Result<()> {
        // Without that it would outlast this test, and pass.
        check("echo 'test a ... FAILED'; exec sleep 1000", LONGEST, Outcome::Failed)
    }

    #[test]
    fn a_program_that_never_ends_is_ended_with_all_that_it_started() -> Result<()> {
        check("sleep 1000 & wait", Duration::from_millis(10), Outcome::Endless)
    }
}
