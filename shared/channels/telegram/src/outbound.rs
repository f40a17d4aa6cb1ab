//! What the bot says.

use std::time::Duration;

use chela_channel_kit::{ApiCall, ApiReply};
use chela_core::channel::{OutboundPart, Receipt, SendError};
use chela_core::message::ReplyAddress;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::Telegram;
use crate::html::html;

/// Typing is a courtesy; it never holds up an answer.
const TYPING_TIMEOUT: Duration = Duration::from_secs(5);

/// The shape of every answer: <https://core.telegram.org/bots/api#making-requests>.
#[derive(Deserialize)]
struct Answer {
    ok: bool,
    #[serde(default)]
    result: Value,
    #[serde(default)]
    error_code: u16,
    #[serde(default)]
    description: String,
    #[serde(default)]
    parameters: Parameters,
}

#[derive(Default, Deserialize)]
struct Parameters {
    retry_after: Option<u64>,
    migrate_to_chat_id: Option<i64>,
}

/// Why a method did not do what it should.
pub(crate) enum Failure {
    /// The text's marks are not as Telegram wants them; nothing was sent.
    Unparsable,
    /// The message already says this.
    NotModified,
    /// The group became another chat; nothing was sent.
    Moved(i64),
    /// Everything else.
    Final(SendError),
}

impl Telegram {
    pub(crate) async fn send_message(&self, part: &OutboundPart<'_>) -> Result<Receipt, SendError> {
        let mut body = address(part.to);
        if let Some(message) = part.to.message.as_ref().and_then(|id| id.parse::<i64>().ok()) {
            body.insert(
                "reply_parameters".to_owned(),
                json!({ "message_id": message, "allow_sending_without_reply": true }),
            );
        }
        let sent = self.say("sendMessage", body, part).await?;
        let id = sent.get("message_id").and_then(Value::as_i64);
        let id = id.ok_or_else(|| self.api.unknown("the answer has no message_id"))?;
        Ok(Receipt { message_id: id.to_string() })
    }

    pub(crate) async fn edit_message(&self, message_id: &str, part: &OutboundPart<'_>) -> Result<(), SendError> {
        let id: i64 = message_id.parse().map_err(|_| self.api.refused("the message id is not a number"))?;
        self.pace.take(&part.to.to).map_err(|wait| self.api.rate_limited(Some(wait)))?;
        let mut body = address(part.to);
        body.shift_remove("message_thread_id");
        body.insert("message_id".to_owned(), json!(id));
        self.say("editMessageText", body, part).await.map(drop)
    }

    pub(crate) async fn chat_action(&self, to: &ReplyAddress) -> Result<(), SendError> {
        let mut body = address(to);
        body.insert("action".to_owned(), json!("typing"));
        self.call("sendChatAction", &body.into(), TYPING_TIMEOUT).await.map(drop).map_err(|why| self.plainly(why))
    }

    /// Shows the part's text by `method`: as HTML, and as it was written if Telegram cannot read our HTML. Each further
    /// try follows an answer that says that nothing was shown.
    async fn say(
        &self,
        method: &str,
        mut body: Map<String, Value>,
        part: &OutboundPart<'_>,
    ) -> Result<Value, SendError> {
        body.insert("link_preview_options".to_owned(), json!({ "is_disabled": true }));
        body.insert("text".to_owned(), json!(part.markdown));
        if let Some(html) = html(part.markdown) {
            body.insert("text".to_owned(), json!(html));
            body.insert("parse_mode".to_owned(), json!("HTML"));
        }
        let mut moved = false;
        loop {
            match self.call(method, &Value::Object(body.clone()), part.timeout).await {
                Ok(result) => return Ok(result),
                Err(Failure::NotModified) => return Ok(Value::Null),
                Err(Failure::Unparsable) if body.contains_key("parse_mode") => {
                    body.shift_remove("parse_mode");
                    body.insert("text".to_owned(), json!(part.markdown));
                }
                Err(Failure::Moved(chat)) if !moved => {
                    moved = true;
                    body.insert("chat_id".to_owned(), json!(chat));
                }
                Err(why) => return Err(self.plainly(why)),
            }
        }
    }

    /// Calls a method of the Bot API and gives its result.
    pub(crate) async fn call(&self, method: &str, body: &Value, timeout: Duration) -> Result<Value, Failure> {
        let url = format!("{}{method}", self.methods.expose());
        let reply = self.api.call(ApiCall::json(&url, body, timeout)).await.map_err(Failure::Final)?;
        match reply.json::<Answer>() {
            Some(answer) if answer.ok => Ok(answer.result),
            Some(answer) => Err(self.failure(&reply, answer)),
            None => {
                self.api.judge(&reply, "").map_err(Failure::Final)?;
                Err(Failure::Final(self.api.unknown("the answer is not one of the Bot API")))
            }
        }
    }

    fn failure(&self, reply: &ApiReply, answer: Answer) -> Failure {
        let Answer { error_code, description, parameters, .. } = answer;
        // The words are the only sign of these two: https://github.com/tdlib/telegram-bot-api, Client.cpp.
        if description.contains("can't parse entities") {
            return Failure::Unparsable;
        }
        if description.contains("message is not modified") {
            return Failure::NotModified;
        }
        if let Some(chat) = parameters.migrate_to_chat_id {
            return Failure::Moved(chat);
        }
        let asked = parameters.retry_after.map(Duration::from_secs).or(reply.retry_after);
        Failure::Final(match if error_code == 0 { reply.status.as_u16() } else { error_code } {
            429 => self.api.rate_limited(asked),
            500.. => self.api.unknown(&description),
            _ => self.api.refused(&description),
        })
    }

    pub(crate) fn plainly(&self, failure: Failure) -> SendError {
        match failure {
            Failure::Unparsable => self.api.refused("the text cannot be parsed"),
            Failure::NotModified => self.api.refused("nothing to change"),
            Failure::Moved(_) => self.api.refused("the group moved again"),
            Failure::Final(error) => error,
        }
    }
}

/// The chat, and the topic in it.
fn address(to: &ReplyAddress) -> Map<String, Value> {
    let mut body = Map::new();
    // An owner may write the @name of a public channel instead of its id.
    let chat = to.to.parse::<i64>().map_or_else(|_| json!(to.to), |id| json!(id));
    body.insert("chat_id".to_owned(), chat);
    if let Some(topic) = to.thread.as_ref().and_then(|topic| topic.parse::<i64>().ok()) {
        body.insert("message_thread_id".to_owned(), json!(topic));
    }
    body
}
