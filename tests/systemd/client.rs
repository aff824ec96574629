//! A client that connects all the time, a new connection for each request.

use std::fmt;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::mpsc::{Sender, TryRecvError, channel};
use std::thread::{Scope, ScopedJoinHandle};
use std::time::Duration;

use crate::container::Container;
use crate::service::{ADDRESS, address, now};

/// A running client. It ends when this is dropped.
pub(crate) struct Client<'scope> {
    stop: Sender<()>,
    running: ScopedJoinHandle<'scope, Record>,
}

/// What became of its requests.
#[derive(Debug, Default)]
pub(crate) struct Record {
    /// With 200.
    pub(crate) answered: usize,
    /// Not even connected.
    pub(crate) refused: usize,
    /// Connected, and without an answer, or with another.
    pub(crate) unanswered: usize,
    /// From connecting to the end of the answer.
    pub(crate) longest: Duration,
    /// The first that went wrong.
    trouble: Option<String>,
}

impl<'scope> Client<'scope> {
    /// What became of the requests of one that ran meanwhile.
    pub(crate) fn watches(container: &Container, meanwhile: impl FnOnce()) -> Record {
        std::thread::scope(|scope| {
            let client = Client::start(container, scope);
            meanwhile();
            client.stop()
        })
    }

    fn start(container: &Container, scope: &'scope Scope<'scope, '_>) -> Self {
        let (stop, stopped) = channel();
        let running = container.with_network(scope, move || {
            let mut record = Record::default();
            while stopped.try_recv() == Err(TryRecvError::Empty) {
                record.request();
            }
            record
        });
        Self { stop, running }
    }

    fn stop(self) -> Record {
        drop(self.stop);
        self.running.join().expect("a client does not panic")
    }
}

impl Record {
    fn request(&mut self) {
        let begun = now();
        match TcpStream::connect(address()) {
            Err(error) => {
                self.refused += 1;
                self.trouble.get_or_insert(format!("connecting: {error}"));
            }
            Ok(stream) => match ask(stream) {
                Ok(status) if status == "HTTP/1.1 200 OK" => self.answered += 1,
                Ok(other) => self.unanswered(format!("answer {other:?}")),
                Err(error) => self.unanswered(format!("reading: {error}")),
            },
        }
        self.longest = self.longest.max(begun.elapsed());
    }

    fn unanswered(&mut self, trouble: String) {
        self.unanswered += 1;
        self.trouble.get_or_insert(trouble);
    }
}

/// The status line.
fn ask(mut stream: TcpStream) -> std::io::Result<String> {
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    write!(stream, "GET /health/live HTTP/1.1\r\nhost: {ADDRESS}\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.lines().next().unwrap_or_default().to_owned())
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { answered, refused, unanswered, longest, trouble } = self;
        write!(
            f,
            "{answered} answered, {refused} refused, {unanswered} unanswered, the longest took {longest:?}"
        )?;
        trouble.as_ref().map_or(Ok(()), |trouble| write!(f, "; first: {trouble}"))
    }
}
