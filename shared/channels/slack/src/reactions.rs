//! Emoji under messages. Slack knows them by name. <https://docs.slack.dev/reference/methods/reactions.add>

use std::time::Duration;

use chela_core::channel::SendError;
use chela_core::message::ReplyAddress;
use serde_json::json;

use crate::outbound::WebApi;

/// A reaction that comes later than this is worth nothing.
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
        let (channel, ts) = message_id.split_once(':').unwrap_or((&to.to, message_id));
        let body = json!({ "channel": channel, "timestamp": ts, "name": name });
        match self.call(&self.bot, "reactions.add", &body, TIMEOUT).await {
            Err(SendError::Refused { reason, .. }) if reason.contains("already_reacted") => Ok(()),
            put => put.map(drop),
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
