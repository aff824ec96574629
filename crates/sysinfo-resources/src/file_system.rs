//! The usage of the file system of a path.

use std::path::Path;

use rustix::fs::StatVfs;

/// The usage of the file system, 0 to 100; `None` if it cannot be read.
///
/// A folder that does not exist yet will be on the file system of its nearest existing ancestor.
pub(crate) fn used_percent(path: &Path) -> Option<f64> {
    path.ancestors()
        .map(|folder| if folder.as_os_str().is_empty() { Path::new(".") } else { folder })
        .find_map(|folder| rustix::fs::statvfs(folder).ok())
        .and_then(|figures| share(&figures))
}

/// As in `df`: blocks reserved for root are neither used nor available.
fn share(figures: &StatVfs) -> Option<f64> {
    let used = figures.f_blocks.saturating_sub(figures.f_bfree) as f64;
    let usable = used + figures.f_bavail as f64;
    (usable > 0.0).then(|| 100.0 * used / usable)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(blocks: u64, free: u64, available: u64) -> StatVfs {
        StatVfs {
            f_bsize: 4096,
            f_frsize: 4096,
            f_blocks: blocks,
            f_bfree: free,
            f_bavail: available,
            f_files: 0,
            f_ffree: 0,
            f_favail: 0,
            f_fsid: 0,
            f_flag: rustix::fs::StatVfsMountFlags::empty(),
            f_namemax: 255,
        }
    }

    #[test]
    fn reserved_blocks_count_as_neither_used_nor_usable() {
        assert_eq!(share(&figures(1000, 500, 500)), Some(50.0));
        assert_eq!(share(&figures(1000, 50, 0)), Some(100.0), "full except for root");
        assert_eq!(share(&figures(1000, 1000, 1000)), Some(0.0));
    }

    #[test]
    fn a_file_system_without_blocks_has_no_usage() {
        assert_eq!(share(&figures(0, 0, 0)), None);
    }

    #[test]
    fn a_folder_that_does_not_exist_has_the_usage_of_its_nearest_ancestor() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        assert!(used_percent(&folder.path().join("not/made/yet")).is_some());
        assert!(used_percent(Path::new("not-made-yet/deep")).is_some(), "relative to the working folder");
    }
}
