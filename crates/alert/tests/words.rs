//! What a message says in words.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use ttm_alert::defaults::Meanings;
use ttm_alert::testing::{Saying, any_about, any_attempt, labels, wall};
use ttm_alert::words::{About, Acknowledge, Line, Plain, Text};
use ttm_alert::{
    AlertKey, Attempt, ChannelId, Ending, Episode, EpisodeId, Item, Message, News, OutboxRow, RowKey, Unit,
};
use ttm_kernel::{Epoch, Severity};

fn item(of: &str) -> Item {
    Item {
        key: AlertKey::new("processing_stopped", labels(of)),
        episode: Episode { id: EpisodeId { epoch: Epoch::new(2), number: 7 }, started: wall(-725) },
        news: News::New,
        severity: Severity::Critical,
        value: Some(412.5),
        limit: Some(300.0),
        ended: None,
        acknowledged_by: None,
    }
}

fn attempt(items: Vec<Item>) -> Attempt {
    let lead = &items[0];
    let key =
        RowKey { channel: ChannelId::new("ops"), alert: lead.key.clone(), episode: lead.episode.id, step: 1 };
    let message = Message {
        group: Arc::clone(&lead.key.rule),
        severity: lead.severity,
        fires: items.iter().any(|item| item.ended.is_none()),
        items,
        more_items: 0,
        affected: Vec::new(),
        more_affected: 0,
        replies_to: None,
        at: wall(0),
    };
    let row = OutboxRow { key, message, covers: Arc::default(), attempts: 1, failing_since: None };
    Attempt { row, was_down: None, is_unsaved: false }
}

fn saying(about: About) -> Saying {
    Saying(about)
}

#[test]
fn one_alert_is_told_with_value_limit_and_time() {
    let text = Text::of(&attempt(vec![item("group=hot")]), &Meanings);
    assert_eq!(text.title, "CRITICAL: a group has got nothing done for five minutes (group=hot)");
    assert_eq!(
        text.summary,
        "processing_stopped: firing since 2027-01-15 07:47:55 UTC (12 min 5 s); 412.5 s, limit 300 s."
    );
    assert_eq!(text.sections, []);
    let reference = format!("Message {}", attempt(vec![item("group=hot")]).row.key.idempotency_key());
    assert_eq!(text.whole(&Plain), format!("{}\n{}\n\n{reference}", text.title, text.summary));
}

#[test]
fn an_alert_that_is_over_is_told_with_its_length_and_what_ended_it() {
    let over = |ending| {
        let item = Item { news: News::Resolved, ended: Some((wall(-5), ending)), ..item("group=hot") };
        Text::of(&attempt(vec![item]), &Meanings)
    };
    let text = over(Ending::Recovered);
    assert_eq!(text.title, "Resolved: a group has got nothing done for five minutes (group=hot)");
    let well = "over since 2027-01-15 07:59:55 UTC after 12 min: it is well again; 412.5 s, limit 300 s.";
    assert_eq!(text.summary, format!("processing_stopped: {well}"));
    assert!(over(Ending::Gone).summary.contains("what was measured does not exist any more"));
    assert!(over(Ending::RuleRemoved).summary.contains("its rule does not exist any more"));
}

#[test]
fn a_group_is_told_with_its_alerts_and_how_many_more_there_are() {
    let over = Item {
        severity: Severity::Warning,
        news: News::Passed,
        ended: Some((wall(-65), Ending::Recovered)),
        ..item("group=cold")
    };
    let mut attempt = attempt(vec![item("group=hot"), over]);
    attempt.row.message.more_items = 4;
    attempt.row.message.affected = vec![AlertKey::new("data_stale", labels("lane=hot"))];
    attempt.row.message.more_affected = 2;
    let text = Text::of(&attempt, &Meanings);
    assert_eq!(text.title, "CRITICAL: a group has got nothing done for five minutes (6 alerts)");
    assert!(text.summary.starts_with("The worst, group=hot: firing since"), "{}", text.summary);
    let lines: Vec<_> = text.sections.iter().flat_map(|section| &section.lines).collect();
    assert!(matches!(lines[0], Line::Text(line) if line.starts_with("CRITICAL group=hot: firing since")));
    assert!(matches!(lines[1], Line::Text(line) if line.starts_with("WARNING group=cold: over since")
        && line.ends_with("it was over before this channel could be told")));
    let rest: Vec<_> = lines[2..].iter().map(|line| line.render(&Plain)).collect();
    assert_eq!(rest, ["and 4 more", "data_stale{lane=hot}", "and 2 more"]);
}

#[test]
fn what_there_is_to_do_is_told_and_who_has_acknowledged_need_not() {
    let about = About {
        instance: None,
        meaning: Some("tokens\nwait".to_owned()),
        unit: Some(Unit::Seconds),
        effect: Some("40 of 120 scores are stale.".to_owned()),
        tried: vec!["restarted hot-group at 07:50".to_owned()],
        next: Some("a new work plane at 08:02".to_owned()),
        runbook: Some("https://ttm.example/runbooks/x".to_owned()),
        command: Some("ttm recovery".to_owned()),
        acknowledge: Some(Acknowledge::Command("ttm alerts ack 1".to_owned())),
    };
    let mut attempt = attempt(vec![item("group=hot")]);
    attempt.was_down = Some((wall(-600), wall(0)));
    let text = Text::of(&attempt, &saying(about.clone()));
    assert_eq!(text.title, "CRITICAL: tokens wait (group=hot)");
    let down =
        "This channel did not take this from 2027-01-15 07:50:00 UTC to 2027-01-15 08:00:00 UTC (10 min).";
    assert!(
        text.summary.ends_with(&format!("Effect: 40 of 120 scores are stale. {down}")),
        "{}",
        text.summary
    );
    let body = text.body(&Plain);
    let healing = "Self-healing\n• tried: restarted hot-group at 07:50\n• next: a new work plane at 08:02";
    let runbook = "Runbook\n• https://ttm.example/runbooks/x\n• ttm recovery";
    assert!(
        body.contains(&format!("{healing}\n\n{runbook}\n\nAcknowledge\n• ttm alerts ack 1\n\n")),
        "{body}"
    );
    attempt.row.message.items[0].acknowledged_by = Some("ada".to_owned());
    let text = Text::of(&attempt, &saying(about));
    assert!(text.summary.contains("; acknowledged by ada."), "{}", text.summary);
    assert!(!text.body(&Plain).contains("Acknowledge"));
}

#[test]
fn which_of_several_services_says_it_is_in_front() {
    let saying = saying(About { instance: Some("fra1".to_owned()), ..About::default() });
    let title = |item: Item| Text::of(&attempt(vec![item]), &saying).title;
    assert_eq!(title(item("group=hot")), "CRITICAL on fra1: processing_stopped (group=hot)");
    assert_eq!(title(item("")), "CRITICAL on fra1: processing_stopped");
    let over = Item { ended: Some((wall(-5), Ending::Recovered)), ..item("") };
    assert_eq!(title(over), "Resolved on fra1: processing_stopped");
}

#[test]
fn a_value_is_written_as_a_person_would() {
    let summary = |value, unit| {
        let item = Item { value: Some(value), limit: None, ..item("group=hot") };
        let about = About { unit, ..About::default() };
        let summary = Text::of(&attempt(vec![item]), &saying(about)).summary;
        summary.rsplit_once("; ").map(|(_, value)| value.trim_end_matches('.').to_owned())
    };
    for (value, unit, expected) in [
        (81.256, Some(Unit::Percent), "81.26 %"),
        (80.0, Some(Unit::Percent), "80 %"),
        (1e300, None, "1e300"),
        (-0.001, None, "0"),
        (100.0, Some(Unit::Count), "100"),
    ] {
        assert_eq!(summary(value, unit).as_deref(), Some(expected));
    }
    assert_eq!(summary(1.0, Some(Unit::Flag)), None);
}

#[test]
fn every_kind_of_news_but_the_plain_ones_is_said() {
    let said = |news| Text::of(&attempt(vec![Item { news, ..item("group=hot") }]), &Meanings).summary;
    let plain = said(News::New);
    for news in News::ALL {
        assert_eq!(said(news) == plain, matches!(news, News::New | News::Resolved), "{news:?}");
    }
}

#[test]
fn a_rule_that_nobody_knows_is_told_by_its_name() {
    let item = Item { key: AlertKey::new("mine", labels("")), ..item("group=hot") };
    let text = Text::of(&attempt(vec![item]), &Meanings);
    assert_eq!(text.title, "CRITICAL: mine");
    assert!(text.summary.ends_with("412.5, limit 300."), "{}", text.summary);
}

#[test]
fn long_times_have_two_units() {
    let summary = |seconds| {
        let mut attempt = attempt(vec![item("group=hot")]);
        attempt.row.message.items[0].episode.started = wall(0) - Duration::from_secs(seconds);
        Text::of(&attempt, &Meanings).summary
    };
    for (seconds, expected) in [
        (0, "(less than a second)"),
        (59, "(59 s)"),
        (3_600, "(1 h)"),
        (3_605, "(1 h)"),
        (93_784, "(1 d 2 h)"),
    ] {
        assert!(summary(seconds).contains(expected), "{}", summary(seconds));
    }
}

proptest! {
    #[test]
    fn no_part_has_a_line_break_and_a_version_that_fits_is_found(attempt in any_attempt(), about in any_about()) {
        let words = Saying(about);
        let text = Text::of(&attempt, &words);
        let lines = text.sections.iter().flat_map(|section| &section.lines).map(|line| line.render(&Plain));
        for part in lines.chain([text.title.clone(), text.summary.clone()]) {
            prop_assert!(!part.contains(char::is_control), "{part:?}");
        }
        for limit in [200, 1_024, 4_096] {
            let fitted = Text::fit(&attempt, &words, |text| text.whole(&Plain), |it| it.chars().count() <= limit);
            prop_assert!(fitted.chars().count() <= limit);
            prop_assert!(fitted.ends_with(&text.idempotency_key));
        }
    }
}
