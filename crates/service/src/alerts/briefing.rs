//! What there is to say about an alert beside what it is: its effect in figures, what self-healing has tried and tries next, and what
//! a person can do. It reads the board when a message is sent, and says what is true then.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use ttm_alert::defaults::{Meanings, RULES, unit};
use ttm_alert::words::{About, Acknowledge, Words};
use ttm_alert::{AlertKey, Item, RuleSpec, Unit};
use ttm_health::{Commands, Facts, LaneFacts};
use ttm_kernel::Instance;
use ttm_recovery::{Recovery, State, Step, Taken};

use crate::board::Board;

/// How far back recoveries belong to what is wrong now.
const LATELY: Duration = Duration::from_mins(30);
/// How many recoveries are looked at, and how many steps are told.
const LOOKED_AT: usize = 50;
const TOLD: usize = 6;

/// Makes the link that acknowledges an alert.
pub type AcknowledgeLink = Arc<dyn Fn(&Item) -> String + Send + Sync>;

/// Where links in messages point.
#[derive(Clone, Default)]
pub struct Links {
    /// Where the runbooks are, without a slash at the end: `https://…/runbooks`. `None` if they are in the program alone.
    pub runbooks: Option<String>,
    /// The link that acknowledges an alert. `None` if a command does.
    pub acknowledge: Option<AcknowledgeLink>,
}

impl fmt::Debug for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let acknowledge = self.acknowledge.is_some();
        f.debug_struct("Links").field("runbooks", &self.runbooks).field("acknowledge", &acknowledge).finish()
    }
}

/// Says what there is to say about alerts of this service.
pub struct Briefing {
    board: Arc<Board>,
    commands: Commands,
    links: Links,
    units: BTreeMap<String, Unit>,
    /// Its name, where readers may hear of others too.
    instance: Option<Instance>,
}

impl Briefing {
    /// What the board knows of alerts of these rules, with commands as this service's users write them.
    pub fn new(board: Arc<Board>, commands: Commands, links: Links, rules: &[RuleSpec]) -> Self {
        let units = rules.iter().filter_map(|rule| Some((rule.name.clone(), unit(rule)?))).collect();
        Self { board, commands, links, units, instance: None }
    }

    /// The same with the name of the instance in each message, for readers who hear of several.
    #[must_use]
    pub fn on(self, instance: Instance) -> Self {
        Self { instance: Some(instance), ..self }
    }

    fn unquoted(&self, command: &str) -> String {
        self.commands.quoted(command).trim_matches('`').to_owned()
    }

    /// The command that acknowledges an alert.
    fn command(&self, item: &Item) -> Acknowledge {
        Acknowledge::Command(self.unquoted(&format!("alerts ack {}", item.key.identity())))
    }

    /// What was tried lately on what an alert is about, the newest last.
    fn tried(&self, key: &AlertKey, since: Timestamp) -> Vec<String> {
        let Some(part) = part_of(key) else { return Vec::new() };
        let since = since.checked_sub(LATELY).unwrap_or(since);
        let recoveries = self.board.recoveries(LOOKED_AT);
        let concerns = |it: &&Recovery| it.subject == part && it.began >= since;
        let mut tried: Vec<String> = recoveries.iter().rev().filter(concerns).flat_map(told).collect();
        tried.drain(..tried.len().saturating_sub(TOLD));
        tried
    }

    /// What is tried next.
    fn next(&self, key: &AlertKey, facts: &Facts) -> Option<String> {
        let of_part = |part: String| {
            let view = self.board.parts().into_iter().find(|view| view.name == part)?;
            match view.state {
                State::Escalated => Some("nothing: a person is needed".to_owned()),
                _ if view.given_up => Some("it is tried once in a while; a person is needed".to_owned()),
                State::Degraded => Some("it goes on by itself once that is back".to_owned()),
                State::Stuck | State::Stopping | State::Stopped => Some("it is being restarted".to_owned()),
                State::Starting => Some("it has just been restarted, and is watched".to_owned()),
                State::Running => None,
            }
        };
        match &*key.rule {
            "restart_budget_spent" if key.labels.get("part") == Some("process") => {
                let keeps_ending = |_| "whatever starts it does so again; a person is needed".to_owned();
                let recovery = &facts.recovery;
                recovery.needs_a_person.clone().or_else(|| recovery.process_ended.map(keeps_ending))
            }
            "breaker_open" | "api_errors" | "forbidden_storm" => {
                Some("calls are tried again one at a time, at least once a minute".to_owned())
            }
            "rate_limited" => Some("requests go out more slowly until the API takes them".to_owned()),
            "store_down" => Some("the store is tried again every few seconds; what waits is kept".to_owned()),
            "store_corrupt" => {
                Some("nothing: the store is left alone until a person has mended it".to_owned())
            }
            "credentials_refused" => Some("the store is tried again, slowly; a person is needed".to_owned()),
            _ => of_part(part_of(key)?),
        }
    }
}

impl Words for Briefing {
    fn about(&self, item: &Item) -> About {
        let (key, rule) = (&item.key, &item.key.rule);
        let facts = self.board.facts().map(|(_, facts)| facts);
        let fires = item.ended.is_none();
        // There are runbooks of the default rules alone.
        let is_explained = RULES.iter().any(|known| *known.name == **rule);
        let of_facts =
            |say: &dyn Fn(&Facts) -> Option<String>| facts.as_deref().filter(|_| fires).and_then(say);
        About {
            instance: self.instance.as_ref().map(ToString::to_string),
            effect: of_facts(&|facts| effect(key, facts)),
            tried: self.tried(key, item.episode.started),
            next: of_facts(&|facts| self.next(key, facts)),
            runbook: self
                .links
                .runbooks
                .as_ref()
                .filter(|_| is_explained)
                .map(|at| format!("{at}/{rule}.md")),
            command: Some(self.unquoted(&if is_explained {
                format!("alerts explain {rule}")
            } else {
                format!("alerts show {}", key.identity())
            })),
            acknowledge: Some(match &self.links.acknowledge {
                Some(link) => Acknowledge::Link(link(item)),
                None => self.command(item),
            }),
            unit: self.units.get(&**rule).copied(),
            ..Meanings.about(item)
        }
    }

    fn about_in_public(&self, item: &Item) -> About {
        About { acknowledge: Some(self.command(item)), ..self.about(item) }
    }
}

/// What users notice. What no score depends on has no effect that could be told in figures.
fn effect(key: &AlertKey, facts: &Facts) -> Option<String> {
    match &*key.rule {
        "store_down" | "store_corrupt" | "samples_lost" => Some(stored_later(facts)),
        "group_not_running"
        | "group_errors"
        | "processing_stopped"
        | "api_slow"
        | "api_errors"
        | "rate_limited"
        | "forbidden_storm"
        | "breaker_open"
        | "restart_budget_spent"
        | "restart_withheld"
        | "data_stale" => Some(stale(facts)),
        _ => None,
    }
}

/// The part that an alert is about, as the ledger calls it.
fn part_of(key: &AlertKey) -> Option<String> {
    let group =
        key.labels.get("group").or_else(|| key.labels.get("lane")).map(|group| format!("{group}-group"));
    key.labels.get("part").map(str::to_owned).or(group)
}

/// The steps of a recovery, or why there was none.
fn told(recovery: &Recovery) -> Vec<String> {
    let Recovery { subject, steps, withheld_for, began, ended, .. } = recovery;
    if let Some(away) = withheld_for {
        return vec![format!("{}: restart of {subject} withheld, {away} is away", clock(*began))];
    }
    let mut lines: Vec<String> = steps
        .iter()
        .map(|Taken { step, at, .. }| format!("{}: {}", clock(*at), done(*step, subject)))
        .collect();
    if let (Some((outcome, took)), Some(last)) = (ended, lines.last_mut()) {
        // Writing to text does not fail.
        let _ = write!(last, "; {} after {}", outcome.as_str(), spoken(*took));
    }
    lines
}

fn done(step: Step, subject: &str) -> String {
    match step {
        Step::Start => format!("{subject} was started again"),
        Step::Graceful => format!("{subject} was asked to stop, and started again"),
        Step::Emergency => format!("{subject} was aborted, and started again"),
        Step::RebuildPlane => "all work was moved to new threads".to_owned(),
        Step::EndProcess => "the process was ended, to be started anew".to_owned(),
    }
}

fn clock(at: Timestamp) -> String {
    at.strftime("%H:%M:%S UTC").to_string()
}

fn spoken(duration: Duration) -> String {
    let whole = SignedDuration::from_secs(i64::try_from(duration.as_secs()).unwrap_or(i64::MAX));
    format!("{whole:#}")
}

/// How many scores are old.
fn stale(facts: &Facts) -> String {
    let of = |name: &str, tokens: &LaneFacts| {
        let old = (tokens.stale + tokens.overdue).min(tokens.tokens);
        format!("{old} of {} {name}", tokens.tokens)
    };
    format!(
        "{} and {} tokens have scores that are too old",
        of("hot", &facts.data.hot),
        of("cold", &facts.data.cold)
    )
}

fn stored_later(facts: &Facts) -> String {
    let store = &facts.store;
    format!(
        "scores are still served; {} token states and {} samples wait to be stored, {} samples were given up",
        store.tokens_waiting, store.samples_waiting, store.samples_dropped
    )
}
