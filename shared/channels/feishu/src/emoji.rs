//! Feishu's names of emoji. <https://open.feishu.cn/document/server-docs/im-v1/message-reaction/emojis-introduce>

/// The names of what an agent is likely to say.
const NAMES: [(&str, &str); 22] = [
    ("👀", "GLANCE"),
    ("👍", "THUMBSUP"),
    ("👎", "ThumbsDown"),
    ("👌", "OK"),
    ("✅", "DONE"),
    ("❌", "CrossMark"),
    ("❤", "HEART"),
    ("🎉", "PARTY"),
    ("🙏", "THANKS"),
    ("👏", "APPLAUSE"),
    ("💪", "MUSCLE"),
    ("🔥", "Fire"),
    ("🤔", "THINKING"),
    ("😂", "LOL"),
    ("😄", "LAUGH"),
    ("🙂", "SMILE"),
    ("😢", "CRY"),
    ("😮", "WOW"),
    ("⏳", "OneSecond"),
    ("✍", "Typing"),
    ("💯", "Hundred"),
    ("👋", "WAVE"),
];

/// The name of an emoji; a word is taken as a name itself.
pub(crate) fn name(emoji: &str) -> Option<&str> {
    // Some emoji may be followed by U+FE0F, which only says that they are shown in colour.
    let plain = emoji.trim().trim_end_matches('\u{fe0f}');
    let known = NAMES.iter().find(|(sign, _)| *sign == plain).map(|(_, name)| *name);
    let is_word = !plain.is_empty() && plain.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    known.or(is_word.then_some(plain))
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn emoji_and_names_are_both_known() {
        assert_eq!(
            ["👀", "❤️", "Typing", "🦀", "", "a b"].map(name),
            [Some("GLANCE"), Some("HEART"), Some("Typing"), None, None, None]
        );
    }
}
