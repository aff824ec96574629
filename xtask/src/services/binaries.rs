//! Finds PostgreSQL's programs, its pooler's, Prometheus's and a mail server, or has the system's package manager install them.
//!
//! Starts nothing, and changes the system only through that package manager.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use crate::packages::{install, may_install};
use crate::process;

/// Where tests find PostgreSQL: a `postgres://` URL whose user may create databases and schemas.
pub(crate) const DATABASE_URL: &str = "TTM_TEST_DATABASE_URL";

/// The oldest major version the migrations are written for.
const OLDEST: u32 = 15;
/// Where Debian keeps its versions side by side: `15/bin`, `17/bin`, …
const VERSIONS: &str = "/usr/lib/postgresql";

/// The folder of `initdb` and `postgres`, from the first of: `PATH`, Debian's versioned folders, the package manager.
pub(super) fn find_or_install() -> Result<PathBuf> {
    if let Some(folder) = find() {
        return Ok(folder);
    }
    if may_install() {
        install("postgresql")?;
        if let Some(folder) = find() {
            return Ok(folder);
        }
    }
    bail!(
        "PostgreSQL {OLDEST} or newer was not found. Either put its `initdb` and `postgres` on PATH, install it under \
         {VERSIONS}, or run this as root on a system with apt-get"
    );
}

/// Makes sure that tests find PgBouncer: on `PATH`, in `/usr/sbin`, or from the package manager.
pub(super) fn have_pooler() -> Result<()> {
    have("pgbouncer", "pgbouncer", "PgBouncer")
}

/// The same for what checks rules of Prometheus.
pub(super) fn have_promtool() -> Result<()> {
    have("promtool", "prometheus", "Prometheus's promtool")
}

/// The same for the Alertmanager that alerts are fed to.
pub(super) fn have_alertmanager() -> Result<()> {
    have("prometheus-alertmanager", "prometheus-alertmanager", "Prometheus's Alertmanager")
}

/// Makes sure that tests find a mail server: aiosmtpd, in the first Python on `PATH` or in Debian's.
pub(super) fn have_mail_server() -> Result<()> {
    let has_it = |python: &&str| {
        let mut command = Command::new(python);
        command.args(["-c", "import aiosmtpd"]).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let found = || ["python3", "/usr/bin/python3"].iter().any(has_it);
    if !found() && may_install() {
        install("python3-aiosmtpd")?;
    }
    if !found() {
        bail!(
            "aiosmtpd was not found. Either install it for the `python3` on PATH, or run this as root on a system with apt-get"
        );
    }
    Ok(())
}

fn have(program: &str, package: &str, name: &str) -> Result<()> {
    let found =
        || process::folder_on_path(program).is_some() || Path::new("/usr/sbin").join(program).is_file();
    if !found() && may_install() {
        install(package)?;
    }
    if !found() {
        bail!(
            "{name} was not found. Either put `{program}` on PATH, or run this as root on a system with apt-get"
        );
    }
    Ok(())
}

fn find() -> Option<PathBuf> {
    let on_path =
        process::folder_on_path("initdb").filter(|folder| version(folder).is_some_and(|v| v >= OLDEST));
    on_path.or_else(|| newest(Path::new(VERSIONS)))
}

/// The newest version under a folder of versions that is new enough and has its programs.
fn newest(versions: &Path) -> Option<PathBuf> {
    let folders = versions.read_dir().ok()?.filter_map(Result::ok);
    let usable = folders.filter_map(|folder| {
        let version: u32 = folder.file_name().to_str()?.parse().ok()?;
        let binaries = folder.path().join("bin");
        let complete = ["initdb", "postgres"].iter().all(|program| binaries.join(program).is_file());
        (version >= OLDEST && complete).then_some((version, binaries))
    });
    usable.max().map(|(_, binaries)| binaries)
}

/// The major version of the server in a folder.
fn version(folder: &Path) -> Option<u32> {
    let shown = process::output(Command::new(folder.join("postgres")).arg("--version")).ok()?;
    major(&shown)
}

/// `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)` → 15.
fn major(shown: &str) -> Option<u32> {
    let number = shown.split_once("(PostgreSQL) ")?.1;
    let digits = number.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_newest_complete_version_is_taken() -> Result<()> {
        let folder = tempfile::tempdir()?;
        for version in ["9", "14", "15", "17", "current"] {
            let binaries = folder.path().join(version).join("bin");
            fs::create_dir_all(&binaries)?;
            fs::write(binaries.join("postgres"), "")?;
            fs::write(binaries.join("initdb"), "")?;
        }
        fs::create_dir_all(folder.path().join("18/bin"))?; // only the client is installed
        assert_eq!(newest(folder.path()), Some(folder.path().join("17/bin")));
        Ok(())
    }

    #[test]
    fn versions_that_are_too_old_are_ignored() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let binaries = folder.path().join("14/bin");
        fs::create_dir_all(&binaries)?;
        fs::write(binaries.join("postgres"), "")?;
        fs::write(binaries.join("initdb"), "")?;
        assert_eq!(newest(folder.path()), None);
        assert_eq!(newest(&folder.path().join("absent")), None);
        Ok(())
    }

    #[test]
    fn the_major_version_is_read_from_what_the_server_says() {
        assert_eq!(major("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"), Some(15));
        assert_eq!(major("postgres (PostgreSQL) 19beta1"), Some(19));
        assert_eq!(major("something else"), None);
    }
}
