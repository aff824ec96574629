//! Log lines on their way to standard error. One thread writes them, so that a reader who stops reading, a full disk or
//! a pipe without a reader costs lines, which are counted and told later, and nobody who logs ever waits or fails.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// Lines that wait at most: a second of the busiest log.
const CAPACITY: usize = 10_000;
/// How long the end waits for what is not written yet.
const LAST_WAIT: Duration = Duration::from_secs(1);

/// Where lines are put.
#[derive(Clone)]
pub(super) struct Queue(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    arrived: Condvar,
    written: Condvar,
}

#[derive(Default)]
struct State {
    lines: VecDeque<Vec<u8>>,
    /// One has been taken out and is not written yet.
    writing: bool,
    lost: u64,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    /// Starts the thread that writes to what standard error is now.
    pub(super) fn start() -> io::Result<Self> {
        // A handle of its own: while a write to it hangs, nobody waits for the lock of the standard library's.
        let out = File::from(io::stderr().as_fd().try_clone_to_owned()?);
        Self::onto(out)
    }

    fn onto(out: impl Write + Send + 'static) -> io::Result<Self> {
        let queue = Self(Arc::new(Shared::default()));
        let shared = queue.0.clone();
        std::thread::Builder::new().name("log".into()).spawn(move || write_all(&shared, out))?;
        Ok(queue)
    }

    fn put(&self, line: &[u8]) {
        let mut state = self.0.state();
        if state.lines.len() < CAPACITY {
            state.lines.push_back(line.to_vec());
            self.0.arrived.notify_one();
        } else {
            state.lost += 1;
        }
    }

    /// Waits until what was put is written, or for as long as anybody would.
    pub(super) fn flush(&self) {
        let waiting = |state: &mut State| state.writing || !state.lines.is_empty();
        drop(self.0.written.wait_timeout_while(self.0.state(), LAST_WAIT, waiting));
    }
}

/// Writes what arrives, for as long as the process lives.
fn write_all(shared: &Shared, mut out: impl Write) {
    let mut torn = false;
    loop {
        let mut state = shared.state();
        state.writing = false;
        if state.lines.is_empty() {
            shared.written.notify_all();
        }
        let waiting = |state: &mut State| state.lines.is_empty();
        let mut state = shared.arrived.wait_while(state, waiting).unwrap_or_else(PoisonError::into_inner);
        let Some(line) = state.lines.pop_front() else { continue };
        state.writing = true;
        drop(state);
        // The rest of a line that was cut off must not begin the next one.
        let done = if torn { put_all(&mut out, b"\n") } else { Ok(()) };
        let done = done.map_err(|_| torn).and_then(|()| put_all(&mut out, &line));
        torn = done.err().unwrap_or_default();
        if done.is_err() {
            shared.state().lost += 1;
        } else {
            let lost = std::mem::take(&mut shared.state().lost);
            if lost > 0 {
                tracing::warn!(lost, "log lines could not be written");
            }
        }
    }
}

/// Writes all of it; an error says whether a part of it was written.
fn put_all(out: &mut impl Write, bytes: &[u8]) -> Result<(), bool> {
    let mut rest = bytes;
    while !rest.is_empty() {
        match out.write(rest) {
            Ok(0) => return Err(rest.len() < bytes.len()),
            Ok(written) => rest = rest.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return Err(rest.len() < bytes.len()),
        }
    }
    Ok(())
}

/// Takes one line at a time; the layer writes each at once.
impl Write for &Queue {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.put(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Queue {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// Hands out what is written, and answers as it is told.
    struct Scripted {
        seen: Sender<Vec<u8>>,
        answers: Receiver<io::Result<usize>>,
    }

    impl Write for Scripted {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            drop(self.seen.send(bytes.to_vec()));
            self.answers.recv().unwrap_or(Ok(bytes.len()))
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn nobody_waits_for_a_reader_that_does_not_read_and_what_is_lost_is_counted() {
        let (seen, writes) = channel();
        let (answer, answers) = channel();
        let queue = Queue::onto(Scripted { seen, answers }).expect("a thread");
        queue.put(b"first\n");
        assert_eq!(writes.recv(), Ok(b"first\n".to_vec()), "it is being written from now on");
        for _ in 0..CAPACITY + 3 {
            queue.put(b"more\n");
        }
        assert_eq!(queue.0.state().lost, 3);
        drop(answer);
        queue.flush();
        assert_eq!(writes.try_iter().count(), CAPACITY);
        assert_eq!(queue.0.state().lost, 0, "it was told");
    }

    #[test]
    fn the_rest_of_a_line_that_was_cut_off_does_not_begin_the_next() {
        let (seen, writes) = channel();
        let (answer, answers) = channel();
        for of in [Ok(2), Err(ErrorKind::StorageFull.into()), Err(ErrorKind::StorageFull.into())] {
            answer.send(of).expect("there");
        }
        drop(answer);
        let queue = Queue::onto(Scripted { seen, answers }).expect("a thread");
        for line in [b"one\n", b"two\n", b"tri\n"] {
            queue.put(line);
        }
        queue.flush();
        let written: Vec<String> =
            writes.try_iter().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect();
        assert_eq!(written, ["one\n", "e\n", "\n", "\n", "tri\n"], "the second line was lost with its disk");
    }
}
