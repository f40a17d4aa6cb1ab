//! The Events API: `url_verification` and `event_callback`.
//! <https://docs.slack.dev/apis/events-api>

use chela_core::channel::Rejected;
use chela_core::message::{Inbound, InboundKind, Media, Sender};
use chela_core::session_key::PeerKind;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::text::readable;
use super::{Arrived, Reader, millis, peer};

/// What a JSON body asks for.
pub(super) enum Callback {
    /// Slack tries the URL and wants this back.
    Handshake(String),
    /// A message, or an event that is only acknowledged.
    Message(Option<Box<Inbound>>),
}

/// Messages with another subtype are joins, topics, other bots and the like.
const SUBTYPES_READ: [&str; 3] = ["file_share", "thread_broadcast", "me_message"];

/// Slackbot, under both its names.
const SLACKBOT: [&str; 2] = ["USLACK", "USLACKBOT"];

#[derive(Deserialize)]
struct Outer<'a> {
    #[serde(rename = "type")]
    kind: String,
    challenge: Option<String>,
    team_id: Option<String>,
    authorizations: Option<Vec<Authorization>>,
    #[serde(borrow)]
    event: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Authorization {
    user_id: Option<String>,
    #[serde(default)]
    is_bot: bool,
}

#[derive(Deserialize)]
struct Kind {
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct Message {
    subtype: Option<String>,
    channel: Option<String>,
    channel_type: Option<String>,
    user: Option<String>,
    text: Option<String>,
    ts: Option<String>,
    thread_ts: Option<String>,
    parent_user_id: Option<String>,
    bot_id: Option<String>,
    files: Option<Vec<File>>,
    edited: Option<Edited>,
    message: Option<Box<Message>>,
    previous_message: Option<Box<Message>>,
    assistant_thread: Option<IgnoredAny>,
    app_context: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Edited {
    ts: Option<String>,
}

#[derive(Deserialize)]
struct File {
    id: Option<String>,
    name: Option<String>,
    mimetype: Option<String>,
    size: Option<u64>,
    url_private: Option<String>,
    url_private_download: Option<String>,
}

/// Reads a JSON body. Event types we do not know are no messages; a body that is not JSON is refused.
pub(super) fn read(reader: &Reader<'_>, body: &[u8]) -> Result<Callback, Rejected> {
    let outer: Outer<'_> = serde_json::from_slice(body)
        .map_err(|_| Rejected::Malformed("the body is not an event of Slack's Events API"))?;
    match outer.kind.as_str() {
        "url_verification" => {
            outer.challenge.map(Callback::Handshake).ok_or(Rejected::Malformed("url_verification has no challenge"))
        }
        "event_callback" => Ok(Callback::Message(message(reader, &outer)?.map(Box::new))),
        // app_rate_limited, and whatever comes next.
        _ => Ok(Callback::Message(None)),
    }
}

fn message(reader: &Reader<'_>, outer: &Outer<'_>) -> Result<Option<Inbound>, Rejected> {
    let event = outer.event.ok_or(Rejected::Malformed("event_callback has no event"))?.get();
    let Kind { kind } = serde_json::from_str(event).map_err(|_| Rejected::Malformed("the event has no type"))?;
    if !matches!(kind.as_str(), "message" | "app_mention") {
        return Ok(None);
    }
    let message: Message =
        serde_json::from_str(event).map_err(|_| Rejected::Malformed("the message is not what Slack documents"))?;
    let us = Us { bot: bot_user(reader, outer), team: outer.team_id.as_deref() };
    Ok(match message.subtype.as_deref() {
        Some("message_changed") => edited(reader, &us, &message),
        _ => posted(reader, &us, &message, kind == "app_mention"),
    })
}

/// Who received the event.
struct Us<'a> {
    bot: Option<&'a str>,
    team: Option<&'a str>,
}

/// Our bot user: as configured, else the one the event was delivered for.
fn bot_user<'a>(reader: &'a Reader<'_>, outer: &'a Outer<'_>) -> Option<&'a str> {
    let delivered_for = || {
        let mut authorizations = outer.authorizations.as_deref().unwrap_or_default().iter();
        authorizations.find(|authorization| authorization.is_bot)?.user_id.as_deref()
    };
    reader.settings.bot_user_id.as_deref().or_else(delivered_for)
}

fn posted(reader: &Reader<'_>, us: &Us<'_>, message: &Message, app_mention: bool) -> Option<Inbound> {
    let user = author(message, us)?;
    let (channel, ts) = (message.channel.as_deref()?, message.ts.as_deref()?);
    let mut said = Said::new(message, us);
    said.mentions_us |= app_mention;
    if said.is_empty() {
        return None;
    }
    let peer = peer(channel, message.channel_type.as_deref(), user);
    // Slack threads the roots of its agent view by itself: their thread_ts is their own ts.
    let assistant = message.in_assistant_view() || message.thread_ts.as_deref() == Some(ts);
    Some(reader.inbound(Arrived {
        event_id: event_id(us, channel, ts),
        team: us.team.map(str::to_owned),
        channel,
        thread: reader.thread(peer.kind, ts, message.thread_ts.as_deref(), assistant),
        addressed: said.mentions_us || peer.kind == PeerKind::Direct || message.answers(us),
        peer,
        sender: Sender { id: user.to_owned(), name: None },
        text: said.text,
        kind: InboundKind::Message,
        media: said.media,
        sent_at: millis(ts),
        answers: Some(ts.to_owned()),
    }))
}

/// A change by the author. Slack sends `message_changed` also when it unfurls a link or counts replies, and when
/// files arrive after their message: only a new edit or a new file is one.
fn edited(reader: &Reader<'_>, us: &Us<'_>, event: &Message) -> Option<Inbound> {
    let (channel, now) = (event.channel.as_deref()?, event.message.as_deref()?);
    let (user, ts) = (author(now, us)?, now.ts.as_deref()?);
    let before = event.previous_message.as_deref();
    let version = match now.edited_at() {
        Some(at) if before.and_then(Message::edited_at) != Some(at) => format!("edit:{at}"),
        _ => format!("files:{}", now.new_files(before?)?),
    };
    let said = Said::new(now, us);
    let peer = peer(channel, event.channel_type.as_deref(), user);
    Some(reader.inbound(Arrived {
        event_id: format!("{}:{version}", event_id(us, channel, ts)),
        team: us.team.map(str::to_owned),
        channel,
        thread: reader.thread(peer.kind, ts, now.thread_ts.as_deref(), now.in_assistant_view()),
        addressed: said.mentions_us || peer.kind == PeerKind::Direct || now.answers(us),
        peer,
        sender: Sender { id: user.to_owned(), name: None },
        text: said.text,
        kind: InboundKind::Edited,
        media: said.media,
        sent_at: millis(now.edited_at().or(event.ts.as_deref()).unwrap_or(ts)),
        answers: Some(ts.to_owned()),
    }))
}

/// The human who wrote it; `None` for us, other bots, Slack itself, and messages about the channel.
fn author<'a>(message: &'a Message, us: &Us<'_>) -> Option<&'a str> {
    let human = |user: &&str| !SLACKBOT.contains(user) && us.bot != Some(*user);
    let read = message.subtype.as_deref().is_none_or(|subtype| SUBTYPES_READ.contains(&subtype));
    message.user.as_deref().filter(|_| read && message.bot_id.is_none()).filter(human)
}

/// The name of a message. A mention in a channel comes as `message` and as `app_mention`, each with an `event_id`
/// of its own: only place and time tell that they are one.
fn event_id(us: &Us<'_>, channel: &str, ts: &str) -> String {
    format!("{}:{channel}:{ts}", us.team.unwrap_or_default())
}

/// The content of a message.
struct Said {
    text: String,
    mentions_us: bool,
    media: Vec<Media>,
}

impl Said {
    fn new(message: &Message, us: &Us<'_>) -> Self {
        let read = readable(message.text.as_deref().unwrap_or_default(), us.bot);
        let media = message.files.as_deref().unwrap_or_default().iter().filter_map(media).collect();
        Self { text: read.text, mentions_us: read.mentions_us, media }
    }

    fn is_empty(&self) -> bool {
        self.text.is_empty() && self.media.is_empty() && !self.mentions_us
    }
}

/// Files of other workspaces come without a URL; `files.info` knows it by the id.
fn media(file: &File) -> Option<Media> {
    let reference = file.url_private_download.as_ref().or(file.url_private.as_ref()).or(file.id.as_ref())?;
    Some(Media {
        missing: None,
        reference: reference.clone(),
        content_type: file.mimetype.clone(),
        name: file.name.clone(),
        size: file.size,
    })
}

impl Message {
    fn edited_at(&self) -> Option<&str> {
        self.edited.as_ref()?.ts.as_deref()
    }

    fn in_assistant_view(&self) -> bool {
        self.assistant_thread.is_some() || self.app_context.is_some()
    }

    /// Whether it stands in a thread below a message of ours.
    fn answers(&self, us: &Us<'_>) -> bool {
        us.bot.is_some() && self.parent_user_id.as_deref() == us.bot
    }

    /// The ids of the files that were not in `before`.
    fn new_files(&self, before: &Self) -> Option<String> {
        let ids = |message: &Self| -> Vec<String> {
            message.files.as_deref().unwrap_or_default().iter().filter_map(|file| file.id.clone()).collect()
        };
        let old = ids(before);
        let new: Vec<_> = ids(self).into_iter().filter(|id| !old.contains(id)).collect();
        (!new.is_empty()).then(|| new.join(","))
    }
}
