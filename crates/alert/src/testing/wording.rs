//! Messages of every shape, and words about them, for those who turn the one into the other.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use ttm_kernel::{Epoch, Severity};

use super::example::wall;
use crate::words::{About, Acknowledge, Words};
use crate::{
    AlertKey, Attempt, ChannelId, Ending, Episode, EpisodeId, Item, Labels, Message, News, OutboxRow, RowKey,
    Said, Unit,
};

/// Says the same of every alert.
#[derive(Clone, Debug, Default)]
pub struct Saying(pub About);

impl Words for Saying {
    fn about(&self, _: &Item) -> About {
        self.0.clone()
    }
}

/// The characters of every markup, some that take several bytes or code units, and one that combines with the one before.
const CHARACTERS: &[char] = &[
    'a',
    'b',
    'z',
    ' ',
    '.',
    '<',
    '>',
    '&',
    '*',
    '_',
    '~',
    '`',
    '|',
    '\\',
    '[',
    ']',
    '(',
    ')',
    '@',
    '#',
    '"',
    '\'',
    '-',
    '\n',
    '\r',
    '\0',
    '\u{fc}',
    '\u{301}',
    '\u{202e}',
    '\u{1f600}',
];

/// Words of every length, and one character many times.
fn any_words(most: usize) -> impl Strategy<Value = String> {
    let mixed = |most| vec(select(CHARACTERS), 0..most).prop_map(String::from_iter);
    let same =
        (select(CHARACTERS), 0..most).prop_map(|(character, times)| String::from(character).repeat(times));
    prop_oneof![2 => mixed(60), 1 => mixed(most), 1 => same]
}

fn any_address(most: usize) -> impl Strategy<Value = String> {
    let path = vec(select(&['a', '0', '/', '?', '=', '&', '%', '_', '-', ')', '*'][..]), 0..most);
    let address = path.prop_map(|path| format!("https://ttm.example/{}", String::from_iter(path)));
    prop_oneof![3 => address, 1 => any_words(100)]
}

/// What there may be to say about an alert, and rarely may not.
pub fn any_about() -> impl Strategy<Value = About> {
    let acknowledge = prop_oneof![
        any_address(3_000).prop_map(Acknowledge::Link),
        any_words(500).prop_map(Acknowledge::Command),
    ];
    let unit = select(vec![Unit::Percent, Unit::Seconds, Unit::Count, Unit::Flag]);
    (
        option::of(any_words(64)),
        option::of(any_words(3_000)),
        option::of(unit),
        option::of(any_words(1_000)),
        vec(any_words(1_000), 0..4),
        option::of(any_words(300)),
        option::of(any_address(3_000)),
        option::of(any_words(500)),
        option::of(acknowledge),
    )
        .prop_map(|(instance, meaning, unit, effect, tried, next, runbook, command, acknowledge)| {
            About { instance, meaning, unit, effect, tried, next, runbook, command, acknowledge }
        })
}

fn any_labels() -> impl Strategy<Value = Labels> {
    let pair = ("[a-z_]{1,32}", "[a-z <>&*_~`|\"'/:.-]{1,128}");
    let labels = |pairs: std::collections::BTreeMap<String, String>| {
        Labels::try_new(pairs.iter().map(|(key, value)| (&**key, &**value))).expect("valid")
    };
    proptest::collection::btree_map(pair.0, pair.1, 0..=Labels::MOST).prop_map(labels)
}

fn any_time() -> impl Strategy<Value = Timestamp> {
    (-100_000..100_000_i64).prop_map(wall)
}

fn any_item() -> impl Strategy<Value = Item> {
    (
        any_labels(),
        any::<u64>(),
        any_time(),
        select(News::ALL.to_vec()),
        select(Severity::ALL.to_vec()),
        option::of(any::<f64>()),
        option::of(any::<f64>()),
        option::of((any_time(), select(Ending::ALL.to_vec()))),
        option::of(any_words(200)),
    )
        .prop_map(|(labels, number, started, news, severity, value, limit, ended, acknowledged_by)| {
            Item {
                key: AlertKey::new("group_not_running", labels),
                episode: Episode { id: EpisodeId { epoch: Epoch::new(1), number }, started },
                news,
                severity,
                value,
                limit,
                ended,
                acknowledged_by,
            }
        })
}

/// A message as a desk may make it: of one alert or of thousands, short or long.
pub fn any_attempt() -> impl Strategy<Value = Attempt> {
    let items = prop_oneof![
        3 => vec(any_item(), 1..4),
        1 => vec(any_item(), Message::MOST_ITEMS),
    ];
    let affected =
        vec(any_labels().prop_map(|labels| AlertKey::new("data_stale", labels)), 0..Message::MOST_AFFECTED);
    let was_down = option::of(any_time().prop_map(|from| (from, from + SignedDuration::from_mins(10))));
    let replies_to = option::of("[A-Z0-9/.]{1,30}".prop_map(|id| Arc::from(&*id)));
    (
        items,
        option::of(1..10_000_usize),
        affected,
        option::of(1..10_000_usize),
        was_down,
        replies_to,
        any::<u32>(),
    )
        .prop_map(|(items, more_items, affected, more_affected, was_down, replies_to, step)| {
            let first = &items[0];
            let key = RowKey {
                channel: ChannelId::new("ops"),
                alert: first.key.clone(),
                episode: first.episode.id,
                step,
            };
            let said = |item: &Item| {
                let said = Said {
                    is_over: item.ended.is_some(),
                    severity: item.severity,
                    is_flapping: false,
                    step: 1,
                };
                (item.key.clone(), item.episode.id, said)
            };
            let covers = Arc::new(items.iter().map(said).collect());
            let message = Message {
                group: Arc::clone(&first.key.rule),
                severity: items.iter().map(|item| item.severity).max().expect("there is one"),
                fires: items.iter().any(|item| item.ended.is_none()),
                more_items: more_items.filter(|_| items.len() == Message::MOST_ITEMS).unwrap_or_default(),
                more_affected: more_affected.unwrap_or_default(),
                items,
                affected,
                replies_to,
                at: wall(0),
            };
            let row = OutboxRow { key, message, covers, attempts: 1, failing_since: None };
            Attempt { row, was_down, is_unsaved: false }
        })
}
