//! `cargo xtask test --systemd`: the unit and the service under a real systemd, in containers of systemd-nspawn.
//!
//! systemd is never started in the machine's own namespaces: it would clean its temporary folder and stop what it does not
//! know. The root folder of the containers is a Debian 12, whose systemd is the oldest that is supported; it is made once, and
//! what a container changes in it is lost with the container.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::graph;
use crate::packages::{install, may_install};
use crate::process;

/// Tells the tests where the root folder of their containers is.
const ROOT: &str = "TTM_TEST_ROOT";
/// The release whose systemd is the oldest that is supported: 252.
const RELEASE: &str = "bookworm";
/// The programs that it takes, each with the package that has it.
const PROGRAMS: [(&str, &str); 4] = [
    ("systemd-nspawn", "systemd-container"),
    ("debootstrap", "debootstrap"),
    ("nsenter", "util-linux"),
    ("setpriv", "util-linux"),
];

/// What keeps this machine from booting a container; one line for a person.
pub(crate) struct Obstacle(pub(crate) String);

/// What the tests boot their containers from.
pub(crate) struct Container {
    root: PathBuf,
}

impl Container {
    /// Makes the root folder, unless it is there, and boots nothing.
    pub(crate) fn prepare() -> Result<std::result::Result<Self, Obstacle>> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Err(Obstacle("containers need root".to_owned())));
        }
        for (program, package) in PROGRAMS {
            let is_there = || process::folder_on_path(program).is_some();
            if !is_there() && may_install() {
                // Told below.
                drop(install(package));
            }
            if !is_there() {
                let obstacle = format!("{program} is missing, and {package} cannot be installed");
                return Ok(Err(Obstacle(obstacle)));
            }
        }
        let root = graph::target_folder()?.join("systemd").join(RELEASE);
        if !root.is_dir() {
            let Some(mirror) = mirror() else {
                return Ok(Err(Obstacle("apt-get knows no mirror of Debian".to_owned())));
            };
            bootstrap(&root, &mirror)?;
        }
        let mut container = nspawn(&root);
        let tried = container.arg("/bin/true").output().context("cannot run systemd-nspawn")?;
        if !tried.status.success() {
            let why = String::from_utf8_lossy(&tried.stderr);
            let why = why.lines().next().unwrap_or("it does not say why");
            return Ok(Err(Obstacle(format!("systemd-nspawn starts no container here: {why}"))));
        }
        Ok(Ok(Self { root }))
    }

    /// Has tests boot their containers from it.
    pub(crate) fn lend(&self, tests: &mut Command) {
        tests.env(ROOT, &self.root);
    }
}

/// A container without a network, whose changes are lost.
fn nspawn(root: &Path) -> Command {
    let mut command = Command::new("systemd-nspawn");
    command.args(["--quiet", "--volatile=overlay", "--register=no", "--keep-unit", "--private-network"]);
    command.args(["--console=pipe", "--machine=ttm-test", "--directory"]).arg(root);
    command.env("SYSTEMD_NSPAWN_UNIFIED_HIERARCHY", "1");
    command
}

/// Installs the release. A folder that is there is complete.
fn bootstrap(root: &Path, mirror: &str) -> Result<()> {
    let folder = root.parent().context("it is below the target folder")?;
    fs::create_dir_all(folder)?;
    // Removed when it fails.
    let partial = TempDir::with_prefix_in("partial-", folder)?;
    let mut command = Command::new("debootstrap");
    command.args(["--variant=minbase", "--include=systemd,systemd-sysv,dbus", RELEASE]).arg(partial.path());
    process::run(command.arg(mirror))?;
    // What the container's users see as `/`.
    fs::set_permissions(partial.path(), Permissions::from_mode(0o755))?;
    fs::rename(partial.keep(), root)?;
    Ok(())
}

/// Where apt has Debian's packages from, if this is a Debian that knows.
fn mirror() -> Option<String> {
    let known = || {
        let mut apt = Command::new("apt-get");
        apt.args(["indextargets", "--format", "$(ORIGIN) $(SITE)", "Created-By: Packages"]);
        process::output(&mut apt).ok()?.lines().find_map(of_debian)
    };
    // It knows the origin once it has asked.
    known().or_else(|| {
        process::run(Command::new("apt-get").args(["update", "--quiet"])).ok().and_then(|()| known())
    })
}

/// `Debian http://mirror.example.org/debian` → the second word.
fn of_debian(line: &str) -> Option<String> {
    let (origin, site) = line.split_once(' ')?;
    // Debian's security updates have the same origin, and no release of their own.
    (origin == "Debian" && !site.contains("security")).then(|| site.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_is_debians_own_and_not_that_of_the_security_updates() {
        for (line, mirror) in [
            ("Debian http://mirror.example.org/debian", Some("http://mirror.example.org/debian")),
            ("Debian http://mirror.example.org/debian-security", None),
            ("Google https://packages.example.org/apt", None),
            ("", None),
        ] {
            assert_eq!(of_debian(line).as_deref(), mirror, "{line:?}");
        }
    }

    /// With the machine's own systemd; the tests in the container do the same with the one that is supported.
    #[test]
    fn the_unit_is_valid_and_exposed_no_more_than_is_promised() -> Result<()> {
        if process::folder_on_path("systemd-analyze").is_none() {
            eprintln!("systemd-analyze is not here: the unit is checked in a container alone");
            return Ok(());
        }
        let unit = fs::read_to_string(process::root().join("deploy/systemd/ttm.service"))?;
        let folder = TempDir::new()?;
        let path = folder.path().join("ttm.service");
        // It wants to see the program.
        fs::write(&path, unit.replace("/usr/local/bin/ttm", "/bin/true"))?;
        let verified = Command::new("systemd-analyze").arg("verify").arg(&path).output()?;
        assert_eq!(String::from_utf8_lossy(&verified.stderr), "", "{}", verified.status);
        assert!(verified.status.success());
        let mut rated = Command::new("systemd-analyze");
        // In tenths. It fails when the unit is exposed more.
        rated.args(["security", "--offline=true", "--no-pager", "--threshold=20"]).arg(&path);
        process::output(&mut rated).map(drop)
    }
}
