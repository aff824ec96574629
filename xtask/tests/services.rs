//! The throw-away PostgreSQL from outside: it answers while `cargo xtask services` runs, and nothing is left of it after
//! its parent was killed.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// For how long the server must stay up; stopping it takes a tenth of that.
const PATIENCE: Duration = Duration::from_secs(1);

/// A process that is killed when its test ends, passed or failed.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        self.0.kill().expect("our own child can be killed");
        self.0.wait().expect("our own child ends");
    }
}

#[test]
fn a_killed_parent_leaves_neither_server_nor_folder_behind() {
    let services = Command::new(env!("CARGO_BIN_EXE_ttm-xtask"))
        .arg("services")
        .env_remove("TTM_TEST_DATABASE_URL")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the tool starts");
    let mut services = Killed(services);
    let mut line = String::new();
    let mut output = BufReader::new(services.0.stdout.take().expect("standard output is piped"));
    output.read_line(&mut line).expect("it prints the URL");
    let mut errors = services.0.stderr.take().expect("standard error is piped");
    if line.is_empty() {
        let mut reason = String::new();
        errors.read_to_string(&mut reason).expect("it says why");
        panic!("no server was started: {reason}");
    }

    let address = line
        .trim_end()
        .strip_prefix("TTM_TEST_DATABASE_URL=postgres://postgres@")
        .and_then(|rest| rest.strip_suffix("/postgres"))
        .unwrap_or_else(|| panic!("a URL on loopback: {line}"));
    let mut client = TcpStream::connect(address).expect("the server listens");
    client.write_all(&hello()).expect("the server reads");
    client.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
    let mut answer = Vec::new();
    let open = client.read_to_end(&mut answer).expect_err("a server that stays up does not hang up");
    assert!(matches!(open.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{open}");
    assert_eq!(answer.first(), Some(&b'R'), "the server lets us in: {}", String::from_utf8_lossy(&answer));
    drop(client);

    let folder = folder_of(address);
    assert!(Path::new(&folder).is_dir(), "{folder}");

    drop(services);
    // The keeper shares this pipe: it reads to its end when the keeper, too, has ended.
    errors.read_to_end(&mut Vec::new()).expect("the keeper ends");
    assert!(TcpStream::connect(address).is_err(), "the server still listens on {address}");
    assert!(!Path::new(&folder).exists(), "{folder} is left behind");
}

/// The first message of the wire protocol, version 3.0: who we are.
fn hello() -> Vec<u8> {
    let parameters = b"user\0postgres\0\0";
    let length = u32::try_from(4 + 4 + parameters.len()).expect("a short message");
    [&length.to_be_bytes()[..], &0x0003_0000_u32.to_be_bytes()[..], parameters].concat()
}

/// The server's folder, which holds the socket named after its port.
fn folder_of(address: &str) -> String {
    let port = address.rsplit_once(':').expect("an address has a port").1;
    let socket = format!(".s.PGSQL.{port}");
    let folders = Path::new("/var/tmp").read_dir().expect("the parent of all servers' folders can be read");
    let mut paths = folders.filter_map(Result::ok).map(|folder| folder.path());
    let found = paths.find(|path| path.join(&socket).exists()).expect("one of the folders is the server's");
    found.to_string_lossy().into_owned()
}
