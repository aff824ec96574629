//! An alert of the real service: it fires, is told, seen and silenced, and all of that is known to the next process.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;
use std::sync::mpsc;
use std::thread;

use rustix::process::Signal;
use serde_json::{Value, json};
use ttm_e2e::{Answer, Program, send, ttm};

const TOKEN: &str = "correct-horse-battery-staple";
const PUBLIC: &str = "https://ops.example.org/ttm";

/// A service whose API refuses connections.
fn service(folder: &Path) -> Program {
    // Nobody listens there once this is dropped.
    let dead = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    Program::start(ttm(folder).args(["run", "--config", "ttm.toml", "--log", "info"]).envs([
        ("TTM_API__LISTEN", "127.0.0.1:0"),
        ("TTM_API__TOKEN_FILE", "token"),
        ("TTM_API__PUBLIC_URL", PUBLIC),
        ("TTM_ALERTS__GROUP_WAIT", "0s"),
        ("TTM_DEXSCREENER__BASE_URL", &format!("http://{dead}")),
        ("TTM_SCHEDULER__HOT_INTERVAL", "1s"),
        ("TTM_SCHEDULER__COLD_INTERVAL", "1s"),
        ("TTM_MONITORING__HEALTH_CHECK_INTERVAL", "1s"),
        ("TTM_SOURCES__FILE", "mints.txt"),
        ("TTM_STORE__URL", "sqlite://ttm-data/ttm.db"),
    ]))
}

fn ask(folder: &Path, address: SocketAddr, arguments: &[&str]) -> Output {
    let url = format!("http://{address}");
    let mut command = ttm(folder);
    command.args(arguments).args(["--url", &url, "--token-file", "token"]).env("USER", "anna");
    command.output().expect("it starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The output of a command that succeeds.
#[track_caller]
fn told(done: &Output) -> String {
    assert!(done.status.success(), "{}", text(&done.stderr));
    text(&done.stdout)
}

#[track_caller]
fn json_of(done: &Output) -> Value {
    told(done).parse().expect("JSON")
}

/// A receiver of a webhook that takes everything, and the bodies of what it took.
#[expect(clippy::disallowed_methods, reason = "blocking sockets need threads")]
fn receiver() -> (SocketAddr, mpsc::Receiver<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let (sender, bodies) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut reader = BufReader::new(&stream);
            let (mut line, mut length) = (String::new(), 0);
            while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().expect("a length");
                }
                line.clear();
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).expect("a body");
            (&stream).write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").expect("answered");
            let _ = sender.send(serde_json::from_slice(&body).expect("JSON"));
        }
    });
    (address, bodies)
}

/// What the log says of the breaker: the channel that is always there.
fn fired(program: &mut Program) -> String {
    let is_told = |entry: &Value| entry["rule"] == "breaker_open" && entry["message_id"].is_string();
    let line = program.wait_for("that it was told", is_told);
    line["message"].as_str().expect("a line").to_owned()
}

/// Follows a link without the token.
fn follow(address: SocketAddr, method: &str, link: &str) -> Answer {
    let path = link.strip_prefix(PUBLIC).unwrap_or_else(|| panic!("{link} points elsewhere"));
    send(address, method, path, "content-length: 0\r\n", "")
}

#[test]
fn an_alert_is_told_seen_and_silenced_and_the_next_process_knows_all_of_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    fs::write(folder.join("mints.txt"), "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v").expect("written");
    fs::write(folder.join("token"), TOKEN).expect("written");
    fs::set_permissions(folder.join("token"), fs::Permissions::from_mode(0o600)).expect("ours");

    let (hook, bodies) = receiver();
    let config = format!(
        "[alerts]\ndefault_channels = [\"log\", \"ops\"]\n[alerts.channels.ops]\nkind = \"webhook\"\nurl = \"http://{hook}/ops\"\n"
    );
    fs::write(folder.join("ttm.toml"), config).expect("written");

    let mut first = service(folder);
    let address = first.address();
    let logged = fired(&mut first);
    assert!(logged.contains("ttm alerts ack ") && !logged.contains("signature="), "{logged}");
    let message = bodies.iter().find(|body| body["rule"] == "breaker_open").expect("it is told");
    let message = message["description"].as_str().expect("a description");
    let link = message.split_whitespace().find(|word| word.starts_with(PUBLIC));
    let link = link.unwrap_or_else(|| panic!("{message}")).to_owned();
    let show = |address| json_of(&ask(folder, address, &["alerts", "show", "breaker_open", "--json"]));
    let mut alert = show(address);
    while alert["receipts"].as_array().is_none_or(Vec::is_empty) || alert["timeline"] == json!([]) {
        // Both are stored a moment after.
        alert = show(address);
    }
    let id = alert["id"].as_str().expect("an id").to_owned();
    assert_eq!((&alert["state"], &alert["labels"]), (&json!("firing"), &json!({"api": "dexscreener"})));
    assert_eq!((&alert["told"][0]["channel"], &alert["told"][0]["what"]), (&json!("log"), &json!("firing")));
    assert_eq!(
        (&alert["receipts"][0]["outcome"], &alert["timeline"][0]["kind"]),
        (&json!("delivered"), &json!("alert.fired"))
    );
    let listed = told(&ask(folder, address, &["alerts", "list"]));
    assert!(listed.contains(&id[..8]) && listed.contains("breaker_open{api=dexscreener}"), "{listed}");
    let shown = told(&ask(folder, address, &["alerts", "show", &id[..6]]));
    let next = format!("next: ttm alerts ack {id} --url http://{address} --token-file token\n");
    assert!(shown.contains("nobody has acknowledged it") && shown.ends_with(&next), "{shown}");

    let page = follow(address, "GET", &link);
    assert_eq!(page.status, 200, "{page:?}");
    assert!(page.body.contains("Nobody has acknowledged it.") && page.body.contains("<button>"), "{page:?}");
    assert!(show(address)["acknowledged"].is_null(), "to look changes nothing");
    assert_eq!(follow(address, "POST", &format!("{link}x")).status, 403);
    assert_eq!(follow(address, "POST", &link).status, 200);
    assert_eq!(show(address)["acknowledged"]["by"], "somebody with the link");
    let acknowledged = told(&ask(folder, address, &["alerts", "ack", "breaker_open{api=dexscreener}"]));
    assert!(
        acknowledged.starts_with("breaker_open{api=dexscreener}: acknowledged by anna; "),
        "{acknowledged}"
    );

    let arguments =
        ["alerts", "silence", "--rule", "breaker_open", "--for", "2h", "--reason", "it is known", "--json"];
    let silence = json_of(&ask(folder, address, &arguments));
    assert_eq!((&silence["author"], &silence["stored"]), (&json!("anna"), &json!(true)));
    let number = silence["id"].to_string();
    let window = ["--zone", "Europe/Berlin", "--days", "mon,tue", "--from", "22:00", "--to", "23:00"];
    let window = [
        &["alerts", "maintenance", "add"],
        &window[..],
        &["--first", "2026-12-01", "--last", "2027-02-28", "--all"],
    ];
    let window = told(&ask(folder, address, &[&window.concat()[..], &["--reason", "backups"]].concat()));
    assert!(window.contains("all alerts, mon,tue 22:00 to 23:00 Europe/Berlin"), "{window}");
    let hidden = show(address)["hidden"].clone();
    assert_eq!((&hidden["by"], &hidden["silence"]), (&json!("silence"), &silence["id"]));
    first.signal(Signal::KILL);
    drop(first);

    let mut second = service(folder);
    let address = second.address();
    let mut known = ask(folder, address, &["alerts", "show", &id, "--json"]);
    while text(&known.stderr).contains("could not be read yet") {
        known = ask(folder, address, &["alerts", "show", &id, "--json"]);
    }
    let known = json_of(&known);
    for key in ["id", "episode", "started_at"] {
        assert_eq!(known[key], alert[key], "{key}");
    }
    assert_eq!(known["told"][0]["what"], "firing", "{known}");
    assert_eq!((&known["acknowledged"]["by"], &known["hidden"]["silence"]), (&json!("anna"), &silence["id"]));
    let page = follow(address, "GET", &link);
    assert!(page.body.contains("anna has acknowledged it"), "{page:?}");
    let silences = json_of(&ask(folder, address, &["alerts", "silences", "--json"]));
    assert_eq!(
        (&silences["silences"][0]["id"], &silences["silences"][0]["active"]),
        (&silence["id"], &json!(true))
    );
    let ended = told(&ask(folder, address, &["alerts", "unsilence", &number]));
    assert!(ended.starts_with(&format!("the silence {number} has ended: ")), "{ended}");
    assert!(told(&ask(folder, address, &["alerts", "silences"])).starts_with("there is no silence; "));
    assert!(
        told(&ask(folder, address, &["alerts", "channels"]))
            .starts_with("log         ok      takes messages")
    );
    second.signal(Signal::TERM);
    assert_eq!(second.end().code, Some(0));
    let silent = ask(folder, address, &["alerts", "list"]);
    let expected = format!("error: http://{address}: connection refused; is the service running?\n");
    assert_eq!((silent.status.code(), text(&silent.stderr)), (Some(1), expected));
}
