//! Slack's text as a person reads it: control sequences resolved, entities unescaped.
//!
//! In a message `&`, `<` and `>` are entities, so every bare `<…>` is a control sequence.
//! <https://docs.slack.dev/messaging/formatting-message-text>

/// Schemes that Slack wraps into `<url>` or `<url|label>`. Anything else in angle brackets is left as it stands:
/// slash commands arrive unescaped.
const SCHEMES: [&str; 6] = ["http:", "https:", "mailto:", "tel:", "ftp:", "slack:"];

/// A text and what was taken out of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Readable {
    /// The text.
    pub(super) text: String,
    /// Whether our bot was mentioned.
    pub(super) mentions_us: bool,
}

/// Makes `raw` readable and removes mentions of the bot user `bot`.
pub(super) fn readable(raw: &str, bot: Option<&str>) -> Readable {
    let mut out = String::with_capacity(raw.len());
    let mut mentions_us = false;
    let mut rest = raw;
    while let Some((before, after)) = rest.split_once('<') {
        out.push_str(before);
        let shown = match control_sequence(after) {
            Some((sequence, tail)) => {
                rest = tail;
                shown(sequence, bot)
            }
            None => {
                rest = after;
                Shown::Text("<".to_owned())
            }
        };
        match shown {
            Shown::Text(text) => out.push_str(&text),
            Shown::Us => {
                mentions_us = true;
                rest = close_gap(&out, rest);
            }
        }
    }
    out.push_str(rest);
    Readable { text: unescape(&out).trim().to_owned(), mentions_us }
}

/// What stands between the `<` just read and its `>`, and what follows; `None` if this `<` opens nothing.
fn control_sequence(after: &str) -> Option<(&str, &str)> {
    let (sequence, tail) = after.split_at_checked(after.find(['<', '>'])?)?;
    Some((sequence, tail.strip_prefix('>')?))
}

enum Shown {
    Text(String),
    Us,
}

fn shown(sequence: &str, bot: Option<&str>) -> Shown {
    let (target, label) = match sequence.split_once('|') {
        Some((target, label)) => (target, Some(label).filter(|label| !label.is_empty())),
        None => (sequence, None),
    };
    if let Some(user) = target.strip_prefix('@') {
        if bot.is_some_and(|bot| bot == user) {
            return Shown::Us;
        }
        return Shown::Text(label.map_or_else(|| format!("<@{user}>"), |name| format!("@{name}")));
    }
    if let Some(channel) = target.strip_prefix('#') {
        return Shown::Text(label.map_or_else(|| format!("<#{channel}>"), |name| format!("#{name}")));
    }
    if let Some(special) = target.strip_prefix('!') {
        // <!subteam^S1|@team>, <!date^…|fallback>, <!here>
        return Shown::Text(label.map_or_else(|| format!("@{special}"), str::to_owned));
    }
    if SCHEMES.iter().any(|scheme| target.starts_with(scheme)) { link(target, label) } else { literal(sequence) }
}

fn literal(sequence: &str) -> Shown {
    Shown::Text(format!("<{sequence}>"))
}

/// Slack makes links of bare addresses (`<http://example.com|example.com>`): those are shown as they were typed.
fn link(url: &str, label: Option<&str>) -> Shown {
    let Some(label) = label else { return Shown::Text(url.to_owned()) };
    let bare = url.split_once("://").or_else(|| url.split_once(':')).map_or(url, |(_, rest)| rest);
    if label == url || label.trim_end_matches('/') == bare.trim_end_matches('/') {
        return Shown::Text(label.to_owned());
    }
    Shown::Text(format!("[{label}]({url})"))
}

/// The text after a removed mention: no `: ` left at the start, no two spaces left in the middle.
fn close_gap<'a>(before: &str, after: &'a str) -> &'a str {
    if before.trim().is_empty() {
        return after.trim_start().trim_start_matches([':', ',']).trim_start();
    }
    if before.ends_with(char::is_whitespace) { after.trim_start_matches(' ') } else { after }
}

/// `&amp;` last, so that a typed `&lt;` (which arrives as `&amp;lt;`) stays what was typed.
fn unescape(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(raw: &str) -> String {
        readable(raw, Some("UBOT")).text
    }

    #[test]
    fn entities_are_unescaped_once() {
        assert_eq!(text("a &lt;b&gt; &amp; c"), "a <b> & c");
        assert_eq!(text("type &amp;lt; for less"), "type &lt; for less");
    }

    #[test]
    fn a_mention_of_us_is_removed_and_seen() {
        for raw in ["<@UBOT> hi", "<@UBOT|chela> hi", "<@UBOT>: hi", "hi <@UBOT>", "<@UBOT>, <@UBOT> hi"] {
            assert_eq!(readable(raw, Some("UBOT")), Readable { text: "hi".into(), mentions_us: true }, "{raw}");
        }
        assert_eq!(text("ask <@UBOT> now"), "ask now");
        assert_eq!(text("<@UBOT>"), "");
    }

    #[test]
    fn a_typed_mention_is_not_a_mention() {
        let typed = readable("&lt;@UBOT&gt; hi", Some("UBOT"));
        assert_eq!(typed, Readable { text: "<@UBOT> hi".into(), mentions_us: false });
        assert!(!readable("<@UBOTHER> hi", Some("UBOT")).mentions_us);
        assert!(!readable("<@UBOT> hi", None).mentions_us);
    }

    #[test]
    fn control_sequences_read_as_they_are_shown() {
        let cases = [
            ("<@U2> and <@U3|ada>", "<@U2> and @ada"),
            ("<#C1|general> <#C2|>", "#general <#C2>"),
            ("<!here> <!subteam^S1|@ops> <!date^1^{date}|June 1>", "@here @ops June 1"),
            ("<https://example.com/?a=1&amp;b=2>", "https://example.com/?a=1&b=2"),
            ("<http://example.com|example.com>", "example.com"),
            ("<mailto:a@example.com|a@example.com>", "a@example.com"),
            ("<https://example.com|the page>", "[the page](https://example.com)"),
            ("let v: Vec<u8> = f::<T>(a < b)", "let v: Vec<u8> = f::<T>(a < b)"),
            ("1 < 2", "1 < 2"),
        ];
        for (raw, shown) in cases {
            assert_eq!(text(raw), shown, "{raw}");
        }
    }

    proptest! {
        #[test]
        fn escaped_text_comes_back_as_it_was_typed(typed in "[ -~äß😀]{0,60}") {
            let wire = typed.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            let read = readable(&wire, Some("UBOT"));
            prop_assert_eq!(read.text, typed.trim());
            prop_assert!(!read.mentions_us);
        }

        #[test]
        fn any_text_can_be_read(raw in "[<>@#!|&;:,U\\PC]{0,80}") {
            readable(&raw, Some("U"));
        }
    }
}
