//! What the runbooks have an operator type, against a running service: commands that only read are run, those that change
//! something are only parsed, which the program's own tests do.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use ttm_e2e::{Answer, Program, market, send, ttm};

const TOKEN: &str = "correct-horse-battery-staple";
/// Where the documents say that service and config are.
const SERVICE: &str = "http://127.0.0.1:8080";
const CONFIG: &str = "/etc/ttm/ttm.toml";

fn texts() -> impl Iterator<Item = String> {
    let pages = fs::read_dir("../docs/runbooks").expect("the pages");
    pages.map(|page| fs::read_to_string(page.expect("readable").path()).expect("UTF-8"))
}

/// The lines of the blocks of commands of all pages, once each.
fn commands() -> BTreeSet<String> {
    let blocks = |text: String| -> Vec<String> {
        let blocks =
            text.split("```sh\n").skip(1).map(|block| block.split("\n```").next().unwrap_or_default());
        blocks.flat_map(str::lines).map(str::to_owned).collect()
    };
    texts().flat_map(blocks).collect()
}

/// The paths of the service that the text of any page names, once each.
fn named() -> BTreeSet<String> {
    let is_ours = |word: &&str| ["/health", "/api/", "/metrics"].iter().any(|path| word.starts_with(path));
    texts().flat_map(|text| text.split('`').filter(is_ours).map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// The arguments of `ttm` in a line that only reads. `None` for one that changes something, for one that has to be filled in, and
/// for those of other programs.
fn reads(line: &str) -> Option<Vec<&str>> {
    let arguments: Vec<&str> = line.strip_prefix("ttm ")?.split(' ').collect();
    match arguments[..] {
        ["config", "explain", "KEY"]
        | ["recovery", "show", "ID"]
        | ["restart", _]
        | ["breaker", _, _]
        | ["alerts", "show" | "ack" | "silence" | "explain" | "test", ..] => None,
        ["alerts", "list" | "channels"]
        | ["status" | "recovery" | "breaker"]
        | ["tokens", "list", ..]
        | ["config", "check" | "explain", _] => Some(arguments),
        _ => panic!("`{line}` is new: does it only read?"),
    }
}

/// The path that a line of `curl` asks the service for.
fn asked(line: &str) -> Option<&str> {
    line.split([' ', '\'']).find_map(|word| word.strip_prefix(SERVICE))
}

fn get(address: SocketAddr, path: &str) -> Answer {
    send(address, "GET", path, &format!("authorization: Bearer {TOKEN}\r\n"), "")
}

fn write_config(folder: &Path, base_url: &str) {
    let token = folder.join("token");
    fs::write(&token, TOKEN).expect("written");
    fs::set_permissions(token, fs::Permissions::from_mode(0o600)).expect("ours");
    let config = format!(
        "[api]\nlisten = \"127.0.0.1:0\"\ntoken_file = \"token\"\n\
         [dexscreener]\nbase_url = \"{base_url}\"\n\
         [scheduler]\nhot_interval = \"1s\"\ncold_interval = \"1s\"\n\
         [monitoring]\nresource_check_interval = \"1s\"\nperformance_check_interval = \"1s\"\n\
         [sources]\nfile = \"mints.txt\"\n"
    );
    fs::write(folder.join("ttm.toml"), config).expect("written");
}

#[test]
fn what_the_pages_have_an_operator_look_at_is_there() {
    let (market, folder) = (market(40), tempfile::tempdir().expect("a folder"));
    let folder = folder.path();
    let mints: Vec<String> = market.mints().iter().map(ToString::to_string).collect();
    fs::write(folder.join("mints.txt"), mints.join("\n")).expect("written");
    write_config(folder, &market.base_url());
    let mut program = Program::start(ttm(folder).args(["run", "--log", "info", "--config", "ttm.toml"]));
    let address = program.address();
    program.wait_for("a run that scored", |entry| entry["processed"].as_u64() > Some(0));

    let (mut run, mut got) = (0, 0);
    for line in commands() {
        if let Some(arguments) = reads(&line) {
            run += 1;
            let mut command = ttm(folder);
            command.args(arguments.iter().map(|word| if *word == CONFIG { "ttm.toml" } else { word }));
            command.args(["--config", "ttm.toml"]);
            if ["status", "recovery", "breaker", "alerts"].contains(&arguments[0]) {
                command.args(["--url", &format!("http://{address}")]);
            }
            let done = command.output().expect("it starts");
            let (said, complaint) =
                (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
            // `status` has codes of its own, and a service that has just started may be degraded.
            let is_answer = done.status.success() || arguments == ["status"] && done.status.code() == Some(1);
            assert!(is_answer && !said.is_empty(), "{line}: {}, {said}{complaint}", done.status);
        }
        if let Some(path) = asked(&line) {
            got += 1;
            let mut answer = get(address, path);
            // What it measures each second is stored a moment later.
            while answer.status == 404 && path.starts_with("/api/v1/metrics/") {
                answer = get(address, path);
            }
            assert_eq!(answer.status, 200, "{line}: {}", answer.body);
            let sought = line.split_once("| grep ").map(|(_, sought)| sought.trim_start_matches("-E "));
            let is_found =
                |sought: &str| sought.trim_matches('\'').split('|').any(|it| answer.body.contains(it));
            assert!(sought.is_none_or(is_found), "{line} finds nothing");
        }
    }
    for path in named() {
        assert_ne!(get(address, &path).status, 404, "{path}");
    }
    assert!(run >= 5 && got >= 15, "{run} commands were run and {got} paths asked for");
}
