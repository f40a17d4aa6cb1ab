//! What a bridge is ordered to do. The order's name stands in the signed body and not only in the path, so that an order
//! cannot be taken for another one.

use serde::{Deserialize, Serialize};

/// An order, as it is posted to `<bridgeUrl>/<op>`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "lowercase")]
pub enum BridgeOrder {
    /// Say this.
    Send(BridgeText),
    /// Send a file, with the text as its caption.
    Attach {
        /// Where, and the caption.
        #[serde(flatten)]
        text: BridgeText,
        /// The file.
        file: BridgeUpload,
    },
    /// Replace what was said: the same text again is no error.
    Edit {
        /// What [`BridgeSent::id`] was.
        id: String,
        /// Where, and the new text.
        #[serde(flatten)]
        text: BridgeText,
    },
    /// Show that an answer is being made.
    Typing {
        /// Where.
        chat: String,
        /// The sub-conversation.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        thread: Option<String>,
    },
    /// Put an emoji under a message: the same again is no error.
    React {
        /// Where.
        chat: String,
        /// The sub-conversation.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        thread: Option<String>,
        /// The message's `message_id`.
        id: String,
        /// The emoji.
        emoji: String,
    },
}

impl BridgeOrder {
    /// The last segment of the path it is posted to.
    pub fn op(&self) -> &'static str {
        match self {
            Self::Send(_) => "send",
            Self::Attach { .. } => "attach",
            Self::Edit { .. } => "edit",
            Self::Typing { .. } => "typing",
            Self::React { .. } => "react",
        }
    }
}

/// A text and its place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BridgeText {
    /// The same for every attempt to say this, and for nothing else: a bridge that did it answers as before.
    pub key: String,
    /// The `chat.id` of the message that is answered, or what an owner wrote.
    pub chat: String,
    /// The sub-conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<String>,
    /// The `message_id` of the message that is answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
    /// Markdown.
    pub text: String,
}

/// A file to send: either where it can be fetched for a while, or its content.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BridgeUpload {
    /// What the reader sees.
    pub name: String,
    /// Its type.
    pub mime: String,
    /// Its size in bytes.
    pub size: u64,
    /// Where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Its content in Base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
}

/// The answer to what was said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BridgeSent {
    /// What [`BridgeOrder::Edit`] takes.
    pub id: String,
}

/// What a bridge says about itself at `GET <bridgeUrl>/about`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BridgeAbout {
    /// The platform or network, for people.
    pub name: String,
    /// Whether its connection stands.
    pub connected: bool,
    /// The orders it takes beside `send`.
    #[serde(default)]
    pub features: Vec<String>,
    /// How much it takes.
    #[serde(default)]
    pub limits: BridgeLimits,
}

/// How much a bridge takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BridgeLimits {
    /// Most UTF-16 units of markdown in one order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<usize>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_order_is_written_as_the_readme_shows() {
        let text = |reply_to| BridgeText {
            key: "k".to_owned(),
            chat: "#lobby".to_owned(),
            thread: None,
            reply_to,
            text: "hi".to_owned(),
        };
        let file = BridgeUpload {
            name: "a.png".into(),
            mime: "image/png".into(),
            size: 1,
            url: None,
            data: Some("AA==".into()),
        };
        let orders = [
            (
                BridgeOrder::Send(text(Some("m".to_owned()))),
                json!({"op": "send", "key": "k", "chat": "#lobby", "reply_to": "m", "text": "hi"}),
            ),
            (
                BridgeOrder::Attach { text: text(None), file },
                json!({
                    "op": "attach", "key": "k", "chat": "#lobby", "text": "hi",
                    "file": {"name": "a.png", "mime": "image/png", "size": 1, "data": "AA=="},
                }),
            ),
            (
                BridgeOrder::Edit { id: "1".to_owned(), text: text(None) },
                json!({"op": "edit", "id": "1", "key": "k", "chat": "#lobby", "text": "hi"}),
            ),
            (
                BridgeOrder::Typing { chat: "c".to_owned(), thread: Some("t".to_owned()) },
                json!({"op": "typing", "chat": "c", "thread": "t"}),
            ),
            (
                BridgeOrder::React { chat: "c".into(), thread: None, id: "m".into(), emoji: "👀".into() },
                json!({"op": "react", "chat": "c", "id": "m", "emoji": "👀"}),
            ),
        ];
        for (order, wanted) in orders {
            assert_eq!(serde_json::to_value(&order).unwrap(), wanted);
            assert_eq!(wanted["op"], order.op());
            assert_eq!(serde_json::from_value::<BridgeOrder>(wanted).unwrap(), order);
        }
    }

    #[test]
    fn a_message_of_the_other_direction_is_no_order() {
        let message =
            json!({"id": "1", "ts_ms": 1, "chat": {"type": "dm", "id": "c"}, "from": {"id": "u"}, "text": "hi"});
        assert!(serde_json::from_value::<BridgeOrder>(message).is_err());
    }
}
