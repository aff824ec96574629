//! Links that acknowledge an alert without the token: who may, what the page shows, and that opening it changes nothing.

mod surface;

use axum::body::{Body, Bytes};
use axum::http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use surface::alerts::{alert, at, cpu, desk, episode};
use surface::{Answer, LOOPBACK, PUBLIC, Surface, TOKEN};
use ttm_alert::testing::MockAlertControl;
use ttm_alert::{Ack, AlertView, EpisodeId, Identity, OrderRefused, Ordered, Phase};
use ttm_axum_api::AckLinks;
use ttm_kernel::Severity;

const FORM: &str = "application/x-www-form-urlencoded";

fn links() -> AckLinks {
    AckLinks::new(&"hunter2".into())
}

/// An alert that nobody has acknowledged, with a label that a page must not take for its own.
fn view() -> AlertView {
    alert("store_down", "store=<b>'&state", Phase::Firing, Severity::Critical)
}

/// The same once somebody has acknowledged it when it was so severe.
fn seen_by(by: &str, severity: Severity) -> AlertView {
    let mut seen = view();
    seen.record.cases[0].ack = Some(Ack { by: by.to_owned(), at: at(90), severity });
    seen
}

/// The path and query of a link to an episode of the alert.
fn link(view: &AlertView, number: u64) -> String {
    links().link("", view.id, episode(number), at(0))
}

fn over(desk: MockAlertControl) -> Surface {
    Surface::new(Vec::new()).with_alerts(desk).with_links(links()).on(PUBLIC, Some(TOKEN))
}

fn press(surface: &Surface, link: &str, form: Option<&str>) -> Answer {
    let request = Request::post(link).header("host", "ops.example.org");
    let request = match form {
        Some(form) => request.header("content-type", FORM).body(form.to_owned().into()),
        None => request.body(Body::empty()),
    };
    surface.send(request.expect("a request"))
}

/// The page, after a check of what every page has.
#[track_caller]
fn page(answer: &Answer, status: u16) -> String {
    assert_eq!(answer.status, status, "{}", answer.body);
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
    let policy = "default-src 'none'; frame-ancestors 'none'";
    assert_eq!(answer.header("content-security-policy"), Some(policy));
    assert_eq!(
        [answer.header("referrer-policy"), answer.header("cache-control")],
        [Some("no-referrer"), Some("no-store")]
    );
    assert!(!answer.body.contains("<script") && !answer.body.contains("<b>"), "{}", answer.body);
    answer.body.clone()
}

/// A desk whose alert may be acknowledged, once, by this name.
fn acknowledging(by: &'static str, stored: bool) -> MockAlertControl {
    let mut desk = desk(vec![view()]);
    let is_meant = move |id: &Identity, of: &Option<EpisodeId>, given: &str| {
        *id == view().id && *of == Some(episode(3)) && given == by
    };
    let done = move |_: Identity, _: Option<EpisodeId>, by: &str| {
        Ok(Ordered { done: seen_by(by, Severity::Critical), stored })
    };
    desk.expect_acknowledge().withf(is_meant).times(1).returning(done);
    desk
}

#[test]
fn to_open_a_link_shows_the_alert_and_changes_nothing() {
    // The desk expects no order.
    let surface = over(desk(vec![view()]));
    for method in [Method::GET, Method::HEAD] {
        let answer = surface.ask(method.clone(), &link(&view(), 3), &[("host", "ops.example.org")]);
        let shown = page(&answer, 200);
        if method == Method::GET {
            assert!(
                shown.contains("<h1>CRITICAL: store_down{store=&lt;b&gt;&#39;&amp;state}</h1>"),
                "{shown}"
            );
            assert!(shown.contains("It fires since 1970-01-01 00:01:00 UTC."), "{shown}");
            assert!(
                shown.contains("<form method=\"post\">") && shown.contains("<button>Acknowledge</button>"),
                "{shown}"
            );
        }
    }
}

#[test]
fn the_button_acknowledges_without_the_token() {
    for (form, by) in [
        (Some("by=anna"), "anna"),
        (Some("by=Anna+%C3%9C"), "Anna Ü"),
        (Some("by="), "somebody with the link"),
        (Some(""), "somebody with the link"),
        (None, "somebody with the link"),
    ] {
        for stored in [true, false] {
            let answer = press(&over(acknowledging(by, stored)), &link(&view(), 3), form);
            let shown = page(&answer, if stored { 200 } else { 202 });
            assert!(shown.contains("<h1>Acknowledged: CRITICAL: store_down{"), "{shown}");
            assert!(shown.contains(&format!("By {by}.")), "{shown}");
            assert_eq!(shown.contains("The store does not have that yet."), !stored, "{shown}");
        }
    }
}

#[test]
fn a_link_works_on_every_listener_under_every_name() {
    for (listen, token) in [(LOOPBACK, None), (LOOPBACK, Some(TOKEN)), (PUBLIC, None)] {
        let surface = over(acknowledging("anna", true)).on(listen, token);
        page(&press(&surface, &link(&view(), 3), Some("by=anna")), 200);
        let elsewhere = surface.ask(Method::GET, "/api/v1/alerts", &[("host", "ops.example.org")]);
        assert!(elsewhere.status.is_client_error(), "the rest does not");
    }
}

#[test]
fn a_link_that_is_wrong_or_has_expired_says_which_command_to_use() {
    let surface = over(desk(vec![view()]));
    let right = link(&view(), 3);
    let (path, _) = right.split_once('?').expect("a query");
    let other = AckLinks::new(&"hunter3".into()).link("", view().id, episode(3), at(0));
    let wrong = [
        path.to_owned(),
        other,
        right.replace("episode=12-3", "episode=12-4"),
        right.replace(&view().id.to_string(), &cpu().id.to_string()),
        right[..right.len() - 1].to_owned(),
        format!("{right}&by=anna"),
        format!("{path}?id=%3Cb%3E"),
    ];
    for wrong in wrong {
        for answer in [surface.get(&wrong), press(&surface, &wrong, Some("by=anna"))] {
            let shown = page(&answer, 403);
            assert!(
                shown.contains("<pre>ttm alerts list</pre>") && !shown.contains("<form"),
                "{wrong}: {shown}"
            );
        }
    }
    let expired = links().link("", view().id, episode(3), at(-7 * 86_400));
    for answer in [surface.get(&expired), press(&surface, &expired, Some("by=anna"))] {
        let shown = page(&answer, 403);
        assert!(shown.contains(&format!("<pre>ttm alerts ack {}</pre>", view().id)), "{shown}");
    }
    // Without a secret there are no links.
    let off = Surface::new(Vec::new()).with_alerts(desk(vec![view()]));
    page(&off.get(&right), 403);
    page(&press(&off, &right, None), 403);
}

#[test]
fn a_link_is_about_its_episode_alone() {
    let mut over_view = alert("store_down", "store=state", Phase::Inactive, Severity::Critical);
    let surface = over(desk(vec![over_view.clone()]));
    for answer in [surface.get(&link(&over_view, 3)), press(&surface, &link(&over_view, 3), None)] {
        let shown = page(&answer, 410);
        assert!(
            shown.contains("It is over since 1970-01-01 00:02:00 UTC.") && !shown.contains("<form"),
            "{shown}"
        );
    }
    over_view = view();
    let surface = over(desk(vec![over_view.clone()]));
    for answer in [surface.get(&link(&over_view, 2)), press(&surface, &link(&over_view, 2), None)] {
        assert!(page(&answer, 410).contains("If it fires anew, the next message has a link of its own."));
    }
    let surface = over(desk(Vec::new()));
    assert!(page(&surface.get(&link(&over_view, 3)), 410).contains("everybody knows"));
}

#[test]
fn one_that_was_acknowledged_says_by_whom_and_has_a_button_again_once_it_is_worse() {
    for (severity, has_button) in [(Severity::Critical, false), (Severity::Warning, true)] {
        let seen = seen_by("<b>anna", severity);
        // The desk expects no order.
        let surface = over(desk(vec![seen.clone()]));
        let mut answers = vec![surface.get(&link(&seen, 3))];
        if !has_button {
            answers.extend([Some("by=bob"), None].map(|form| press(&surface, &link(&seen, 3), form)));
        }
        for answer in answers {
            let shown = page(&answer, 200);
            assert!(shown.contains("&lt;b&gt;anna has acknowledged it, 1970-01-01 00:01:30 UTC."), "{shown}");
            assert_eq!(shown.contains("<form"), has_button, "{shown}");
            let takes_over = format!("<pre>ttm alerts ack {}</pre>", seen.id);
            assert_eq!(shown.contains(&takes_over), !has_button, "{shown}");
            assert!(!shown.contains("bob"), "{shown}");
        }
    }
    // It is worse than what was seen.
    let mut worse = desk(vec![seen_by("anna", Severity::Warning)]);
    let done = |_: Identity, _: Option<EpisodeId>, by: &str| {
        Ok(Ordered { done: seen_by(by, Severity::Critical), stored: true })
    };
    worse.expect_acknowledge().times(1).returning(done);
    let shown = page(&press(&over(worse), &link(&view(), 3), Some("by=bob")), 200);
    assert!(shown.contains("<h1>Acknowledged: ") && shown.contains("By bob."), "{shown}");
}

#[test]
fn of_two_who_press_the_button_the_second_is_told_of_the_first() {
    let mut desk = desk(vec![view()]);
    let done = |_: Identity, _: Option<EpisodeId>, _: &str| {
        Ok(Ordered { done: seen_by("anna", Severity::Critical), stored: true })
    };
    desk.expect_acknowledge().times(1).returning(done);
    let shown = page(&press(&over(desk), &link(&view(), 3), Some("by=bob")), 200);
    assert!(shown.contains("anna has acknowledged it") && !shown.contains("bob"), "{shown}");
}

#[test]
fn nothing_of_a_body_is_read_for_who_has_no_link() {
    let surface = over(desk(vec![view()]));
    let whole = Full::new(Bytes::from("by=anna"));
    let body = Body::new(whole.map_frame(|frame| if frame.is_data() { panic!("it is read") } else { frame }));
    let request = Request::post(format!("{}x", link(&view(), 3))).header("host", "localhost");
    page(&surface.send(request.header("content-type", FORM).body(body).expect("a request")), 403);
}

#[test]
fn an_episode_that_ends_while_the_form_is_read_is_over() {
    let mut next = view();
    next.record.cases[0].episode.id = episode(4);
    let mut views = vec![next, view()];
    let mut desk = MockAlertControl::new();
    desk.expect_alert().times(2).returning(move |_| Ok(views.pop().expect("asked twice")));
    let refuse = |_: Identity, _: Option<EpisodeId>, _: &str| {
        Err(OrderRefused::Impossible("the alert does not fire".to_owned()))
    };
    desk.expect_acknowledge().times(1).returning(refuse);
    let shown = page(&press(&over(desk), &link(&view(), 3), None), 410);
    assert!(shown.contains("What this link is about is over"), "{shown}");
}

#[test]
fn what_goes_wrong_is_a_page_as_well() {
    let surface = over(desk(vec![view()]));
    let path = link(&view(), 3);
    page(&press(&surface, &path, Some("by=a&by=b")), 422);
    page(&press(&surface, &path, Some("by=a&force=1")), 422);
    page(&press(&surface, &path, Some(&format!("by={}", "x".repeat(600)))), 400);
    page(&press(&surface, &path, Some("by=a%0Ab")), 400);
    let mut refusing = desk(vec![view()]);
    let mut refusals = vec![
        OrderRefused::NotNow("the service is stopping".to_owned()),
        OrderRefused::Impossible("the alert store_down does not fire".to_owned()),
    ];
    let refuse = move |_: Identity, _: Option<EpisodeId>, _: &str| Err(refusals.pop().expect("asked twice"));
    refusing.expect_acknowledge().times(2).returning(refuse);
    let surface = over(refusing);
    assert!(page(&press(&surface, &path, None), 409).contains("does not fire"));
    assert!(page(&press(&surface, &path, None), 503).contains(&format!("ttm alerts ack {}", view().id)));
    page(&over(desk(Vec::new())).starting().get(&path), 503);
    let large = format!("by={}", "x".repeat(65 * 1024));
    press(&surface, &path, Some(&large)).problem(413);
    surface.ask(Method::DELETE, &path, &[]).problem(405);
}
