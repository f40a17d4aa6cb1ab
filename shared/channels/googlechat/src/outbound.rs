//! What the app says. <https://developers.google.com/workspace/chat/api/reference/rest/v1/spaces.messages>

use std::time::Duration;

use chela_channel_kit::jwt::{AccessToken, exchange};
use chela_channel_kit::{ApiCall, ApiReply};
use chela_core::channel::{Choice, OutboundPart, Receipt, SendError};
use chela_core::message::ReplyAddress;
use http::header::AUTHORIZATION;
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::inbound::CHOICE;
use crate::markup::markup;
use crate::{GoogleChat, resource};

/// The grant by which a service account's token becomes an access token. <https://www.rfc-editor.org/rfc/rfc7523>
const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// What is done to messages that stand there takes no longer.
const TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
struct Created {
    name: String,
}

/// A message, and where it stands.
#[derive(Deserialize)]
struct Threaded {
    thread: Created,
}

/// <https://google.aip.dev/193>
#[derive(Default, Deserialize)]
struct Problem {
    #[serde(default)]
    error: Explanation,
}

#[derive(Default, Deserialize)]
struct Explanation {
    #[serde(default)]
    message: String,
    #[serde(default)]
    status: String,
}

impl GoogleChat {
    /// The app's access token.
    pub(crate) async fn token(&self, timeout: Duration) -> Result<AccessToken, SendError> {
        let fresh = async || {
            let assertion = self.service_account.assertion(self.clock.now());
            let form = [("grant_type", GRANT), ("assertion", assertion.expose())];
            exchange(&self.api, &self.token_url, &form, timeout).await
        };
        self.tokens.get(fresh).await
    }

    /// Creates a message, with a widget beside its choices. The same key makes no second one: Google gives back the
    /// first, by the request's id for a while and by the message's own for ever.
    pub(crate) async fn create(&self, part: &OutboundPart<'_>, widget: Option<Value>) -> Result<Receipt, SendError> {
        let space = &part.to.to;
        let thread = part.to.thread.as_deref();
        if !resource::is(space, "spaces", 2) || !thread.is_none_or(resource::is_thread) {
            return Err(self.no_space());
        }
        let id = message_id(part.idempotency_key);
        let mut url = format!("{}/v1/{space}/messages?requestId={id}&messageId={id}", self.api_url);
        let mut body = self.message(part, widget);
        if let Some(thread) = thread {
            url.push_str("&messageReplyOption=REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD");
            body.insert("thread".to_owned(), json!({ "name": thread }));
        }
        let (reply, why) = self.call(ApiCall::json(&url, &body.into(), part.timeout)).await?;
        if reply.status == StatusCode::CONFLICT {
            return Ok(Receipt { message_id: format!("{space}/messages/{id}") });
        }
        self.api.judge(&reply, &why)?;
        match reply.json::<Created>().filter(|created| resource::is_message(&created.name)) {
            Some(created) => Ok(Receipt { message_id: created.name }),
            None => Err(self.api.unknown("the answer has no name")),
        }
    }

    pub(crate) async fn patch(&self, message: &str, part: &OutboundPart<'_>) -> Result<(), SendError> {
        self.standing(part.to, message)?;
        let body = self.message(part, None);
        let fields = if body.contains_key("cardsV2") { "text,cardsV2" } else { "text" };
        let url = format!("{}/v1/{message}?updateMask={fields}", self.api_url);
        let call = ApiCall::json(&url, &body.into(), part.timeout).method(Method::PATCH);
        let (reply, why) = self.call(call).await?;
        self.api.judge(&reply, &why)
    }

    /// Takes away a message of the app's own: others it may not.
    /// <https://developers.google.com/workspace/chat/api/reference/rest/v1/spaces.messages/delete>
    pub(crate) async fn remove(&self, to: &ReplyAddress, message: &str) -> Result<(), SendError> {
        self.standing(to, message)?;
        let url = format!("{}/v1/{message}", self.api_url);
        let (reply, why) = self.call(ApiCall::get(&url, TIMEOUT).method(Method::DELETE)).await?;
        if reply.status == StatusCode::NOT_FOUND { Ok(()) } else { self.api.judge(&reply, &why) }
    }

    /// The thread that a message stands in; without one, that of a new message which says `name`.
    pub(crate) async fn begin_thread(
        &self,
        to: &ReplyAddress,
        name: &str,
        message: Option<&str>,
    ) -> Result<String, SendError> {
        let (reply, why) = match message {
            Some(message) => {
                self.standing(to, message)?;
                self.call(ApiCall::get(&format!("{}/v1/{message}", self.api_url), TIMEOUT)).await?
            }
            None if !resource::is(&to.to, "spaces", 2) => return Err(self.no_space()),
            None => {
                let id = message_id(&self.clock.unique());
                let url = format!("{}/v1/{}/messages?requestId={id}&messageId={id}", self.api_url, to.to);
                self.call(ApiCall::json(&url, &json!({ "text": markup(name) }), TIMEOUT)).await?
            }
        };
        self.api.judge(&reply, &why)?;
        let thread = reply.json::<Threaded>().map(|message| message.thread.name);
        // A direct message, and a space without threads, has none.
        thread.filter(|thread| resource::is_thread(thread)).ok_or_else(|| self.api.refused("there are no threads here"))
    }

    /// A message's name says which space it stands in; one of another space is refused.
    fn standing(&self, to: &ReplyAddress, message: &str) -> Result<(), SendError> {
        if !resource::is_message(message) {
            return Err(self.api.refused("the message has no name"));
        }
        let here = message.strip_prefix(to.to.as_str()).is_some_and(|rest| rest.starts_with("/messages/"));
        let elsewhere = "the message stands in another space; name that one";
        if here { Ok(()) } else { Err(self.api.refused(elsewhere)) }
    }

    fn no_space(&self) -> SendError {
        self.api.refused("the address is no space of Google Chat")
    }

    /// Makes a call as the app. Beside the reply stands Google's explanation of it.
    pub(crate) async fn call(&self, call: ApiCall<'_>) -> Result<(ApiReply, String), SendError> {
        let token = self.token(call.timeout).await?;
        let reply = self.api.call(call.header(AUTHORIZATION, token.bearer())).await?;
        if reply.status == StatusCode::UNAUTHORIZED && self.tokens.refused(&token).await {
            return Err(self.api.not_sent("the access token is no longer taken"));
        }
        let Problem { error } = reply.json().unwrap_or_default();
        Ok((reply, format!("{} {}", error.status, error.message)))
    }

    fn message(&self, part: &OutboundPart<'_>, widget: Option<Value>) -> Map<String, Value> {
        let mut body = Map::new();
        let text = markup(part.markdown);
        if !text.is_empty() {
            body.insert("text".to_owned(), json!(text));
        }
        let choices = Some(part.choices).filter(|choices| !choices.is_empty()).map(|choices| self.buttons(choices));
        let widgets: Vec<Value> = widget.into_iter().chain(choices).collect();
        if !widgets.is_empty() {
            let card = json!({ "cardId": "chela", "card": { "sections": [{ "widgets": widgets }] } });
            body.insert("cardsV2".to_owned(), json!([card]));
        }
        body
    }

    /// What is pressed comes back with its parameters. In an add-on the function is the URL that is posted to.
    /// <https://developers.google.com/workspace/chat/design-interactive-card-dialog>
    fn buttons(&self, choices: &[Choice]) -> Value {
        let function = self.proof.add_on_url().unwrap_or(CHOICE);
        let button = |choice: &Choice| {
            let parameters = json!([{ "key": CHOICE, "value": choice.value }]);
            json!({
                "text": choice.label,
                "onClick": { "action": { "function": function, "parameters": parameters } },
            })
        };
        json!({ "buttonList": { "buttons": choices.iter().map(button).collect::<Vec<_>>() } })
    }
}

/// The message's own id: lower-case letters, digits and hyphens, at most 63 characters with `client-`.
fn message_id(key: &str) -> String {
    let known = key.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' });
    format!("client-{}", known.take(56).collect::<String>())
}
