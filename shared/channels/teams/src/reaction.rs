//! Emoji under messages, in the names that Teams has for them.
//! <https://github.com/microsoft/teams.ts/blob/main/packages/api/src/models/message/message-reaction-type.ts>

/// The emoji and their names. The documentation lists these; others exist and may be refused.
const NAMES: [(&str, &str); 10] = [
    ("👍", "like"),
    ("❤", "heart"),
    ("😆", "laugh"),
    ("😮", "surprised"),
    ("😢", "sad"),
    ("😠", "angry"),
    ("👀", "1f440_eyes"),
    ("✅", "2705_whiteheavycheckmark"),
    ("🚀", "launch"),
    ("📌", "1f4cc_pushpin"),
];

/// The name of an emoji. The sign that asks for colour does not matter.
pub(crate) fn name(emoji: &str) -> Option<&'static str> {
    let bare = emoji.trim_end_matches('\u{fe0f}');
    NAMES.iter().find(|(sign, _)| *sign == bare).map(|(_, name)| *name)
}
