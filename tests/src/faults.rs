//! The faults of a running `ttm-faulty`, by the file that it reads them from; `ttm_service::faults` has the words.

use std::fs;
use std::path::{Path, PathBuf};

/// No faults in the beginning. Dropping it ends them, so that nothing spins on.
pub struct Faults(PathBuf);

impl Faults {
    /// Those of the program that works in this folder.
    pub fn in_folder(folder: &Path) -> Self {
        Self(folder.join("test-faults"))
    }

    /// Makes these from now on, and no others.
    pub fn make(&self, lines: &[&str]) {
        // Whole at any time.
        let new = self.0.with_extension("new");
        fs::write(&new, lines.join("\n")).expect("written");
        fs::rename(new, &self.0).expect("renamed");
    }

    /// Makes none any more.
    pub fn end(&self) {
        self.make(&[]);
    }
}

impl Drop for Faults {
    fn drop(&mut self) {
        // Fails if the folder is gone, and what works there with it.
        drop(fs::write(&self.0, ""));
    }
}
