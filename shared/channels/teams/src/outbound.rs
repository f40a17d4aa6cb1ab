//! What the bot says.
//! <https://learn.microsoft.com/azure/bot-service/rest-api/bot-framework-rest-connector-api-reference>

use std::time::Duration;

use chela_channel_kit::jwt::{AccessToken, exchange};
use chela_channel_kit::{ApiCall, ApiReply};
use chela_core::channel::{Choice, OutboundPart, Receipt, SendError};
use chela_core::message::ReplyAddress;
use http::Method;
use http::header::AUTHORIZATION;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::address::{THREAD_MARK, conversation, is_channel, segment};
use crate::inbound::CHOICE;
use crate::markdown::teams_markdown;
use crate::{SHARED_TENANT, Teams, reaction};

/// Typing and reactions are a courtesy; they never hold up an answer.
const COURTESY_TIMEOUT: Duration = Duration::from_secs(5);

/// For what is done to messages that stand there, and for what begins a thread.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What the connector may do for us: <https://learn.microsoft.com/azure/bot-service/rest-api/bot-framework-rest-connector-authentication#bot-to-connector>.
const SCOPE: &str = "https://api.botframework.com/.default";

#[derive(Deserialize)]
struct Sent {
    id: String,
}

#[derive(Default, Deserialize)]
struct Problem {
    #[serde(default)]
    error: Explanation,
}

#[derive(Default, Deserialize)]
struct Explanation {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

impl Teams {
    /// The bot's access token. Multi-tenant bots get theirs from a tenant that all of them share.
    pub(crate) async fn token(&self, timeout: Duration) -> Result<AccessToken, SendError> {
        let tenant = self.tenant.as_deref().unwrap_or(SHARED_TENANT);
        let url = format!("{}/{tenant}/oauth2/v2.0/token", self.login);
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &self.app_id),
            ("client_secret", self.password.expose()),
            ("scope", SCOPE),
        ];
        self.tokens.get(|| exchange(&self.api, &url, &form, timeout)).await
    }

    /// Posts a part with further attachments.
    pub(crate) async fn post(&self, part: &OutboundPart<'_>, attachments: &[Value]) -> Result<Receipt, SendError> {
        let url = self.activities(part.to)?;
        let body = message(part, attachments);
        let reply = self.call(ApiCall::json(&url, &body, part.timeout)).await?;
        match reply.json::<Sent>().filter(|sent| !sent.id.is_empty()) {
            Some(sent) => Ok(Receipt { message_id: sent.id }),
            None => Err(self.api.unknown("the answer has no id")),
        }
    }

    pub(crate) async fn replace(&self, message_id: &str, part: &OutboundPart<'_>) -> Result<(), SendError> {
        let url = format!("{}/{}", self.activities(part.to)?, self.segment(message_id)?);
        self.call(ApiCall::json(&url, &message(part, &[]), part.timeout).method(Method::PUT)).await.map(drop)
    }

    pub(crate) async fn show_typing(&self, to: &ReplyAddress) -> Result<(), SendError> {
        let url = self.activities(to)?;
        self.call(ApiCall::json(&url, &json!({ "type": "typing" }), COURTESY_TIMEOUT)).await.map(drop)
    }

    pub(crate) async fn put_reaction(&self, to: &ReplyAddress, message: &str, emoji: &str) -> Result<(), SendError> {
        let name = reaction::name(emoji).ok_or_else(|| self.api.refused("Teams has no such reaction"))?;
        let url = format!("{}/{}/reactions/{name}", self.activities(to)?, self.segment(message)?);
        self.call(ApiCall::json(&url, &json!({}), COURTESY_TIMEOUT).method(Method::PUT)).await.map(drop)
    }

    /// Takes away a message of the bot's own: the service refuses others.
    /// <https://learn.microsoft.com/azure/bot-service/rest-api/bot-framework-rest-connector-api-reference#delete-activity>
    pub(crate) async fn remove(&self, to: &ReplyAddress, message: &str) -> Result<(), SendError> {
        let url = format!("{}/{}", self.activities(to)?, self.segment(message)?);
        match self.call(ApiCall::get(&url, TIMEOUT).method(Method::DELETE)).await {
            // It is gone.
            Err(SendError::Refused { reason, .. }) if reason.starts_with("status 404") => Ok(()),
            called => called.map(drop),
        }
    }

    /// In a channel of a team every message that is no answer begins a thread: the named one, or a new one that says `name`.
    /// <https://learn.microsoft.com/azure/bot-service/rest-api/bot-framework-rest-connector-api-reference#create-conversation>
    pub(crate) async fn begin_thread(
        &self,
        to: &ReplyAddress,
        name: &str,
        message: Option<&str>,
    ) -> Result<String, SendError> {
        if !is_channel(to) {
            return Err(self.api.refused("there are threads in channels of a team only"));
        }
        if let Some(message) = message {
            let known = !message.is_empty() && message.bytes().all(|byte| byte.is_ascii_digit());
            let refused = || self.api.refused("this is no id of a message of a channel");
            return known.then(|| message.to_owned()).ok_or_else(refused);
        }
        let unknown = || self.api.refused("the address is no conversation at a service of Teams");
        let url = self.services.conversations(to).ok_or_else(unknown)?;
        let body = json!({
            "isGroup": true,
            "channelData": { "channel": { "id": conversation(to) } },
            "activity": { "type": "message", "textFormat": "markdown", "text": teams_markdown(name) },
        });
        let reply = self.call(ApiCall::json(&url, &body, TIMEOUT)).await?;
        let begun = reply.json::<Sent>().and_then(|begun| Some(begun.id.split_once(THREAD_MARK)?.1.to_owned()));
        begun.filter(|id| !id.is_empty()).ok_or_else(|| self.api.unknown("the answer names no thread"))
    }

    fn activities(&self, to: &ReplyAddress) -> Result<String, SendError> {
        let unknown = || self.api.refused("the address is no conversation at a service of Teams");
        self.services.activities(to).ok_or_else(unknown)
    }

    fn segment(&self, id: &str) -> Result<String, SendError> {
        segment(id).ok_or_else(|| self.api.refused("the message has no id"))
    }

    async fn call(&self, call: ApiCall<'_>) -> Result<ApiReply, SendError> {
        let token = self.token(call.timeout).await?;
        let reply = self.api.call(call.header(AUTHORIZATION, token.bearer())).await?;
        let Problem { error } = reply.json().unwrap_or_default();
        let why = format!("{} {}", error.code, error.message);
        match reply.status.as_u16() {
            401 if self.tokens.refused(&token).await => Err(self.api.not_sent("the access token is no longer taken")),
            // Another write came in between: the documentation asks for another attempt.
            // https://learn.microsoft.com/microsoftteams/platform/bots/how-to/rate-limit
            412 => Err(self.api.not_sent(&why)),
            _ => self.api.judge(&reply, &why).map(|()| reply),
        }
    }
}

fn message(part: &OutboundPart<'_>, attachments: &[Value]) -> Value {
    let mut body = json!({ "type": "message", "textFormat": "markdown", "text": teams_markdown(part.markdown) });
    let mut attachments = attachments.to_vec();
    if !part.choices.is_empty() {
        attachments.push(card(part.choices));
    }
    if let Some(body) = body.as_object_mut().filter(|_| !attachments.is_empty()) {
        body.insert("attachments".to_owned(), Value::from(attachments));
    }
    body
}

/// Buttons. What is pressed comes back as a message with the data as its value.
/// <https://learn.microsoft.com/microsoftteams/platform/task-modules-and-cards/cards/cards-actions#adaptive-cards-actions>
fn card(choices: &[Choice]) -> Value {
    let button =
        |choice: &Choice| json!({ "type": "Action.Submit", "title": choice.label, "data": { CHOICE: choice.value } });
    json!({
        "contentType": "application/vnd.microsoft.card.adaptive",
        "content": {
            "type": "AdaptiveCard",
            "version": "1.4",
            "body": [],
            "actions": choices.iter().map(button).collect::<Vec<_>>(),
        },
    })
}
