//! What a message says, by its type.

use chela_core::message::{InboundKind, Media};
use serde::Deserialize;
use serde_json::value::RawValue;

/// The type of a message. Nothing else of a type we do not know is read.
#[derive(Deserialize)]
struct Typed {
    #[serde(rename = "type", default)]
    kind: String,
}

#[derive(Deserialize)]
struct Fields<'a> {
    text: Option<Text>,
    image: Option<File>,
    video: Option<File>,
    audio: Option<File>,
    document: Option<File>,
    sticker: Option<File>,
    location: Option<Location>,
    contacts: Option<Vec<Card>>,
    interactive: Option<Interactive>,
    button: Option<Button>,
    #[serde(borrow)]
    edit: Option<Edit<'a>>,
}

#[derive(Deserialize)]
struct Text {
    body: String,
}

#[derive(Deserialize)]
struct File {
    id: String,
    mime_type: Option<String>,
    filename: Option<String>,
    caption: Option<String>,
}

#[derive(Deserialize)]
struct Location {
    latitude: f64,
    longitude: f64,
    name: Option<String>,
    address: Option<String>,
}

/// A visiting card.
#[derive(Deserialize)]
struct Card {
    name: Option<CardName>,
    #[serde(default)]
    phones: Vec<Phone>,
    #[serde(default)]
    emails: Vec<Email>,
}

#[derive(Deserialize)]
struct CardName {
    formatted_name: Option<String>,
}

#[derive(Deserialize)]
struct Phone {
    phone: Option<String>,
}

#[derive(Deserialize)]
struct Email {
    email: Option<String>,
}

#[derive(Deserialize)]
struct Interactive {
    button_reply: Option<Pressed>,
    list_reply: Option<Pressed>,
}

#[derive(Deserialize)]
struct Pressed {
    id: String,
}

/// A button of a template.
#[derive(Deserialize)]
struct Button {
    payload: Option<String>,
    text: Option<String>,
}

#[derive(Deserialize)]
struct Edit<'a> {
    original_message_id: String,
    #[serde(borrow)]
    message: &'a RawValue,
}

/// What was said.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Content {
    pub(crate) text: String,
    pub(crate) media: Vec<Media>,
    pub(crate) kind: InboundKind,
    /// The message that was edited.
    pub(crate) edited: Option<String>,
}

/// Reads a message; `None` if it says nothing to us: reactions, revoked messages, orders, news of the system, and types
/// nobody has heard of.
pub(crate) fn read(message: &RawValue) -> Result<Option<Content>, serde_json::Error> {
    let Some((kind, fields)) = typed(message)? else { return Ok(None) };
    if kind != "edit" {
        return Ok(said(&kind, fields));
    }
    // The edited message is a message as it would have been sent.
    let Some(edit) = fields.edit else { return Ok(None) };
    let Some((kind, fields)) = typed(edit.message)? else { return Ok(None) };
    let edited = |content| Content { kind: InboundKind::Edited, edited: Some(edit.original_message_id), ..content };
    Ok(said(&kind, fields).map(edited))
}

fn typed(message: &RawValue) -> Result<Option<(String, Fields<'_>)>, serde_json::Error> {
    const KNOWN: [&str; 11] = [
        "text",
        "image",
        "video",
        "audio",
        "document",
        "sticker",
        "location",
        "contacts",
        "interactive",
        "button",
        "edit",
    ];
    let Typed { kind } = serde_json::from_str(message.get())?;
    if !KNOWN.contains(&kind.as_str()) {
        return Ok(None);
    }
    Ok(Some((kind, serde_json::from_str(message.get())?)))
}

fn said(kind: &str, fields: Fields<'_>) -> Option<Content> {
    let content = match kind {
        "text" => Content { text: fields.text?.body, ..Content::default() },
        "image" => file(fields.image?),
        "video" => file(fields.video?),
        "audio" => file(fields.audio?),
        "document" => file(fields.document?),
        "sticker" => file(fields.sticker?),
        "location" => Content { text: place(&fields.location?), ..Content::default() },
        "contacts" => {
            let cards: Vec<String> = fields.contacts?.into_iter().map(card).collect();
            Content { text: cards.join("\n"), ..Content::default() }
        }
        "interactive" => {
            let interactive = fields.interactive?;
            pressed(interactive.button_reply.or(interactive.list_reply)?.id)
        }
        "button" => {
            let button = fields.button?;
            pressed(button.payload.filter(|payload| !payload.is_empty()).or(button.text)?)
        }
        _ => return None,
    };
    Some(content).filter(|content| !content.text.trim().is_empty() || !content.media.is_empty())
}

fn file(file: File) -> Content {
    let media =
        Media { missing: None, reference: file.id, content_type: file.mime_type, name: file.filename, size: None };
    Content { text: file.caption.unwrap_or_default(), media: vec![media], ..Content::default() }
}

/// <https://www.rfc-editor.org/rfc/rfc5870>, after what the place is called.
fn place(location: &Location) -> String {
    let called: Vec<&str> = [&location.name, &location.address].into_iter().flatten().map(String::as_str).collect();
    let gap = if called.is_empty() { "" } else { ": " };
    format!("{}{gap}geo:{},{}", called.join(", "), location.latitude, location.longitude)
}

fn card(card: Card) -> String {
    let name = card.name.and_then(|name| name.formatted_name);
    let phones = card.phones.into_iter().filter_map(|phone| phone.phone);
    let emails = card.emails.into_iter().filter_map(|email| email.email);
    let known: Vec<String> = name.into_iter().chain(phones).chain(emails).collect();
    format!("Contact: {}", known.join(", "))
}

fn pressed(value: String) -> Content {
    Content { text: value, kind: InboundKind::Button, ..Content::default() }
}
