//! Faults of the channels on which alerts are told.

use std::fmt;

/// A channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Channel {
    /// Where everything goes.
    Ops,
    /// Where what nobody acknowledges goes as well.
    Phone,
}

/// How a channel misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelFault {
    /// It cannot be reached.
    Down,
    /// It takes connections, and never answers.
    Hangs,
    /// It takes messages, and its answers are lost.
    Mute,
    /// It refuses every message for good.
    Refuses,
    /// It is asked too often, and says when to come back, in seconds.
    Limited(u32),
}

impl Channel {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Ops, Self::Phone];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ops => "ops",
            Self::Phone => "phone",
        }
    }
}

impl fmt::Display for ChannelFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Down => "down",
            Self::Hangs => "hangs",
            Self::Mute => "mute",
            Self::Refuses => "refuses",
            Self::Limited(seconds) => return write!(f, "limited={seconds}s"),
        })
    }
}

impl ChannelFault {
    /// Parses what `Display` writes.
    pub(super) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "down" => Self::Down,
            "hangs" => Self::Hangs,
            "mute" => Self::Mute,
            "refuses" => Self::Refuses,
            _ => Self::Limited(text.strip_prefix("limited=")?.strip_suffix('s')?.parse().ok()?),
        })
    }
}
