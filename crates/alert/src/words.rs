//! The words of a message, the same on every channel. What a rule means is said by whoever composes the service, since a message
//! is plain data; how a channel marks words up, and how many it takes, is said by the channel.

mod fit;
mod markup;
mod phrase;
mod text;

pub use markup::{Markup, Plain};
pub use text::{Line, Section, Text};

use crate::{Item, Unit};

/// Says what no message can: what its alerts mean, and what is to be done.
pub trait Words: Send + Sync {
    /// What there is to say about an alert now. It may say less than the next time, and never fails.
    fn about(&self, item: &Item) -> About;

    /// The same for a place that others read than those who are told, such as a log: without a link, since whoever has it can
    /// acknowledge.
    fn about_in_public(&self, item: &Item) -> About {
        let about = self.about(item);
        let acknowledge = about.acknowledge.filter(|how| matches!(how, Acknowledge::Command(_)));
        About { acknowledge, ..about }
    }
}

/// What there is to say about an alert. All of it may be missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// Which of several services says so, where they could be taken for one another.
    pub instance: Option<String>,
    /// What is wrong, in a few words, without a full stop: `memory runs out`.
    pub meaning: Option<String>,
    /// What its value is measured in.
    pub unit: Option<Unit>,
    /// What users notice, in figures.
    pub effect: Option<String>,
    /// What self-healing has tried, in order.
    pub tried: Vec<String>,
    /// What it tries next, and when.
    pub next: Option<String>,
    /// The address of the runbook.
    pub runbook: Option<String>,
    /// The first command of the runbook.
    pub command: Option<String>,
    /// How to acknowledge it.
    pub acknowledge: Option<Acknowledge>,
}

/// How an alert is acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Acknowledge {
    /// By opening this address.
    Link(String),
    /// By this command.
    Command(String),
}
