//! A bounded queue of log lines in front of standard error. One thread writes them, so that a blocked reader, a full disk or
//! a broken pipe loses lines, and logging never blocks or fails. Lost lines are counted. Once the lines that were queued
//! before the first lost one are written, the writing thread itself logs the count, so that this line needs no room.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tracing_subscriber::fmt::MakeWriter;

/// The capacity of the queue: a second of the busiest log.
const CAPACITY: usize = 10_000;
/// How long a flush may take.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// A handle on the queue.
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
    /// Whether a line is being written.
    writing: bool,
    /// Lost lines that are not reported yet.
    lost: u64,
    /// Lines to write before reporting them: those that were queued when the first was lost.
    before_report: usize,
}

thread_local! {
    /// On the writing thread: the line that reports lost ones, which bypasses the queue.
    static OWN: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

impl Queue {
    /// Starts the thread that writes to standard error.
    pub(super) fn start() -> io::Result<Self> {
        // A separate handle: a write that hangs must not hold the lock of the standard library's handle.
        let out = File::from(io::stderr().as_fd().try_clone_to_owned()?);
        Self::onto(out, |lost| tracing::warn!(lost, "log lines were lost"))
    }

    /// `report` logs how many lines were lost.
    fn onto(out: impl Write + Send + 'static, report: impl Fn(u64) + Send + 'static) -> io::Result<Self> {
        let queue = Self(Arc::new(Shared::default()));
        let shared = queue.0.clone();
        std::thread::Builder::new().name("log".into()).spawn(move || write_all(&shared, out, report))?;
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
            if state.before_report == 0 {
                state.before_report = CAPACITY;
            }
            state.lost += 1;
        }
    }

    /// Waits until the queue is written, up to a timeout.
    pub(super) fn flush(&self) {
        let waiting = |state: &mut State| state.writing || !state.lines.is_empty();
        self.0.written.wait_while_for(&mut self.0.state.lock(), waiting, FLUSH_TIMEOUT);
    }
}

/// Writes lines as they arrive, forever.
fn write_all(shared: &Shared, out: impl Write, report: impl Fn(u64)) {
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
        state.before_report = state.before_report.saturating_sub(1);
        drop(state);
        let is_written = out.put(&line);
        let mut state = shared.state.lock();
        state.lost += u64::from(!is_written);
        let lost = state.lost;
        if is_written && lost > 0 && state.before_report == 0 {
            drop(state);
            if out.put(&line_of(|| report(lost))) {
                // Lines lost meanwhile are reported after those that are queued now.
                let mut state = shared.state.lock();
                state.lost -= lost;
                state.before_report = state.lines.len();
            }
        }
    }
}

/// The line that `log` logs.
fn line_of(log: impl FnOnce()) -> Vec<u8> {
    OWN.set(Some(Vec::new()));
    log();
    OWN.take().unwrap_or_default()
}

/// Writes whole lines only.
struct Lines<W> {
    out: W,
    /// Whether the last line was cut off.
    torn: bool,
}

impl<W: Write> Lines<W> {
    /// Writes a line; whether it succeeded.
    fn put(&mut self, line: &[u8]) -> bool {
        // End a line that was cut off, so that the next one does not continue it.
        let done = if self.torn { put_all(&mut self.out, b"\n") } else { Ok(()) };
        let done = done.map_err(|_| self.torn).and_then(|()| put_all(&mut self.out, line));
        self.torn = done.err().unwrap_or_default();
        done.is_ok()
    }
}

/// Writes all bytes; an error says whether some of them were written.
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

/// The layer writes each line with one call.
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

    /// Sends what is written to a channel, and returns scripted results.
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

    /// A queue onto `out` that reports lost lines through itself, as the subscriber would.
    fn onto(out: impl Write + Send + 'static) -> Queue {
        let own = Arc::new(OnceLock::<Queue>::new());
        let report = own.clone();
        let report = move |lost| report.get().expect("set").put(format!("{lost} lost\n").as_bytes());
        let queue = Queue::onto(out, report).expect("a thread");
        assert!(own.set(queue.clone()).is_ok());
        queue
    }

    fn lines(writes: &Receiver<Vec<u8>>) -> Vec<String> {
        writes.try_iter().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect()
    }

    #[test]
    fn logging_does_not_wait_for_a_blocked_reader_and_lost_lines_are_reported_once_after_those_queued() {
        let (seen, writes) = channel();
        let (answer, answers) = channel();
        let queue = onto(Scripted { seen, answers });
        queue.put(b"first\n");
        assert_eq!(writes.recv(), Ok(b"first\n".to_vec()), "it is being written");
        for _ in 0..CAPACITY + 3 {
            queue.put(b"more\n");
        }
        // The writer takes one line from the queue, and another one takes its place: the queue is full again.
        answer.send(Ok(6)).expect("there");
        assert_eq!(writes.recv(), Ok(b"more\n".to_vec()));
        queue.put(b"late\n");
        queue.put(b"lost\n");
        drop(answer);
        queue.flush();
        let written = lines(&writes);
        assert_eq!(written.iter().filter(|line| line.ends_with("lost\n")).collect::<Vec<_>>(), ["4 lost\n"]);
        let report = written.iter().position(|line| line == "4 lost\n");
        assert_eq!(report, Some(CAPACITY - 1), "after the lines that were queued before the first lost one");
        assert_eq!(written.len(), CAPACITY + 1);
        assert_eq!(queue.0.state.lock().lost, 0);
    }

    #[test]
    fn lines_lost_while_the_reader_of_a_pipe_pauses_are_counted_exactly() {
        const PUT: usize = 3 * CAPACITY;
        let (reader, writer) = io::pipe().expect("a pipe");
        let queue = onto(writer);
        for number in 0..PUT {
            queue.put(format!("line {number}\n").as_bytes());
        }
        // The reader resumes: every line is read, or counted as lost.
        let mut read = BufReader::new(reader).lines().map(|line| line.expect("text"));
        let (mut carried, mut lost) = (0, Vec::new());
        while carried + lost.iter().sum::<usize>() < PUT {
            let line = read.next().expect("the queue lives");
            match line.strip_suffix(" lost") {
                Some(count) => lost.push(count.parse::<usize>().expect("a count")),
                None => carried += 1,
            }
        }
        assert_eq!((carried + lost[0], lost.len()), (PUT, 1), "one report for all of them");
    }

    #[test]
    fn a_report_of_lost_lines_that_is_lost_itself_is_repeated() {
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
    fn the_line_after_one_that_was_cut_off_starts_on_a_new_line() {
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
            "the second and the third line were lost"
        );
    }
}
