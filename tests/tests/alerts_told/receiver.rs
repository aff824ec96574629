//! Receivers that are down, slow, ask for patience, or refuse what they are sent.

use std::time::Duration;

use ttm_e2e::Database;

use crate::hook::{Hook, Reaction};
use crate::place::{Place, SQLITE, channel, count_events, order, pass, stop, told_when_open};

#[test]
fn what_fired_and_ended_while_the_receiver_was_down_is_one_message_with_its_times() {
    let (place, hook) = (Place::new(), Hook::start());
    place.configure(SQLITE, &(channel("ops", &hook) + &told_when_open("door_open", &["ops"])));
    hook.goes_down();
    let mut program = place.start();
    let address = program.address();
    order(address, "force-open");
    program.wait_for_message("the channel does not take a message");
    order(address, "reset");
    while count_events(address, "alert.resolved") == 0 {}
    hook.is_back();
    let passed = hook.message(&mut program, 0).body;
    let time = |field: &str| passed[field].as_str().expect("a time").to_owned();
    assert_eq!((&passed["state"], &passed["news"]), (&"resolved".into(), &"passed".into()), "{passed}");
    assert!(time("started_at") < time("ended_at"), "{passed}");
    let was_down = ["from", "to"].map(|end| passed["was_down"][end].as_str().expect("a time").to_owned());
    assert!(time("started_at") <= was_down[0] && time("ended_at") <= was_down[1], "{passed}");
    program.wait_for_message("the channel takes messages again");
    pass(&mut program, 2);
    stop(program);
    assert_eq!(hook.requests().len(), 1, "{:?}", hook.counts());
}

#[test]
fn a_message_is_sent_again_under_its_key_as_late_as_the_receiver_asks_until_it_is_taken() {
    let (place, hook) = (Place::new(), Hook::start());
    place.configure(SQLITE, &(channel("ops", &hook) + &told_when_open("door_open", &["ops"])));
    hook.reacts_to(
        "ops",
        &[Reaction::Says(500, ""), Reaction::Says(429, "retry-after: 3\r\n"), Reaction::Hangs],
    );
    let mut program = place.start();
    let address = program.address();
    order(address, "force-open");
    hook.message(&mut program, 0);
    let requests = hook.requests();
    assert_eq!(requests.len(), 4, "{requests:?}");
    assert!(requests.iter().all(|request| request.key == requests[0].key), "{requests:?}");
    let waited = requests[2].at - requests[1].at;
    assert!((Duration::from_secs(3)..Duration::from_secs(8)).contains(&waited), "{waited:?}");
    order(address, "reset");
    assert_eq!(hook.message(&mut program, 1).says(), ("door_open", "resolved"));
    pass(&mut program, 2);
    stop(program);
    assert_eq!(hook.requests().len(), 5, "{:?}", hook.counts());
}

#[test]
fn what_is_refused_for_good_goes_to_the_dead_letters_and_to_the_fallback_and_is_not_sent_again() {
    let (place, hook, database) = (Place::new(), Hook::start(), Database::create());
    let fallback = "[alerts.escalation]\nfallback = \"mail\"\n".to_owned();
    let channels = channel("ops", &hook) + &channel("mail", &hook);
    let rules = told_when_open("door_open", &["ops"]) + &told_when_open("gate_open", &["ops"]);
    place.configure(&database.url(), &(fallback + &channels + &rules));
    let mut program = place.start();
    let address = program.address();
    hook.reacts_to("ops", &[Reaction::Says(400, ""), Reaction::Says(413, "")]);
    order(address, "force-open");
    let both = |news: &str| {
        let of = |rule: &str| ("mail".to_owned(), rule.to_owned(), news.to_owned());
        [of("door_open"), of("gate_open")]
    };
    let taken = |program: &mut _, count: usize| {
        hook.message(program, count - 1);
        let mut taken: Vec<_> = hook.told()[count - 2..]
            .iter()
            .map(|it| (it.channel.clone(), it.says().0.to_owned(), it.says().1.to_owned()))
            .collect();
        taken.sort();
        taken
    };
    assert_eq!(taken(&mut program, 2), both("new"));
    order(address, "reset");
    assert_eq!(taken(&mut program, 4), both("resolved"));
    pass(&mut program, 2);
    stop(program);
    assert_eq!(hook.requests().len(), 6, "{:?}", hook.counts());
    let letters = "SELECT string_agg(channel || ' ' || split_part(why, ',', 1), ', ' ORDER BY place) FROM alert_dead_letter";
    assert_eq!(database.ask(letters), "ops 400, ops 413");
    assert_eq!(database.ask("SELECT count(*) FROM alert_message"), "0", "nothing waits any more");
}
