//! Disks of a program's own, and disks that are full.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::program::binary;

/// A script for `sh` that may mount disks which it alone sees, and becomes the program `$0`; without root, in a user namespace.
pub fn in_a_namespace(folder: &Path, script: &str) -> Command {
    let mut command = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        command.arg("--map-root-user");
    }
    command.args(["--mount", "sh", "-c", script]).arg(binary());
    command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.env_clear().env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    command
}

/// Fills a disk to the last byte with a file.
pub fn fill(ballast: &Path) {
    let mut file = File::create(ballast).expect("the disk is visible through /proc");
    while file.write_all(&[0; 4096]).is_ok() {}
    while file.write_all(&[0]).is_ok() {}
}
