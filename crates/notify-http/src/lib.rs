//! The ports of `ttm_alert` over HTTP: [`Notifier`](ttm_alert::Notifier), [`Feed`](ttm_alert::Feed) and
//! [`Heartbeat`](ttm_alert::Heartbeat).
#![doc = include_str!("../README.md")]

mod address;
mod alertmanager;
mod answer;
mod discord;
mod error;
mod heartbeat;
mod length;
mod ntfy;
mod pagerduty;
mod retry_after;
mod secrets;
mod slack;
mod telegram;
mod webhook;
mod wire;

pub use alertmanager::{Alertmanager, AlertmanagerConfig};
pub use discord::Discord;
pub use error::InvalidChannel;
pub use heartbeat::{HeartbeatConfig, HttpHeartbeat};
pub use ntfy::{NTFY_SERVER, Ntfy, NtfyConfig};
pub use pagerduty::{PAGERDUTY_API, PagerDuty, PagerDutyConfig};
pub use slack::{SLACK_API, SlackBot, SlackBotConfig, SlackWebhook};
pub use telegram::{TELEGRAM_API, Telegram, TelegramConfig};
pub use webhook::{Webhook, WebhookConfig};
