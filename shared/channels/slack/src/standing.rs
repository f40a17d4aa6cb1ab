//! What is done to messages that stand there: emoji, pins, and their end. Slack knows emoji by name.
//! <https://docs.slack.dev/reference/methods/reactions.add>

use std::time::Duration;

use chela_core::channel::SendError;
use chela_core::message::ReplyAddress;
use serde_json::{Value, json};

use crate::outbound::WebApi;

/// What comes later than this is worth nothing.
const TIMEOUT: Duration = Duration::from_secs(5);

/// What is commonly put under messages, by Slack's names; all others are given by name.
/// <https://github.com/iamcal/emoji-data>
const NAMES: [(&str, &str); 24] = [
    ("👀", "eyes"),
    ("👍", "+1"),
    ("👎", "-1"),
    ("👌", "ok_hand"),
    ("👏", "clap"),
    ("🙏", "pray"),
    ("💪", "muscle"),
    ("👋", "wave"),
    ("🤔", "thinking_face"),
    ("😀", "grinning"),
    ("😂", "joy"),
    ("😢", "cry"),
    ("❤", "heart"),
    ("🔥", "fire"),
    ("🎉", "tada"),
    ("🚀", "rocket"),
    ("💯", "100"),
    ("⏳", "hourglass_flowing_sand"),
    ("⌛", "hourglass"),
    ("✅", "white_check_mark"),
    ("❌", "x"),
    ("⚠", "warning"),
    ("❓", "question"),
    ("🤖", "robot_face"),
];

impl WebApi {
    /// `reactions.add`. The emoji is one of [`NAMES`], or a name, with colons or without.
    pub(crate) async fn react(&self, to: &ReplyAddress, message_id: &str, emoji: &str) -> Result<(), SendError> {
        let Some(name) = name(emoji) else {
            return Err(self.api.refused("Slack knows this emoji by a name only: give it as :name:"));
        };
        let (channel, ts) = self.standing(to, message_id)?;
        let body = json!({ "channel": channel, "timestamp": ts, "name": name });
        self.unless_done("reactions.add", &body, &["already_reacted"]).await
    }

    /// `chat.delete`.
    pub(crate) async fn delete(&self, to: &ReplyAddress, message_id: &str) -> Result<(), SendError> {
        let (channel, ts) = self.standing(to, message_id)?;
        self.unless_done("chat.delete", &json!({ "channel": channel, "ts": ts }), &["message_not_found"]).await
    }

    /// `pins.add` and `pins.remove`.
    pub(crate) async fn pin(&self, to: &ReplyAddress, message_id: &str, pinned: bool) -> Result<(), SendError> {
        let (channel, ts) = self.standing(to, message_id)?;
        let (method, done) = if pinned { ("pins.add", "already_pinned") } else { ("pins.remove", "no_pin") };
        self.unless_done(method, &json!({ "channel": channel, "timestamp": ts }), &[done]).await
    }

    /// The conversation and the time of a message of this place: its id is `<conversation>:<ts>`, or the time alone. What is
    /// addressed to a person stands in direct messages; of a `#name` only Slack knows where that is.
    pub(crate) fn standing<'a>(
        &self,
        to: &'a ReplyAddress,
        message_id: &'a str,
    ) -> Result<(&'a str, &'a str), SendError> {
        let own = to.to.as_str();
        let Some((channel, ts)) = message_id.split_once(':') else { return Ok((own, message_id)) };
        let person = own.starts_with(['U', 'W']) && channel.starts_with('D');
        if channel != own && !person {
            return Err(self.api.refused("the message stands in another conversation; name that one by its id"));
        }
        Ok((channel, ts))
    }

    /// Calls a method; these errors say that what it would do is done.
    async fn unless_done(&self, method: &str, body: &Value, done: &[&str]) -> Result<(), SendError> {
        match self.call(&self.bot, method, body, TIMEOUT).await {
            Err(SendError::Refused { reason, .. }) if done.iter().any(|done| reason.contains(done)) => Ok(()),
            called => called.map(drop),
        }
    }
}

fn name(emoji: &str) -> Option<&str> {
    // The variant selector asks for colours; the name does not change with it.
    let bare = emoji.trim_matches([':', '\u{fe0f}']);
    if let Some((_, name)) = NAMES.iter().find(|(emoji, _)| *emoji == bare) {
        return Some(name);
    }
    let fit = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-+'".contains(&byte);
    (!bare.is_empty() && bare.bytes().all(fit)).then_some(bare)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emoji_have_names() {
        assert_eq!(
            [name("👀"), name("❤️"), name(":party-parrot:"), name("eyes")],
            [Some("eyes"), Some("heart"), Some("party-parrot"), Some("eyes")]
        );
        assert_eq!([name("🦄"), name(""), name("::"), name("a b")], [None; 4]);
    }
}
