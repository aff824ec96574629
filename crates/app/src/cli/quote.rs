//! Arguments in commands that are printed to be copied.

use std::path::Path;

/// An argument as a shell reads it.
pub(super) fn quoted(argument: &str) -> String {
    // Only a NUL cannot be quoted, and no argument contains one.
    shlex::try_quote(argument).map_or_else(|_| argument.to_owned(), Into::into)
}

/// A path as a shell reads it.
pub(super) fn quoted_path(path: &Path) -> String {
    quoted(&path.display().to_string())
}
