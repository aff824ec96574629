//! A few workers that share a queue of jobs, and results that come in the order of the queue.
//!
//! Knows nothing of what a job is.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use anyhow::Result;

use crate::phase::{Phases, Timed};

/// Has the workers do all jobs. Each result is reported as soon as those of all jobs before it are.
pub(super) fn in_parallel<W: Sync, J: Sync>(
    workers: &[W],
    jobs: &[J],
    phases: &mut Phases,
    name: impl Fn(&J) -> String,
    work: impl Fn(&W, &J) -> Result<()> + Sync,
) {
    let next = AtomicUsize::new(0);
    let (send, results) = mpsc::channel();
    thread::scope(|scope| {
        for worker in workers {
            let (send, next, work) = (send.clone(), &next, &work);
            scope.spawn(move || {
                while let Some((index, job)) = claim(next, jobs) {
                    if send.send((index, Timed::run(|| work(worker, job)))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(send);
        let mut early = BTreeMap::new();
        let mut reported = 0;
        for (index, result) in results {
            early.insert(index, result);
            while let Some(result) = early.remove(&reported) {
                phases.report(&name(&jobs[reported]), result);
                reported += 1;
            }
        }
    });
}

/// The next unclaimed job.
fn claim<'a, J>(next: &AtomicUsize, jobs: &'a [J]) -> Option<(usize, &'a J)> {
    let index = next.fetch_add(1, Ordering::Relaxed);
    jobs.get(index).map(|job| (index, job))
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use anyhow::ensure;

    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_jobs_whichever_finishes_first() {
        // The first job ends only when the second worker has come to the last one.
        let barrier = Barrier::new(2);
        let mut phases = Phases::default();
        let name = |job: &u8| format!("job {job}");
        in_parallel(&["one", "two"], &[0, 1, 2, 3], &mut phases, name, |_, job| {
            if matches!(job, 0 | 3) {
                barrier.wait();
            }
            ensure!(*job != 1, "broken on purpose");
            Ok(())
        });
        let table = phases.table();
        let names: Vec<&str> = table.lines().filter_map(|line| line.get(..5)).collect();
        assert_eq!(names, ["job 0", "job 1", "job 2", "job 3", "total"]);
        assert_eq!(phases.verdict().expect_err("one job failed").to_string(), "failed: job 1");
    }
}
