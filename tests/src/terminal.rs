//! A terminal on which the program shows something.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::ttm;

/// The output of the program on a terminal of this many columns, by lines.
pub fn on_a_terminal(folder: &Path, columns: u16, arguments: &[&str]) -> Vec<String> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let mut terminal = File::from(openpt(flags).expect("a terminal"));
    grantpt(&terminal).and_then(|()| unlockpt(&terminal)).expect("ours");
    let name = ptsname(&terminal, Vec::new()).expect("a name");
    let name = Path::new(name.to_str().expect("a path"));
    let inside = File::options().read(true).write(true).open(name).expect("it is there");
    let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&inside, size).expect("any size will do");
    // The temporary command holds the terminal open, and is dropped before its end is read.
    let mut child = ttm(folder).args(arguments).stdout(inside).spawn().expect("it starts");
    let mut shown = Vec::new();
    // Reading the end of a terminal is an error.
    drop(terminal.read_to_end(&mut shown));
    assert!(child.wait().expect("it ends").success(), "{arguments:?}");
    let shown = String::from_utf8_lossy(&shown).into_owned();
    assert!(!shown.contains('\u{1b}'), "no colour without TERM: {shown}");
    shown.lines().map(|line| line.trim_end_matches('\r').to_owned()).collect()
}
