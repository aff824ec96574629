//! How long a CRITICAL alert of the real program takes to the wire: a webhook on loopback.
//!
//! In it are deciding, storing state and message in SQLite, waiting for the turn of the channel, and all of its HTTP client up to the
//! first byte that the receiver reads, on a new connection. TLS and names are not, nor is the time that a rule has to hold
//! before. Firing is when the event says that it fires, which the program writes when that is decided.
//!
//! Many rules are about one fact, and each fires so many seconds after it: so each is a message of its own. Facts are a second
//! old at most when they are evaluated, and an alert begins with its fact. As evaluations have another interval than the facts,
//! those that make alerts fire are of every age.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use ttm_bench::{Bound, Figure, Figures, Scenario, Shown};
use ttm_e2e::{Program, market, post, send, ttm};

pub(crate) const CRITICAL: Scenario = Scenario { name: "CRITICAL to the wire", play: critical };

/// How often the program is started, and how many alerts fire each time.
const STARTS: usize = 4;
const RULES: usize = 12;
/// Apart by more than a channel's budget of one message a second.
const APART: usize = 2;
const TOKENS: usize = 40;
const TOKEN: &str = "a-token-of-this-benchmark";
/// Much longer than any of it takes.
const PATIENCE: Duration = Duration::from_mins(1);

/// What one alert took.
struct Taken {
    /// From the time of the fact that made it fire, which is when it began.
    from_fact: f64,
    /// From when it fired.
    from_firing: f64,
}

fn critical(shown: Shown<'_>) -> Figures {
    let mut all = Vec::new();
    for start in 0..STARTS {
        all.extend(fire(&|fired| shown(&format!("{} of {}", start * RULES + fired, STARTS * RULES)))?);
    }
    let of = |time: fn(&Taken) -> f64| {
        let mut times: Vec<f64> = all.iter().map(time).collect();
        times.sort_by(f64::total_cmp);
        move |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)]
    };
    let (firing, fact) = (of(|taken| taken.from_firing), of(|taken| taken.from_fact));
    Ok(vec![
        Figure::new("from firing to the first byte, median", firing(50), "s"),
        Figure::new("from firing to the first byte, 99th percentile", firing(99), "s"),
        Figure::new("from firing to the first byte, maximum", firing(100), "s").bound(Bound::AtMost(1.0)),
        Figure::new("from its fact to the first byte, median", fact(50), "s"),
        Figure::new("from its fact to the first byte, maximum", fact(100), "s"),
        Figure::new("alerts", all.len() as f64, ""),
    ])
}

/// Lets all rules of one process fire.
fn fire(shown: &dyn Fn(usize)) -> Result<Vec<Taken>, Box<dyn Error>> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let (exchange, hook) = (market(TOKENS), TcpListener::bind("127.0.0.1:0")?);
    configure(folder.path(), &exchange.base_url(), hook.local_addr()?)?;
    let mut command = ttm(folder.path());
    let mut program = Program::start(command.args(["run", "--config", "ttm.toml", "--log", "info"]));
    let address = program.address();
    let messages = receive(hook);
    let authorized = format!("authorization: Bearer {TOKEN}\r\n");
    let opened = post(address, "/api/v1/breakers/dexscreener/force-open", &authorized);
    if opened.status != 200 {
        return Err(opened.body.into());
    }
    let mut arrived = Vec::new();
    while arrived.len() < RULES {
        shown(arrived.len());
        arrived.push(messages.recv_timeout(PATIENCE)?);
    }
    let path = format!("/api/v1/events?kind=alert.fired&limit={}", 4 * RULES);
    // They are stored after the messages.
    let fired = (0..PATIENCE.as_secs()).find_map(|_| {
        pause(Duration::from_secs(1));
        let events = send(address, "GET", &path, &authorized, "").json()["events"].as_array().cloned()?;
        let at = |(_, body): &(Timestamp, Value)| {
            let is_of = |event: &&Value| event["payload"]["episode"] == body["episode"];
            time(&events.iter().find(is_of)?["at"])
        };
        arrived.iter().map(at).collect::<Option<Vec<Timestamp>>>()
    });
    let fired = fired.ok_or("not every alert that was told is in the record")?;
    let seconds = |from: Timestamp, to: Timestamp| to.duration_since(from).as_secs_f64();
    arrived
        .into_iter()
        .zip(fired)
        .map(|((at, body), fired)| {
            if (&body["severity"], &body["news"]) != (&"CRITICAL".into(), &"new".into()) {
                return Err(format!("this is not what was to fire: {body}").into());
            }
            let begun = time(&body["started_at"]).ok_or("it does not say when it began")?;
            Ok(Taken { from_fact: seconds(begun, at), from_firing: seconds(fired, at) })
        })
        .collect()
}

/// Everything is as by default, but for what makes the alerts fire.
fn configure(folder: &Path, exchange: &str, hook: SocketAddr) -> Result<(), Box<dyn Error>> {
    let mut config = format!(
        r#"
        [api]
        listen = "127.0.0.1:0"
        token_file = "token"
        [dexscreener]
        base_url = "{exchange}"
        [monitoring]
        health_check_interval = "700ms"
        [alerts.channels.ops]
        kind = "webhook"
        url = "http://{hook}/"
        "#
    );
    for rule in 1..=RULES {
        write!(
            config,
            r#"
            [[alerts.routes]]
            match = {{ rule = "open_{rule}" }}
            channels = ["ops"]
            [alerts.rules.open_{rule}]
            series = "breaker.open"
            severity = "critical"
            for = "{}s"
            "#,
            5 + rule * APART
        )?;
    }
    fs::write(folder.join("ttm.toml"), config)?;
    let token = folder.join("token");
    fs::write(&token, TOKEN)?;
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600))?;
    Ok(())
}

/// Takes messages, each with the time of its first byte.
#[expect(clippy::disallowed_methods, reason = "blocking sockets need threads")]
fn receive(hook: TcpListener) -> Receiver<(Timestamp, Value)> {
    let (sender, messages) = channel();
    // It ends with the process.
    drop(thread::spawn(move || {
        while let Ok((stream, _)) = hook.accept() {
            // Fails when its client gives up.
            if let Ok(message) = take(&stream)
                && sender.send(message).is_err()
            {
                return;
            }
        }
    }));
    messages
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn take(mut stream: &TcpStream) -> Result<(Timestamp, Value), Box<dyn Error>> {
    let mut reader = BufReader::new(stream);
    reader.fill_buf()?;
    let at = Timestamp::now();
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if line.trim_end().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    stream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")?;
    Ok((at, serde_json::from_slice(&body)?))
}

fn time(text: &Value) -> Option<Timestamp> {
    text.as_str()?.parse().ok()
}

#[expect(clippy::disallowed_methods, reason = "the program runs in real time")]
fn pause(time: Duration) {
    thread::sleep(time);
}
