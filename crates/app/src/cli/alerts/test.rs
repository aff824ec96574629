//! `ttm alerts test`: tries a channel out, without a running service.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use jiff::Timestamp;
use ttm_alert::words::{About, Words};
use ttm_alert::{
    AlertKey, Attempt, ChannelId, Episode, EpisodeId, Item, Labels, Message, News, OutboxRow, Outcome, RowKey,
};
use ttm_kernel::{Clock, Epoch, Severity, within};

use crate::cli::failure::Failure;
use crate::cli::load::load;
use crate::cli::output::{printable, wrapped};
use crate::cli::run::start_threads;
use crate::compose::{self, Channel};
use crate::config::{ChannelKind, ChannelSettings, Settings};

/// Sends a message on a channel of the config.
pub(super) fn execute(channel: &str, file: Option<&Path>) -> Result<ExitCode, Failure> {
    let settings = load(file)?;
    let channels = &settings.alerts.channels;
    let Some((id, of)) = channels.get_key_value(&ChannelId::new(channel)) else {
        let known: Vec<&str> = channels.keys().map(ChannelId::as_str).collect();
        let channel = printable(channel, LONGEST);
        return Err(Failure::Arguments(format!(
            "there is no channel {channel:?}; the channels are {}",
            known.join(", ")
        )));
    };
    let line = test(id, of, &settings)?;
    wrapped("", &line)?;
    Ok(ExitCode::SUCCESS)
}

/// The most characters of a name, or of an id, that are shown.
const LONGEST: usize = 100;

/// What became of one message, as a line.
fn test(id: &ChannelId, of: &ChannelSettings, settings: &Settings) -> Result<String, Failure> {
    let instance = &settings.service.instance;
    let said = Test { instance: settings.is_named.then(|| instance.to_string()) };
    let threads = start_threads()?;
    let runtime = threads.planes().supervision();
    let (clock, words): (Arc<dyn Clock>, Arc<dyn Words>) = (runtime.clone(), Arc::new(said));
    let channel = compose::channel(id, of, instance, &clock, &words)?;
    let (begun, now) = (clock.now(), clock.wall());
    let attempt = attempt(id, now);
    let items = &attempt.row.message.items;
    let (patience, sending) = match &channel {
        Channel::Notifier(notifier) => (notifier.patience(), notifier.send(&attempt)),
        Channel::Feed(feed) => (feed.patience(items.len()), feed.tell(items, now)),
    };
    let outcome = threads.block_on(within(&*runtime, begun + patience, sending));
    let took = clock.now().saturating_since(begun);
    let name = format!("{id} ({})", of.kind.name());
    let took = format!("{:.1} ms", took.as_secs_f64() * 1_000.0);
    match outcome {
        Ok(Outcome::Delivered { remote_id }) => {
            let remote = remote_id.map(|remote| format!(", as {}", printable(&remote, LONGEST)));
            let left = match of.kind {
                ChannelKind::PagerDuty { .. } => "; resolve the incident that it opened",
                _ => "",
            };
            Ok(format!("{name}: delivered in {took}{}{left}", remote.unwrap_or_default()))
        }
        Ok(Outcome::Retry { why, .. }) => {
            Err(Failure::Told(format!("{name}: not taken after {took}, and would be tried again: {why}")))
        }
        Ok(Outcome::Refused { why }) => Err(Failure::Told(format!("{name}: refused after {took}: {why}"))),
        Err(_) => Err(Failure::Told(format!("{name}: no answer after {took}, and would be tried again"))),
    }
}

/// Says that nothing is wrong.
struct Test {
    /// Its name, if it was given one.
    instance: Option<String>,
}

impl Words for Test {
    fn about(&self, _: &Item) -> About {
        let meaning = Some("TEST of this channel: nothing is wrong".to_owned());
        About { instance: self.instance.clone(), meaning, ..About::default() }
    }
}

/// A message about an alert that no rule has. Each test is an episode of its own, so that no receiver takes it for another one.
fn attempt(channel: &ChannelId, now: Timestamp) -> Attempt {
    let labels = Labels::try_new([("channel", channel.as_str())]).unwrap_or_else(|_| Labels::none());
    let alert = AlertKey::new("channel_test", labels);
    let number = u64::try_from(now.as_millisecond()).unwrap_or_default();
    let episode = Episode { id: EpisodeId { epoch: Epoch::new(0), number }, started: now };
    let item = Item {
        key: alert.clone(),
        episode,
        news: News::New,
        severity: Severity::Info,
        value: None,
        limit: None,
        ended: None,
        acknowledged_by: None,
    };
    let message = Message {
        group: alert.rule.clone(),
        severity: Severity::Info,
        fires: true,
        items: vec![item],
        more_items: 0,
        affected: Vec::new(),
        more_affected: 0,
        replies_to: None,
        at: now,
    };
    let key = RowKey { channel: channel.clone(), alert, episode: episode.id, step: 1 };
    let row = OutboxRow { key, message, covers: Arc::default(), attempts: 1, failing_since: None };
    Attempt { row, was_down: None, is_unsaved: false }
}
