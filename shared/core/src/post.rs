//! Messages beside the reply of a turn: to other places, and to what stands in a place already.

use async_trait::async_trait;

use crate::channel::{Poll, SendError};
use crate::message::{ChannelId, ReplyAddress};

/// What is to be done in a place.
#[derive(Clone, Debug, PartialEq)]
pub enum Errand {
    /// Say something, cut and rendered as a reply would be, with a file of the workspace behind it.
    Say {
        /// Markdown; empty if only the file is sent.
        text: String,
        /// Its path in the workspace.
        file: Option<String>,
    },
    /// Ask for votes.
    Ask(Poll),
    /// Begin a thread, under a message where one is named.
    Open {
        /// What the thread is called.
        name: String,
        /// The message.
        message: Option<String>,
    },
    /// Put an emoji under a message.
    React {
        /// The message.
        message: String,
        /// The emoji.
        emoji: String,
    },
    /// Replace the text of a message we sent.
    Edit {
        /// The message.
        message: String,
        /// Markdown.
        text: String,
    },
    /// Take a message away.
    Delete {
        /// The message.
        message: String,
    },
    /// Pin a message, or unpin it.
    Pin {
        /// The message.
        message: String,
        /// Whether it is pinned afterwards.
        pinned: bool,
    },
}

impl Errand {
    /// Whether doing it twice is doing it once.
    pub fn repeats(&self) -> bool {
        match self {
            Self::Say { .. } | Self::Ask(_) | Self::Open { .. } => false,
            Self::React { .. } | Self::Edit { .. } | Self::Delete { .. } | Self::Pin { .. } => true,
        }
    }
}

/// Why an errand was not done, or not to its end.
#[derive(Debug)]
pub struct Undone {
    /// The platform's ids of the messages that were sent all the same.
    pub ids: Vec<String>,
    /// Why the rest was not.
    pub error: SendError,
}

/// The accounts of the house, for tools that write to people.
#[async_trait]
pub trait Post: Send + Sync {
    /// The accounts there are, by channel and name, in order.
    fn accounts(&self) -> Vec<(ChannelId, String)>;

    /// The platform's id of the message that the turn answers, as [`crate::channel::Channel::react`] takes it.
    fn answered(&self) -> Option<String>;

    /// Does it, and gives the ids of what was sent: of messages, or of the thread that was opened. `key` is the same for
    /// every attempt; `again` says that an attempt was begun whose end nobody knows. What might be done twice then, and
    /// must not be, is not done: [`SendError::Unknown`].
    async fn run(&self, to: &ReplyAddress, errand: &Errand, key: &str, again: bool) -> Result<Vec<String>, Undone>;
}

/// A house without accounts: for work that nobody is written to about.
pub struct Nowhere;

#[async_trait]
impl Post for Nowhere {
    fn accounts(&self) -> Vec<(ChannelId, String)> {
        Vec::new()
    }

    fn answered(&self) -> Option<String> {
        None
    }

    async fn run(&self, _: &ReplyAddress, _: &Errand, _: &str, _: bool) -> Result<Vec<String>, Undone> {
        let reason = "nobody is written to from here".to_owned();
        Err(Undone { ids: Vec::new(), error: SendError::Refused { channel: "none", reason } })
    }
}
