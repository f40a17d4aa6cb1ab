//! What people say in Google Chat.

use std::collections::BTreeMap;

use chela_channel_kit::{AccountSettings, ConfigProblem};
use chela_core::channel::{Ack, Parsed, Rejected};
use chela_core::clock::Millis;
use chela_core::message::{Inbound, InboundKind, ReplyAddress, Sender};
use chela_core::session_key::{Peer, PeerKind};
use serde_json::{Value, json};

use crate::event::{Event, Kind, Message, Space, User};
use crate::{BOT_USER, ID, QUICK_COMMANDS, files, resource};

/// The parameter of a button that carries the value of a choice.
pub(crate) const CHOICE: &str = "choice";

/// Reads the events of one account.
pub(crate) struct Reader {
    account: String,
    bot_user: Option<String>,
    quick_commands: BTreeMap<String, String>,
}

/// What was said, before it is known where.
struct Said {
    kind: InboundKind,
    event_id: String,
    text: String,
    time: Option<String>,
    to_us: bool,
}

/// Nothing is answered here: what is said goes through the Chat API.
fn ack() -> Ack {
    Ack::json(&json!({}))
}

impl Reader {
    pub(crate) fn new(settings: &AccountSettings) -> Result<Self, ConfigProblem> {
        let bot_user = settings.text(BOT_USER.key)?;
        if !bot_user.is_none_or(|name| resource::is(name, "users", 2)) {
            return Err(ConfigProblem::option(BOT_USER.key, "it is no user's name", "write it as users/…"));
        }
        let unfit = || {
            ConfigProblem::option(QUICK_COMMANDS.key, "it is no list of lines by id", "write { \"7\": \"/status\" }")
        };
        let quick_commands = match settings.options.get(QUICK_COMMANDS.key) {
            None | Some(Value::Null) => BTreeMap::new(),
            Some(value) => serde::Deserialize::deserialize(value).map_err(|_| unfit())?,
        };
        Ok(Self { account: settings.account.clone(), bot_user: bot_user.map(str::to_owned), quick_commands })
    }

    pub(crate) fn parse(&self, body: &[u8]) -> Result<Parsed, Rejected> {
        let event = Event::read(body)?;
        let said = match event.kind {
            Kind::Message => event.message.as_ref().map(|message| self.message(message, &event)),
            Kind::Click => click(&event)?,
            // A slash command comes with its message, a quick command with its id only.
            Kind::Command => match &event.message {
                Some(message) => Some(self.message(message, &event)),
                None => self.quick_command(&event)?,
            },
            Kind::Other => None,
        };
        let inbound = said.map(|said| self.inbound(&event, said)).transpose()?.flatten();
        Ok(Parsed::said(inbound.into_iter().collect(), ack()))
    }

    fn message(&self, message: &Message, event: &Event) -> Said {
        let annotations = || message.annotations.iter().flatten();
        let words = message.argument_text.as_ref().or(message.text.as_ref()).map_or("", |text| text.trim());
        let command = annotations().find_map(|note| note.slash_command.as_ref()?.command_name.as_deref());
        let text = match command {
            Some(name) => format!("{name} {words}").trim().to_owned(),
            None => words.to_owned(),
        };
        let mentioned = annotations().filter_map(|note| note.user_mention.as_ref()?.user.as_ref());
        let to_us =
            command.is_some() || event.kind == Kind::Command || mentioned.into_iter().any(|who| self.is_us(who));
        let kind = if command.is_some() { InboundKind::Command } else { InboundKind::Message };
        let time = message.create_time.clone().or_else(|| event.time.clone());
        Said { kind, event_id: message.name.clone(), text, time, to_us }
    }

    fn is_us(&self, who: &User) -> bool {
        match &self.bot_user {
            Some(ours) => who.name == *ours || who.name == "users/app",
            None => who.kind.as_deref() == Some("BOT"),
        }
    }

    fn quick_command(&self, event: &Event) -> Result<Option<Said>, Rejected> {
        let Some((id, line)) = event.command.as_ref().and_then(|id| self.quick_commands.get_key_value(id)) else {
            return Ok(None);
        };
        let event_id = unnamed("command", &[id], event)?;
        let time = event.time.clone();
        Ok(Some(Said { kind: InboundKind::Command, event_id, text: line.clone(), time, to_us: true }))
    }

    /// The message; `None` for our own echoes, other apps, and what says nothing.
    fn inbound(&self, event: &Event, said: Said) -> Result<Option<Inbound>, Rejected> {
        let message = event.message.as_ref();
        let of_message = if said.kind == InboundKind::Button { None } else { message };
        let author = of_message.and_then(|message| message.sender.as_ref()).or(event.user.as_ref());
        let author = author.ok_or(Rejected::Malformed("the event has no user"))?;
        if author.kind.as_deref() == Some("BOT") {
            return Ok(None);
        }
        let media = of_message.map(files::read).unwrap_or_default();
        if said.text.is_empty() && media.is_empty() && !said.to_us {
            return Ok(None);
        }
        let space = event.space.as_ref().or_else(|| message.and_then(|message| message.space.as_ref()));
        let space = space.ok_or(Rejected::Malformed("the event has no space"))?;
        let message_name = message.map(|message| message.name.clone());
        let thread = message.and_then(|message| message.thread.as_ref()?.name.clone());
        let named = resource::is(&space.name, "spaces", 2)
            && resource::is(&author.name, "users", 2)
            && message_name.as_deref().is_none_or(resource::is_message)
            && thread.as_deref().is_none_or(resource::is_thread);
        if !named {
            return Err(Rejected::Malformed("a name is not one of Google Chat"));
        }
        let direct = is_direct(space);
        let in_thread = message.is_some_and(|message| message.thread_reply == Some(true));
        let thread = thread.filter(|_| in_thread || (!direct && has_threads(space)));
        let peer = if direct {
            Peer { kind: PeerKind::Direct, id: author.name.clone() }
        } else {
            Peer { kind: PeerKind::Group, id: space.name.clone() }
        };
        let time = said.time.ok_or(Rejected::Malformed("the event has no time"))?;
        Ok(Some(Inbound {
            channel: ID.to_owned(),
            account: self.account.clone(),
            event_id: said.event_id,
            peer,
            parent_peer: None,
            // A direct chat is one conversation, whatever threads it has.
            thread: thread.clone().filter(|_| !direct),
            sender: Sender { id: author.name.clone(), name: author.display_name.clone() },
            message_id: message_name,
            text: said.text,
            kind: said.kind,
            addressed: direct || said.to_us,
            media,
            guild: None,
            team: None,
            roles: Vec::new(),
            sent_at: written_at(&time)?,
            reply_to: ReplyAddress {
                channel: ID.to_owned(),
                account: self.account.clone(),
                to: space.name.clone(),
                thread,
                message: None,
            },
        }))
    }
}

/// A pressed button: one of ours, or a function of somebody else's card that came to us.
fn click(event: &Event) -> Result<Option<Said>, Rejected> {
    let Some(choice) = event.parameters.get(CHOICE).or(event.function.as_ref()).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let message = event.message.as_ref().map_or("", |message| message.name.as_str());
    let event_id = unnamed("click", &[message, choice], event)?;
    let time = event.time.clone();
    Ok(Some(Said { kind: InboundKind::Button, event_id, text: choice.clone(), time, to_us: true }))
}

/// The name of an event that has none: who did what, and when.
fn unnamed(what: &str, parts: &[&str], event: &Event) -> Result<String, Rejected> {
    let time = event.time.as_deref().ok_or(Rejected::Malformed("the event has no time"))?;
    let user = event.user.as_ref().map_or("", |user| user.name.as_str());
    Ok(format!("{what}:{}:{user}:{time}", parts.join(":")))
}

fn is_direct(space: &Space) -> bool {
    match space.space_type.as_deref() {
        Some(kind) => kind == "DIRECT_MESSAGE",
        None => space.old_type.as_deref() == Some("DM"),
    }
}

/// Whether what is said in the room stands in threads. Where it does not, each message has a thread of its own all the
/// same.
fn has_threads(space: &Space) -> bool {
    match space.space_threading_state.as_deref() {
        Some(state) => matches!(state, "THREADED_MESSAGES" | "GROUPED_MESSAGES"),
        None => space.space_type.as_deref().is_none_or(|kind| kind == "SPACE"),
    }
}

fn written_at(time: &str) -> Result<Millis, Rejected> {
    let time: jiff::Timestamp = time.parse().map_err(|_| Rejected::Malformed("the time is not RFC 3339"))?;
    Ok(Millis(u64::try_from(time.as_millisecond()).unwrap_or(0)))
}
