//! A port that refuses connections for a while, without another process taking it meanwhile.

use std::net::{SocketAddr, TcpListener, TcpStream};

use parking_lot::{Condvar, Mutex};
use rustix::net::{Shutdown, listen, shutdown};

/// A port on loopback.
pub struct Port {
    listener: TcpListener,
    is_open: Mutex<bool>,
    opened: Condvar,
}

const BACKLOG: i32 = 64;

impl Port {
    /// One that takes connections.
    pub fn open() -> Self {
        // Only a port that was asked for by its number stays bound while nobody listens; another test may be faster.
        let bind = || {
            let free = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
            TcpListener::bind(free)
        };
        let listener = std::iter::repeat_with(bind).take(100).find_map(Result::ok).expect("a free port");
        Self { listener, is_open: Mutex::new(true), opened: Condvar::new() }
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.listener.local_addr().expect("a listener has an address")
    }

    /// Connections are refused from now on; those that were accepted stay.
    pub fn close(&self) {
        *self.is_open.lock() = false;
        shutdown(&self.listener, Shutdown::Read).expect("it listens");
    }

    /// Connections are taken again.
    pub fn reopen(&self) {
        listen(&self.listener, BACKLOG).expect("it is bound");
        *self.is_open.lock() = true;
        self.opened.notify_all();
    }

    /// The next connection, once there is one.
    pub fn accept(&self) -> TcpStream {
        loop {
            let mut is_open = self.is_open.lock();
            while !*is_open {
                self.opened.wait(&mut is_open);
            }
            drop(is_open);
            // Fails when the port is closed meanwhile.
            if let Ok((stream, _)) = self.listener.accept() {
                return stream;
            }
        }
    }
}
