//! What can happen between the two.

use std::time::Duration;

use ttm_alert::testing::notifier_conformance::{self, Receiver};
use ttm_alert::{Notifier, Outcome};
use ttm_notify_email::{Credentials, EmailConfig, EmailNotifier, Security};

use crate::example::{PASSWORD, attempt, channel, config, failure, item, words};
use crate::server::{Deed, Server, Step};

const ALL: [Security; 3] = [Security::Tls, Security::StartTls, Security::PlainOnLoopback];

async fn send(server: &Server, security: Security) -> Outcome {
    channel(server, security).send(&attempt(item(), 1, None)).await
}

#[tokio::test]
async fn it_obeys_the_laws_however_it_is_secured() {
    for security in ALL {
        let server = Server::start(security).await;
        notifier_conformance::check(&channel(&server, security), &server).await;
        assert_eq!(server.broken(), Vec::<String>::new());
        assert!(server.taken().iter().all(|it| it.was_secure == (security != Security::PlainOnLoopback)));
        // One conversation each, with a farewell.
        let farewells = server.commands().iter().filter(|it| *it == "QUIT").count();
        assert_eq!((server.connections(), farewells), (server.requests().len(), server.requests().len()));
    }
}

#[tokio::test]
async fn a_server_that_offers_no_tls_gets_neither_password_nor_message() {
    let server = Server::start(Security::StartTls).await;
    server.offers_no_tls();
    let outcome = send(&server, Security::StartTls).await;
    assert_eq!(failure(&outcome), (false, "STARTTLS: STARTTLS is not supported on this server"));
    assert_eq!(server.commands(), ["EHLO example.org"]);
}

#[tokio::test]
async fn a_certificate_of_somebody_else_is_no_connection() {
    for security in [Security::Tls, Security::StartTls] {
        let server = Server::start(security).await;
        let stranger = Server::start(security).await.authority.clone();
        for wrong in [
            EmailConfig { authority: Some(stranger), ..config(&server, security) },
            // The certificate is that of `localhost`.
            EmailConfig { server: "127.0.0.1".to_owned(), ..config(&server, security) },
        ] {
            let channel = EmailNotifier::try_new(&wrong, words()).expect("valid");
            let outcome = channel.send(&attempt(item(), 1, None)).await;
            let (is_retry, why) = failure(&outcome);
            assert!(is_retry && why.contains("certificate"), "{why}");
        }
        assert!(server.taken().is_empty());
        assert!(!server.commands().iter().any(|it| it.starts_with("AUTH")));
    }
}

#[tokio::test]
async fn a_wrong_password_is_refused_and_not_told() {
    let server = Server::start(Security::Tls).await;
    let password = "wrong-horse-battery-staple";
    let credentials = Credentials { user: "ttm".to_owned(), password: password.into() };
    let config = EmailConfig { credentials: Some(credentials), ..config(&server, Security::Tls) };
    let channel = EmailNotifier::try_new(&config, words()).expect("valid");
    // The server repeats the command, with the password in base64.
    let outcome = channel.send(&attempt(item(), 1, None)).await;
    assert_eq!(failure(&outcome), (false, "words that repeat a part of a secret"));
    server.says(Step::Auth, "535 5.7.8 authentication failed");
    let outcome = channel.send(&attempt(item(), 1, None)).await;
    assert_eq!(failure(&outcome), (false, "authentication: 535 5.7.8 authentication failed"));
}

#[tokio::test]
async fn what_a_server_answers_at_each_step_is_told_as_what_it_means() {
    for (step, doing) in [
        (Step::Greeting, "cannot connect"),
        (Step::Hello, "cannot connect"),
        (Step::StartTls, "STARTTLS"),
        (Step::Auth, "authentication"),
        (Step::Mail, "the sender"),
        (Step::Rcpt, "ops@example.org"),
        (Step::Data, "the message"),
        (Step::Body, "the message"),
    ] {
        for (code, is_retry) in [(421, true), (450, true), (500, false), (554, false)] {
            let server = Server::start(Security::StartTls).await;
            server.says(step, &format!("{code} because"));
            let outcome = send(&server, Security::StartTls).await;
            let (told, why) = failure(&outcome);
            assert!(
                told == is_retry && why.starts_with(&format!("{doing}: {code} because")),
                "{step:?}: {why}"
            );
        }
        let server = Server::start(Security::StartTls).await;
        for deed in [Deed::Closes, Deed::Says("HTTP/1.1 400 Bad Request".to_owned())] {
            server.does(step, deed.clone());
            let outcome = send(&server, Security::StartTls).await;
            assert!(failure(&outcome).0, "{step:?} {deed:?}: {outcome:?}");
        }
    }
    let server = Server::start(Security::Tls).await;
    server.says(Step::Body, "354 go on");
    let outcome = send(&server, Security::Tls).await;
    assert_eq!(failure(&outcome), (true, "the message: 354, which is no end of it"));
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "the sockets and their timers are tokio's")]
async fn a_server_that_hangs_at_any_step_takes_one_timeout() {
    for step in [
        Step::Greeting,
        Step::Hello,
        Step::StartTls,
        Step::Auth,
        Step::Mail,
        Step::Rcpt,
        Step::Data,
        Step::Body,
    ] {
        let server = Server::start(Security::StartTls).await;
        server.does(step, Deed::Hangs);
        let timeout = Duration::from_millis(150);
        let config = EmailConfig { timeout, ..config(&server, Security::StartTls) };
        let channel = EmailNotifier::try_new(&config, words()).expect("valid");
        let message = attempt(item(), 1, None);
        let outcome = tokio::time::timeout(channel.patience(), channel.send(&message)).await;
        let outcome = outcome.expect("whoever calls waits for longer than the channel does");
        assert_eq!(failure(&outcome), (true, "no answer within 150ms"), "{step:?}");
    }
}

#[tokio::test]
async fn a_message_that_was_taken_is_delivered_though_there_is_no_farewell() {
    for deed in [Deed::Hangs, Deed::Closes, Deed::Says("500 what?".to_owned())] {
        let server = Server::start(Security::Tls).await;
        server.does(Step::Quit, deed);
        assert!(matches!(send(&server, Security::Tls).await, Outcome::Delivered { .. }));
        assert_eq!(server.taken().len(), 1);
    }
}

#[tokio::test]
async fn nobody_there_is_tried_again() {
    let server = Server::start(Security::PlainOnLoopback).await;
    let config = EmailConfig { port: Some(1), ..config(&server, Security::PlainOnLoopback) };
    let outcome =
        EmailNotifier::try_new(&config, words()).expect("valid").send(&attempt(item(), 1, None)).await;
    let (is_retry, why) = failure(&outcome);
    assert!(is_retry && why.starts_with("cannot connect: "), "{why}");
}

#[tokio::test]
async fn a_receiver_that_is_refused_keeps_no_other_one_from_being_told() {
    let server = Server::start(Security::Tls).await;
    server.refuses("ops@example.org", &format!("550 5.1.1 no such user {PASSWORD}"));
    assert!(matches!(send(&server, Security::Tls).await, Outcome::Delivered { .. }));
    let taken = server.last();
    assert_eq!(taken.to, ["ada@example.org"]);
    let said = taken.email.replace("=\r\n", "");
    assert!(said.contains("did not take this message for everybody: words that repeat a part"), "{said}");
    server.refuses("ada@example.org", "550 5.1.1 no such user");
    let outcome = send(&server, Security::Tls).await;
    assert!(!failure(&outcome).0, "{outcome:?}");
}

#[tokio::test]
async fn a_receiver_that_is_refused_for_the_moment_is_waited_for_three_times() {
    let server = Server::start(Security::Tls).await;
    server.refuses("ops@example.org", "452 4.2.2 mailbox full");
    let channel = channel(&server, Security::Tls);
    // The server was away before: attempts that never got so far do not count.
    server.says(Step::Mail, "421 later");
    for attempts in 1..=5 {
        assert!(failure(&channel.send(&attempt(item(), attempts, None)).await).0);
    }
    server.says(Step::Mail, "250 ok");
    for attempts in 6..=8 {
        let outcome = channel.send(&attempt(item(), attempts, None)).await;
        assert_eq!(failure(&outcome), (true, "ops@example.org: 452 4.2.2 mailbox full"));
    }
    assert!(matches!(channel.send(&attempt(item(), 9, None)).await, Outcome::Delivered { .. }));
    let said = server.last().email.replace("=\r\n", "");
    assert!(said.contains("for everybody: ops@example.org: 452 4.2.2 mailbox full."), "{said}");
    // With nobody left it is waited for on and on.
    server.refuses("ada@example.org", "550 5.1.1 no such user");
    assert!(failure(&channel.send(&attempt(item(), 9, None)).await).0);
}

#[tokio::test]
async fn a_send_that_is_dropped_closes_its_connection_and_leaves_nothing() {
    for step in [Step::Auth, Step::Data, Step::Body] {
        let server = Server::start(Security::Tls).await;
        server.does(step, Deed::Hangs);
        let channel = channel(&server, Security::Tls);
        let message = attempt(item(), 1, None);
        let sending = channel.send(&message);
        let is_there = async {
            // Until the server has what it does not answer.
            while server.commands().iter().filter(|it| it.starts_with("AUTH") || *it == "DATA").count()
                < if step == Step::Auth { 1 } else { 2 }
            {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            biased;
            outcome = sending => panic!("it was answered: {outcome:?}"),
            () = is_there => {}
        }
        // `sending` is dropped by now. The next one has a conversation of its own.
        server.does(Step::Greeting, Deed::Says("220 again".to_owned()));
        assert!(
            matches!(channel.send(&attempt(item(), 2, None)).await, Outcome::Delivered { .. }),
            "{step:?}"
        );
        assert_eq!(server.connections(), 2);
    }
}
