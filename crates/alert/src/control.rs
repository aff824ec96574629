//! What operators see of alerts, and what they order.

use async_trait::async_trait;
use jiff::Timestamp;
use ttm_kernel::StoreError;

use crate::{
    AlertKey, AlertView, ChannelId, DeadLetter, EpisodeId, Identity, Quiet, QuietId, Receipt, RuleSpec,
};

/// A channel, as operators see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelView {
    /// Its name.
    pub id: ChannelId,
    /// Why it takes no messages, without secrets, and since when; `None` if it took the last one, or has been sent none.
    pub failing: Option<(Timestamp, String)>,
    /// Messages that wait for it.
    pub waiting: usize,
}

/// What an operator has ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ordered<T> {
    /// What came of it.
    pub done: T,
    /// Whether the store has it. If it does not yet, the order is in force all the same, and is stored once that is possible.
    pub stored: bool,
}

/// Why an order is not carried out, or a question not answered.
#[derive(Debug, thiserror::Error)]
pub enum OrderRefused {
    /// There is no such alert, silence or channel.
    #[error("there is no {what}")]
    Unknown {
        /// What there is not, with its name.
        what: String,
    },
    /// It is not possible.
    #[error("{0}")]
    Impossible(String),
    /// The service is not running, or does not answer in time.
    #[error("alerts cannot be changed or read now: {0}")]
    NotNow(String),
    /// The store has no answer.
    #[error("the store does not answer: {0}")]
    Store(#[from] StoreError),
}

/// What operators see and order while the service runs. No call waits for longer than some seconds.
#[cfg_attr(feature = "testing", mockall::automock)]
#[async_trait]
pub trait AlertControl: Send + Sync {
    /// Alerts, ordered by their keys: those after this one, at most `limit`.
    async fn alerts(&self, after: Option<AlertKey>, limit: usize) -> Result<Vec<AlertView>, OrderRefused>;

    /// The alert with this id.
    async fn alert(&self, id: Identity) -> Result<AlertView, OrderRefused>;

    /// Somebody has seen an alert: it escalates no further. With an episode, that one alone is acknowledged, and whoever has
    /// acknowledged it as severe as it is keeps it; the answer says who.
    async fn acknowledge(
        &self,
        id: Identity,
        episode: Option<EpisodeId>,
        by: &str,
    ) -> Result<Ordered<AlertView>, OrderRefused>;

    /// The silences and maintenance windows that nobody has ended, ordered by their ids.
    async fn silences(&self) -> Result<Vec<(QuietId, Quiet)>, OrderRefused>;

    /// Begins a silence or a maintenance window.
    async fn silence(&self, quiet: Quiet) -> Result<Ordered<QuietId>, OrderRefused>;

    /// Ends one.
    async fn end_silence(&self, id: QuietId) -> Result<Ordered<()>, OrderRefused>;

    /// What became of attempts to send a message, the oldest first: the newest `limit` of all.
    async fn receipts(&self, limit: usize) -> Result<Vec<Receipt>, OrderRefused>;

    /// The messages that were refused for good, the oldest first: the newest `limit`.
    async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, OrderRefused>;

    /// Tells a channel of an alert once more, as it is true now.
    async fn tell_again(&self, id: Identity, channel: &ChannelId) -> Result<Ordered<()>, OrderRefused>;

    /// The channels.
    async fn channels(&self) -> Result<Vec<ChannelView>, OrderRefused>;

    /// The rules that are in force. Never waits.
    fn rules(&self) -> Vec<RuleSpec>;
}
