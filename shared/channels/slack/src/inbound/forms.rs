//! Slash commands and interactivity: both are forms.
//! <https://docs.slack.dev/interactivity/implementing-slash-commands>
//! <https://docs.slack.dev/reference/interaction-payloads/block_actions-payload>

use chela_core::channel::{RawRequest, Rejected};
use chela_core::clock::Millis;
use chela_core::message::{Inbound, InboundKind, Sender};
use chela_core::session_key::Peer;
use serde::Deserialize;

use super::text::readable;
use super::{Arrived, Reader, Thread, millis, peer};
use crate::blocks::LABELLED;
use crate::settings::own_name;

/// The form by which Slack tries our certificate. It is not signed, so nothing else that stands in it may be read.
pub(crate) const SSL_CHECK: &[u8] = b"ssl_check=1";

/// Whether Slack only tries our certificate.
pub(crate) fn is_ssl_check(body: &[u8]) -> bool {
    Form::new(body).is_some_and(|form| form.get("ssl_check") == Some("1"))
}

/// Reads a form. Interactions other than pressed buttons are no messages.
pub(super) fn read(reader: &Reader<'_>, request: &RawRequest) -> Result<Vec<Inbound>, Rejected> {
    let form = Form::new(&request.body).ok_or(Rejected::Malformed("the body is neither JSON nor a form"))?;
    if form.get("ssl_check") == Some("1") {
        return Ok(Vec::new());
    }
    match (form.get("payload"), form.get("command")) {
        (Some(payload), _) => interaction(reader, payload, request.received_at),
        (None, Some(command)) => Ok(vec![slash(reader, &form, command, request.received_at)?]),
        (None, None) => Err(Rejected::Malformed("the form is neither a slash command nor an interaction")),
    }
}

struct Form(Vec<(String, String)>);

impl Form {
    fn new(body: &[u8]) -> Option<Self> {
        if body.trim_ascii_start().first() == Some(&b'{') {
            return None;
        }
        serde_urlencoded::from_bytes(body).ok().map(Self)
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn required(&self, name: &str, refusal: &'static str) -> Result<&str, Rejected> {
        self.get(name).filter(|value| !value.is_empty()).ok_or(Rejected::Malformed(refusal))
    }
}

fn slash(reader: &Reader<'_>, form: &Form, command: &str, now: Millis) -> Result<Inbound, Rejected> {
    let trigger = form.required("trigger_id", "the slash command has no trigger_id")?;
    let channel = form.required("channel_id", "the slash command has no channel_id")?;
    let user = form.required("user_id", "the slash command has no user_id")?;
    let team = form.get("team_id").filter(|team| !team.is_empty());
    let text = line(reader, command, form.get("text").unwrap_or_default());
    let peer = room(channel, form.get("channel_name"), user);
    // A command can be typed in a DM our bot is not in; addressed to the person, the answer reaches their DM with us.
    let to = if channel.starts_with('D') { user } else { channel };
    Ok(reader.inbound(Arrived {
        event_id: format!("{}:command:{trigger}", team.unwrap_or_default()),
        team: team.map(str::to_owned),
        peer,
        channel: to,
        thread: Thread::default(),
        sender: Sender { id: user.to_owned(), name: form.get("user_name").map(str::to_owned) },
        kind: if text.starts_with('/') { InboundKind::Command } else { InboundKind::Message },
        text,
        addressed: true,
        media: Vec::new(),
        sent_at: now,
        answers: None,
    }))
}

/// The line a person would have typed in a chat with us alone: `/chela hi` is "hi", `/chela /new` and `/new` are
/// "/new". Slack keeps `/status` and others for itself, see [`own_name`].
fn line(reader: &Reader<'_>, command: &str, arguments: &str) -> String {
    let arguments = readable(arguments, reader.settings.bot_user_id.as_deref()).text;
    let name = command.trim_start_matches('/');
    let command = match name {
        _ if name == reader.settings.command() && arguments.is_empty() => "/help",
        _ if name == reader.settings.command() => return arguments,
        _ => &format!("/{}", own_name(name)),
    };
    if arguments.is_empty() { command.to_owned() } else { format!("{command} {arguments}") }
}

#[derive(Deserialize)]
struct Kind {
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct BlockActions {
    user: User,
    team: Option<Id>,
    channel: Option<Channel>,
    container: Option<Place>,
    message: Option<Place>,
    trigger_id: Option<String>,
    #[serde(default)]
    actions: Vec<Action>,
}

#[derive(Deserialize)]
struct User {
    id: String,
    username: Option<String>,
    name: Option<String>,
    team_id: Option<String>,
}

#[derive(Deserialize)]
struct Id {
    id: String,
}

#[derive(Deserialize)]
struct Channel {
    id: String,
    name: Option<String>,
}

/// Where the button stands: `container` and `message` say it in different words.
#[derive(Deserialize)]
struct Place {
    ts: Option<String>,
    message_ts: Option<String>,
    thread_ts: Option<String>,
}

#[derive(Deserialize)]
struct Action {
    action_id: Option<String>,
    text: Option<Label>,
    value: Option<String>,
    selected_option: Option<Choice>,
    action_ts: Option<String>,
}

/// What is written on a button.
#[derive(Deserialize)]
struct Label {
    text: Option<String>,
}

#[derive(Deserialize)]
struct Choice {
    value: Option<String>,
}

fn interaction(reader: &Reader<'_>, payload: &str, now: Millis) -> Result<Vec<Inbound>, Rejected> {
    let malformed = |_| Rejected::Malformed("the interaction is not what Slack documents");
    let Kind { kind } = serde_json::from_str(payload).map_err(malformed)?;
    if kind != "block_actions" {
        return Ok(Vec::new());
    }
    let pressed: BlockActions = serde_json::from_str(payload).map_err(malformed)?;
    // Buttons of modals and of the home tab stand in no conversation.
    let Some(channel) = &pressed.channel else { return Ok(Vec::new()) };
    Ok(pressed.actions.iter().filter_map(|action| button(reader, &pressed, channel, action, now)).collect())
}

fn button(
    reader: &Reader<'_>,
    pressed: &BlockActions,
    channel: &Channel,
    action: &Action,
    now: Millis,
) -> Option<Inbound> {
    let team = pressed.team.as_ref().map(|team| team.id.as_str()).or(pressed.user.team_id.as_deref());
    let when = action.action_ts.as_deref().or(pressed.trigger_id.as_deref())?;
    let id = action.action_id.as_deref().unwrap_or_default();
    let chosen = action.selected_option.as_ref().and_then(|option| option.value.as_deref());
    // A value that was too long for the button.
    let label = action.text.as_ref().filter(|_| id.starts_with(LABELLED)).and_then(|label| label.text.as_deref());
    let text = action.value.as_deref().or(chosen).or(label).filter(|value| !value.is_empty()).unwrap_or(id);
    let places = [pressed.container.as_ref(), pressed.message.as_ref()];
    let mut places = places.into_iter().flatten();
    let message = places.clone().find_map(|place| place.message_ts.as_deref().or(place.ts.as_deref()));
    let thread_ts = places.find_map(|place| place.thread_ts.as_deref());
    let peer = room(&channel.id, channel.name.as_deref(), &pressed.user.id);
    let thread = match thread_ts {
        Some(_) => reader.thread(peer.kind, message.unwrap_or_default(), thread_ts, false),
        None => Thread::default(),
    };
    Some(reader.inbound(Arrived {
        event_id: format!("{}:{}:{}:{id}:{when}", team.unwrap_or_default(), channel.id, message.unwrap_or_default()),
        team: team.map(str::to_owned),
        peer,
        channel: &channel.id,
        thread,
        sender: Sender {
            id: pressed.user.id.clone(),
            name: pressed.user.username.clone().or_else(|| pressed.user.name.clone()),
        },
        text: text.to_owned(),
        kind: InboundKind::Button,
        addressed: true,
        media: Vec::new(),
        sent_at: action.action_ts.as_deref().map_or(now, millis),
        answers: message.map(str::to_owned),
    }))
}

/// Forms name the conversation instead of giving its type: `mpdm-ada--bob-1`, `privategroup`, `directmessage`, or the
/// channel's own name. A direct message is known by its id.
fn room(channel: &str, name: Option<&str>, user: &str) -> Peer {
    let kind = name.filter(|name| name.starts_with("mpdm-")).map(|_| "mpim");
    peer(channel, kind, user)
}
