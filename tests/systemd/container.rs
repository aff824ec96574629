//! A container with systemd as its first process, on a root folder of its own whose changes are lost with it. It shares no
//! process, mount, network or control group with the machine.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::ScopedJoinHandle;

use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use ttm_systemd::testing::FakeManager;

/// The root folder of a Debian with systemd, which `cargo xtask test --systemd` makes.
const ROOT: &str = "TTM_TEST_ROOT";
/// Joins its control groups, ends with the thread that started it, and becomes the program of its arguments.
const ENTER: &str = r#"while [ "$1" != -- ]; do echo $$ > "$1/cgroup.procs"; shift; done; shift; exec setpriv --pdeathsig KILL "$@""#;

/// A running container. Dropping it kills all that runs in it.
pub(crate) struct Container {
    nspawn: Child,
    leader: i32,
    /// Removed last, once nothing runs in them.
    _groups: Groups,
}

impl Container {
    /// Boots one, with these files and folders of the machine at `/mnt`, for reading.
    pub(crate) fn boot(shown: &[&Path]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut manager = FakeManager::in_folder(folder.path());
        let groups = Groups::make();
        let mut command = Command::new("sh");
        command.args(["-c", ENTER, "sh"]).args(&groups.0).args(["--", "systemd-nspawn", "--quiet", "--boot"]);
        command.arg("--directory").arg(root());
        // Without the machine's own manager: it may have none, and the container's is none of its business.
        command.args(["--volatile=overlay", "--register=no", "--keep-unit", "--notify-ready=yes"]);
        command.args(["--private-network", "--console=read-only", "--machine=ttm-test"]);
        for path in shown {
            let name = path.file_name().expect("a name").to_string_lossy();
            command.arg(format!("--bind-ro={}:/mnt/{name}", path.display()));
        }
        command.env("NOTIFY_SOCKET", manager.notify_socket()).env("SYSTEMD_NSPAWN_UNIFIED_HIERARCHY", "1");
        let log = File::create(folder.path().join("log")).expect("a file");
        let errors = log.try_clone().expect("a descriptor is free");
        let nspawn = command.stdin(Stdio::null()).stdout(log).stderr(errors).spawn().expect("sh");
        let mut container = Self { nspawn, leader: 0, _groups: groups };
        let started = manager.wait_until(|line| line.starts_with("X_NSPAWN_LEADER_PID="));
        let leader = started.lines.iter().find_map(|line| line.strip_prefix("X_NSPAWN_LEADER_PID="));
        container.leader = leader.and_then(|pid| pid.parse().ok()).expect("a process id");
        manager.wait_for("READY=1");
        container
    }

    /// A command that runs in it, as root.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.leader.to_string()]);
        command.args(["--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd", "--"]);
        command.arg(program).stdin(Stdio::null()).env_clear();
        command.env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        command
    }

    /// Runs a command to its end. `words` are separated by spaces.
    pub(crate) fn run(&self, words: &str) -> Output {
        let mut words = words.split(' ');
        let mut command = self.command(words.next().expect("a program"));
        command.args(words).output().expect("nsenter")
    }

    /// The same for one that succeeds; its standard output, trimmed.
    pub(crate) fn ok(&self, words: &str) -> String {
        let output = self.run(words);
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{words}: {}\n{out}\n{err}", output.status);
        out
    }

    /// Writes a file in it, with the mode of any other.
    pub(crate) fn write(&self, path: &str, contents: &str) {
        let mut child =
            self.command("tee").arg(path).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("tee");
        child.stdin.take().expect("it is piped").write_all(contents.as_bytes()).expect("it reads");
        assert!(child.wait().expect("it ends").success(), "{path} cannot be written");
    }

    /// The machine's number of a process whose number in it is `pid`.
    pub(crate) fn outside(&self, pid: &str) -> i32 {
        let namespace = |process: &Path| std::fs::read_link(process.join("ns/pid")).ok();
        let ours = namespace(Path::new(&format!("/proc/{}", self.leader)));
        let is_it = |process: &Path| {
            let status = std::fs::read_to_string(process.join("status")).unwrap_or_default();
            let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
            namespace(process) == ours && numbers.and_then(|all| all.split_whitespace().last()) == Some(pid)
        };
        let all =
            std::fs::read_dir("/proc").expect("it is mounted").map(|entry| entry.expect("an entry").path());
        let process = all.into_iter().find(|process| is_it(process)).expect("it runs");
        process.file_name().and_then(|number| number.to_str()?.parse().ok()).expect("a number")
    }

    /// Opens a file in it.
    pub(crate) fn open(&self, path: &str) -> File {
        let path = format!("/proc/{}/root{path}", self.leader);
        File::options().read(true).write(true).open(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Runs something on a thread of its own whose sockets are those of the container.
    pub(crate) fn with_network<'scope, T: Send + 'scope>(
        &self,
        scope: &'scope std::thread::Scope<'scope, '_>,
        work: impl FnOnce() -> T + Send + 'scope,
    ) -> ScopedJoinHandle<'scope, T> {
        let network = File::open(format!("/proc/{}/ns/net", self.leader)).expect("it runs");
        scope.spawn(move || {
            move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network)).expect("root");
            work()
        })
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // With its first process all the others end, and then nspawn.
        match Pid::from_raw(self.leader) {
            Some(leader) => drop(kill_process(leader, Signal::KILL).map_err(io::Error::from)),
            None => drop(self.nspawn.kill()),
        }
        drop(self.nspawn.wait());
    }
}

/// What a program wrote.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}

#[expect(clippy::disallowed_methods, reason = "the tool that makes it says where it is")]
fn root() -> PathBuf {
    let root = std::env::var_os(ROOT);
    root.unwrap_or_else(|| panic!("{ROOT} is not set: run cargo xtask test --systemd")).into()
}

/// Control groups of the container alone, in the hierarchies that nspawn moves processes in.
struct Groups(Vec<PathBuf>);

impl Groups {
    fn make() -> Self {
        let own = std::fs::read_to_string("/proc/self/cgroup").expect("/proc is mounted");
        let name = format!("ttm-test-{}", std::process::id());
        let group = |line: &str| {
            let (_, rest) = line.split_once(':')?;
            let (controllers, own) = rest.split_once(':')?;
            // Unified, beside the hierarchies of version 1, and systemd's own of those.
            let roots: &[&str] = match controllers {
                "" => &["/sys/fs/cgroup", "/sys/fs/cgroup/unified"],
                "name=systemd" => &["/sys/fs/cgroup/systemd"],
                _ => return None,
            };
            let root = roots.iter().map(Path::new).find(|root| root.join("cgroup.procs").exists())?;
            Some(root.join(own.trim_start_matches('/')).join(&name))
        };
        let groups: Vec<_> = own.lines().filter_map(group).collect();
        for group in &groups {
            std::fs::create_dir_all(group).expect("root");
        }
        Self(groups)
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        for group in &self.0 {
            // One that is not empty yet stays, for the next container.
            let _ = remove_with_children(group);
        }
    }
}

fn remove_with_children(group: &Path) -> io::Result<()> {
    for child in group.read_dir()? {
        let child = child?.path();
        if child.is_dir() {
            remove_with_children(&child)?;
        }
    }
    std::fs::remove_dir(group)
}
