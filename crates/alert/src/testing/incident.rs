//! What can happen on a stage, as plain data, and histories of it.

use std::ops::Range;

use proptest::prelude::*;

use super::stage::{Health, Stage};
use crate::{AlertKey, Matcher, Quiet, Reading, When};

/// What can happen.
#[derive(Clone, Debug)]
pub enum Incident {
    /// A fact is measured as this from now on.
    Set(&'static str, &'static str, Reading),
    /// A channel behaves like this from now on.
    Channel(&'static str, Health),
    /// The store behaves like this from now on.
    Store(Health),
    /// Alerts of a rule are silenced for so many seconds.
    Silence(&'static str, u32),
    /// Every silence is ended.
    EndSilences,
    /// An operator acknowledges what fires of a rule.
    Acknowledge(&'static str, &'static str),
    /// The wall clock is set.
    SetWall(i64),
    /// The process is killed, and the next one begins so many seconds later.
    Restart(u64),
    /// The same rules and settings are loaded again.
    Reload,
    /// So many seconds pass.
    Pass(u64),
}

impl Stage {
    /// Something happens.
    pub fn happens(&mut self, incident: &Incident) {
        match incident {
            Incident::Set(series, of, reading) => self.set(series, of, reading.clone()),
            Incident::Channel(name, health) => self.channel(name, *health),
            Incident::Store(health) => self.store(*health),
            Incident::Silence(rule, seconds) => {
                let (from, for_long) = (self.wall(), std::time::Duration::from_secs((*seconds).into()));
                let matcher = Matcher { rule: Some((*rule).to_owned()), ..Matcher::default() };
                let when = When::Once { from, until: Some(from + for_long) };
                self.silence(Quiet::try_new(matcher, when, "ada", "we know").expect("valid"));
            }
            Incident::EndSilences => {
                let ids: Vec<_> = self.desk().silences().map(|(id, _)| id).collect();
                for id in ids {
                    self.end_silence(id);
                }
            }
            Incident::Acknowledge(rule, of) => {
                let key = AlertKey::new(*rule, super::example::labels(of));
                if self.desk().engine().saved(&key).is_some_and(|alert| alert.episode.is_some()) {
                    self.acknowledge(rule, of);
                }
            }
            Incident::SetWall(by) => self.set_wall(*by),
            Incident::Restart(after) => self.restart(*after),
            Incident::Reload => self.reload(),
            Incident::Pass(seconds) => self.pass_in_steps(*seconds, if *seconds > 300 { 5 } else { 1 }),
        }
    }
}

/// Anything that can happen.
pub fn any_incident() -> BoxedStrategy<Incident> {
    let at = || prop_oneof![Just("at=x"), Just("at=y")];
    let gauge = prop::sample::select(vec![0.0, 5.0, 9.0, 12.0, 17.0, 25.0]).prop_map(Reading::Value);
    let flag = prop::sample::select(vec![0.0, 9.0]).prop_map(Reading::Value);
    let absent = prop_oneof![Just(Reading::Missing("no answer".into())), Just(Reading::Gone)];
    let series = || prop::sample::select(vec!["load", "late", "open"]);
    let rule = || prop::sample::select(vec!["load", "late", "open"]);
    let channel = || prop::sample::select(vec!["ops", "phone", "mail"]);
    let of_channels = [Health::Well, Health::Down, Health::Mute, Health::Refusing, Health::LeftAlone];
    let health = prop::sample::select(of_channels.to_vec());
    let store = prop::sample::select(vec![Health::Well, Health::Down, Health::Mute, Health::Hanging]);
    prop_oneof![
        6 => (at(), gauge).prop_map(|(at, reading)| Incident::Set("load", at, reading)),
        6 => (rule(), at(), flag).prop_map(|(of, at, reading)| {
            Incident::Set(if of == "late" { "late" } else { "open" }, at, reading)
        }),
        1 => (series(), at(), absent).prop_map(|(series, at, reading)| Incident::Set(series, at, reading)),
        1 => (0_u32..9).prop_map(|total| Incident::Set("refusals", "", Reading::Value(total.into()))),
        3 => (channel(), health).prop_map(|(channel, health)| Incident::Channel(channel, health)),
        2 => store.prop_map(Incident::Store),
        1 => (rule(), 10_u32..3_000).prop_map(|(rule, seconds)| Incident::Silence(rule, seconds)),
        1 => Just(Incident::EndSilences),
        1 => (rule(), at()).prop_map(|(rule, at)| Incident::Acknowledge(rule, at)),
        1 => prop::sample::select(vec![-86_400, -400, 400, 86_400]).prop_map(Incident::SetWall),
        2 => (0_u64..400).prop_map(Incident::Restart),
        1 => Just(Incident::Reload),
        10 => prop_oneof![3 => 1_u64..60, 1 => 60_u64..1_500].prop_map(Incident::Pass),
    ]
    .boxed()
}

/// Histories of so many incidents.
pub fn any_history(length: Range<usize>) -> impl Strategy<Value = Vec<Incident>> {
    prop::collection::vec(any_incident(), length)
}
