//! Commits at random, about few alerts, messages and silences, so that one replaces, forgets and settles what another has stored.

use std::sync::Arc;
use std::time::Duration;

use jiff::civil::{Date, Time, Weekday};
use jiff::{SignedDuration, Timestamp};
use proptest::collection::vec;
use proptest::num::f64::{NEGATIVE, NORMAL, POSITIVE, SUBNORMAL, ZERO};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use ttm_kernel::{Epoch, Severity};

use super::example::labels;
use crate::{
    Ack, AlertKey, AlertRecord, Case, ChannelId, Commit, DeadLetter, Ending, Episode, EpisodeId, Item,
    Journalled, Matcher, Message, News, OutboxRow, Outcome, Phase, Quiet, QuietId, Receipt, RowKey, Said,
    SavedAlert, Told, When, Zone,
};

/// A commit that every store can take. Its times and periods are whole microseconds.
pub fn any_commit() -> impl Strategy<Value = Commit> {
    (
        vec(record(), 0..4),
        vec(alert(), 0..2),
        vec(row(), 0..4),
        vec(row_key(), 0..2),
        vec(dead_letter(), 0..3),
        vec(receipt(), 0..4),
        vec((quiet_id(), quiet()), 0..3),
        vec(quiet_id(), 0..2),
    )
        .prop_map(|(records, forgotten, rows, settled, dead, receipts, quiets, ended_quiets)| Commit {
            records,
            forgotten,
            rows,
            settled,
            dead,
            receipts,
            quiets,
            ended_quiets,
        })
}

/// A message that was sent from memory, and what became of it, if that is known.
pub fn any_journalled() -> impl Strategy<Value = Journalled> {
    (row(), option::of(outcome())).prop_map(|(row, outcome)| Journalled { row, outcome })
}

fn alert() -> impl Strategy<Value = AlertKey> {
    let pairs = select(vec!["", "group=hot", "group=cold,part=token writer"]);
    (select(vec!["cpu", "stalled"]), pairs).prop_map(|(rule, pairs)| AlertKey::new(rule, labels(pairs)))
}

fn channel() -> impl Strategy<Value = ChannelId> {
    select(vec!["ops", "phone"]).prop_map(ChannelId::new)
}

/// From 1938 to 2096.
fn time() -> impl Strategy<Value = Timestamp> {
    (-1_000_000_000_000_000..4_000_000_000_000_000_i64)
        .prop_map(|micros| Timestamp::from_microsecond(micros).expect("in range"))
}

fn period() -> impl Strategy<Value = Duration> {
    (0..=u64::MAX >> 1).prop_map(Duration::from_micros)
}

fn value() -> impl Strategy<Value = Option<f64>> {
    option::of(POSITIVE | NEGATIVE | NORMAL | SUBNORMAL | ZERO)
}

/// Without control characters, as everything that comes from outside.
fn text() -> impl Strategy<Value = String> {
    "\\PC{0,24}"
}

fn remote_id() -> impl Strategy<Value = Option<Arc<str>>> {
    option::of(text().prop_map(Arc::from))
}

fn severity() -> impl Strategy<Value = Severity> {
    select(Severity::ALL.to_vec())
}

fn phase() -> impl Strategy<Value = Phase> {
    select(Phase::ALL.to_vec())
}

fn ended() -> impl Strategy<Value = Option<(Timestamp, Ending)>> {
    option::of((time(), select(Ending::ALL.to_vec())))
}

fn episode_id() -> impl Strategy<Value = EpisodeId> {
    (1..3_u64, select(vec![1, 2, u64::MAX >> 1]))
        .prop_map(|(epoch, number)| EpisodeId { epoch: Epoch::new(epoch), number })
}

fn episode() -> impl Strategy<Value = Episode> {
    (episode_id(), time()).prop_map(|(id, started)| Episode { id, started })
}

fn said() -> impl Strategy<Value = Said> {
    (any::<bool>(), severity(), any::<bool>(), any::<u8>())
        .prop_map(|(is_over, severity, is_flapping, step)| Said { is_over, severity, is_flapping, step })
}

fn told() -> impl Strategy<Value = Told> {
    let said = || option::of(said());
    (channel(), said(), said(), option::of(time()), any::<[bool; 3]>(), any::<u32>(), remote_id()).prop_map(
        |(channel, said, refused, at, [is_delivered, is_due, is_once], messages, remote_id)| Told {
            channel,
            said,
            refused,
            at,
            is_delivered,
            is_due,
            is_once,
            messages,
            remote_id,
        },
    )
}

fn case() -> impl Strategy<Value = Case> {
    let ack = (text(), time(), severity()).prop_map(|(by, at, severity)| Ack { by, at, severity });
    let opened = option::of(time());
    let rest = (any::<u8>(), any::<bool>(), vec(told(), 0..3));
    (episode(), (severity(), severity()), value(), ended(), option::of(ack), opened, rest).prop_map(
        |(episode, (severity, least), value, ended, ack, opened, (step, is_notice, told))| Case {
            episode,
            severity,
            least,
            value,
            ended,
            ack,
            opened,
            step,
            is_notice,
            told,
        },
    )
}

fn record() -> impl Strategy<Value = AlertRecord> {
    let life = (phase(), period(), phase(), period(), option::of(episode()), value());
    (alert(), option::of(life), vec(time(), 0..3), any::<bool>(), vec(case(), 0..3)).prop_map(
        |(key, life, changes, is_flapping, cases)| AlertRecord {
            life: life.map(|(phase, held, worse, worse_held, episode, value)| SavedAlert {
                key: key.clone(),
                phase,
                held,
                worse,
                worse_held,
                episode,
                value,
            }),
            key,
            changes,
            is_flapping,
            cases,
        },
    )
}

fn item() -> impl Strategy<Value = Item> {
    let of = (alert(), episode(), select(News::ALL.to_vec()), severity());
    (of, value(), value(), ended(), option::of(text())).prop_map(
        |((key, episode, news, severity), value, limit, ended, acknowledged_by)| Item {
            key,
            episode,
            news,
            severity,
            value,
            limit,
            ended,
            acknowledged_by,
        },
    )
}

fn message() -> impl Strategy<Value = Message> {
    let lists = (vec(item(), 0..3), any::<u32>(), vec(alert(), 0..3), any::<u32>());
    (text(), severity(), any::<bool>(), lists, remote_id(), time()).prop_map(
        |(group, severity, fires, (items, more_items, affected, more_affected), replies_to, at)| Message {
            group: group.into(),
            severity,
            fires,
            items,
            more_items: more_items as usize,
            affected,
            more_affected: more_affected as usize,
            replies_to,
            at,
        },
    )
}

/// Often the same one.
fn row_key() -> impl Strategy<Value = RowKey> {
    let any = (channel(), alert(), episode_id(), select(vec![1, u32::MAX]))
        .prop_map(|(channel, alert, episode, step)| RowKey { channel, alert, episode, step });
    let often = RowKey {
        channel: ChannelId::new("ops"),
        alert: AlertKey::new("cpu", labels("")),
        episode: EpisodeId { epoch: Epoch::new(1), number: 1 },
        step: 1,
    };
    prop_oneof![Just(often), any]
}

fn row() -> impl Strategy<Value = OutboxRow> {
    let covers = vec((alert(), episode_id(), said()), 0..4);
    (row_key(), message(), covers, any::<u32>(), option::of(time())).prop_map(
        |(key, message, covers, attempts, failing_since)| OutboxRow {
            key,
            message,
            covers: Arc::new(covers),
            attempts,
            failing_since,
        },
    )
}

fn dead_letter() -> impl Strategy<Value = DeadLetter> {
    (row(), text(), time()).prop_map(|(row, why, at)| DeadLetter { row, why, at })
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        remote_id().prop_map(|remote_id| Outcome::Delivered { remote_id }),
        (option::of(period()), text()).prop_map(|(after, why)| Outcome::Retry { after, why }),
        text().prop_map(|why| Outcome::Refused { why }),
    ]
}

fn receipt() -> impl Strategy<Value = Receipt> {
    (row_key(), select(vec![1, u32::MAX]), outcome(), period(), time())
        .prop_map(|(key, attempt, outcome, latency, at)| Receipt { key, attempt, outcome, latency, at })
}

fn quiet_id() -> impl Strategy<Value = QuietId> {
    select(vec![1, 2, u64::MAX >> 1]).prop_map(QuietId)
}

fn quiet() -> impl Strategy<Value = Quiet> {
    let matcher = (option::of(text()), option::of(severity()), option::of(alert()));
    let matcher = matcher.prop_map(|(rule, severity, alert)| Matcher {
        rule,
        severity,
        labels: alert.map(|alert| alert.labels),
    });
    let seen =
        || text().prop_filter("it is seen as what it is", |text| Quiet::is_text(&format!("ada {text}")));
    (matcher, prop_oneof![once(), weekly()], seen(), seen()).prop_map(|(matcher, when, author, reason)| {
        Quiet::try_new(matcher, when, &format!("ada {author}"), &format!("because {reason}")).expect("valid")
    })
}

fn once() -> impl Strategy<Value = When> {
    (time(), 1..31_536_000_000_000_i64).prop_map(|(from, micros)| When::Once {
        from,
        until: from.checked_add(SignedDuration::from_micros(micros)).ok(),
    })
}

fn weekly() -> impl Strategy<Value = When> {
    let zone = select(vec!["UTC", "Europe/Berlin", "America/St_Johns"]);
    let zone = zone.prop_map(|name| Zone::parse(name).expect("it exists"));
    let days: Vec<Weekday> = Weekday::Monday.cycle_forward().take(7).collect();
    (zone, subsequence(days, 1..=7), [clock(), clock()], date(), 0..366_i64).prop_map(
        |(zone, mut days, [from, to], first, most)| {
            // It is on its first day at least.
            days.retain(|day| *day != first.weekday());
            days.push(first.weekday());
            let last = first.checked_add(SignedDuration::from_hours(24 * most)).ok();
            When::Weekly { zone, days, from, to, first, last }
        },
    )
}

fn clock() -> impl Strategy<Value = Time> {
    (0..24_i8, 0..60_i8, 0..60_i8).prop_map(|(hour, minute, second)| Time::constant(hour, minute, second, 0))
}

fn date() -> impl Strategy<Value = Date> {
    (2_000..2_100_i16, 1..=12_i8, 1..=28_i8).prop_map(|(year, month, day)| Date::constant(year, month, day))
}
