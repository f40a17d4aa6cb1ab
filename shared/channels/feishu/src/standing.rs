//! What is done to messages that stand there: their end, pins, threads. The API takes an id of a message alone, so where it
//! stands is asked first.

use std::sync::PoisonError;
use std::time::Duration;

use chela_channel_kit::ApiCall;
use chela_core::channel::SendError;
use chela_core::message::ReplyAddress;
use http::Method;
use serde::Deserialize;
use serde_json::json;

use crate::card::card;
use crate::is_id;
use crate::openapi::{OpenApi, Until};
use crate::outbound::{Letter, MOST_KEY_CHARS};

/// What comes later than this is worth nothing.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Messages that may grow at the same time.
const MOST_REMEMBERED: usize = 64;

/// A message, of which the answer holds one.
/// <https://open.feishu.cn/document/server-docs/im-v1/message/get>
#[derive(Deserialize)]
struct Found {
    #[serde(default)]
    items: Vec<Standing>,
}

/// Where a message stands.
#[derive(Deserialize)]
pub(crate) struct Standing {
    #[serde(default)]
    chat_id: String,
    /// It was taken away.
    #[serde(default)]
    deleted: bool,
}

impl OpenApi {
    /// Takes away a message of the app's own; in groups that it manages, others' too.
    /// <https://open.feishu.cn/document/server-docs/im-v1/message/delete>
    pub(crate) async fn recall(&self, to: &ReplyAddress, message_id: &str) -> Result<(), SendError> {
        let until = self.until(TIMEOUT);
        if self.standing(to, message_id, until).await?.deleted {
            return Ok(());
        }
        let url = format!("{}/{message_id}", self.messages());
        self.call("the deletion", until, |left| ApiCall::get(&url, left).method(Method::DELETE)).await?;
        Ok(())
    }

    /// Pins a message to its chat, or unpins it; what is pinned already is no error.
    /// <https://open.feishu.cn/document/server-docs/im-v1/pin/create>
    pub(crate) async fn set_pinned(&self, to: &ReplyAddress, message_id: &str, pinned: bool) -> Result<(), SendError> {
        let until = self.until(TIMEOUT);
        self.standing(to, message_id, until).await?;
        let pins = format!("{}/open-apis/im/v1/pins", self.base_url);
        let (one, body) = (format!("{pins}/{message_id}"), json!({ "message_id": message_id }));
        let change = |left| match pinned {
            true => ApiCall::json(&pins, &body, left),
            false => ApiCall::get(&one, left).method(Method::DELETE),
        };
        self.call("the pin", until, change).await?;
        Ok(())
    }

    /// The message that the thread hangs from: the named one, else a new one that says `name`. The first answer makes the
    /// thread. <https://open.feishu.cn/document/server-docs/im-v1/message/reply>
    pub(crate) async fn begin_thread(
        &self,
        to: &ReplyAddress,
        name: &str,
        message_id: Option<&str>,
    ) -> Result<String, SendError> {
        let until = self.until(TIMEOUT);
        if let Some(message_id) = message_id {
            self.standing(to, message_id, until).await?;
            return Ok(message_id.to_owned());
        }
        let key: String = self.clock.unique().chars().take(MOST_KEY_CHARS).collect();
        let letter = Letter { kind: "interactive", content: card(to, name, None, &[]), key };
        self.confirmed(&self.create(to, until, &letter).await?).map(|receipt| receipt.message_id)
    }

    /// The message, if it stands where the address leads.
    pub(crate) async fn standing(
        &self,
        to: &ReplyAddress,
        message_id: &str,
        until: Until,
    ) -> Result<Standing, SendError> {
        let unknown = "only a chat's own id (oc_…) tells where a message stands; name that as the place";
        let chat = self.chat(to, until).await?.ok_or_else(|| self.api.refused(unknown))?;
        let message = self.find(message_id, until).await?;
        let elsewhere = "the message stands in another conversation; name that one";
        if message.chat_id == chat { Ok(message) } else { Err(self.api.refused(elsewhere)) }
    }

    /// Refuses a message that is known to stand elsewhere. Of what is addressed to a person nobody knows the chat, unless a
    /// message of it is answered.
    pub(crate) async fn not_elsewhere(
        &self,
        to: &ReplyAddress,
        message_id: &str,
        until: Until,
    ) -> Result<(), SendError> {
        match self.chat(to, until).await? {
            Some(_) => self.standing(to, message_id, until).await.map(drop),
            None => Ok(()),
        }
    }

    pub(crate) fn remember(&self, to: &ReplyAddress, message_id: &str) {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.truncate(MOST_REMEMBERED - 1);
        sent.push_front((to.to.clone(), message_id.to_owned()));
    }

    /// Whether it was sent there of late.
    pub(crate) fn remembers(&self, to: &ReplyAddress, message_id: &str) -> bool {
        let sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.iter().any(|(place, id)| *place == to.to && id == message_id)
    }

    /// The id of the chat that an address leads to, where it can be known.
    async fn chat(&self, to: &ReplyAddress, until: Until) -> Result<Option<String>, SendError> {
        if to.to.starts_with("oc_") {
            return Ok(Some(to.to.clone()));
        }
        match to.message.as_deref().or(to.thread.as_deref()).filter(|id| is_id(id)) {
            Some(answered) => Ok(Some(self.find(answered, until).await?.chat_id)),
            None => Ok(None),
        }
    }

    async fn find(&self, message_id: &str, until: Until) -> Result<Standing, SendError> {
        let url = format!("{}/{}", self.messages(), self.id(message_id)?);
        let data = self.call("the message", until, |left| ApiCall::get(&url, left)).await?;
        let found = serde_json::from_value::<Found>(data).ok().and_then(|found| found.items.into_iter().next());
        found.filter(|found| !found.chat_id.is_empty()).ok_or_else(|| self.api.refused("there is no such message"))
    }
}
