//! Keys of `toolsBySender`: who is meant. Names are never read, because anybody can choose any.

/// Who is meant by a key of `toolsBySender`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SenderKey {
    /// `channel:<channel>:<id>`: a sender of one channel.
    Channel(String, String),
    /// `id:<id>`, or the id alone: a sender of whichever channel.
    Id(String),
    /// `e164:<number>`: a telephone number, on channels whose ids are such.
    Phone(String),
    /// `*`: everybody that no other key means.
    Anybody,
}

/// Why a key means nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SenderKeyError {
    /// A name decides nothing.
    #[error("names decide nothing here, because anybody can take any name")]
    Name,
    /// There is nothing behind the prefix.
    #[error("names nobody")]
    Nobody,
}

/// Channels whose senders' ids are telephone numbers.
const PHONES: [&str; 4] = ["whatsapp", "twilio", "plivo", "signal"];

impl SenderKey {
    /// Reads a key.
    pub fn parse(key: &str) -> Result<Self, SenderKeyError> {
        let key = key.trim().to_lowercase();
        if key == "*" {
            return Ok(Self::Anybody);
        }
        let id = |id: &str| match id.trim() {
            "" => Err(SenderKeyError::Nobody),
            id => Ok(id.to_owned()),
        };
        match key.split_once(':') {
            Some(("channel", rest)) => {
                let (channel, sender) = rest.split_once(':').ok_or(SenderKeyError::Nobody)?;
                Ok(Self::Channel(id(channel_name(channel.trim()))?, id(sender)?))
            }
            Some(("id", rest)) => Ok(Self::Id(id(rest)?)),
            Some(("e164", rest)) => Ok(Self::Phone(id(&digits(rest))?)),
            Some(("username" | "name", _)) => Err(SenderKeyError::Name),
            _ => Ok(Self::Id(id(&key)?)),
        }
    }

    /// How narrowly it means this sender, the narrowest first; `None` if it does not. An empty sender is nobody, whom only
    /// `*` means.
    pub(super) fn rank(&self, channel: &str, sender: &str) -> Option<u8> {
        let sender = sender.to_lowercase();
        let same = |id: &str| !sender.is_empty() && id == sender;
        match self {
            Self::Channel(at, id) => (at == channel_name(channel) && same(id)).then_some(0),
            Self::Id(id) => same(id).then_some(1),
            Self::Phone(number) => (PHONES.contains(&channel) && digits(&sender) == *number).then_some(2),
            Self::Anybody => Some(3),
        }
    }
}

fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

/// The name a channel has here.
fn channel_name(name: &str) -> &str {
    match name {
        "msteams" => "teams",
        "tg" => "telegram",
        "lark" => "feishu",
        name => name,
    }
}
