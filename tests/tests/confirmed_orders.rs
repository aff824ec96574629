//! Orders to a breaker that were confirmed: no kill right after the answer ends one, and the time of the order is kept.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use jiff::Timestamp;
use rustix::process::Signal;
use serde_json::Value;
use ttm_e2e::{Program, post, send, ttm};

const TOKEN: &str = "correct-horse-battery-staple";

#[test]
fn a_kill_right_after_an_order_was_confirmed_does_not_end_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    fs::write(folder.join("token"), TOKEN).expect("written");
    fs::set_permissions(folder.join("token"), fs::Permissions::from_mode(0o600)).expect("ours");
    let bearer = format!("authorization: Bearer {TOKEN}\r\n");
    let mut ordered: Option<Value> = None;
    for order in ["force-open", "disable", "reset"] {
        let mut program = Program::start(ttm(folder).args(["run", "--log", "info"]).envs([
            ("TTM_API__LISTEN", "127.0.0.1:0"),
            ("TTM_API__TOKEN_FILE", "token"),
            ("TTM_STORE__URL", "sqlite://ttm-data/ttm.db"),
            // Nothing listens there, and there are no tokens to ask for.
            ("TTM_DEXSCREENER__BASE_URL", "http://127.0.0.1:1"),
        ]));
        let address = program.address();
        if let Some(before) = &ordered {
            let breaker = send(address, "GET", "/api/v1/breakers", &bearer, "").json()["breakers"][0].clone();
            // A store keeps microseconds.
            let since = |one: &Value| {
                let since = one["since"].as_str().and_then(|since| since.parse::<Timestamp>().ok());
                since.expect("a time").as_microsecond()
            };
            assert_eq!((&breaker["state"], since(&breaker)), (&before["state"], since(before)));
        }
        let answer = post(address, &format!("/api/v1/breakers/dexscreener/{order}"), &bearer);
        assert_eq!((answer.status, &answer.json()["stored"]), (200, &true.into()), "{answer:?}");
        program.signal(Signal::KILL);
        drop(program.end());
        ordered = Some(answer.json());
    }
}
