//! Events of the Gateway as messages of the contract. Only what is used is read: Discord adds fields whenever it likes.
//! <https://discord.com/developers/docs/events/gateway-events>

use chela_channel_kit::bridge::{BridgeAuthor, BridgeChat, BridgeChatKind, BridgeFile, BridgeMessage};
use serde::Deserialize;
use serde_json::value::RawValue;

/// What an event means to us.
#[derive(Debug, PartialEq)]
pub(super) enum Heard {
    /// A session began, and who we are in it.
    Ready { me: String },
    /// A session goes on.
    Resumed,
    /// Connect again.
    Reconnect,
    /// Threads and the channels they are in; `None` where a thread is gone.
    Threads(Vec<(String, Option<String>)>),
    /// Somebody wrote, or changed, a message.
    Message(Box<BridgeMessage>),
    /// Nothing.
    Nothing,
}

/// Which channels are threads.
pub(super) trait Places {
    /// The channel around a thread; `None` if it is none.
    fn parent(&self, channel: &str) -> Option<String>;
}

#[derive(Deserialize)]
struct Frame<'f> {
    op: u8,
    #[serde(default)]
    t: Option<String>,
    #[serde(default, borrow)]
    d: Option<&'f RawValue>,
}

#[derive(Deserialize)]
struct Ready {
    user: User,
}

#[derive(Deserialize)]
struct User {
    id: String,
    #[serde(default)]
    username: Option<String>,
    #[serde(default)]
    global_name: Option<String>,
    #[serde(default)]
    bot: bool,
}

#[derive(Deserialize)]
struct Guild {
    #[serde(default)]
    threads: Vec<Thread>,
}

#[derive(Deserialize)]
struct Thread {
    id: String,
    #[serde(default)]
    parent_id: Option<String>,
}

#[derive(Deserialize)]
struct Written {
    id: String,
    channel_id: String,
    #[serde(default)]
    guild_id: Option<String>,
    #[serde(default)]
    author: Option<User>,
    #[serde(default)]
    member: Option<Member>,
    #[serde(default)]
    content: String,
    #[serde(default)]
    timestamp: Option<String>,
    #[serde(default)]
    edited_timestamp: Option<String>,
    #[serde(default)]
    mentions: Vec<User>,
    #[serde(default)]
    attachments: Vec<Attachment>,
    #[serde(default, rename = "type")]
    kind: u64,
    #[serde(default)]
    webhook_id: Option<String>,
    #[serde(default)]
    message_reference: Option<Reference>,
    #[serde(default)]
    referenced_message: Option<Box<Referenced>>,
}

#[derive(Deserialize)]
struct Member {
    #[serde(default)]
    nick: Option<String>,
    #[serde(default)]
    roles: Vec<String>,
}

#[derive(Deserialize)]
struct Attachment {
    url: String,
    #[serde(default)]
    filename: Option<String>,
    #[serde(default)]
    content_type: Option<String>,
    #[serde(default)]
    size: Option<u64>,
}

#[derive(Deserialize)]
struct Reference {
    #[serde(default)]
    message_id: Option<String>,
}

#[derive(Deserialize)]
struct Referenced {
    #[serde(default)]
    author: Option<User>,
}

/// A message somebody wrote, and a reply: the others are made by Discord.
/// <https://discord.com/developers/docs/resources/message#message-object-message-types>
const WRITTEN_KINDS: [u64; 2] = [0, 19];

/// Reads an event. The error is for the log and quotes nothing.
pub(super) fn read(text: &str, me: &str, places: &dyn Places) -> Result<Heard, &'static str> {
    let frame: Frame<'_> = serde_json::from_str(text).map_err(|_| "it has no op")?;
    match frame.op {
        7 | 9 => return Ok(Heard::Reconnect),
        0 => {}
        _ => return Ok(Heard::Nothing),
    }
    let data = frame.d.map_or("null", RawValue::get);
    fn of<'d, T: Deserialize<'d>>(data: &'d str) -> Result<T, &'static str> {
        serde_json::from_str(data).map_err(|_| "a field is missing or has another type than documented")
    }
    let known = |thread: Thread| (thread.id, thread.parent_id);
    Ok(match frame.t.as_deref().unwrap_or_default() {
        "READY" => Heard::Ready { me: of::<Ready>(data)?.user.id },
        "RESUMED" => Heard::Resumed,
        "GUILD_CREATE" | "THREAD_LIST_SYNC" => {
            Heard::Threads(of::<Guild>(data)?.threads.into_iter().map(known).collect())
        }
        "THREAD_CREATE" | "THREAD_UPDATE" => Heard::Threads(vec![known(of(data)?)]),
        "THREAD_DELETE" => Heard::Threads(vec![(of::<Thread>(data)?.id, None)]),
        "MESSAGE_CREATE" => heard(message(of(data)?, false, me, places)),
        "MESSAGE_UPDATE" => heard(message(of(data)?, true, me, places)),
        _ => Heard::Nothing,
    })
}

fn heard(message: Option<BridgeMessage>) -> Heard {
    message.map_or(Heard::Nothing, |message| Heard::Message(Box::new(message)))
}

fn message(written: Written, update: bool, me: &str, places: &dyn Places) -> Option<BridgeMessage> {
    // Without an author, or without a time of change, an update is Discord's own: a preview was added.
    let author = written.author?;
    let edited = written.edited_timestamp.as_deref().filter(|_| update);
    if !WRITTEN_KINDS.contains(&written.kind) || (update && edited.is_none()) || author.id == me {
        return None;
    }
    let is_bot = author.bot || written.webhook_id.is_some();
    if is_bot {
        return None; // It would only be dropped behind the wire.
    }
    if written.content.is_empty() && written.attachments.is_empty() {
        return None; // A sticker, or a text that is kept from us for want of the intent.
    }
    let when = millis(edited.or(written.timestamp.as_deref()).unwrap_or_default());
    let replied = written.referenced_message.and_then(|message| message.author);
    let member = written.member.unwrap_or(Member { nick: None, roles: Vec::new() });
    let group = written.guild_id.is_some();
    Some(BridgeMessage {
        id: match edited {
            // A second change is another event, the same one delivered twice is not.
            Some(_) => format!("{}-e{when}", written.id),
            None => written.id.clone(),
        },
        ts_ms: if when > 0 { when } else { snowflake_millis(&written.id) },
        parent: if group { places.parent(&written.channel_id) } else { None },
        chat: BridgeChat {
            kind: if group { BridgeChatKind::Group } else { BridgeChatKind::Dm },
            id: written.channel_id,
        },
        thread: None,
        mentions_bot: written.mentions.iter().any(|user| user.id == me)
            || replied.is_some_and(|author| author.id == me),
        text: without_mention(&written.content, me),
        from: BridgeAuthor {
            id: author.id,
            name: member.nick.or(author.global_name).or(author.username),
            is_self: false,
            is_bot,
        },
        reply_to: written.message_reference.and_then(|reference| reference.message_id),
        message_id: Some(written.id),
        edited: edited.is_some(),
        attachments: written.attachments.into_iter().map(file).collect(),
        guild: written.guild_id,
        roles: member.roles,
    })
}

fn file(attachment: Attachment) -> BridgeFile {
    let Attachment { url, filename, content_type, size } = attachment;
    BridgeFile { url, mime: content_type, name: filename, size }
}

/// `<@id>`, and the older `<@!id>`: <https://discord.com/developers/docs/reference#message-formatting>.
fn without_mention(text: &str, me: &str) -> String {
    if me.is_empty() {
        return text.trim().to_owned();
    }
    text.replace(&format!("<@{me}>"), "").replace(&format!("<@!{me}>"), "").trim().to_owned()
}

fn millis(time: &str) -> u64 {
    let time: Result<jiff::Timestamp, _> = time.parse();
    time.ok().and_then(|time| u64::try_from(time.as_millisecond()).ok()).unwrap_or(0)
}

/// An id tells when it was made: <https://discord.com/developers/docs/reference#snowflakes>.
fn snowflake_millis(id: &str) -> u64 {
    (id.parse::<u64>().unwrap_or(0) >> 22) + 1_420_070_400_000
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    struct OneThread;

    impl Places for OneThread {
        fn parent(&self, channel: &str) -> Option<String> {
            (channel == "9002").then(|| "9001".to_owned())
        }
    }

    fn heard(t: &str, d: Value) -> Heard {
        read(&json!({"op": 0, "s": 5, "t": t, "d": d}).to_string(), "77", &OneThread).unwrap()
    }

    fn message(change: Value) -> Value {
        let mut message = json!({
            "id": "334385199974967042", "channel_id": "9001", "guild_id": "2909", "type": 0, "content": "<@77> status?",
            "author": {"id": "5390", "username": "mason", "global_name": "Mason"}, "member": {"nick": "M", "roles": ["1", "2"]},
            "timestamp": "2017-07-11T17:27:07.299000+00:00", "edited_timestamp": null, "mentions": [{"id": "77"}],
            "attachments": [{"url": "https://cdn.discordapp.com/a.png", "filename": "a.png", "content_type": "image/png", "size": 9, "id": "1"}],
            "tts": false, "embeds": [], "pinned": false,
        });
        message.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        message
    }

    #[test]
    fn a_message_becomes_one_of_the_contract() {
        let Heard::Message(told) = heard("MESSAGE_CREATE", message(json!({}))) else { panic!("nothing") };
        assert_eq!(
            serde_json::to_value(&told).unwrap(),
            json!({
                "id": "334385199974967042", "ts_ms": 1_499_794_027_299_u64, "chat": {"type": "group", "id": "9001"},
                "from": {"id": "5390", "name": "M", "is_self": false, "is_bot": false}, "text": "status?", "mentions_bot": true,
                "message_id": "334385199974967042", "guild": "2909", "roles": ["1", "2"],
                "attachments": [{"url": "https://cdn.discordapp.com/a.png", "mime": "image/png", "name": "a.png", "size": 9}],
            })
        );
        let direct = json!({"guild_id": null, "member": null, "mentions": [], "content": "hi", "timestamp": null});
        let Heard::Message(told) = heard("MESSAGE_CREATE", message(direct)) else { panic!("nothing") };
        assert_eq!(
            (told.chat.kind, told.mentions_bot, told.from.name.as_deref()),
            (BridgeChatKind::Dm, false, Some("Mason"))
        );
        assert_eq!(told.ts_ms, 1_499_794_044_250, "the id tells the time");
    }

    #[test]
    fn threads_replies_and_edits_are_told() {
        let change = json!({
            "channel_id": "9002", "mentions": [], "type": 19, "message_reference": {"message_id": "5"},
            "referenced_message": {"id": "5", "author": {"id": "77", "bot": true}}, "content": "why?",
        });
        let Heard::Message(told) = heard("MESSAGE_CREATE", message(change)) else { panic!("nothing") };
        assert_eq!((told.parent.as_deref(), told.chat.id.as_str()), (Some("9001"), "9002"));
        assert_eq!((told.mentions_bot, told.reply_to.as_deref()), (true, Some("5")));
        let change = json!({"edited_timestamp": "2017-07-11T17:28:00.000000+00:00", "content": "changed"});
        let Heard::Message(told) = heard("MESSAGE_UPDATE", message(change)) else { panic!("nothing") };
        assert_eq!((told.id.as_str(), told.edited), ("334385199974967042-e1499794080000", true));
        assert_eq!(told.message_id.as_deref(), Some("334385199974967042"));
    }

    #[test]
    fn echoes_bots_previews_and_notices_are_nothing() {
        for change in [
            json!({"author": {"id": "77", "bot": true}}),
            json!({"author": {"id": "8", "bot": true}}),
            json!({"webhook_id": "8"}),
            json!({"type": 7}),
            json!({"content": "", "attachments": []}),
        ] {
            assert_eq!(heard("MESSAGE_CREATE", message(change.clone())), Heard::Nothing, "{change}");
        }
        assert_eq!(heard("MESSAGE_UPDATE", message(json!({}))), Heard::Nothing, "a preview");
        assert_eq!(heard("MESSAGE_UPDATE", json!({"id": "1", "channel_id": "2", "embeds": []})), Heard::Nothing);
        assert_eq!(heard("TYPING_START", json!({"user_id": "1"})), Heard::Nothing);
    }

    #[test]
    fn the_gateways_own_events_are_told() {
        assert_eq!(
            heard("READY", json!({"v": 10, "user": {"id": "77"}, "session_id": "s"})),
            Heard::Ready { me: "77".to_owned() }
        );
        assert_eq!(heard("RESUMED", Value::Null), Heard::Resumed);
        let threads = json!({"id": "2909", "threads": [{"id": "1", "parent_id": "2", "name": "x"}], "channels": []});
        assert_eq!(heard("GUILD_CREATE", threads), Heard::Threads(vec![("1".to_owned(), Some("2".to_owned()))]));
        assert_eq!(heard("GUILD_CREATE", json!({"id": "1", "unavailable": true})), Heard::Threads(vec![]));
        assert_eq!(
            heard("THREAD_DELETE", json!({"id": "1", "parent_id": "2"})),
            Heard::Threads(vec![("1".to_owned(), None)])
        );
        for (op, wanted) in [(7, Heard::Reconnect), (9, Heard::Reconnect), (10, Heard::Nothing), (11, Heard::Nothing)] {
            assert_eq!(read(&json!({"op": op, "d": false}).to_string(), "77", &OneThread), Ok(wanted));
        }
        assert!(read("{}", "77", &OneThread).is_err() && read("no json", "77", &OneThread).is_err());
        assert!(read(&json!({"op": 0, "t": "MESSAGE_CREATE", "d": {"id": 1}}).to_string(), "77", &OneThread).is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_event_panics(at in 0_usize..500, byte in proptest::prelude::any::<u8>()) {
            let mut text = json!({"op": 0, "t": "MESSAGE_CREATE", "d": message(json!({}))}).to_string().into_bytes();
            let at = at % text.len();
            text[at] = byte;
            let _ = read(&String::from_utf8_lossy(&text), "77", &OneThread);
        }
    }
}
