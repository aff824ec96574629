//! Prometheus Alertmanager, which is told what is.

use serde_json::{Value, json};
use ttm_alert::testing::{labels, wall};
use ttm_alert::{AlertKey, Feed, Item, Outcome};
use ttm_notify_http::{Alertmanager, AlertmanagerConfig};
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::example::{TIMEOUT, failure, item, over, words};

async fn server(status: u16) -> MockServer {
    let server = MockServer::start().await;
    let mock = Mock::given(method("POST")).and(path("/am/api/v2/alerts"));
    let mock = mock.and(header("authorization", "Bearer hunter2-hunter2"));
    mock.respond_with(ResponseTemplate::new(status).set_body_string("hunter2-hunter2")).mount(&server).await;
    server
}

fn feed(server: &MockServer) -> Alertmanager {
    let config = AlertmanagerConfig {
        url: format!("{}/am/", server.uri()).into(),
        token: Some("hunter2-hunter2".into()),
        instance: "fra1".parse().expect("a name"),
    };
    Alertmanager::try_new(&config, words(), TIMEOUT).expect("valid")
}

async fn bodies(server: &MockServer) -> Vec<Value> {
    let requests = server.received_requests().await.expect("they are recorded");
    requests.iter().map(|request| serde_json::from_slice(&request.body).expect("JSON")).collect()
}

#[tokio::test]
async fn what_fires_lasts_four_minutes_more_and_what_ended_is_over_at_once() {
    let server = server(200).await;
    let outcome = feed(&server).tell(&[item("group=hot"), over("group=cold")], wall(0)).await;
    assert_eq!(outcome, Outcome::Delivered { remote_id: None });
    let body = bodies(&server).await.remove(0);
    let hot = json!({
        "labels": { "alertname": "group_not_running", "group": "hot", "instance": "fra1", "severity": "error" },
        "annotations": {
            "summary": "a group's <next> run is late & late",
            "effect": "40 of 120 scores are stale",
            "value": "81",
            "runbook_url": "https://ttm.example/runbooks/group_not_running?a=1&b=2",
        },
        "startsAt": "2027-01-15T07:50:00Z",
        "endsAt": "2027-01-15T08:04:00Z",
    });
    assert_eq!(body[0], hot);
    assert_eq!(
        (&body[1]["labels"]["group"], &body[1]["endsAt"]),
        (&json!("cold"), &json!("2027-01-15T07:59:30Z"))
    );
}

#[tokio::test]
async fn labels_are_such_as_alertmanager_takes() {
    let server = server(200).await;
    let key = AlertKey::new("mine", labels("0at=a,alertname=b,instance=c,severity=d"));
    feed(&server).tell(&[Item { key, ..item("") }], wall(0)).await;
    let expected = json!({
        "_0at": "a", "_alertname": "b", "_instance": "c", "_severity": "d",
        "alertname": "mine", "instance": "fra1", "severity": "error",
    });
    assert_eq!(bodies(&server).await[0][0]["labels"], expected);
}

#[tokio::test]
async fn many_alerts_are_told_in_pieces_and_none_in_no_request() {
    let server = server(200).await;
    let items: Vec<Item> = (0..1_001).map(|of| item(&format!("group={of}"))).collect();
    let feed = feed(&server);
    feed.tell(&items, wall(0)).await;
    feed.tell(&[], wall(0)).await;
    let told: Vec<usize> =
        bodies(&server).await.iter().map(|body| body.as_array().map_or(0, Vec::len)).collect();
    assert_eq!(told, [500, 500, 1]);
}

#[tokio::test]
async fn what_it_answers_is_told_as_what_it_means() {
    for (status, is_retry) in [(400, false), (401, false), (503, true)] {
        let server = server(status).await;
        let outcome = feed(&server).tell(&[item("group=hot")], wall(0)).await;
        let why = format!("{status}, words that repeat a part of a secret");
        assert_eq!(failure(&outcome), (is_retry, None, &*why));
    }
}
