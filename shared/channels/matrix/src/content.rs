//! The content of what we send. <https://spec.matrix.org/v1.16/client-server-api/#mroommessage>

use chela_core::channel::OutboundPart;
use chela_core::message::ReplyAddress;
use serde_json::{Map, Value, json};

use crate::html::html;

/// An event holds 65,536 bytes, its envelope, signatures and the list of its predecessors among them.
/// <https://spec.matrix.org/v1.16/client-server-api/#size-limits>
const MOST_BYTES: usize = 56_000;

/// Characters of a changed text that clients without changes see.
const FALLBACK_CHARS: usize = 500;

/// What a message shows.
pub(crate) struct Body(Map<String, Value>);

impl Body {
    /// A text: as it was written, and as HTML where that shows more. An empty list of mentions says that no name in the
    /// text calls anybody.
    pub(crate) fn text(markdown: &str) -> Self {
        let mut body = Self(Map::new());
        body.set("msgtype", json!("m.text"));
        body.set("body", json!(markdown));
        body.set("m.mentions", json!({}));
        if let Some(html) = html(markdown) {
            body.set("format", json!("org.matrix.custom.html"));
            body.set("formatted_body", json!(html));
        }
        body
    }

    /// The same as a notice, which no bot answers.
    pub(crate) fn notice(text: &str) -> Self {
        let mut body = Self::text(text);
        body.set("msgtype", json!("m.notice"));
        body
    }

    pub(crate) fn set(&mut self, key: &str, value: Value) {
        self.0.insert(key.to_owned(), value);
    }

    pub(crate) fn into_value(self) -> Value {
        Value::Object(self.0)
    }

    fn without_html(mut self) -> Self {
        for key in ["format", "formatted_body"] {
            self.0.shift_remove(key);
        }
        self
    }
}

/// A message where it belongs: in its thread, and as an answer. Only the first part of an answer quotes and calls.
pub(crate) fn reply(mut body: Body, part: &OutboundPart<'_>) -> Value {
    let answered = part.to.message.as_deref().map(|message| message.split_once(' ').unwrap_or((message, "")));
    let answered = answered.filter(|(event, _)| !event.is_empty());
    if let (Some((_, author)), 0) = (answered, part.number)
        && !author.is_empty()
    {
        body.set("m.mentions", json!({ "user_ids": [author] }));
    }
    match (&part.to.thread, answered) {
        // Clients without threads show it as an answer to the latest message we know of.
        // https://spec.matrix.org/v1.16/client-server-api/#fallback-for-unthreaded-clients
        (Some(root), _) => {
            let latest = answered.map_or(root.as_str(), |(event, _)| event);
            body.set(
                "m.relates_to",
                json!({
                    "rel_type": "m.thread", "event_id": root, "is_falling_back": true,
                    "m.in_reply_to": { "event_id": latest },
                }),
            );
        }
        (None, Some((event, _))) if part.number == 0 => {
            body.set("m.relates_to", json!({ "m.in_reply_to": { "event_id": event } }));
        }
        (None, _) => {}
    }
    fitted(body, |body| body.into_value())
}

/// The same content, in the thread of an address if that names one.
pub(crate) fn threaded(mut content: Value, to: &ReplyAddress) -> Value {
    if let (Some(root), Some(fields)) = (&to.thread, content.as_object_mut()) {
        let relation = json!({
            "rel_type": "m.thread", "event_id": root, "is_falling_back": true, "m.in_reply_to": { "event_id": root },
        });
        fields.insert("m.relates_to".to_owned(), relation);
    }
    content
}

/// A new text for a message of ours. <https://spec.matrix.org/v1.16/client-server-api/#event-replacements>
pub(crate) fn edit(message_id: &str, markdown: &str) -> Value {
    let fallback: String = markdown.chars().take(FALLBACK_CHARS).collect();
    fitted(Body::text(markdown), |body| {
        json!({
            "msgtype": "m.text",
            "body": format!("* {fallback}"),
            "m.mentions": {},
            "m.new_content": body.into_value(),
            "m.relates_to": { "rel_type": "m.replace", "event_id": message_id },
        })
    })
}

/// Without its HTML if the event would be too large with it: a text of nothing but quotation marks grows sixfold.
fn fitted(body: Body, finish: impl Fn(Body) -> Value) -> Value {
    let plain = Body(body.0.clone()).without_html();
    let whole = finish(body);
    if whole.to_string().len() <= MOST_BYTES { whole } else { finish(plain) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replied(number: u16, thread: Option<&str>, message: Option<&str>) -> Value {
        let to = ReplyAddress {
            channel: crate::ID.to_owned(),
            account: "main".to_owned(),
            to: "!r".to_owned(),
            thread: thread.map(str::to_owned),
            message: message.map(str::to_owned),
        };
        let part = OutboundPart { number, ..chela_testkit::laws::channel::part(&to, "hi") };
        reply(Body::text("hi"), &part)
    }

    #[test]
    fn an_answer_says_what_it_answers_and_calls_its_author_once() {
        let plain = json!({"msgtype": "m.text", "body": "hi", "m.mentions": {}});
        assert_eq!(replied(0, None, None), plain);
        assert_eq!(replied(1, None, Some("$1 @a:b")), plain);
        assert_eq!(
            replied(0, None, Some("$1 @a:b")),
            json!({
                "msgtype": "m.text", "body": "hi", "m.mentions": {"user_ids": ["@a:b"]},
                "m.relates_to": {"m.in_reply_to": {"event_id": "$1"}},
            })
        );
    }

    #[test]
    fn an_answer_in_a_thread_stays_in_it() {
        let thread = |latest: &str| json!({"rel_type": "m.thread", "event_id": "$0", "is_falling_back": true, "m.in_reply_to": {"event_id": latest}});
        assert_eq!(replied(0, Some("$0"), Some("$1"))["m.relates_to"], thread("$1"));
        assert_eq!(replied(3, Some("$0"), Some("$1 @a:b"))["m.relates_to"], thread("$1"));
        assert_eq!(replied(0, Some("$0"), None)["m.relates_to"], thread("$0"));
        assert_eq!(replied(1, Some("$0"), Some("$1 @a:b"))["m.mentions"], json!({}));
    }

    #[test]
    fn whatever_the_text_an_event_is_not_too_large() {
        for text in ["\"", "&", "漢", "*a* ", "`a` ", "\u{1}", "😀"] {
            let units = text.encode_utf16().count();
            let markdown = text.repeat(crate::LIMITS.text / units);
            for event in [fitted(Body::text(&markdown), Body::into_value), edit("$1", &markdown)] {
                assert!(event.to_string().len() <= MOST_BYTES, "{text}: {}", event.to_string().len());
            }
        }
        assert!(edit("$1", &"**x** ".repeat(100))["m.new_content"]["formatted_body"].is_string());
        let quotes = format!("**x** {}", "\"".repeat(7_900));
        assert!(edit("$1", &quotes)["m.new_content"]["formatted_body"].is_null());
    }
}
