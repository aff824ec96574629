//! A TCP proxy that can be cut or frozen, to simulate an outage of a server.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};

use crate::Port;

/// A running proxy; its threads end with the process of the test.
pub struct Proxy(Arc<Shared>);

struct Shared {
    port: Port,
    state: Mutex<State>,
    thawed: Condvar,
}

#[derive(Default)]
struct State {
    cut: bool,
    frozen: bool,
    /// Freezes when a client sends this.
    freezes_at: Option<String>,
    open: Vec<TcpStream>,
}

impl Proxy {
    /// A proxy to `target`, a `host:port`.
    pub fn to(target: String) -> Self {
        let (state, thawed) = (Mutex::default(), Condvar::new());
        let shared = Arc::new(Shared { port: Port::open(), state, thawed });
        let accepting = Arc::clone(&shared);
        start(move || {
            loop {
                let client = accepting.port.accept();
                let mut state = accepting.state.lock();
                if state.cut {
                    continue;
                }
                let server = TcpStream::connect(&target).expect("the target listens");
                for (from, to, says) in [(&client, &server, true), (&server, &client, false)] {
                    let (from, to) = (from.try_clone().expect("a socket"), to.try_clone().expect("a socket"));
                    let shared = Arc::clone(&accepting);
                    start(move || shared.pump(from, to, says));
                }
                state.open.extend([client, server]);
            }
        });
        Self(shared)
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.0.port.address()
    }

    /// Closes all connections and refuses new ones.
    pub fn cut(&self) {
        let mut state = self.0.state.lock();
        state.cut = true;
        self.0.port.close();
        for stream in state.open.drain(..) {
            // Fails if a side has closed already.
            drop(stream.shutdown(Shutdown::Both));
        }
    }

    /// Accepts connections again.
    pub fn mend(&self) {
        self.0.state.lock().cut = false;
        self.0.port.reopen();
    }

    /// Stops forwarding in both directions once a client sends this; new connections are accepted, but nothing is forwarded
    /// on them.
    pub fn freeze_at(&self, words: &str) {
        self.0.state.lock().freezes_at = Some(words.to_owned());
    }

    /// Forwards what was held up, and everything after it.
    pub fn thaw(&self) {
        let mut state = self.0.state.lock();
        (state.frozen, state.freezes_at) = (false, None);
        self.0.thawed.notify_all();
    }
}

impl Shared {
    fn pump(&self, mut from: TcpStream, mut to: TcpStream, is_client: bool) {
        let mut buffer = [0; 16 * 1024];
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            let mut state = self.state.lock();
            let said = |words: &String| String::from_utf8_lossy(&buffer[..read]).contains(words.as_str());
            state.frozen |= is_client && state.freezes_at.as_ref().is_some_and(said);
            while state.frozen {
                self.thawed.wait(&mut state);
            }
            drop(state);
            if to.write_all(&buffer[..read]).is_err() {
                break;
            }
        }
        drop(to.shutdown(Shutdown::Both));
        drop(from.shutdown(Shutdown::Both));
    }
}

#[expect(clippy::disallowed_methods, reason = "blocking sockets need threads")]
fn start(body: impl FnOnce() + Send + 'static) {
    // A thread ends when its socket is closed, or with the process.
    drop(std::thread::spawn(body));
}
