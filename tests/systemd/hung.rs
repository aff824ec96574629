//! A thread that hangs while the rest of its process runs on: it is stopped by a tracer that never lets it go.

use std::fs;
use std::path::PathBuf;
use std::sync::mpsc::channel;

use nix::sys::ptrace;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::service::Service;

/// Has this thread of the service hang until its process is killed.
#[expect(clippy::disallowed_methods, reason = "a thread is traced by the one that began to")]
pub(crate) fn hang(service: &Service, thread: &str) {
    let traced = find(service, thread);
    let (tell, stopped) = channel();
    drop(std::thread::spawn(move || {
        ptrace::seize(traced, ptrace::Options::empty()).expect("root");
        ptrace::interrupt(traced).expect("it is traced");
        let stop = waitpid(traced, Some(WaitPidFlag::__WALL));
        tell.send(stop).expect("it is awaited");
        // Its process is gone only once its tracer has taken note.
        while !matches!(
            waitpid(traced, Some(WaitPidFlag::__WALL)),
            Err(_) | Ok(WaitStatus::Exited(..) | WaitStatus::Signaled(..))
        ) {}
    }));
    stopped.recv().expect("it is traced").expect("it stops");
}

/// The machine's number of a thread of the service.
fn find(service: &Service, thread: &str) -> Pid {
    let inside = format!("/proc/{}/task", service.container.outside(&service.pid()));
    let named =
        |task: &PathBuf| fs::read_to_string(task.join("comm")).is_ok_and(|name| name.trim() == thread);
    let tasks = fs::read_dir(inside).expect("it runs").map(|task| task.expect("a thread").path());
    let task = tasks.into_iter().find(named).unwrap_or_else(|| panic!("no thread is called {thread}"));
    let id = task.file_name().and_then(|id| id.to_str()?.parse().ok()).expect("a number");
    Pid::from_raw(id)
}
