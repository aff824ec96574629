//! systemd's end of the notification socket, as `service_manager` in systemd 252 treats it: the kernel says who sent a
//! message, descriptors are kept by name, one at most, and a barrier's descriptor is closed once all before it is read.

#![expect(clippy::missing_panics_doc, reason = "a test fails by panicking")]

use std::ffi::OsString;
use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::time::Duration;

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg, sockopt};

/// A test that waits longer for a message has failed.
const PATIENCE: Duration = Duration::from_secs(30);
/// What systemd reads of a message.
const LONGEST: usize = 4096;

/// A manager that listens.
#[derive(Debug)]
pub struct FakeManager {
    socket: UnixDatagram,
    name: OsString,
    kept: Option<OwnedFd>,
}

/// A message.
#[derive(Debug)]
pub struct Message {
    /// The process that sent it, as the kernel says.
    pub pid: i32,
    /// Its assignments.
    pub lines: Vec<String>,
}

impl FakeManager {
    /// On a socket in this folder.
    pub fn in_folder(folder: &Path) -> Self {
        let path = folder.join("notify");
        Self::on(UnixDatagram::bind(&path).expect("a folder that is there"), path.into())
    }

    /// On this name in the abstract namespace.
    pub fn with_abstract_name(name: &str) -> Self {
        let address = SocketAddr::from_abstract_name(name).expect("a short name");
        Self::on(UnixDatagram::bind_addr(&address).expect("a name of its own"), format!("@{name}").into())
    }

    fn on(socket: UnixDatagram, name: OsString) -> Self {
        socket.set_read_timeout(Some(PATIENCE)).expect("a positive time");
        sockopt::set_socket_passcred(&socket, true).expect("the kernel knows who sends");
        Self { socket, name, kept: None }
    }

    /// The value of `NOTIFY_SOCKET`.
    pub fn notify_socket(&self) -> OsString {
        self.name.clone()
    }

    /// The next message that is not a barrier.
    pub fn receive(&mut self) -> Message {
        loop {
            let (message, descriptors) = self.read();
            let says = |line: &str| message.lines.iter().any(|each| each == line);
            if says("BARRIER=1") {
                assert_eq!((message.lines.len(), descriptors.len()), (1, 1), "{message:?}");
                continue;
            }
            if says("FDSTOREREMOVE=1") {
                self.kept = None;
            } else if says("FDSTORE=1") {
                // Beyond `FileDescriptorStoreMax=1` a descriptor is closed, and the earlier one stays.
                let first = descriptors.into_iter().next();
                self.kept = self.kept.take().or(first);
            }
            return message;
        }
    }

    /// Reads messages until one has this line.
    pub fn wait_for(&mut self, line: &str) -> Message {
        self.wait_until(|each| each == line)
    }

    /// Reads messages until one has a line of which this is true.
    pub fn wait_until(&mut self, wanted: impl Fn(&str) -> bool) -> Message {
        loop {
            let message = self.receive();
            if message.lines.iter().any(|line| wanted(line)) {
                return message;
            }
        }
    }

    /// Whether a message waits.
    pub fn has_message(&self) -> bool {
        let mut byte = [0];
        rustix::net::recv(&self.socket, &mut byte, RecvFlags::PEEK | RecvFlags::DONTWAIT).is_ok()
    }

    /// The descriptor that is kept.
    pub const fn kept(&self) -> Option<&OwnedFd> {
        self.kept.as_ref()
    }

    fn read(&self) -> (Message, Vec<OwnedFd>) {
        let mut bytes = [0; LONGEST];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4), ScmCredentials(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let received =
            recvmsg(&self.socket, &mut [IoSliceMut::new(&mut bytes)], &mut control, RecvFlags::CMSG_CLOEXEC)
                .unwrap_or_else(|error| panic!("no message: {error}"));
        let (mut pid, mut descriptors) = (None, Vec::new());
        for part in control.drain() {
            match part {
                RecvAncillaryMessage::ScmRights(passed) => descriptors.extend(passed),
                RecvAncillaryMessage::ScmCredentials(sender) => pid = Some(sender.pid.as_raw_nonzero().get()),
                _ => {}
            }
        }
        let text = std::str::from_utf8(&bytes[..received.bytes]).expect("UTF-8");
        let lines = text.lines().map(str::to_owned).collect();
        (Message { pid: pid.expect("the kernel says who sends"), lines }, descriptors)
    }
}
