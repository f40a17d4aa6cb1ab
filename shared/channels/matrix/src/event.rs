//! The parts of an event that are read. What stands in `content` was written by people on any server of the federation,
//! so an event that is not as documented is left out and spoils nothing but itself.
//! <https://spec.matrix.org/v1.16/client-server-api/#types-of-room-events>

use std::collections::BTreeMap;

use chela_core::channel::Rejected;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

#[derive(Deserialize)]
pub(crate) struct Event {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) event_id: String,
    pub(crate) room_id: String,
    pub(crate) sender: String,
    pub(crate) origin_server_ts: u64,
    /// Only events of state have one.
    pub(crate) state_key: Option<String>,
    content: Box<RawValue>,
    #[serde(default, deserialize_with = "lenient")]
    pub(crate) invite_room_state: Option<Vec<Stripped>>,
}

/// An event of the room's state as somebody sees it who is not in the room yet.
#[derive(Deserialize)]
pub(crate) struct Stripped {
    #[serde(rename = "type")]
    pub(crate) kind: String,
}

impl Event {
    /// `None` for what is no event.
    pub(crate) fn read(raw: &str) -> Option<Self> {
        let event: Self = serde_json::from_str(raw).ok()?;
        let named = [&event.event_id, &event.room_id, &event.sender].iter().all(|id| !id.is_empty());
        named.then_some(event)
    }

    /// Its content as one kind of content; `None` if it is another.
    pub(crate) fn content<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_str(self.content.get()).ok()
    }

    /// What it does to the membership of whom.
    pub(crate) fn membership(&self) -> Option<(&str, String)> {
        let user = self.state_key.as_deref().filter(|_| self.kind == "m.room.member")?;
        Some((user, self.content::<Member>()?.membership))
    }
}

#[derive(Deserialize)]
struct Member {
    membership: String,
}

/// The events of a transaction, each as it stands. One that nests too deep to be read must not keep the others from us:
/// the homeserver would post them all again for ever.
pub(crate) fn events(body: &[u8]) -> Result<Vec<&str>, Rejected> {
    let transaction: BTreeMap<String, &RawValue> = serde_json::from_slice(body)
        .map_err(|_| Rejected::Malformed("the body is no transaction as the specification documents it"))?;
    let events = transaction.get("events").ok_or(Rejected::Malformed("the transaction has no events"))?;
    let events: Vec<&RawValue> =
        serde_json::from_str(events.get()).map_err(|_| Rejected::Malformed("the events are no list"))?;
    Ok(events.into_iter().map(RawValue::get).collect())
}

/// What a message says. <https://spec.matrix.org/v1.16/client-server-api/#mroommessage>
#[derive(Deserialize)]
pub(crate) struct Content {
    pub(crate) msgtype: Option<String>,
    #[serde(default)]
    pub(crate) body: String,
    #[serde(default, deserialize_with = "lenient")]
    pub(crate) formatted_body: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(crate) filename: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(crate) url: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(crate) info: Option<Info>,
    #[serde(rename = "m.mentions", default, deserialize_with = "lenient")]
    pub(crate) mentions: Option<Mentions>,
    #[serde(rename = "m.relates_to", default, deserialize_with = "lenient")]
    pub(crate) relates_to: Option<Relation>,
    /// Read by [`Content::changed`] alone: changes within changes must not be followed as deep as they go.
    #[serde(rename = "m.new_content")]
    new_content: Option<Box<RawValue>>,
}

impl Content {
    /// What a changed message now says.
    pub(crate) fn changed(&self) -> Option<Self> {
        serde_json::from_str(self.new_content.as_ref()?.get()).ok()
    }
}

#[derive(Deserialize)]
pub(crate) struct Info {
    #[serde(default, deserialize_with = "lenient")]
    pub(crate) mimetype: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(crate) size: Option<u64>,
}

#[derive(Deserialize)]
pub(crate) struct Mentions {
    #[serde(default)]
    pub(crate) user_ids: Vec<String>,
}

#[derive(Deserialize)]
pub(crate) struct Relation {
    #[serde(default)]
    pub(crate) rel_type: String,
    #[serde(default)]
    pub(crate) event_id: String,
    #[serde(rename = "m.in_reply_to", default, deserialize_with = "lenient")]
    pub(crate) in_reply_to: Option<InReplyTo>,
}

/// Which message was answered is of no use to us; that one was, is.
#[derive(Deserialize)]
pub(crate) struct InReplyTo {}

/// A field that is absent, or whatever a client made of it, is no reason to lose the message.
fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned>(from: D) -> Result<Option<T>, D::Error> {
    let raw = Box::<RawValue>::deserialize(from)?;
    Ok(serde_json::from_str(raw.get()).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_that_cannot_be_read_spoils_only_itself() {
        let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
        let body = format!(r#"{{"events":[{{"type":"x","content":{{"a":{deep}}}}},{{"type":1}},7,{}]}}"#, good());
        let events = events(body.as_bytes()).unwrap();
        let read: Vec<_> = events.into_iter().filter_map(Event::read).map(|event| event.event_id).collect();
        assert_eq!(read, ["$1"]);
    }

    fn good() -> &'static str {
        r#"{"type":"m.room.message","event_id":"$1","room_id":"!r","sender":"@a:b","origin_server_ts":5,"content":{}}"#
    }

    #[test]
    fn odd_fields_of_a_message_are_left_out_alone() {
        let text = good().replace("{}", r#"{"body":"hi","info":{"size":-1.5,"mimetype":"a/b"},"filename":7,"m.mentions":[],"m.relates_to":"x","url":{}}"#);
        let content: Content = Event::read(&text).unwrap().content().unwrap();
        assert_eq!(content.body, "hi");
        let info = content.info.unwrap();
        assert_eq!((info.size, info.mimetype.as_deref()), (None, Some("a/b")));
        assert!(content.filename.is_none() && content.url.is_none() && content.relates_to.is_none());
    }

    #[test]
    fn ids_are_not_blank_and_times_not_negative() {
        for (from, to) in [("$1", ""), ("!r", ""), ("@a:b", "")] {
            assert!(Event::read(&good().replace(from, to)).is_none(), "{from}");
        }
        assert!(Event::read(&good().replace(":5,", ":-5,")).is_none());
        assert!(Event::read(good()).is_some());
    }
}
