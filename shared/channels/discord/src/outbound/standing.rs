//! What is done to messages that stand there, and what is neither an answer nor a file: polls and threads.

use std::time::Duration;

use chela_core::channel::{OutboundPart, Poll, Receipt, SendError};
use chela_core::message::ReplyAddress;
use http::Method;
use serde_json::{Map, Value, json};

use super::{Ask, Created, OF_INTERACTION, message, nonce};
use crate::Discord;
use crate::place::{Place, is_snowflake};
use crate::rest::As;

/// What comes later than this is worth nothing.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How long people can vote, in hours: Discord wants to know, and says that 24 is usual.
/// <https://docs.discord.com/developers/resources/poll#poll-create-request-object>
const VOTED_HOURS: u32 = 24;

/// A thread that everybody sees who sees the channel.
/// <https://docs.discord.com/developers/resources/channel#channel-object-channel-types>
const PUBLIC_THREAD: u32 = 11;

impl Discord {
    /// `DELETE`; one that is gone is gone.
    pub(crate) async fn take_away(&self, to: &ReplyAddress, message_id: &str) -> Result<(), SendError> {
        let (channel, id) = self.standing(to, message_id).await?;
        let path = format!("/channels/{channel}/messages/{id}");
        let deleted = self.rest.call(As::Bot, Method::DELETE, &path, None, TIMEOUT).await;
        match deleted {
            Err(failure) if failure.status == 404 => Ok(()),
            deleted => deleted.map(drop).map_err(|failure| failure.error),
        }
    }

    /// <https://docs.discord.com/developers/resources/message#pin-message>
    pub(crate) async fn put_pin(&self, to: &ReplyAddress, message_id: &str, pinned: bool) -> Result<(), SendError> {
        let (channel, id) = self.standing(to, message_id).await?;
        let path = format!("/channels/{channel}/messages/pins/{id}");
        let empty = json!({});
        let (method, body) = if pinned { (Method::PUT, Some(&empty)) } else { (Method::DELETE, None) };
        let put = self.rest.call(As::Bot, method, &path, body, TIMEOUT).await;
        put.map(drop).map_err(|failure| failure.error)
    }

    /// A message with a poll in it, under a key as every message.
    pub(crate) async fn ask_votes(&self, poll: &Poll, part: &OutboundPart<'_>) -> Result<Receipt, SendError> {
        let place = self.member_of(part.to)?;
        let channel = self.channel(&place, part.timeout).await?;
        let answers: Vec<Value> =
            poll.options.iter().map(|option| json!({ "poll_media": { "text": option } })).collect();
        let mut body = message(part);
        body.shift_remove("content");
        body.insert("nonce".to_owned(), json!(nonce(part.idempotency_key)));
        body.insert("enforce_nonce".to_owned(), json!(true));
        let asked = json!({
            "question": { "text": poll.question },
            "answers": answers,
            "duration": VOTED_HOURS,
            "allow_multiselect": poll.multiple,
        });
        body.insert("poll".to_owned(), asked);
        let path = format!("/channels/{channel}/messages");
        let ask = Ask { caller: As::Bot, method: Method::POST, path, body, file: None };
        let id = self.create(ask, part).await.map_err(|failure| failure.error)?;
        Ok(Receipt { message_id: format!("{channel}/{id}") })
    }

    /// Under a message, or by itself. A thread is a channel of its own, whose id is the address.
    pub(crate) async fn begin_thread(
        &self,
        to: &ReplyAddress,
        name: &str,
        message_id: Option<&str>,
    ) -> Result<String, SendError> {
        let mut body = Map::from_iter([("name".to_owned(), json!(name))]);
        let path = match message_id {
            Some(message_id) => {
                let (channel, id) = self.standing(to, message_id).await?;
                format!("/channels/{channel}/messages/{id}/threads")
            }
            None => {
                body.insert("type".to_owned(), json!(PUBLIC_THREAD));
                format!("/channels/{}/threads", self.channel(&self.member_of(to)?, TIMEOUT).await?)
            }
        };
        let made = self.rest.call(As::Bot, Method::POST, &path, Some(&Value::Object(body)), TIMEOUT).await;
        let made: Option<Created> = made.map_err(|failure| failure.error)?.json();
        let id = made.map(|made| made.id).filter(|id| is_snowflake(id));
        id.ok_or_else(|| self.rest.without_id())
    }

    /// The channel and the id of a message of this place. The ids we give name their channel, and one of another channel is
    /// none of this place.
    pub(super) async fn standing(&self, to: &ReplyAddress, message_id: &str) -> Result<(String, String), SendError> {
        let place = self.member_of(to)?;
        let own = self.channel(&place, TIMEOUT).await?;
        let bare = message_id.trim_start_matches(OF_INTERACTION);
        let (channel, id) = bare.split_once('/').unwrap_or((&own, bare));
        if channel != own {
            return Err(self.rest.api.refused("the message stands in another channel"));
        }
        if !is_snowflake(id) {
            return Err(self.rest.api.refused("this is no id of a message"));
        }
        Ok((own.clone(), id.to_owned()))
    }

    fn member_of<'a>(&self, to: &'a ReplyAddress) -> Result<Place<'a>, SendError> {
        let place = self.place(to)?;
        if place.is_guest() {
            return Err(self.rest.api.refused("the bot is no member of the channel"));
        }
        Ok(place)
    }
}
