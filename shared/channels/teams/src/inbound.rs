//! What people say in Teams.

use chela_channel_kit::jwt;
use chela_core::channel::{Ack, Parsed, Rejected, Verified};
use chela_core::clock::Millis;
use chela_core::message::{Inbound, InboundKind, ReplyAddress, Sender};
use chela_core::session_key::{Peer, PeerKind};
use http::StatusCode;
use serde_json::{Value, json};

use crate::activity::{Activity, Head};
use crate::address::{THREAD_MARK, written};
use crate::verify::{CHANNEL, service_url};
use crate::{ID, Teams, files, text};

/// The field of a button's data that carries the value of a choice.
pub(crate) const CHOICE: &str = "choice";

/// What an `Action.Execute` of a card invokes.
const CARD_ACTION: &str = "adaptiveCard/action";

pub(crate) fn parse(teams: &Teams, verified: &Verified) -> Result<Parsed, Rejected> {
    let body: Value =
        serde_json::from_slice(&verified.request().body).map_err(|_| Rejected::Malformed("the body is not JSON"))?;
    let head: Head =
        serde::Deserialize::deserialize(&body).map_err(|_| Rejected::Malformed("the body is no activity"))?;
    belongs(teams, verified, &head)?;
    let read = || {
        serde_json::from_value::<Activity>(body)
            .map_err(|_| Rejected::Malformed("the activity is not what the Bot Framework documents"))
    };
    match head.kind.as_str() {
        "message" => message(teams, read()?, &head.service_url, InboundKind::Message),
        "messageUpdate" => message(teams, read()?, &head.service_url, InboundKind::Edited),
        "invoke" => invoke(teams, read()?, &head.service_url),
        // conversationUpdate, installationUpdate, messageDelete, messageReaction, typing, event, …
        _ => Ok(Parsed::nothing()),
    }
}

/// The token says which service speaks, and the body must not say otherwise: our token goes there.
fn belongs(teams: &Teams, verified: &Verified, head: &Head) -> Result<(), Rejected> {
    let claims = jwt::claims(verified)?;
    let same = |url: &str| url.trim_end_matches('/').to_ascii_lowercase();
    if same(service_url(&claims)?) != same(&head.service_url) {
        return Err(Rejected::Unproven("the token is for another service"));
    }
    if head.channel_id != CHANNEL {
        return Err(Rejected::Unproven("the activity is not from Teams"));
    }
    if !teams.services.knows_text(&head.service_url) {
        return Err(Rejected::Unproven("the service is not one of Teams: serviceUrls can name it"));
    }
    Ok(())
}

/// A message, an edit, or the `Action.Submit` of a card, which comes as a message without text.
fn message(teams: &Teams, activity: Activity, service: &str, kind: InboundKind) -> Result<Parsed, Rejected> {
    let event_type = activity.channel_data.as_ref().and_then(|data| data.event_type.as_deref());
    if kind == InboundKind::Edited && event_type.is_some_and(|event| event != "editMessage") {
        return Ok(Parsed::nothing());
    }
    let (mentioned, said) = match &activity.text {
        Some(text) => text::read(text, activity.entities.as_deref().unwrap_or_default(), &activity.recipient),
        None => (false, String::new()),
    };
    let pressed = activity.value.as_ref().filter(|_| kind == InboundKind::Message && said.is_empty());
    let (kind, said) = match pressed.and_then(|data| own_choice(data).or_else(|| any_choice(data))) {
        Some(choice) => (InboundKind::Button, choice),
        None => (kind, said),
    };
    let media = files::read(activity.attachments.as_deref().unwrap_or_default());
    if said.is_empty() && media.is_empty() && !mentioned {
        return Ok(Parsed::nothing());
    }
    let inbound = inbound(teams, &activity, service, kind, said, mentioned)?;
    let messages = inbound.map(|inbound| Inbound { media, ..inbound });
    Ok(Parsed::said(messages.into_iter().collect(), Ack::empty()))
}

/// Invokes want an answer of their own: <https://learn.microsoft.com/adaptive-cards/authoring-cards/universal-action-model>.
fn invoke(teams: &Teams, activity: Activity, service: &str) -> Result<Parsed, Rejected> {
    if activity.name.as_deref() != Some(CARD_ACTION) {
        // Sign-in, task modules, searches: what the SDKs answer where no handler is.
        let ack = Ack { status: StatusCode::NOT_IMPLEMENTED, ..Ack::empty() };
        return Ok(Parsed::answered(ack));
    }
    let ack = Ack::json(&json!({
        "statusCode": 200, "type": "application/vnd.microsoft.activity.message", "value": "OK",
    }));
    let action = activity.value.as_ref().and_then(|value| value.get("action"));
    let data = || action.and_then(|action| action.get("data"));
    let verb = || action.and_then(|action| action.get("verb")?.as_str()).map(str::to_owned);
    let pressed = data().and_then(own_choice).or_else(verb).or_else(|| data().and_then(any_choice));
    let Some(choice) = pressed.filter(|choice| !choice.is_empty()) else {
        return Ok(Parsed::answered(ack));
    };
    let inbound = inbound(teams, &activity, service, InboundKind::Button, choice, false)?;
    Ok(Parsed::said(inbound.into_iter().collect(), ack))
}

/// The value of one of our buttons.
fn own_choice(data: &Value) -> Option<String> {
    data.get(CHOICE).and_then(Value::as_str).map(str::to_owned)
}

/// What somebody else's button carries, as JSON.
fn any_choice(data: &Value) -> Option<String> {
    data.as_object().filter(|fields| !fields.is_empty()).map(|_| data.to_string())
}

/// The message; `None` for our own echoes, other bots and other organisations.
fn inbound(
    teams: &Teams,
    activity: &Activity,
    service: &str,
    kind: InboundKind,
    text: String,
    mentioned: bool,
) -> Result<Option<Inbound>, Rejected> {
    // Ids of bots begin with 28:, those of people with 29:.
    if activity.from.id == activity.recipient.id || activity.from.id.starts_with("28:") {
        return Ok(None);
    }
    if teams.tenant.as_deref().is_some_and(|ours| !activity.tenant().is_some_and(|it| it.eq_ignore_ascii_case(ours))) {
        return Ok(None);
    }
    let sender = activity.from.aad_object_id.as_ref().filter(|id| !id.is_empty()).unwrap_or(&activity.from.id);
    let conversation = &activity.conversation;
    let (room, root) = match conversation.id.split_once(THREAD_MARK) {
        Some((room, root)) => (room, Some(root)),
        None => (conversation.id.as_str(), None),
    };
    let is_id = |id: &str| !id.is_empty() && !id.chars().any(|c| c.is_control() || c.is_whitespace() || c == '|');
    if ![&activity.id, sender, room, root.unwrap_or("root")].into_iter().all(is_id) {
        return Err(Rejected::Malformed("an id is empty or no word"));
    }
    let peer_kind = match conversation.conversation_type.as_deref() {
        Some("personal") => PeerKind::Direct,
        Some("channel") => PeerKind::Channel,
        Some(_) => PeerKind::Group,
        None if conversation.is_group == Some(true) => PeerKind::Group,
        None => PeerKind::Direct,
    };
    let peer_id = if peer_kind == PeerKind::Direct { sender.as_str() } else { room };
    let thread = root.filter(|_| peer_kind == PeerKind::Channel).map(str::to_owned);
    let event_id = match kind {
        InboundKind::Edited => format!("{}:{}:edit:{}", conversation.id, activity.id, activity.timestamp),
        _ => format!("{}:{}", conversation.id, activity.id),
    };
    Ok(Some(Inbound {
        channel: ID.to_owned(),
        account: teams.account.clone(),
        event_id,
        addressed: peer_kind == PeerKind::Direct || mentioned || kind == InboundKind::Button,
        peer: Peer { kind: peer_kind, id: peer_id.to_owned() },
        parent_peer: None,
        thread: thread.clone(),
        sender: Sender { id: sender.clone(), name: activity.from.name.clone() },
        message_id: Some(activity.id.clone()),
        text,
        kind,
        media: Vec::new(),
        guild: None,
        team: activity.channel_data.as_ref().and_then(|data| data.team.as_ref()?.id.clone()),
        roles: Vec::new(),
        sent_at: written_at(&activity.timestamp)?,
        reply_to: ReplyAddress {
            channel: ID.to_owned(),
            account: teams.account.clone(),
            to: written(room, service),
            thread,
            message: None,
        },
    }))
}

fn written_at(timestamp: &str) -> Result<Millis, Rejected> {
    let time: jiff::Timestamp = timestamp.parse().map_err(|_| Rejected::Malformed("the timestamp is not RFC 3339"))?;
    Ok(Millis(u64::try_from(time.as_millisecond()).unwrap_or(0)))
}
