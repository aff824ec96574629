//! A real mail server, aiosmtpd, that speaks STARTTLS and wants a login.

use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};

use crate::place::{Place, SQLITE, order, pass, stop, told_when_open};

/// A running server. Dropping it stops it.
struct MailServer {
    process: Child,
    printed: Lines<BufReader<ChildStdout>>,
    port: u16,
}

/// Pythons that may have aiosmtpd: the first one on `PATH`, and Debian's.
const PYTHONS: [&str; 2] = ["python3", "/usr/bin/python3"];

impl MailServer {
    /// Puts its certificate, and that of the authority that it is from, into the folder.
    fn start(place: &Place) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        place.write("authority.pem", &params.self_signed(&key).expect("a certificate").pem());
        let issuer = Issuer::new(params, key);
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
        place.write("server.pem", &params.signed_by(&key, &issuer).expect("a certificate").pem());
        place.write("server.key", &key.serialize_pem());
        place.write("mail_server.py", include_str!("mail_server.py"));

        let mut command = Command::new(python());
        command.current_dir(place.path()).args(["mail_server.py", "server.pem", "server.key"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("Python starts");
        let mut printed = BufReader::new(process.stdout.take().expect("it is piped")).lines();
        let port = printed.next().expect("it listens").expect("text").parse().expect("a port");
        Self { process, printed, port }
    }

    /// The next message that it takes.
    fn takes(&mut self) -> Value {
        let line = self.printed.next().expect("it runs").expect("text");
        serde_json::from_str(&line).expect("JSON")
    }
}

/// One that has aiosmtpd.
pub(crate) fn python() -> &'static str {
    let has_it = |python: &&str| {
        let mut command = Command::new(python);
        let import = command.args(["-c", "import aiosmtpd"]).stderr(Stdio::null()).status();
        import.is_ok_and(|status| status.success())
    };
    PYTHONS
        .into_iter()
        .find(has_it)
        .expect("aiosmtpd is not installed: run cargo xtask test, or install the package python3-aiosmtpd")
}

impl Drop for MailServer {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

#[test]
fn an_alert_and_its_end_are_mailed_under_tls_with_a_login_and_the_end_answers_the_beginning() {
    let place = Place::new();
    let mut server = MailServer::start(&place);
    place.write("password", "correct-horse-battery-staple");
    let channel = format!(
        r#"
        [alerts.channels.mail]
        kind = "email"
        server = "localhost"
        port = {}
        security = "starttls"
        authority_file = "authority.pem"
        user = "ttm"
        password_file = "password"
        from = "To The Moon <ttm@example.org>"
        to = ["ops@example.org", "Boss <boss@example.org>"]
        "#,
        server.port
    );
    place.configure(SQLITE, &(channel + &told_when_open("door_open", &["mail"])));
    let mut program = place.start();
    let address = program.address();
    order(address, "force-open");
    let fired = server.takes();
    order(address, "reset");
    let over = server.takes();
    pass(&mut program, 2);
    stop(program);

    for mail in [&fired, &over] {
        assert_eq!((&mail["is_secure"], &mail["is_authenticated"]), (&json!(true), &json!(true)));
        assert_eq!(mail["from"], "ttm@example.org");
        assert_eq!(mail["to"], json!(["ops@example.org", "boss@example.org"]));
        assert_eq!(mail["headers"]["from"], "To The Moon <ttm@example.org>");
        assert_eq!(mail["headers"]["auto-submitted"], "auto-generated");
        assert_eq!((&mail["type"], &mail["defects"]), (&json!("multipart/alternative"), &json!([])));
        let parts = mail["parts"].as_object().expect("parts");
        assert_eq!(parts.len(), 2, "{mail}");
        for kind in ["text/plain", "text/html"] {
            let words = parts[kind].as_str().expect("text");
            assert!(words.contains("door_open") && words.contains("ttm alerts show "), "{words}");
        }
    }
    let (first, second) = (&fired["headers"], &over["headers"]);
    assert_eq!(first["subject"], "CRITICAL: door_open (api=dexscreener)");
    assert_eq!(second["subject"], "Resolved: door_open (api=dexscreener)");
    assert_eq!((&first["importance"], &second["importance"]), (&json!("high"), &json!(null)));
    assert_eq!((&first["references"], &first["in-reply-to"]), (&json!(null), &json!(null)));
    let id = first["message-id"].as_str().expect("an id");
    assert!(id.ends_with("-1-mail@example.org>"), "{id}");
    assert_eq!((&second["references"], &second["in-reply-to"]), (&json!(id), &json!(id)));
    assert_ne!(second["message-id"], first["message-id"]);
}
