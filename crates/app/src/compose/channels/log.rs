//! The channel that is always there: each message is one line of this process's log.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ttm_alert::words::{About, Plain, Section, Text, Words};
use ttm_alert::{Attempt, Item, Notifier, Outcome};
use ttm_kernel::Severity;

/// How long the log may take: nothing is waited for but a turn on the plane.
const PATIENCE: Duration = Duration::from_secs(15);
/// The longest line, in bytes: what the journal of systemd keeps in one piece is much longer.
const LONGEST: usize = 4_000;

/// Words for everybody who reads the log, and wherever that is sent.
struct InPublic(Arc<dyn Words>);

impl Words for InPublic {
    fn about(&self, item: &Item) -> About {
        self.0.about_in_public(item)
    }
}

/// The [`Notifier`] on the log. A line has the severity of its message as its level, or `info` once all of it is over.
pub(super) struct LogNotifier {
    words: InPublic,
}

impl LogNotifier {
    pub(super) fn new(words: Arc<dyn Words>) -> Self {
        Self { words: InPublic(words) }
    }
}

#[async_trait]
impl Notifier for LogNotifier {
    fn patience(&self) -> Duration {
        PATIENCE
    }

    async fn send(&self, attempt: &Attempt) -> Outcome {
        let line = Text::fit(attempt, &self.words, line, |line| line.len() <= LONGEST);
        let message = &attempt.row.message;
        let (rule, key) = (&*message.group, attempt.row.key.idempotency_key());
        match message.severity {
            Severity::Critical | Severity::Error if message.fires => {
                tracing::error!(rule, message_id = key, "{line}");
            }
            Severity::Warning if message.fires => tracing::warn!(rule, message_id = key, "{line}"),
            _ => tracing::info!(rule, message_id = key, "{line}"),
        }
        Outcome::Delivered { remote_id: None }
    }
}

fn line(text: &Text) -> String {
    let lines = |section: &Section| {
        let lines = section.lines.iter().map(|line| line.render(&Plain));
        format!("{}: {}.", section.heading, lines.collect::<Vec<_>>().join("; "))
    };
    let title = format!("{}.", text.title);
    let sections = text.sections.iter().map(lines);
    let parts = [title, text.summary.clone()].into_iter().chain(sections).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::os::unix::fs::PermissionsExt;

    use parking_lot::Mutex;
    use ttm_alert::defaults::Meanings;
    use ttm_alert::words::Acknowledge;
    use ttm_alert::{
        AlertKey, ChannelId, Ending, Episode, EpisodeId, Item, Labels, Message, News, OutboxRow, RowKey, Unit,
    };
    use ttm_health::Commands;
    use ttm_kernel::{Clock, Epoch};
    use ttm_service::{Board, Briefing, ServiceSettings};
    use ttm_tokio_runtime::TokioClock;

    use super::*;
    use crate::compose::check;
    use crate::compose::surface::links;
    use crate::config::Draft;
    use crate::planes::Threads;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn item(number: u64, severity: Severity, is_over: bool) -> Item {
        let started = "2027-01-15T07:50:00Z".parse().expect("a time");
        let labels = Labels::parse(&format!("api=api{number}")).expect("valid");
        Item {
            key: AlertKey::new("breaker_open", labels),
            episode: Episode { id: EpisodeId { epoch: Epoch::new(12), number }, started },
            news: News::New,
            severity,
            value: None,
            limit: None,
            ended: is_over.then_some((started, Ending::Recovered)),
            acknowledged_by: None,
        }
    }

    /// The line of a message about so many alerts, and consequences.
    fn logged(count: u64, severity: Severity, is_over: bool) -> String {
        logged_in(Arc::new(Meanings), count, severity, is_over)
    }

    /// The same in these words.
    fn logged_in(words: Arc<dyn Words>, count: u64, severity: Severity, is_over: bool) -> String {
        let items: Vec<Item> = (1..=count).map(|number| item(number, severity, is_over)).collect();
        let affected = items.iter().skip(1).map(|item| item.key.clone()).collect();
        let lead = items[0].clone();
        let message = Message {
            group: lead.key.rule.clone(),
            severity,
            fires: !is_over,
            items,
            more_items: 0,
            affected,
            more_affected: 0,
            replies_to: None,
            at: "2027-01-15T07:52:00Z".parse().expect("a time"),
        };
        let key =
            RowKey { channel: ChannelId::new("log"), alert: lead.key, episode: lead.episode.id, step: 1 };
        let row = OutboxRow { key, message, covers: Arc::default(), attempts: 1, failing_since: None };
        let attempt = Attempt { row, was_down: None, is_unsaved: false };
        let written = Shared::default();
        let writer = written.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || writer.clone())
            .without_time()
            .with_ansi(false)
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            let outcome = runtime.block_on(LogNotifier::new(words).send(&attempt));
            assert_eq!(outcome, Outcome::Delivered { remote_id: None });
        });
        let bytes = written.0.lock().clone();
        String::from_utf8(bytes).expect("text")
    }

    #[test]
    fn a_message_is_one_line_with_its_severity_as_the_level() {
        let line = logged(1, Severity::Warning, false);
        let said = "WARNING: calls are withheld, since they fail (api=api1). \
                    breaker_open: firing since 2027-01-15 07:50:00 UTC (2 min).";
        assert!(line.trim_start().starts_with("WARN ") && line.contains(said), "{line}");
        assert!(line.contains("rule=\"breaker_open\"") && line.contains("-12-1-1-log\""), "{line}");
        for (severity, is_over, level) in [
            (Severity::Critical, false, "ERROR"),
            (Severity::Error, false, "ERROR"),
            (Severity::Info, false, "INFO"),
            (Severity::Critical, true, "INFO"),
        ] {
            let line = logged(1, severity, is_over);
            assert!(line.trim_start().starts_with(level) && line.lines().count() == 1, "{line}");
        }
    }

    #[test]
    fn a_message_of_many_alerts_is_one_line_of_bounded_length() {
        let line = logged(50, Severity::Error, false);
        assert!(line.lines().count() == 1 && line.len() < LONGEST + 300, "{} bytes: {line}", line.len());
        assert!(line.contains(" Alerts: ERROR api=api1: firing since ") && line.contains("; and "), "{line}");
    }

    /// What a service with an address and a token says.
    fn briefing() -> Briefing {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, token) = (folder.path().join("ttm.toml"), folder.path().join("token"));
        std::fs::write(&token, "hunter2-and-thirty-more-characters").expect("written");
        std::fs::set_permissions(token, PermissionsExt::from_mode(0o600)).expect("ours");
        let text = "[api]\npublic_url = \"https://ttm.example.org\"\ntoken_file = \"token\"\n\
                    [alerts.rules.fuller]\nseries = \"resource.disk_percent\"\nenter = 60\n";
        std::fs::write(&path, text).expect("written");
        let settings = check(Draft::read(Some(&path), std::iter::empty())).expect("valid");
        let clock: Arc<dyn Clock> = Arc::new(TokioClock::start());
        let threads = Threads::start().expect("there is room for them");
        let board = Board::starting(&ServiceSettings::default(), &*threads.planes());
        Briefing::new(board, Commands::default(), links(&settings, &clock), settings.alerts.rules.rules())
    }

    #[test]
    fn what_a_rule_of_ones_own_measures_has_its_unit() {
        let of = |rule: &str| {
            let key = AlertKey::new(rule, Labels::none());
            briefing().about(&Item { key, ..item(1, Severity::Warning, false) }).unit
        };
        assert_eq!([of("fuller"), of("disk"), of("gone")], [Some(Unit::Percent), Some(Unit::Percent), None]);
    }

    #[test]
    fn no_line_has_a_link_that_acknowledges_for_whoever_reads_it() {
        let briefing = briefing();
        let told = briefing.about(&item(1, Severity::Critical, false)).acknowledge;
        assert!(matches!(told, Some(Acknowledge::Link(link)) if link.contains("signature=")));
        let line = logged_in(Arc::new(briefing), 2, Severity::Critical, false);
        assert!(!line.contains("signature=") && !line.contains("https://"), "{line}");
        let id = item(1, Severity::Critical, false).key.identity();
        assert!(line.contains(&format!("Acknowledge: ttm alerts ack {id}.")), "{line}");
    }
}
