//! Whom a message means, and its text without what a client put around it.

use url::Url;

use crate::event::Content;
use crate::settings::Me;

/// A text, and whether it is meant for us.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Read {
    /// Without the quote of the message it answers, and without the mention at its beginning.
    pub(crate) text: String,
    /// Whether we are mentioned, or one of our messages is answered.
    pub(crate) to_us: bool,
}

/// Reads a message. `name` is what the room calls us.
pub(crate) fn read(content: &Content, me: &Me, name: Option<&str>) -> Read {
    let replies = content.relates_to.as_ref().is_some_and(|relation| relation.in_reply_to.is_some());
    let (quote, body) = if replies { without_quote(&content.body) } else { ("", content.body.as_str()) };
    let pill = content.formatted_body.as_deref().and_then(|html| pill(html, me));
    let to_us = match &content.mentions {
        // Where a client says whom it means, the text says nothing: https://spec.matrix.org/v1.16/client-server-api/#user-and-room-mentions
        Some(mentions) => mentions.user_ids.contains(&me.user_id),
        None => {
            pill.is_some()
                || quoted_author(quote) == Some(me.user_id.as_str())
                || has_word(body, &me.user_id)
                || name.is_some_and(|name| has_word(body, name))
        }
    };
    let mut text = body.trim();
    if to_us {
        let at_localpart = format!("@{}", me.localpart);
        let names = [pill.as_deref(), Some(me.user_id.as_str()), name, Some(at_localpart.as_str())];
        let rest = names.into_iter().flatten().find_map(|name| after_mention(text, name));
        // Somebody who says nothing but our name calls us all the same.
        text = rest.filter(|rest| !rest.is_empty()).unwrap_or(text);
    }
    Read { text: text.to_owned(), to_us }
}

/// The quote that clients put before an answer until version 1.13 of the specification, and what follows it.
/// <https://spec.matrix.org/v1.12/client-server-api/#fallbacks-for-rich-replies>
fn without_quote(body: &str) -> (&str, &str) {
    if !body.starts_with("> <") && !body.starts_with("> * <") {
        return ("", body);
    }
    let quoted: usize = body.split_inclusive('\n').take_while(|line| line.starts_with('>')).map(str::len).sum();
    let (quote, rest) = body.split_at_checked(quoted).unwrap_or(("", body));
    (quote, rest.strip_prefix('\n').unwrap_or(rest))
}

/// Who wrote what is quoted: `> <@alice:example.org> …`.
fn quoted_author(quote: &str) -> Option<&str> {
    let (_, rest) = quote.split_once('<')?;
    rest.split_once('>').map(|(author, _)| author)
}

/// What a link to us is called in the formatted body. <https://spec.matrix.org/v1.16/appendices/#matrixto-navigation>
fn pill(html: &str, me: &Me) -> Option<String> {
    html.split("<a ").skip(1).find_map(|rest| {
        let (tag, rest) = rest.split_once('>')?;
        let (label, _) = rest.split_once("</a>")?;
        let (_, href) = tag.split_once("href=")?;
        let quote = href.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let href = href.split(quote).nth(1)?;
        leads_to(href, me).then(|| unescaped(label))
    })
}

fn leads_to(href: &str, me: &Me) -> bool {
    let Ok(url) = Url::parse(href) else { return false };
    let target = url.fragment().and_then(|fragment| fragment.strip_prefix('/')).unwrap_or_default();
    let target = target.split('?').next().unwrap_or_default().replace("%40", "@").replace("%3A", ":");
    url.host_str() == Some("matrix.to") && target == me.user_id
}

fn unescaped(html: &str) -> String {
    html.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#39;", "'").replace("&amp;", "&")
}

/// Whether `word` stands in `text` and not within another word.
fn has_word(text: &str, word: &str) -> bool {
    let (text, word) = (text.to_lowercase(), word.to_lowercase());
    let inside = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    !word.is_empty()
        && text.match_indices(&word).any(|(at, found)| {
            let before = text.get(..at).and_then(|head| head.chars().next_back());
            let after = text.get(at.saturating_add(found.len())..).and_then(|tail| tail.chars().next());
            !inside(before) && !inside(after)
        })
}

/// What follows `name` at the beginning of a text; `None` if it does not begin with it, as with another name that does.
fn after_mention<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let name = name.trim();
    let rest = text.strip_prefix(name).filter(|_| !name.is_empty())?;
    let rest = rest.trim_start_matches([':', ',']);
    let ends = rest.is_empty() || rest.starts_with(char::is_whitespace);
    ends.then(|| rest.trim_start().trim_start_matches([':', ',']).trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn reading(content: Value) -> (String, bool) {
        let me = Me { user_id: "@agent:hs.local".into(), localpart: "agent".into(), server: "hs.local".into() };
        let content: Content = serde_json::from_value(content).unwrap();
        let Read { text, to_us } = read(&content, &me, Some("Agent Smith"));
        (text, to_us)
    }

    fn said(body: &str) -> (String, bool) {
        reading(json!({"msgtype": "m.text", "body": body}))
    }

    #[test]
    fn clients_that_do_not_say_whom_they_mean_are_read_by_the_text() {
        for (body, text, to_us) in [
            ("@agent:hs.local: status?", "status?", true),
            ("@agent:hs.local status?", "status?", true),
            ("Agent Smith, status?", "status?", true),
            ("what does agent smith say", "what does agent smith say", true),
            ("Agent Smithers, status?", "Agent Smithers, status?", false),
            ("ask @agent:hs.localdomain", "ask @agent:hs.localdomain", false),
            ("nothing", "nothing", false),
            ("@agent:hs.local", "@agent:hs.local", true),
            ("@agent:other @agent:hs.local", "@agent:other @agent:hs.local", true),
        ] {
            assert_eq!(said(body), (text.to_owned(), to_us), "{body}");
        }
    }

    #[test]
    fn clients_that_say_whom_they_mean_are_taken_at_their_word() {
        let with = |ids: Value| {
            reading(json!({"msgtype": "m.text", "body": "Agent Smith: hi", "m.mentions": {"user_ids": ids}}))
        };
        assert_eq!(with(json!(["@bob:hs.local", "@agent:hs.local"])), ("hi".to_owned(), true));
        assert_eq!(with(json!(["@bob:hs.local"])), ("Agent Smith: hi".to_owned(), false));
        assert!(!reading(json!({"body": "Agent Smith: hi", "m.mentions": {"room": true}})).1);
    }

    #[test]
    fn a_pill_is_a_mention_and_names_itself() {
        let with = |href: &str| {
            let html = format!("<b>x</b> <a class=\"p\" href=\"{href}\">Agent &amp; Co</a>: status?");
            reading(json!({"body": "Agent & Co: status?", "format": "org.matrix.custom.html", "formatted_body": html}))
        };
        let meant = ("status?".to_owned(), true);
        assert_eq!(with("https://matrix.to/#/@agent:hs.local"), meant);
        assert_eq!(with("https://matrix.to/#/%40agent%3Ahs.local?via=x"), meant);
        for other in ["https://matrix.to/#/@bob:hs.local", "https://evil/#/@agent:hs.local", "x", ""] {
            assert!(!with(other).1, "{other}");
        }
    }

    #[test]
    fn the_quote_of_an_answer_goes_and_tells_whose_message_it_answers() {
        let answer = |body: &str| reading(json!({"body": body, "m.relates_to": {"m.in_reply_to": {"event_id": "$1"}}}));
        assert_eq!(answer("> <@agent:hs.local> one\n> two\n\nyes"), ("yes".to_owned(), true));
        assert_eq!(answer("> <@bob:hs.local> @agent:hs.local\n\nyes"), ("yes".to_owned(), false));
        assert_eq!(answer("> * <@agent:hs.local> waves\n\n> yes"), ("> yes".to_owned(), true));
        assert_eq!(answer("plain"), ("plain".to_owned(), false));
        assert_eq!(said("> <@agent:hs.local> one\n\nmy own quote").0, "> <@agent:hs.local> one\n\nmy own quote");
    }
}
