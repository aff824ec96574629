//! What is printed: answers on standard output, everything else on standard error. A stream that cannot be written is
//! an error of the one that printed, never a panic.

use std::fmt;
use std::io::{self, ErrorKind, Write};

/// Standard output did not take an answer.
#[derive(Debug, thiserror::Error)]
#[error("standard output cannot be written: {0}")]
pub(crate) struct OutputError(#[from] io::Error);

impl OutputError {
    /// Whether the reader has had enough, as `head` has after ten lines; nothing is wrong then.
    pub(super) fn is_closed(&self) -> bool {
        self.0.kind() == ErrorKind::BrokenPipe
    }
}

/// Prints to standard output, at once.
pub(crate) fn print(text: fmt::Arguments<'_>) -> Result<(), OutputError> {
    let mut out = anstream::stdout().lock();
    out.write_fmt(text)?;
    Ok(out.flush()?)
}

/// Prints to standard error. Where nobody can be told, nothing is.
pub(crate) fn tell(text: fmt::Arguments<'_>) {
    drop(anstream::stderr().lock().write_fmt(text));
}

/// Prints a line to standard output.
macro_rules! say {
    ($($text:tt)*) => {
        $crate::cli::output::print(format_args!("{}\n", format_args!($($text)*)))
    };
}
pub(crate) use say;
