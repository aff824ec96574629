//! Silences and maintenance windows: what they must say, and when they are by the clocks of a zone.

use jiff::civil::{Date, Time, Weekday, date, time};
use jiff::{Timestamp, ToSpan};
use proptest::prelude::*;
use ttm_alert::testing::wall;
use ttm_alert::{InvalidQuiet, Matcher, Quiet, When, Zone};

const WEEK: [Weekday; 7] = [
    Weekday::Monday,
    Weekday::Tuesday,
    Weekday::Wednesday,
    Weekday::Thursday,
    Weekday::Friday,
    Weekday::Saturday,
    Weekday::Sunday,
];

fn quiet(when: When) -> Result<Quiet, InvalidQuiet> {
    Quiet::try_new(Matcher::default(), when, "ada", "the disk is replaced")
}

fn daily(zone: &str, from: Time, to: Time, first: Date, last: Date) -> Quiet {
    let zone = Zone::parse(zone).expect("it exists");
    quiet(When::Weekly { zone, days: WEEK.to_vec(), from, to, first, last: Some(last) }).expect("valid")
}

/// When it is quiet on this day and the next one in UTC, by looking at every minute.
fn spans(quiet: &Quiet, day: &str) -> Vec<String> {
    let begin: Timestamp = format!("{day}T00:00:00Z").parse().expect("valid");
    let mut spans = Vec::new();
    let mut was_on = quiet.is_on(begin - 1.minute());
    for minute in 0..2 * 24 * 60 {
        let at = begin + minute.minutes();
        let is_on = quiet.is_on(at);
        if is_on != was_on {
            spans.push(at.to_string());
        }
        was_on = is_on;
    }
    spans
}

#[test]
fn a_silence_without_end_author_or_reason_is_refused() {
    let from = wall(0);
    assert_eq!(quiet(When::Once { from, until: None }), Err(InvalidQuiet::NoEnd));
    assert_eq!(quiet(When::Once { from, until: Some(from) }), Err(InvalidQuiet::Backwards));
    let ages = Some(from + 8_808.hours());
    assert_eq!(quiet(When::Once { from, until: ages }), Err(InvalidQuiet::TooLong));
    let when = || When::Once { from, until: Some(wall(60)) };
    let say = |author: &str, reason: &str| Quiet::try_new(Matcher::default(), when(), author, reason);
    assert_eq!(say(" ", "x"), Err(InvalidQuiet::Missing("an author")));
    assert_eq!(say("ada", ""), Err(InvalidQuiet::Missing("a reason")));
    assert_eq!(say("ada", &"x".repeat(513)), Err(InvalidQuiet::Text("a reason")));
    assert_eq!(say("a\nb", "x"), Err(InvalidQuiet::Text("an author")));
    assert_eq!(say("ada", "\u{202e}gnilles"), Err(InvalidQuiet::Text("a reason")), "it would read backwards");
    assert_eq!(
        say("a\u{200b}da", "x"),
        Err(InvalidQuiet::Text("an author")),
        "it would look like another one"
    );
    assert!(say("Åsa", "größere Platte").is_ok());
    let silence = say("ada", "x").expect("valid");
    let on = [wall(-86_400), wall(0), wall(59), wall(60)].map(|at| silence.is_on(at));
    assert_eq!(on, [true, true, true, false], "a clock that is set back does not end it");
    assert_eq!([wall(59), wall(60)].map(|at| silence.is_over(at)), [false, true]);
}

#[test]
fn a_zone_that_does_not_exist_is_refused() {
    let unknown = Zone::parse("Europe/Atlantis").expect_err("it sank");
    assert_eq!(unknown.to_string(), "there is no time zone \"Europe/Atlantis\"; one is called Europe/Berlin");
    assert!(Zone::parse(&"x".repeat(10_240)).expect_err("none").to_string().len() < 200);
    assert_eq!(Zone::parse("europe/berlin").expect("it exists").name(), "Europe/Berlin");
}

#[test]
fn a_window_needs_an_end_and_a_day() {
    let window = |days: &[Weekday], last| {
        let zone = Zone::parse("UTC").expect("it exists");
        let (from, to) = (time(1, 0, 0, 0), time(2, 0, 0, 0));
        quiet(When::Weekly { zone, days: days.to_vec(), from, to, first: date(2026, 3, 1), last })
    };
    assert_eq!(window(&WEEK, None), Err(InvalidQuiet::NoEnd));
    assert_eq!(window(&WEEK, Some(date(2026, 2, 28))), Err(InvalidQuiet::Backwards));
    assert_eq!(window(&[], Some(date(2026, 3, 2))), Err(InvalidQuiet::NoDays));
    // 1 March is a Sunday.
    assert_eq!(window(&[Weekday::Friday], Some(date(2026, 3, 5))), Err(InvalidQuiet::NoDays));
    assert!(window(&[Weekday::Friday], Some(date(2026, 3, 6))).is_ok());
    assert_eq!(window(&WEEK, Some(date(2027, 3, 10))), Err(InvalidQuiet::TooLong));
    let friday = window(&[Weekday::Friday], Some(date(2026, 3, 9))).expect("valid");
    assert_eq!(spans(&friday, "2026-03-06"), ["2026-03-06T01:00:00Z", "2026-03-06T02:00:00Z"]);
    assert_eq!(spans(&friday, "2026-03-07"), [""; 0]);
    assert_eq!(spans(&friday, "2026-03-13"), [""; 0], "its last day is over");
    let at = |text: &str| text.parse::<Timestamp>().expect("valid");
    assert!(friday.is_over(at("2026-03-06T02:00:00Z")) && !friday.is_over(at("2026-03-06T01:59:59Z")));
}

#[test]
fn a_window_over_midnight_belongs_to_the_day_on_which_it_begins() {
    let window =
        daily("Europe/Berlin", time(22, 0, 0, 0), time(6, 0, 0, 0), date(2026, 1, 10), date(2026, 1, 10));
    assert_eq!(spans(&window, "2026-01-10"), ["2026-01-10T21:00:00Z", "2026-01-11T05:00:00Z"]);
}

#[test]
fn a_time_that_is_left_out_means_the_next_instant() {
    // On this day the clocks in Berlin go from 02:00 to 03:00, which is 01:00 UTC.
    let day = date(2026, 3, 29);
    let of = |from, to| spans(&daily("Europe/Berlin", from, to, day, day), "2026-03-29");
    let nine = ["2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z"];
    assert_eq!(of(time(2, 30, 0, 0), time(4, 0, 0, 0)), nine);
    assert_eq!(of(time(2, 0, 0, 0), time(4, 0, 0, 0)), nine);
    assert_eq!(of(time(3, 0, 0, 0), time(4, 0, 0, 0)), nine);
    assert_eq!(of(time(1, 0, 0, 0), time(2, 30, 0, 0)), ["2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z"]);
    let zone = || Zone::parse("Europe/Berlin").expect("it exists");
    let left_out = |last| {
        let (from, to) = (time(2, 10, 0, 0), time(2, 50, 0, 0));
        quiet(When::Weekly { zone: zone(), days: WEEK.to_vec(), from, to, first: day, last: Some(last) })
    };
    assert_eq!(left_out(day), Err(InvalidQuiet::NoDays), "all of it is left out");
    let next = spans(&left_out(date(2026, 3, 30)).expect("valid"), "2026-03-29");
    assert_eq!(next, ["2026-03-30T00:10:00Z", "2026-03-30T00:50:00Z"], "the next day's alone");
}

#[test]
fn a_time_that_comes_twice_means_both() {
    // On this day the clocks in Berlin go from 03:00 back to 02:00, which is 01:00 UTC.
    let day = date(2026, 10, 25);
    let of = |from, to| spans(&daily("Europe/Berlin", from, to, day, day), "2026-10-25");
    assert_eq!(of(time(2, 15, 0, 0), time(2, 45, 0, 0)), ["2026-10-25T00:15:00Z", "2026-10-25T01:45:00Z"]);
    assert_eq!(
        of(time(1, 0, 0, 0), time(2, 30, 0, 0)),
        ["2026-10-24T23:00:00Z", "2026-10-25T01:30:00Z"][1..]
    );
    assert_eq!(of(time(2, 30, 0, 0), time(4, 0, 0, 0)), ["2026-10-25T00:30:00Z", "2026-10-25T03:00:00Z"]);
}

#[test]
fn a_day_that_is_left_out_has_no_window_and_half_hours_count() {
    // Samoa went from the 29th to the 31st.
    let window =
        daily("Pacific/Apia", time(1, 0, 0, 0), time(2, 0, 0, 0), date(2011, 12, 30), date(2011, 12, 31));
    assert_eq!(
        spans(&window, "2011-12-29"),
        ["2011-12-30T11:00:00Z", "2011-12-30T12:00:00Z"],
        "the 31st's alone"
    );
    // The clocks of Lord Howe go forward by half an hour, from 02:00 to 02:30 at 15:30 UTC.
    let day = date(2026, 10, 4);
    let window = daily("Australia/Lord_Howe", time(2, 10, 0, 0), time(3, 0, 0, 0), day, day);
    assert_eq!(spans(&window, "2026-10-03"), ["2026-10-03T15:30:00Z", "2026-10-03T16:00:00Z"]);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_is_over_once_it_is_not_quiet_any_more(
        zone in prop::sample::select(vec!["UTC", "Europe/Berlin", "Pacific/Kiritimati"]),
        days in prop::sample::subsequence(WEEK.to_vec(), 1..=7),
        from in 0_i8..24, hours in 1_i8..24, length in 0_i64..20, minutes in -5_i64 * 24 * 60..25 * 24 * 60,
    ) {
        let first = date(2026, 3, 20);
        let (zone, last) = (Zone::parse(zone).expect("it exists"), Some(first + length.days()));
        let (from, to) = (time(from, 0, 0, 0), time((from + hours) % 24, 0, 0, 0));
        let Ok(window) = quiet(When::Weekly { zone, days, from, to, first, last }) else { return Ok(()) };
        let start = "2026-03-20T00:00:00Z".parse::<Timestamp>().expect("valid");
        let at = start + minutes.minutes();
        let comes = (0..).map(|half| at + (30 * half).minutes()).take_while(|at| *at < start + (24 * 25).hours());
        prop_assert_eq!(window.is_over(at), !comes.into_iter().any(|at| window.is_on(at)));
    }

    /// Whenever a clock on a wall there shows a time within a window, it is quiet; and never when it shows one that is far away.
    #[test]
    fn it_is_quiet_whenever_the_clock_there_says_so(
        zone in prop::sample::select(vec!["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]),
        from in 0_i8..24, hours in 1_i8..12, minutes in 0_i64..365 * 24 * 60,
    ) {
        let (first, last) = (date(2025, 12, 25), date(2026, 12, 25));
        let window = daily(zone, time(from, 0, 0, 0), time((from + hours) % 24, 0, 0, 0), first, last);
        let at = "2026-01-01T00:00:00Z".parse::<Timestamp>().expect("valid") + minutes.minutes();
        prop_assume!(at < "2026-12-20T00:00:00Z".parse().expect("valid"));
        let shown = jiff::tz::TimeZoneDatabase::bundled().get(zone).expect("it exists").to_datetime(at).hour();
        let since = (shown - from).rem_euclid(24);
        if since < hours {
            prop_assert!(window.is_on(at));
        }
        if (hours + 1..23).contains(&since) {
            prop_assert!(!window.is_on(at));
        }
    }
}
