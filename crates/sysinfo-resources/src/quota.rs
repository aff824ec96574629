//! How much processor time the process may use: `sysinfo` knows how many processors there are, and not what of them this process gets.

use std::fs;
use std::path::{Path, PathBuf};

/// Where control groups are mounted.
const ROOT: &str = "/sys/fs/cgroup";

/// Processors, as a number that need not be whole: the least of those that the process is scheduled on, and of the quotas of its control group
/// and of all groups around that. `None` if nothing can be read.
pub(crate) fn processors() -> Option<f64> {
    let scheduled = rustix::thread::sched_getaffinity(None).ok().map(|set| f64::from(set.count()));
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    least(&groups, Path::new(ROOT)).into_iter().chain(scheduled).reduce(f64::min)
}

/// The least quota of the groups that are listed as in `/proc/self/cgroup`.
fn least(groups: &str, root: &Path) -> Option<f64> {
    let of_line = |line: &str| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next()?, fields.next()?.trim_start_matches('/').to_owned());
        let is_of_cpu = controllers.split(',').any(|controller| controller == "cpu");
        // Version 2 has one hierarchy for all, and version 1 one that is called after its controllers.
        let (root, read): (PathBuf, fn(&Path) -> Option<f64>) = match controllers {
            "" => (root.to_owned(), version_2),
            _ if is_of_cpu => (root.join(controllers), version_1),
            _ => return None,
        };
        // Within a container the path may be that of the host, which is not there; the root then is the container's own group.
        let group = root.join(path);
        let around = group.ancestors().take_while(|folder| folder.starts_with(&root));
        around.filter_map(read).reduce(f64::min)
    };
    groups.lines().filter_map(of_line).reduce(f64::min)
}

/// As in `150000 100000`, or `max 100000`.
fn version_2(group: &Path) -> Option<f64> {
    let text = fs::read_to_string(group.join("cpu.max")).ok()?;
    let (quota, period) = text.trim().split_once(' ')?;
    share(quota, period)
}

fn version_1(group: &Path) -> Option<f64> {
    let read = |name| fs::read_to_string(group.join(name)).ok();
    share(read("cpu.cfs_quota_us")?.trim(), read("cpu.cfs_period_us")?.trim())
}

/// `None` if there is no quota: `max`, or -1.
fn share(quota: &str, period: &str) -> Option<f64> {
    let (quota, period): (f64, f64) = (quota.parse().ok()?, period.parse().ok()?);
    (quota > 0.0 && period > 0.0).then_some(quota / period)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(root: &Path, name: &str, text: &str) {
        let path = root.join(name);
        fs::create_dir_all(path.parent().expect("it has a folder")).expect("made");
        fs::write(path, text).expect("written");
    }

    #[test]
    fn the_least_quota_of_a_group_and_those_around_it_counts() {
        let root = tempfile::tempdir().expect("a folder");
        let quota = |groups: &str| least(groups, root.path());
        assert_eq!(quota("0::/system.slice/ttm.service\n"), None);
        file(root.path(), "system.slice/ttm.service/cpu.max", "max 100000\n");
        assert_eq!(quota("0::/system.slice/ttm.service\n"), None);
        file(root.path(), "system.slice/cpu.max", "150000 100000\n");
        assert_eq!(quota("0::/system.slice/ttm.service\n"), Some(1.5));
        file(root.path(), "system.slice/ttm.service/cpu.max", "50000 100000\n");
        assert_eq!(quota("0::/system.slice/ttm.service\n"), Some(0.5));
        assert_eq!(quota("0::/\n"), None);
        file(root.path(), "cpu.max", "200000 100000\n");
        assert_eq!(quota("0::/not/there\n"), Some(2.0), "a path of the host");
    }

    #[test]
    fn groups_of_version_1_are_read_by_their_controller() {
        let root = tempfile::tempdir().expect("a folder");
        let groups = "5:memory:/ttm\n4:cpu,cpuacct:/ttm\n0::/\n";
        file(root.path(), "cpu,cpuacct/ttm/cpu.cfs_quota_us", "-1\n");
        file(root.path(), "cpu,cpuacct/ttm/cpu.cfs_period_us", "100000\n");
        assert_eq!(least(groups, root.path()), None);
        file(root.path(), "cpu,cpuacct/ttm/cpu.cfs_quota_us", "25000\n");
        assert_eq!(least(groups, root.path()), Some(0.25));
    }

    #[test]
    fn this_process_may_use_something() {
        assert!(processors().is_some_and(|processors| processors > 0.0));
    }
}
