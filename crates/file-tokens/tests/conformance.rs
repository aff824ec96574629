//! The laws of the port on a file, and failures that are specific to files.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use rustix::fs::{CWD, Mode, mkfifoat};
use tempfile::TempDir;
use ttm_file_tokens::FileTokenSource;
use ttm_kernel::{BoxFuture, Clock, Entropy, Moment, Runtime, Task};
use ttm_market::testing::conformance;
use ttm_market::{Mint, TokenSource, TokenSourceError};

/// A clock whose sleeps end at once; at each of them it runs the next edit of the file.
struct Editor {
    pauses: AtomicU32,
    edits: Mutex<Vec<Box<dyn FnOnce() + Send>>>,
}

impl Clock for Editor {
    fn now(&self) -> Moment {
        Moment::ZERO
    }

    fn wall(&self) -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH
    }
}

impl Runtime for Editor {
    fn sleep_until(&self, _: Moment) -> BoxFuture<'static, ()> {
        self.pauses.fetch_add(1, Ordering::Relaxed);
        let mut edits = self.edits.lock().expect("no edit panics");
        if !edits.is_empty() {
            edits.remove(0)();
        }
        Box::pin(async {})
    }

    fn spawn(&self, _: &'static str, _: BoxFuture<'static, ()>) -> Task {
        unreachable!("a source spawns no task")
    }

    fn entropy(&self, _: &'static str) -> Arc<dyn Entropy> {
        unreachable!("a source needs no randomness")
    }
}

fn source(path: &Path, edits: Vec<Box<dyn FnOnce() + Send>>) -> (FileTokenSource, Arc<Editor>) {
    let editor = Arc::new(Editor { pauses: AtomicU32::new(0), edits: Mutex::new(edits) });
    (FileTokenSource::new(path.to_path_buf(), editor.clone()), editor)
}

fn file() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("mints.txt");
    (folder, path)
}

fn write(path: &Path, text: &str) -> Box<dyn FnOnce() + Send> {
    let (path, text) = (path.to_path_buf(), text.to_owned());
    Box::new(move || fs::write(path, text).expect("written"))
}

async fn unusable(source: &FileTokenSource) -> String {
    match source.list().await {
        Err(TokenSourceError::Unusable { message }) => message,
        other => panic!("expected Unusable, got {other:?}"),
    }
}

#[tokio::test]
async fn a_file_obeys_every_law() {
    let (_folder, path) = file();
    let (source, _) = source(&path, Vec::new());
    let put = async |entries: Vec<String>| fs::write(&path, entries.join("\n")).expect("written");
    let spoil = async || fs::remove_file(&path).expect("removed");
    conformance::token_source::check(&source, put, spoil).await;
}

#[tokio::test]
async fn a_file_that_is_being_written_is_used_once_it_is_stable() {
    let (_folder, path) = file();
    let (whole, half) = (format!("{}\n{}\n", Mint::WSOL, Mint::USDC), format!("{}\nEPj", Mint::WSOL));
    write(&path, "")();
    let (source, editor) = source(&path, vec![write(&path, &half), write(&path, &whole)]);
    assert_eq!(source.list().await.expect("it becomes stable").mints.len(), 2);
    assert_eq!(editor.pauses.load(Ordering::Relaxed), 3, "empty, half, whole, and whole again");
}

#[tokio::test]
async fn a_file_that_keeps_changing_is_transient() {
    let (_folder, path) = file();
    write(&path, "")();
    let edits = (0..20).map(|edit| write(&path, &format!("# {edit}"))).collect();
    let (source, _) = source(&path, edits);
    let error = source.list().await.expect_err("it keeps changing");
    assert!(matches!(error, TokenSourceError::Transient { .. }), "{error:?}");
}

#[tokio::test]
async fn an_empty_file_is_an_error_instead_of_an_empty_set() {
    let (_folder, path) = file();
    let (source, _) = source(&path, Vec::new());
    for text in ["", "\n\n", "# nothing but a comment\n"] {
        write(&path, text)();
        let expected = format!("{}: contains no mints, expected at least one, one per line", path.display());
        assert_eq!(unusable(&source).await, expected);
    }
}

#[tokio::test]
async fn a_bad_line_is_reported_and_nothing_of_the_file_is_used() {
    let (_folder, path) = file();
    let (source, _) = source(&path, Vec::new());
    write(&path, &format!("{}\nSo1\n", Mint::USDC))();
    let name = path.display();
    let expected = format!(
        "{name}:2: \"So1\" is not a valid mint: 3 characters, expected 32 to 44 of base58\n\
         {name}: 1 bad line; none of it is used"
    );
    assert_eq!(unusable(&source).await, expected);
}

#[tokio::test]
async fn an_unreadable_file_is_reported_with_the_reason() {
    let (folder, path) = file();
    let (gone, _) = source(&path, Vec::new());
    assert!(unusable(&gone).await.starts_with(&format!("{}: cannot be read: ", path.display())));
    let (is_folder, _) = source(folder.path(), Vec::new());
    assert!(unusable(&is_folder).await.contains("cannot be read"));
    fs::write(&path, [0xff, 0xfe, 0x00]).expect("written");
    assert!(unusable(&gone).await.contains("UTF-8"));
}

#[tokio::test]
async fn a_pipe_in_place_of_the_file_does_not_block_and_a_file_after_it_is_read() {
    let (folder, path) = file();
    mkfifoat(CWD, &path, Mode::RUSR | Mode::WUSR).expect("made");
    let (source, _) = source(&path, Vec::new());
    let name = path.display().to_string();
    let expected = format!("{name}: cannot be read: it is a pipe, expected a file");
    assert_eq!(unusable(&source).await, expected);
    assert_eq!(FileTokenSource::check(&path), Err(expected));
    let good = folder.path().join("good.txt");
    write(&good, &Mint::USDC.to_string())();
    fs::rename(good, &path).expect("moved");
    assert_eq!(source.list().await.expect("it is back").mints.len(), 1);
}

#[tokio::test]
async fn the_check_and_the_source_report_the_same_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("socket");
    let _bound = std::os::unix::net::UnixListener::bind(&socket).expect("bound");
    for (path, kind) in
        [(folder.path(), "a directory"), (Path::new("/dev/zero"), "a device"), (&socket, "a socket")]
    {
        let (source, _) = source(path, Vec::new());
        let expected = format!("{}: cannot be read: it is {kind}, expected a file", path.display());
        assert_eq!(unusable(&source).await, expected);
        assert_eq!(FileTokenSource::check(path), Err(expected));
    }
}
