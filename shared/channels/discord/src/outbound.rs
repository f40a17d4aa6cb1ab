//! What the bot says.

mod standing;

use std::time::Duration;

use chela_channel_kit::ApiCall;
use chela_channel_kit::multipart::Form;
use chela_core::channel::{Choice, Fetched, OutboundFile, OutboundPart, Receipt, SendError};
use chela_core::message::{Media, ReplyAddress};
use http::{HeaderMap, Method};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use url::Url;

use crate::Discord;
use crate::dialect::discord;
use crate::inbound::{LABELLED, LONGEST_VALUE};
use crate::place::{Interaction, Place, Room, is_snowflake};
use crate::rest::{As, Failure};

/// A typing signal that comes later than this is worth nothing.
const TYPING: Duration = Duration::from_secs(3);

/// Most characters on a button. <https://docs.discord.com/developers/components/reference#button>
const LONGEST_LABEL: usize = 80;

/// Buttons in a row.
const IN_A_ROW: usize = 5;

/// Digits of a nonce. <https://docs.discord.com/developers/resources/message#create-message-jsonform-params>
const NONCE: usize = 25;

/// Hosts of attachments. Their URLs are signed, so nothing of ours goes along.
/// <https://docs.discord.com/developers/reference#signed-attachment-cdn-urls>
const FILE_HOSTS: [&str; 2] = ["cdn.discordapp.com", "media.discordapp.net"];

/// SUPPRESS_EMBEDS: Discord's servers fetch no address in what a model wrote.
/// <https://docs.discord.com/developers/resources/message#message-object-message-flags>
const NO_PREVIEWS: u32 = 1 << 2;

/// While an interaction is younger than this, Discord may not have our acknowledgement yet.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(10);

/// Begins the id of a message that belongs to an interaction; others are `<channel>/<message>`.
const OF_INTERACTION: char = '@';

#[derive(Deserialize)]
struct Created {
    id: String,
}

/// What to ask, once the body is written.
struct Ask<'a> {
    caller: As,
    method: Method,
    path: String,
    body: Map<String, Value>,
    file: Option<&'a OutboundFile<'a>>,
}

impl Discord {
    /// Sends a part, with a file or without: in place of "thinking…" where an interaction waits for it, else as a new
    /// message.
    pub(crate) async fn say(
        &self,
        part: &OutboundPart<'_>,
        file: Option<&OutboundFile<'_>>,
    ) -> Result<Receipt, SendError> {
        let place = self.place(part.to)?;
        let now = self.clock.now();
        let alive = place.interaction.filter(|interaction| interaction.is_alive(now));
        if let Some(interaction) = alive {
            if interaction.promised
                && part.number == 0
                && let Some(receipt) = self.keep_promise(&interaction, part, file).await?
            {
                return Ok(receipt);
            }
            if interaction.guest {
                let path = format!("{}?wait=true", webhook(&interaction));
                let ask = Ask { caller: As::Interaction, method: Method::POST, path, body: message(part), file };
                let id = self.create(ask, part).await.map_err(|failure| failure.error)?;
                return Ok(Receipt { message_id: format!("{OF_INTERACTION}{id}") });
            }
        }
        if place.is_guest() {
            return Err(self.rest.api.refused("the interaction is over, and the bot is no member of the channel"));
        }
        let channel = self.channel(&place, part.timeout).await?;
        let mut body = message(part);
        body.insert("nonce".to_owned(), json!(nonce(part.idempotency_key)));
        body.insert("enforce_nonce".to_owned(), json!(true));
        // The parts that follow belong to the first.
        if let Some(answered) = part.to.message.as_ref().filter(|id| part.number == 0 && is_snowflake(id)) {
            let reference = json!({ "message_id": answered, "fail_if_not_exists": false });
            body.insert("message_reference".to_owned(), reference);
        }
        let path = format!("/channels/{channel}/messages");
        let ask = Ask { caller: As::Bot, method: Method::POST, path, body, file };
        let id = self.create(ask, part).await.map_err(|failure| failure.error)?;
        Ok(Receipt { message_id: format!("{channel}/{id}") })
    }

    /// Puts the part where the acknowledgement said "thinking…"; `None` if that is not there any more.
    async fn keep_promise(
        &self,
        interaction: &Interaction<'_>,
        part: &OutboundPart<'_>,
        file: Option<&OutboundFile<'_>>,
    ) -> Result<Option<Receipt>, SendError> {
        let path = format!("{}/messages/@original", webhook(interaction));
        let ask = Ask { caller: As::Interaction, method: Method::PATCH, path, body: message(part), file };
        match self.create(ask, part).await {
            Ok(id) => Ok(Some(Receipt { message_id: format!("{OF_INTERACTION}{id}") })),
            // We were faster than our own acknowledgement: it must not say "thinking…" after the answer.
            Err(Failure { status: 404, .. }) if interaction.age(self.clock.now()) < ACKNOWLEDGED_WITHIN => {
                Err(self.rest.api.rate_limited(Some(Duration::from_secs(1))))
            }
            // Somebody deleted it, or the token is dead: nothing was shown.
            Err(Failure { status: 401 | 404, .. }) => Ok(None),
            Err(failure) => Err(failure.error),
        }
    }

    /// Asks, with the file if there is one, and gives the id of the message.
    async fn create(&self, ask: Ask<'_>, part: &OutboundPart<'_>) -> Result<String, Failure> {
        let url = format!("{}{}", self.rest.base_url, ask.path);
        let mut body = ask.body;
        let call = match ask.file {
            None => ApiCall::json(&url, &Value::Object(body), part.timeout),
            Some(file) => {
                body.insert("attachments".to_owned(), json!([{ "id": 0, "filename": file.name }]));
                let form = Form::new(part.idempotency_key)
                    .typed("payload_json", "application/json", &Value::Object(body).to_string())
                    .file("files[0]", file.name, file.content_type, &file.bytes);
                form.into_call(ApiCall::get(&url, part.timeout))
            }
        };
        let reply = self.rest.make(ask.caller, call.method(ask.method)).await?;
        let created = reply.json::<Created>().filter(|created| is_snowflake(&created.id));
        created.map(|created| created.id).ok_or_else(|| Failure { status: 200, error: self.rest.without_id() })
    }

    /// Replaces text and buttons of a message.
    pub(crate) async fn change(&self, message_id: &str, part: &OutboundPart<'_>) -> Result<(), SendError> {
        let place = self.place(part.to)?;
        let mut body = message(part);
        // Without this the buttons of the old text stay.
        body.entry("components").or_insert_with(|| json!([]));
        let own = message_id.strip_prefix(OF_INTERACTION);
        let alive = place.interaction.filter(|interaction| interaction.is_alive(self.clock.now()));
        let (caller, path) = match (own, alive) {
            (Some(id), Some(interaction)) if is_snowflake(id) => {
                (As::Interaction, format!("{}/messages/{id}", webhook(&interaction)))
            }
            _ if place.is_guest() => return Err(self.rest.api.refused("the interaction is over")),
            _ => (As::Bot, self.message_path(&place, message_id)?),
        };
        let body = Value::Object(body);
        let changed = self.rest.call(caller, Method::PATCH, &path, Some(&body), part.timeout).await;
        changed.map(drop).map_err(|failure| failure.error)
    }

    pub(crate) async fn show_typing(&self, to: &ReplyAddress) -> Result<(), SendError> {
        let place = self.place(to)?;
        let waits = place.interaction.is_some_and(|it| it.promised && it.is_alive(self.clock.now()));
        // "thinking…" stands there already, or we may not type, or it is not worth opening a conversation for.
        let (Room::Channel(channel), false, false) = (place.room, waits, place.is_guest()) else { return Ok(()) };
        let path = format!("/channels/{channel}/typing");
        let shown = self.rest.call(As::Bot, Method::POST, &path, Some(&json!({})), TYPING).await;
        shown.map(drop).map_err(|failure| failure.error)
    }

    /// A custom emoji is `name:id`, with or without its angle brackets.
    pub(crate) async fn put_reaction(&self, to: &ReplyAddress, message_id: &str, emoji: &str) -> Result<(), SendError> {
        let (channel, id) = self.standing(to, message_id).await?;
        let emoji = emoji.trim_matches(['<', '>']).trim_start_matches("a:").trim_start_matches(':');
        let path = format!("/channels/{channel}/messages/{id}/reactions/{}/@me", segment(emoji));
        let put = self.rest.call(As::Bot, Method::PUT, &path, Some(&json!({})), TYPING).await;
        put.map(drop).map_err(|failure| failure.error)
    }

    pub(crate) async fn download(&self, media: &Media, most: usize, timeout: Duration) -> Result<Fetched, SendError> {
        let foreign = || self.rest.api.refused("the file is not on a server of Discord");
        let url = Url::parse(&media.reference).map_err(|_| foreign())?;
        let ours = Url::parse(&self.rest.base_url).is_ok_and(|base| base.origin() == url.origin());
        let theirs = url.scheme() == "https"
            && url.port().is_none()
            && url.host_str().is_some_and(|host| FILE_HOSTS.contains(&host));
        if !ours && !theirs {
            return Err(foreign());
        }
        self.rest.api.download(url.as_str(), HeaderMap::new(), most, timeout).await
    }

    fn place<'a>(&self, to: &'a ReplyAddress) -> Result<Place<'a>, SendError> {
        Place::read(to).ok_or_else(|| self.rest.api.refused("the address is not <channel>, channel:<id> or user:<id>"))
    }

    /// The channel to write in. Opening the direct messages with a person twice opens the same ones.
    /// <https://docs.discord.com/developers/resources/user#create-dm>
    async fn channel(&self, place: &Place<'_>, timeout: Duration) -> Result<String, SendError> {
        let user = match place.room {
            Room::Channel(channel) => return Ok(channel.to_owned()),
            Room::User(user) => user,
        };
        let body = json!({ "recipient_id": user });
        let opened = self.rest.call(As::Bot, Method::POST, "/users/@me/channels", Some(&body), timeout).await;
        let opened: Option<Created> = opened.map_err(|failure| self.unsaid(failure.error))?.json();
        let channel = opened.map(|opened| opened.id).filter(|id| is_snowflake(id));
        channel.ok_or_else(|| self.rest.api.not_sent("the direct messages could not be opened"))
    }

    /// Opening a conversation says nothing in it.
    fn unsaid(&self, error: SendError) -> SendError {
        match error {
            SendError::Unknown { reason, .. } => self.rest.api.not_sent(&reason),
            other => other,
        }
    }

    /// The path of a message: `<channel>/<message>`, or its bare id in this place.
    fn message_path(&self, place: &Place<'_>, message_id: &str) -> Result<String, SendError> {
        let bare = message_id.trim_start_matches(OF_INTERACTION);
        let (channel, id) = match (bare.split_once('/'), place.room) {
            (Some((channel, _)), Room::Channel(own)) if channel != own => {
                return Err(self.rest.api.refused("the message stands in another channel"));
            }
            (Some(whole), _) => whole,
            (None, Room::Channel(channel)) => (channel, bare),
            (None, Room::User(_)) => ("", bare),
        };
        if !is_snowflake(channel) || !is_snowflake(id) {
            return Err(self.rest.api.refused("this is no id of a message"));
        }
        Ok(format!("/channels/{channel}/messages/{id}"))
    }
}

/// The path of an interaction's own messages.
fn webhook(interaction: &Interaction<'_>) -> String {
    format!("/webhooks/{}/{}", interaction.application, interaction.token)
}

/// The body of a message. Nobody is ever called by what a model writes.
fn message(part: &OutboundPart<'_>) -> Map<String, Value> {
    let mut body = Map::new();
    body.insert("content".to_owned(), json!(discord(part.markdown)));
    body.insert("allowed_mentions".to_owned(), json!({ "parse": [], "replied_user": false }));
    body.insert("flags".to_owned(), json!(NO_PREVIEWS));
    if !part.choices.is_empty() {
        body.insert("components".to_owned(), buttons(part.choices));
    }
    body
}

/// Rows of buttons. <https://docs.discord.com/developers/components/reference#action-row>
fn buttons(choices: &[Choice]) -> Value {
    let button = |(nth, choice): (usize, &Choice)| {
        let fits = choice.value.encode_utf16().count() <= LONGEST_VALUE && !choice.value.is_empty();
        let value = match fits && !choice.value.starts_with(LABELLED) {
            true => choice.value.clone(),
            false => format!("{LABELLED}{nth}"),
        };
        json!({ "type": 2, "style": 2, "label": cut(&choice.label, LONGEST_LABEL), "custom_id": value })
    };
    let buttons: Vec<Value> = choices.iter().enumerate().map(button).collect();
    buttons.chunks(IN_A_ROW).map(|row| json!({ "type": 1, "components": row })).collect()
}

/// The text, at most so many UTF-16 units of it.
fn cut(text: &str, most: usize) -> String {
    let mut left = most;
    let fits = |c: &char| {
        let rest = left.checked_sub(c.len_utf16());
        left = rest.unwrap_or(0);
        rest.is_some()
    };
    text.chars().take_while(fits).collect()
}

/// The key, in the length that Discord takes. All parts of an answer have keys of their own, which may begin alike.
fn nonce(key: &str) -> String {
    let mut digits = hex::encode(Sha256::digest(key));
    digits.truncate(NONCE);
    digits
}

/// One segment of a path, percent-encoded.
fn segment(text: &str) -> String {
    let mut url = Url::parse("https://x.invalid/").ok();
    if let Some(url) = &mut url
        && let Ok(mut path) = url.path_segments_mut()
    {
        path.pop_if_empty().push(text);
    }
    url.map(|url| url.path().trim_start_matches('/').to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_begin_alike_are_told_apart() {
        let (one, two) = (nonce(&format!("{}1", "a".repeat(31))), nonce(&format!("{}2", "a".repeat(31))));
        assert_ne!(one, two);
        assert_eq!((one.len(), nonce("k")), (25, nonce("k")));
    }

    #[test]
    fn an_emoji_is_one_segment_of_a_path() {
        assert_eq!(segment("👀"), "%F0%9F%91%80");
        assert_eq!(segment("party:41771983429993937"), "party:41771983429993937");
        assert_eq!(segment("a/../b?c#d"), "a%2F..%2Fb%3Fc%23d");
        assert_eq!(segment(".."), "");
    }

    #[test]
    fn labels_are_cut_between_characters() {
        assert_eq!(cut("ab😀c", 3), "ab");
        assert_eq!(cut("ab😀c", 4), "ab😀");
    }
}
