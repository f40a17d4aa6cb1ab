//! What the bot says.

use std::time::Duration;

use chela_channel_kit::{ApiCall, ApiReply};
use chela_core::channel::{OutboundPart, Poll, Receipt, SendError};
use chela_core::message::ReplyAddress;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::Telegram;
use crate::buttons::keyboard;
use crate::html::{LONGEST, html};

/// Typing is a courtesy; it never holds up an answer.
const TYPING_TIMEOUT: Duration = Duration::from_secs(5);

/// For what is done to messages that stand there.
const OTHER_TIMEOUT: Duration = Duration::from_secs(10);

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
    /// The picture cannot be shown as one; nothing was sent.
    NoPicture,
    /// Everything else.
    Final(SendError),
}

impl Telegram {
    pub(crate) async fn send_message(&self, part: &OutboundPart<'_>) -> Result<Receipt, SendError> {
        let sent = self.say("sendMessage", answer_to(part.to), part).await?;
        self.receipt(&sent)
    }

    /// The id of the message that a method sent.
    pub(crate) fn receipt(&self, sent: &Value) -> Result<Receipt, SendError> {
        let id = sent.get("message_id").and_then(Value::as_i64);
        let id = id.ok_or_else(|| self.api.unknown("the answer has no message_id"))?;
        Ok(Receipt { message_id: id.to_string() })
    }

    pub(crate) async fn edit_message(&self, message_id: &str, part: &OutboundPart<'_>) -> Result<(), SendError> {
        let id = self.message(message_id)?;
        self.pace.take(&part.to.to).map_err(|wait| self.api.rate_limited(Some(wait)))?;
        let mut body = address(part.to);
        body.shift_remove("message_thread_id");
        body.insert("message_id".to_owned(), json!(id));
        self.say("editMessageText", body, part).await.map(drop)
    }

    /// Only some emoji are taken. <https://core.telegram.org/bots/api#reactiontypeemoji>
    pub(crate) async fn set_reaction(&self, to: &ReplyAddress, message_id: &str, emoji: &str) -> Result<(), SendError> {
        let mut body = self.about(to, message_id)?;
        body.insert("reaction".to_owned(), json!([{ "type": "emoji", "emoji": emoji }]));
        let set = self.call("setMessageReaction", &body.into(), TYPING_TIMEOUT).await;
        set.map(drop).map_err(|why| self.plainly(why))
    }

    /// One that is not there any more is not to be deleted either.
    pub(crate) async fn delete_message(&self, to: &ReplyAddress, message_id: &str) -> Result<(), SendError> {
        let body = self.about(to, message_id)?;
        match self.call("deleteMessage", &body.into(), OTHER_TIMEOUT).await.map_err(|why| self.plainly(why)) {
            Err(SendError::Refused { reason, .. }) if reason.contains("message to delete not found") => Ok(()),
            done => done.map(drop),
        }
    }

    /// Nobody is told: a pin is for those who look. A message that is not pinned is unpinned already.
    pub(crate) async fn pin_message(&self, to: &ReplyAddress, message_id: &str, pinned: bool) -> Result<(), SendError> {
        let mut body = self.about(to, message_id)?;
        let method = if pinned { "pinChatMessage" } else { "unpinChatMessage" };
        if pinned {
            body.insert("disable_notification".to_owned(), json!(true));
        }
        match self.call(method, &body.into(), OTHER_TIMEOUT).await.map_err(|why| self.plainly(why)) {
            Err(SendError::Refused { reason, .. }) if !pinned && reason.contains("message to unpin not found") => {
                Ok(())
            }
            done => done.map(drop),
        }
    }

    /// <https://core.telegram.org/bots/api#sendpoll>
    pub(crate) async fn send_poll(&self, poll: &Poll, part: &OutboundPart<'_>) -> Result<Receipt, SendError> {
        let mut body = answer_to(part.to);
        let options: Vec<Value> = poll.options.iter().map(|option| json!({ "text": option })).collect();
        body.insert("question".to_owned(), json!(poll.question));
        body.insert("options".to_owned(), json!(options));
        body.insert("allows_multiple_answers".to_owned(), json!(poll.multiple));
        let sent = self.call("sendPoll", &body.into(), part.timeout).await.map_err(|why| self.plainly(why))?;
        self.receipt(&sent)
    }

    /// A topic of a forum; there are no threads under messages.
    pub(crate) async fn open_topic(
        &self,
        to: &ReplyAddress,
        name: &str,
        message_id: Option<&str>,
    ) -> Result<String, SendError> {
        if message_id.is_some() {
            return Err(self.api.refused("a topic is not begun under a message: leave the message out"));
        }
        let mut body = address(to);
        body.shift_remove("message_thread_id");
        body.insert("name".to_owned(), json!(name));
        let made = self.call("createForumTopic", &body.into(), OTHER_TIMEOUT).await.map_err(|why| self.plainly(why))?;
        let id = made.get("message_thread_id").and_then(Value::as_i64);
        id.map(|id| id.to_string()).ok_or_else(|| self.api.unknown("the answer has no message_thread_id"))
    }

    /// The chat and the message in it.
    fn about(&self, to: &ReplyAddress, message_id: &str) -> Result<Map<String, Value>, SendError> {
        let mut body = address(to);
        body.shift_remove("message_thread_id");
        body.insert("message_id".to_owned(), json!(self.message(message_id)?));
        Ok(body)
    }

    fn message(&self, id: &str) -> Result<i64, SendError> {
        id.parse().map_err(|_| self.api.refused("the message id is not a number"))
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
        if let Some(html) = html(part.markdown, LONGEST) {
            body.insert("text".to_owned(), json!(html));
            body.insert("parse_mode".to_owned(), json!("HTML"));
        }
        // An edit without one takes the buttons away.
        if let Some(keyboard) = keyboard(part.choices) {
            body.insert("reply_markup".to_owned(), keyboard);
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
        self.make(ApiCall::json(&url, body, timeout)).await
    }

    /// Makes a prepared call of a method and gives its result.
    pub(crate) async fn make(&self, call: ApiCall<'_>) -> Result<Value, Failure> {
        let reply = self.api.call(call).await.map_err(Failure::Final)?;
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
        // The words are the only sign of these three: https://github.com/tdlib/telegram-bot-api, Client.cpp.
        if description.contains("can't parse entities") {
            return Failure::Unparsable;
        }
        if description.contains("message is not modified") {
            return Failure::NotModified;
        }
        if description.contains("PHOTO_") || description.contains("IMAGE_PROCESS_FAILED") {
            return Failure::NoPicture;
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
            Failure::NoPicture => self.api.refused("the picture cannot be shown"),
            Failure::Final(error) => error,
        }
    }
}

/// The chat, the topic in it, and the message that is answered.
pub(crate) fn answer_to(to: &ReplyAddress) -> Map<String, Value> {
    let mut body = address(to);
    if let Some(message) = to.message.as_ref().and_then(|id| id.parse::<i64>().ok()) {
        let reply = json!({ "message_id": message, "allow_sending_without_reply": true });
        body.insert("reply_parameters".to_owned(), reply);
    }
    body
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
