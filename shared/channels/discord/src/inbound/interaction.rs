//! Interactions: commands, buttons, and forms.
//! <https://docs.discord.com/developers/interactions/receiving-and-responding#interaction-object>

use std::collections::BTreeMap;

use chela_channel_kit::passed_on::passed_on;
use chela_core::channel::{Parsed, Rejected};
use chela_core::message::{Inbound, InboundKind, Media, Sender};
use chela_core::session_key::{Peer, PeerKind};
use serde::Deserialize;
use serde_json::Value;

use super::{
    ASK, Arrived, COMPONENT, DEFERRED_MESSAGE, DEFERRED_UPDATE, LABELLED, MODAL, Reader, answer, room, turned_away,
};
use crate::place::{Interaction, is_snowflake, written_at};

/// Kinds of commands beside those that are typed.
/// <https://docs.discord.com/developers/interactions/application-commands#application-command-object-application-command-types>
const ON_USER: u64 = 2;
const ON_MESSAGE: u64 = 3;

/// Kinds of options whose value is an id.
const USER: u64 = 6;
const CHANNEL: u64 = 7;
const ROLE: u64 = 8;
const ATTACHMENT: u64 = 11;

/// The direct messages with the bot itself.
const BOT_DM: u64 = 1;

/// Kinds of channels that are threads.
/// <https://docs.discord.com/developers/resources/channel#channel-object-channel-types>
const THREADS: std::ops::RangeInclusive<u64> = 10..=12;

/// Permissions to write. <https://docs.discord.com/developers/topics/permissions>
const ADMINISTRATOR: u64 = 1 << 3;
const SEND_MESSAGES: u64 = 1 << 11;
const SEND_MESSAGES_IN_THREADS: u64 = 1 << 38;

#[derive(Deserialize)]
struct Posted {
    id: String,
    application_id: String,
    token: String,
    data: Data,
    guild_id: Option<String>,
    channel_id: Option<String>,
    channel: Option<Channel>,
    member: Option<Member>,
    user: Option<User>,
    message: Option<Seen>,
    context: Option<u64>,
    app_permissions: Option<String>,
    authorizing_integration_owners: Option<BTreeMap<String, Value>>,
}

#[derive(Deserialize)]
struct Channel {
    #[serde(rename = "type")]
    kind: Option<u64>,
    parent_id: Option<String>,
}

#[derive(Deserialize)]
struct Member {
    user: Option<User>,
    nick: Option<String>,
    #[serde(default)]
    roles: Vec<String>,
}

#[derive(Deserialize)]
struct User {
    id: String,
    username: Option<String>,
    global_name: Option<String>,
    #[serde(default)]
    bot: bool,
}

/// The fields of all kinds of interactions together.
#[derive(Deserialize)]
struct Data {
    name: Option<String>,
    #[serde(rename = "type")]
    kind: Option<u64>,
    #[serde(default)]
    options: Vec<Opt>,
    target_id: Option<String>,
    resolved: Option<Resolved>,
    custom_id: Option<String>,
    #[serde(default)]
    values: Vec<String>,
    #[serde(default)]
    components: Vec<Row>,
}

#[derive(Deserialize)]
struct Opt {
    name: Option<String>,
    #[serde(rename = "type")]
    kind: Option<u64>,
    value: Option<Value>,
    #[serde(default)]
    options: Vec<Self>,
}

/// What the ids in a command mean. Only what is asked for is read.
#[derive(Default, Deserialize)]
struct Resolved {
    #[serde(default)]
    attachments: BTreeMap<String, Value>,
    #[serde(default)]
    messages: BTreeMap<String, Value>,
}

impl Resolved {
    fn attachment(&self, id: &str) -> Option<Attachment> {
        Attachment::deserialize(self.attachments.get(id)?).ok()
    }

    fn message(&self, id: &str) -> Option<Seen> {
        Seen::deserialize(self.messages.get(id)?).ok()
    }
}

#[derive(Deserialize)]
struct Attachment {
    url: String,
    content_type: Option<String>,
    filename: Option<String>,
    size: Option<u64>,
}

/// A message that carries the button, or that a command was called on.
#[derive(Deserialize)]
struct Seen {
    id: String,
    #[serde(default)]
    content: String,
    author: Option<User>,
    #[serde(default)]
    attachments: Vec<Attachment>,
    #[serde(default)]
    components: Vec<Row>,
}

impl Seen {
    /// What is asked about are its author's words, not those of whoever calls the command on it.
    fn words(&self) -> String {
        let author = self.author.as_ref().and_then(|author| author.global_name.as_ref().or(author.username.as_ref()));
        passed_on(author.map(String::as_str), &self.content)
    }
}

/// A row of buttons; a row or a label of a form.
#[derive(Deserialize)]
struct Row {
    #[serde(default)]
    components: Vec<Field>,
    component: Option<Field>,
}

#[derive(Deserialize)]
struct Field {
    custom_id: Option<String>,
    label: Option<String>,
    value: Option<Value>,
}

/// What was said, without where and by whom.
struct Said {
    text: String,
    kind: InboundKind,
    media: Vec<Media>,
    /// The message it is about.
    message: Option<String>,
}

impl Reader<'_> {
    /// Reads an interaction of one of the kinds that people start.
    pub(super) fn interaction(&self, kind: i64, body: &[u8]) -> Result<Parsed, Rejected> {
        let posted: Posted = serde_json::from_slice(body)
            .map_err(|_| Rejected::Malformed("the interaction has not the fields that Discord documents"))?;
        let button = kind == COMPONENT;
        let said = if button {
            pressed(&posted)
        } else if kind == MODAL {
            Some(filled_in(&posted.data))
        } else {
            Some(commanded(&posted.data))
        };
        let message = match said {
            Some(said) => self.told(&posted, said, !button)?,
            None => None,
        };
        // A button shows that it was pressed; everything else shows "thinking…" until it is answered.
        let ack = answer(if button { DEFERRED_UPDATE } else { DEFERRED_MESSAGE }, None);
        Ok(match message {
            Some(message) => Parsed { ack_if_ignored: Some(turned_away()), ..Parsed::said(vec![message], ack) },
            None => Parsed::answered(turned_away()),
        })
    }

    /// `None` where a bot did it, or where there is no place to answer in.
    fn told(&self, posted: &Posted, said: Said, promised: bool) -> Result<Option<Inbound>, Rejected> {
        let user = posted.member.as_ref().and_then(|member| member.user.as_ref()).or(posted.user.as_ref());
        let (Some(user), Some(channel)) = (user, &posted.channel_id) else { return Ok(None) };
        if user.bot {
            return Ok(None);
        }
        if ![&user.id, &posted.id, &posted.application_id, channel].into_iter().all(|id| is_snowflake(id)) {
            return Err(Rejected::Malformed("an id is no snowflake"));
        }
        let guest = posted.is_guest();
        let to =
            Interaction { application: &posted.application_id, id: &posted.id, token: &posted.token, promised, guest };
        // Where the bot is at home, a pressed button needs nothing of the interaction.
        let to = if promised || guest { to.to(channel) } else { Some(channel.clone()) };
        let to = to.ok_or(Rejected::Malformed("the interaction's token has an unheard-of form"))?;
        let (peer, parent) = posted.place(channel, user);
        let nick = posted.member.as_ref().and_then(|member| member.nick.as_ref());
        let name = nick.or(user.global_name.as_ref()).or(user.username.as_ref());
        let sent_at = written_at(&posted.id).ok_or(Rejected::Malformed("an id is no snowflake"))?;
        Ok(Some(self.inbound(Arrived {
            event_id: posted.id.clone(),
            peer,
            parent,
            sender: Sender { id: user.id.clone(), name: name.filter(|name| !name.is_empty()).cloned() },
            message_id: said.message.clone(),
            text: said.text,
            kind: said.kind,
            // Commands and buttons of ours are for us.
            addressed: true,
            media: said.media,
            guild: posted.guild_id.clone(),
            roles: posted.member.as_ref().map(|member| member.roles.clone()).unwrap_or_default(),
            sent_at,
            to,
            answers: said.message,
        })))
    }
}

impl Posted {
    /// The room, and the one around it where it is a thread.
    fn place(&self, channel: &str, user: &User) -> (Peer, Option<Peer>) {
        let guild = self.guild_id.as_ref();
        if guild.is_none() && self.context.unwrap_or(BOT_DM) == BOT_DM {
            return (Peer { kind: PeerKind::Direct, id: user.id.clone() }, None);
        }
        let parent = self.channel.as_ref().filter(|channel| channel.kind.is_some_and(|kind| THREADS.contains(&kind)));
        let parent = parent.and_then(|channel| channel.parent_id.as_ref()).map(|parent| room(parent, guild));
        (room(channel, guild), parent)
    }

    /// Whether the bot itself cannot write here: the application came with a person and not with the server, or its role
    /// may not.
    fn is_guest(&self) -> bool {
        if self.context == Some(BOT_DM) {
            return false;
        }
        let with_server = self.authorizing_integration_owners.as_ref().is_none_or(|owners| owners.contains_key("0"));
        let permissions = self.app_permissions.as_ref().and_then(|bits| bits.parse::<u64>().ok());
        let thread = self.channel.as_ref().and_then(|channel| channel.kind).is_some_and(|kind| THREADS.contains(&kind));
        let needed = ADMINISTRATOR | if thread { SEND_MESSAGES_IN_THREADS } else { SEND_MESSAGES };
        let may = self.guild_id.is_none() || permissions.is_none_or(|bits| bits & needed != 0);
        !with_server || !may
    }
}

/// A command as the line that says the same: `/ask` is what follows it.
fn commanded(data: &Data) -> Said {
    let none = Resolved::default();
    let resolved = data.resolved.as_ref().unwrap_or(&none);
    let name = data.name.as_deref().unwrap_or_default();
    let target = data.target_id.as_deref();
    if data.kind == Some(ON_MESSAGE) {
        let message = target.and_then(|target| resolved.message(target)).filter(|message| is_snowflake(&message.id));
        let (text, media, message) = match message {
            Some(message) => (message.words(), message.attachments.into_iter().map(media).collect(), Some(message.id)),
            None => (String::new(), Vec::new(), None),
        };
        return Said { text, kind: InboundKind::Message, media, message };
    }
    let mut words = Vec::new();
    let mut files = Vec::new();
    read_options(&data.options, resolved, &mut words, &mut files);
    if let Some(user) = target.filter(|_| data.kind == Some(ON_USER)) {
        words.push(format!("<@{user}>"));
    }
    let arguments = words.join(" ");
    let (text, kind) = match (name, arguments.is_empty() && files.is_empty()) {
        (ASK, false) => (arguments, InboundKind::Message),
        (ASK, true) => ("/help".to_owned(), InboundKind::Command),
        _ => (format!("/{name} {arguments}").trim_end().to_owned(), InboundKind::Command),
    };
    Said { text, kind, media: files, message: None }
}

fn read_options(options: &[Opt], resolved: &Resolved, words: &mut Vec<String>, files: &mut Vec<Media>) {
    for option in options {
        let value = match &option.value {
            Some(Value::String(text)) => Some(text.trim().to_owned()),
            Some(value @ (Value::Number(_) | Value::Bool(_))) => Some(value.to_string()),
            // A sub-command has a name, and options of its own.
            _ => option.name.clone().filter(|_| option.kind.is_some_and(|kind| kind <= 2)),
        };
        match (option.kind, value) {
            (Some(ATTACHMENT), Some(id)) => files.extend(resolved.attachment(&id).map(media)),
            (Some(USER), Some(id)) => words.push(format!("<@{id}>")),
            (Some(CHANNEL), Some(id)) => words.push(format!("<#{id}>")),
            (Some(ROLE), Some(id)) => words.push(format!("<@&{id}>")),
            (_, Some(word)) if !word.is_empty() => words.push(word),
            _ => {}
        }
        read_options(&option.options, resolved, words, files);
    }
}

/// A button or a menu under a message.
fn pressed(posted: &Posted) -> Option<Said> {
    let message = posted.message.as_ref().filter(|message| is_snowflake(&message.id))?;
    let id = posted.data.custom_id.as_deref()?;
    let buttons = || message.components.iter().flat_map(|row| &row.components);
    let label = id.strip_prefix(LABELLED).and_then(|_| {
        buttons().find(|button| button.custom_id.as_deref() == Some(id)).and_then(|button| button.label.clone())
    });
    let text = match posted.data.values.as_slice() {
        [] => label.unwrap_or_else(|| id.to_owned()),
        values => values.join(" "),
    };
    Some(Said { text, kind: InboundKind::Button, media: Vec::new(), message: Some(message.id.clone()) })
}

/// A form: what was written in it, a line for each field.
fn filled_in(data: &Data) -> Said {
    let fields = data.components.iter().flat_map(|row| row.components.iter().chain(&row.component));
    let lines: Vec<&str> = fields.filter_map(|field| field.value.as_ref().and_then(Value::as_str)).collect();
    Said { text: lines.join("\n"), kind: InboundKind::Message, media: Vec::new(), message: None }
}

fn media(file: Attachment) -> Media {
    Media { missing: None, reference: file.url, content_type: file.content_type, name: file.filename, size: file.size }
}
