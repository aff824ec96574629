//! A thread that hangs while the rest of its process runs on: it is stopped by a tracer that never lets it go.

use std::fs;
use std::path::PathBuf;
use std::sync::mpsc::channel;

use nix::sys::ptrace;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::service::Service;

/// Has all threads of the service with this name hang until its process is killed.
pub(crate) fn hang(service: &Service, name: &str) {
    let threads = find(service, name);
    assert!(!threads.is_empty(), "no thread is called {name}");
    threads.into_iter().for_each(stop);
}

#[expect(clippy::disallowed_methods, reason = "a thread is traced by the one that began to")]
fn stop(traced: Pid) {
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

/// The machine's numbers of threads of the service that do not hang yet.
fn find(service: &Service, name: &str) -> Vec<Pid> {
    let tasks = format!("/proc/{}/task", service.container.outside(&service.pid()));
    let tasks = fs::read_dir(tasks).expect("it runs").map(|task| task.expect("a thread").path());
    let named = |task: &PathBuf| fs::read_to_string(task.join("comm")).is_ok_and(|comm| comm.trim() == name);
    let runs = |task: &PathBuf| {
        fs::read_to_string(task.join("status")).is_ok_and(|status| status.contains("TracerPid:\t0\n"))
    };
    let number = |task: PathBuf| task.file_name()?.to_str()?.parse().ok().map(Pid::from_raw);
    tasks.filter(named).filter(runs).filter_map(number).collect()
}
