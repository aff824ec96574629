//! Output: answers on standard output, everything else on standard error. A stream that cannot be written is an error,
//! never a panic. Lines are wrapped on a terminal only; in a pipe or a file each is one line.

use std::fmt;
use std::io::{self, ErrorKind, Write};

use serde_json::Value;

/// Standard output cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("standard output cannot be written: {0}")]
pub(super) struct OutputError(#[from] io::Error);

impl OutputError {
    /// Whether the reader closed its end, as `head` does after ten lines, which is fine.
    pub(super) fn is_closed(&self) -> bool {
        self.0.kind() == ErrorKind::BrokenPipe
    }
}

/// Prints to standard output and flushes it.
pub(super) fn print(text: fmt::Arguments<'_>) -> Result<(), OutputError> {
    let mut out = anstream::stdout().lock();
    out.write_fmt(text)?;
    Ok(out.flush()?)
}

/// Prints an answer of the API as it is.
pub(super) fn print_json(answer: &Value) -> Result<(), OutputError> {
    say!("{answer:#}")
}

/// Says of an order that it is in force, and not stored yet, if its answer says so.
pub(super) fn tell_unless_stored(answer: &Value) -> Result<(), OutputError> {
    if answer["stored"] != false {
        return Ok(());
    }
    wrapped(
        &format!("{:12}", "!"),
        "this is in force, but not stored yet: the store has not taken it. It goes on being stored; \
         if the process ends before that is done, the next one does not know of it",
    )
}

/// Prints to standard error; there is nowhere to report a failure of that.
pub(super) fn tell(text: fmt::Arguments<'_>) {
    drop(anstream::stderr().lock().write_fmt(text));
}

/// Prints a line, wrapped to the terminal with `text` indented by the width of `head`.
pub(super) fn wrapped(head: &str, text: &str) -> Result<(), OutputError> {
    let below = textwrap::core::display_width(head);
    say!("{}", laid_out(head, below, text, width_of_terminal()))
}

/// Prints a row of a table, wrapped to the terminal with an indent.
pub(super) fn row(text: fmt::Arguments<'_>) -> Result<(), OutputError> {
    say!("{}", laid_out("", 4, &text.to_string(), width_of_terminal()))
}

/// How wide the terminal is; `None` if the output goes elsewhere.
pub(super) fn width_of_terminal() -> Option<usize> {
    terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| usize::from(width.0))
}

/// A space that no line ends at.
const KEPT: char = '\u{a0}';

/// A text behind `head`, wrapped to this width with an indent of `below`.
pub(super) fn laid_out(head: &str, below: usize, text: &str, width: Option<usize>) -> String {
    let Some(width) = width else { return format!("{head}{text}") };
    let below = " ".repeat(below);
    // A command is not broken, so that it can be copied; the terminal wraps one that is too long.
    let is_paired = text.matches('`').count().is_multiple_of(2);
    let mut is_command = false;
    let kept: String = text
        .chars()
        .map(|c| {
            is_command ^= is_paired && c == '`';
            if is_command && c == ' ' { KEPT } else { c }
        })
        .collect();
    textwrap::fill(&kept, layout(width).initial_indent(head).subsequent_indent(&below)).replace(KEPT, " ")
}

/// A word longer than a line, such as a URL, is not broken, so that it can be copied.
pub(super) fn layout<'a>(width: usize) -> textwrap::Options<'a> {
    textwrap::Options::new(width).break_words(false).word_splitter(textwrap::WordSplitter::NoHyphenation)
}

/// Untrusted text, truncated and without control characters.
pub(super) fn printable(name: &str, width: usize) -> String {
    name.chars().filter(|c| !c.is_control()).take(width).collect()
}

/// Prints a line to standard output.
macro_rules! say {
    ($($text:tt)*) => {
        $crate::cli::output::print(format_args!("{}\n", format_args!($($text)*)))
    };
}
pub(super) use say;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_wrapped_on_a_terminal_only() {
        let green = anstyle::AnsiColor::Green.on_default();
        let head = format!("hot         {green}healthy{green:#}   ");
        let text = "last run 4.0s ago, took 0.2s, missed 0";
        assert_eq!(laid_out(&head, 22, text, None), format!("{head}{text}"));
        assert_eq!(laid_out(&head, 22, text, Some(80)), format!("{head}{text}"));
        let below = " ".repeat(22);
        let narrow = format!("{head}last run 4.0s ago,\n{below}took 0.2s, missed 0");
        assert_eq!(laid_out(&head, 22, text, Some(42)), narrow);
        assert_eq!(laid_out("!           ", 12, "https://example.org/long", Some(20)).lines().count(), 1);
    }

    #[test]
    fn a_command_is_not_broken() {
        let text = "it is held open; `ttm breaker api reset` ends that";
        assert_eq!(
            laid_out("! ", 2, text, Some(30)),
            "! it is held open;\n  `ttm breaker api reset` ends\n  that"
        );
        let narrow = laid_out("! ", 2, text, Some(10));
        assert!(narrow.contains("\n  `ttm breaker api reset`\n"), "{narrow}");
    }

    #[test]
    fn the_columns_of_a_row_that_do_not_fit_go_to_the_next_line() {
        let row = "store.url        text      sqlite://ttm-data/ttm.db  TTM_STORE__URL";
        assert_eq!(laid_out("", 4, row, Some(80)), row);
        assert_eq!(
            laid_out("", 4, row, Some(60)),
            "store.url        text      sqlite://ttm-data/ttm.db\n    TTM_STORE__URL"
        );
    }
}
