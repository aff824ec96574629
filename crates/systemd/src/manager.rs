//! systemd behind the port.

use std::fmt;
use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use parking_lot::Mutex;
use ttm_recovery::{Notice, ServiceManager};

use crate::Environment;
use crate::message::Pending;
use crate::socket::{BadSocket, Socket};
use crate::store::LISTENER;

/// Whether systemd hears what it is told. Told when it changes.
#[derive(Debug)]
pub enum Delivery {
    /// It does not, for now.
    Failed(io::Error),
    /// It does again.
    Restored,
}

/// systemd, or nothing where the process was not started by it.
pub struct Systemd {
    link: Option<Link>,
    watchdog: Option<Duration>,
}

struct Link {
    socket: Socket,
    state: Mutex<State>,
    on_delivery: Box<dyn Fn(Delivery) + Send + Sync>,
}

#[derive(Default)]
struct State {
    pending: Pending,
    failing: bool,
}

impl fmt::Debug for Systemd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let socket = self.link.as_ref().map(|link| &link.socket);
        f.debug_struct("Systemd").field("socket", &socket).field("watchdog", &self.watchdog).finish()
    }
}

impl Systemd {
    /// The manager that started the process with this id in this environment.
    ///
    /// # Errors
    /// [`BadSocket`] when there is one that cannot be spoken to.
    pub fn new(environment: &Environment, pid: u32) -> Result<Self, BadSocket> {
        let Some(name) = &environment.notify_socket else { return Ok(Self::absent()) };
        let (socket, state) = (Socket::to(name)?, Mutex::default());
        let link = Link { socket, state, on_delivery: Box::new(drop) };
        Ok(Self { link: Some(link), watchdog: environment.watchdog(pid) })
    }

    /// None: all that it is told is ignored.
    pub const fn absent() -> Self {
        Self { link: None, watchdog: None }
    }

    /// Calls `on_delivery` when systemd stops hearing, and when it hears again.
    #[must_use]
    pub fn telling(self, on_delivery: impl Fn(Delivery) + Send + Sync + 'static) -> Self {
        let link = self.link.map(|link| Link { on_delivery: Box::new(on_delivery), ..link });
        Self { link, ..self }
    }

    /// Whether there is one.
    pub const fn is_there(&self) -> bool {
        self.link.is_some()
    }

    /// Hands a copy of the listener to the descriptor store, in place of one that is there. The next process then has it, with
    /// the connections that wait on it; needs `FileDescriptorStoreMax=1`. A socket that is there already stays.
    pub fn keep(&self, listener: impl AsFd) {
        if let Some(link) = &self.link {
            link.send(&format!("FDSTORE=1\nFDNAME={LISTENER}\n"), Some(listener.as_fd()));
        }
    }

    /// Has the descriptor store close what it keeps of an earlier listener.
    pub fn drop_kept(&self) {
        if let Some(link) = &self.link {
            link.send(&format!("FDSTOREREMOVE=1\nFDNAME={LISTENER}\n"), None);
        }
    }
}

impl ServiceManager for Systemd {
    fn notify(&self, notice: Notice) {
        if let Some(link) = &self.link {
            link.notify(&notice);
        }
    }

    fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }
}

impl Link {
    fn notify(&self, notice: &Notice) {
        // Held while sending, which does not wait: what is said later must not arrive earlier.
        let mut state = self.state.lock();
        let mut message = state.pending.add(notice);
        message.push_str(&state.pending.lines());
        if message.is_empty() {
            return;
        }
        let sent = self.socket.send(&message, &[]);
        if sent.is_ok() {
            state.pending.delivered();
        }
        self.note(&mut state, sent);
    }

    fn send(&self, message: &str, descriptor: Option<std::os::fd::BorrowedFd<'_>>) {
        let mut state = self.state.lock();
        let sent = self.socket.send(message, descriptor.as_slice());
        self.note(&mut state, sent);
    }

    fn note(&self, state: &mut State, sent: io::Result<()>) {
        let failed_before = std::mem::replace(&mut state.failing, sent.is_err());
        match sent {
            Err(error) if !failed_before => (self.on_delivery)(Delivery::Failed(error)),
            Ok(()) if failed_before => (self.on_delivery)(Delivery::Restored),
            Ok(()) | Err(_) => {}
        }
    }
}
