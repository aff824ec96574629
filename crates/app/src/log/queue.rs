//! Log lines on their way to standard error. One thread writes them, so that a reader who stops reading, a full disk or
//! a pipe without a reader costs lines, and nobody who logs ever waits or fails. What was lost is counted, and told once the
//! lines that stood before it are written: by the thread that writes, so that the line that tells it needs no room.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
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
    /// Lines that were lost and not told yet.
    lost: u64,
    /// Lines that are written before that is told: those that waited when the first of them was lost.
    before: usize,
}

thread_local! {
    /// On the thread that writes: the line that is being made of what was lost. It never goes by way of the queue.
    static OWN: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

impl Queue {
    /// Starts the thread that writes to what standard error is now.
    pub(super) fn start() -> io::Result<Self> {
        // A handle of its own: while a write to it hangs, nobody waits for the lock of the standard library's.
        let out = File::from(io::stderr().as_fd().try_clone_to_owned()?);
        Self::onto(out, |lost| tracing::warn!(lost, "log lines could not be written"))
    }

    /// `tell` logs how many lines were lost.
    fn onto(out: impl Write + Send + 'static, tell: impl Fn(u64) + Send + 'static) -> io::Result<Self> {
        let queue = Self(Arc::new(Shared::default()));
        let shared = queue.0.clone();
        std::thread::Builder::new().name("log".into()).spawn(move || write_all(&shared, out, tell))?;
        Ok(queue)
    }

    fn put(&self, line: &[u8]) {
        let own = OWN.with_borrow_mut(|own| own.as_mut().map(|own| own.extend_from_slice(line)));
        if own.is_some() {
            return;
        }
        let mut state = self.0.state.lock();
        if state.lines.len() < CAPACITY {
            state.lines.push_back(line.to_vec());
            self.0.arrived.notify_one();
        } else {
            if state.before == 0 {
                state.before = CAPACITY;
            }
            state.lost += 1;
        }
    }

    /// Waits until what was put is written, or for as long as anybody would.
    pub(super) fn flush(&self) {
        let waiting = |state: &mut State| state.writing || !state.lines.is_empty();
        self.0.written.wait_while_for(&mut self.0.state.lock(), waiting, LAST_WAIT);
    }
}

/// Writes what arrives, for as long as the process lives.
fn write_all(shared: &Shared, out: impl Write, tell: impl Fn(u64)) {
    let mut out = Lines { out, torn: false };
    loop {
        let mut state = shared.state.lock();
        state.writing = false;
        if state.lines.is_empty() {
            shared.written.notify_all();
        }
        let waiting = |state: &mut State| state.lines.is_empty();
        shared.arrived.wait_while(&mut state, waiting);
        let Some(line) = state.lines.pop_front() else { continue };
        state.writing = true;
        state.before = state.before.saturating_sub(1);
        drop(state);
        let is_written = out.put(&line);
        let mut state = shared.state.lock();
        state.lost += u64::from(!is_written);
        let lost = state.lost;
        if is_written && lost > 0 && state.before == 0 {
            drop(state);
            if out.put(&line_of(|| tell(lost))) {
                // What was lost meanwhile is told the next time, behind all that waits by now.
                let mut state = shared.state.lock();
                state.lost -= lost;
                state.before = state.lines.len();
            }
        }
    }
}

/// The line that is logged by this.
fn line_of(log: impl FnOnce()) -> Vec<u8> {
    OWN.set(Some(Vec::new()));
    log();
    OWN.take().unwrap_or_default()
}

/// Whole lines, each on its own.
struct Lines<W> {
    out: W,
    /// The last one was cut off.
    torn: bool,
}

impl<W: Write> Lines<W> {
    /// Whether the line is written.
    fn put(&mut self, line: &[u8]) -> bool {
        // The rest of a line that was cut off must not begin the next one.
        let done = if self.torn { put_all(&mut self.out, b"\n") } else { Ok(()) };
        let done = done.map_err(|_| self.torn).and_then(|()| put_all(&mut self.out, line));
        self.torn = done.err().unwrap_or_default();
        done.is_ok()
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
    use std::io::{BufRead, BufReader};
    use std::sync::OnceLock;
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

    /// A queue onto `out` that tells what was lost in a line of its own, as the subscriber would.
    fn onto(out: impl Write + Send + 'static) -> Queue {
        let own = Arc::new(OnceLock::<Queue>::new());
        let tell = own.clone();
        let told = move |lost| tell.get().expect("set").put(format!("{lost} lost\n").as_bytes());
        let queue = Queue::onto(out, told).expect("a thread");
        assert!(own.set(queue.clone()).is_ok());
        queue
    }

    fn lines(writes: &Receiver<Vec<u8>>) -> Vec<String> {
        writes.try_iter().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect()
    }

    #[test]
    fn nobody_waits_for_a_reader_that_does_not_read_and_what_is_lost_is_told_once_behind_what_waited() {
        let (seen, writes) = channel();
        let (answer, answers) = channel();
        let queue = onto(Scripted { seen, answers });
        queue.put(b"first\n");
        assert_eq!(writes.recv(), Ok(b"first\n".to_vec()), "it is being written from now on");
        for _ in 0..CAPACITY + 3 {
            queue.put(b"more\n");
        }
        // The writer is back for one line, whose place is taken at once: the queue is as full as before.
        answer.send(Ok(6)).expect("there");
        assert_eq!(writes.recv(), Ok(b"more\n".to_vec()));
        queue.put(b"late\n");
        queue.put(b"lost\n");
        drop(answer);
        queue.flush();
        let written = lines(&writes);
        assert_eq!(written.iter().filter(|line| line.ends_with("lost\n")).collect::<Vec<_>>(), ["4 lost\n"]);
        let told = written.iter().position(|line| line == "4 lost\n");
        assert_eq!(told, Some(CAPACITY - 1), "behind the lines that stood before the first that was lost");
        assert_eq!(written.len(), CAPACITY + 1);
        assert_eq!(queue.0.state.lock().lost, 0);
    }

    #[test]
    fn what_a_pipe_whose_reader_stops_and_reads_on_does_not_carry_is_told_to_the_line() {
        const PUT: usize = 3 * CAPACITY;
        let (reader, writer) = io::pipe().expect("a pipe");
        let queue = onto(writer);
        for number in 0..PUT {
            queue.put(format!("line {number}\n").as_bytes());
        }
        // It reads on: whatever is logged meanwhile has room again, or is lost and told.
        let mut read = BufReader::new(reader).lines().map(|line| line.expect("text"));
        let (mut carried, mut lost) = (0, Vec::new());
        while carried + lost.iter().sum::<usize>() < PUT {
            let line = read.next().expect("the queue lives");
            match line.strip_suffix(" lost") {
                Some(count) => lost.push(count.parse::<usize>().expect("a count")),
                None => carried += 1,
            }
        }
        assert_eq!((carried + lost[0], lost.len()), (PUT, 1), "one line tells all of them");
    }

    #[test]
    fn what_is_lost_is_told_again_when_the_line_that_tells_it_is_lost_itself() {
        let (seen, writes) = channel();
        let (answer, answers) = channel();
        let full = || Err(ErrorKind::StorageFull.into());
        for of in [full(), Ok(4), full(), Ok(4)] {
            answer.send(of).expect("there");
        }
        drop(answer);
        let queue = onto(Scripted { seen, answers });
        for line in [b"one\n", b"two\n", b"tri\n"] {
            queue.put(line);
        }
        queue.flush();
        assert_eq!(lines(&writes), ["one\n", "two\n", "1 lost\n", "tri\n", "1 lost\n"]);
    }

    #[test]
    fn the_rest_of_a_line_that_was_cut_off_does_not_begin_the_next() {
        let (seen, writes) = channel();
        let (answer, answers) = channel();
        for of in [Ok(2), Err(ErrorKind::StorageFull.into()), Err(ErrorKind::StorageFull.into())] {
            answer.send(of).expect("there");
        }
        drop(answer);
        let queue = onto(Scripted { seen, answers });
        for line in [b"one\n", b"two\n", b"tri\n"] {
            queue.put(line);
        }
        queue.flush();
        assert_eq!(
            lines(&writes),
            ["one\n", "e\n", "\n", "\n", "tri\n", "2 lost\n"],
            "the second line was lost with its disk"
        );
    }
}
