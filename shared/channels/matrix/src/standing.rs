//! What is done to messages that stand there, and what is no message: their end, pins, threads, polls.

use std::time::Duration;

use chela_channel_kit::ApiCall;
use chela_core::channel::{OutboundPart, Poll, Receipt, SendError};
use chela_core::message::ReplyAddress;
use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Matrix;
use crate::client::Failure;
use crate::content::{self, Body};
use crate::outbound::key_of;

const TIMEOUT: Duration = Duration::from_secs(10);

/// <https://spec.matrix.org/v1.16/client-server-api/#mroompinned_events>
const PINNED: &str = "m.room.pinned_events";

/// Clients read polls under their names of before the specification: rooms of no version yet know the others.
/// <https://github.com/matrix-org/matrix-spec-proposals/blob/main/proposals/3381-polls.md>
const POLL: &str = "org.matrix.msc3381.poll.start";

/// An event of a room.
#[derive(Deserialize)]
struct Standing {
    #[serde(default)]
    room_id: String,
    #[serde(default)]
    content: Value,
}

#[derive(Default, Deserialize)]
struct Pinned {
    #[serde(default)]
    pinned: Vec<String>,
}

impl Matrix {
    /// Takes a message's content away: one of ours, or another's where our power level in the room allows it.
    /// <https://spec.matrix.org/v1.16/client-server-api/#redactions>
    pub(crate) async fn redact(&self, to: &ReplyAddress, message_id: &str) -> Result<(), SendError> {
        self.standing(to, message_id).await?;
        let key = key_of(&["redaction", message_id]);
        let segments = ["_matrix", "client", "v3", "rooms", &to.to, "redact", message_id, &key];
        self.ask(Method::PUT, &segments, &json!({}), TIMEOUT).await?;
        Ok(())
    }

    /// Puts a message on the room's list, or takes it off, where our power level allows it. Who changes the list at the same
    /// moment may lose what he changed: it is written as a whole.
    pub(crate) async fn set_pinned(&self, to: &ReplyAddress, message_id: &str, on: bool) -> Result<(), SendError> {
        if on {
            self.standing(to, message_id).await?;
        }
        let segments = ["_matrix", "client", "v3", "rooms", &to.to, "state", PINNED, ""];
        let url = self.url(&segments, &[]);
        let mut pinned = match self.call(ApiCall::get(&url, TIMEOUT)).await {
            Ok(reply) => {
                reply.json::<Pinned>().ok_or_else(|| self.api.unknown("the answer is no list of pins"))?.pinned
            }
            Err(Failure::Coded(code, _)) if code == "M_NOT_FOUND" => vec![],
            Err(failure) => return Err(failure.into()),
        };
        if pinned.iter().any(|event| event == message_id) == on {
            return Ok(());
        }
        pinned.retain(|event| event != message_id);
        pinned.extend(on.then(|| message_id.to_owned()));
        self.ask(Method::PUT, &segments, &json!({ "pinned": pinned }), TIMEOUT).await?;
        Ok(())
    }

    /// Asks for votes, under the part's key.
    pub(crate) async fn ask_for_votes(&self, poll: &Poll, part: &OutboundPart<'_>) -> Result<Receipt, SendError> {
        let text = |text: &str| json!({ "org.matrix.msc1767.text": text });
        let mut answers = Vec::new();
        let mut fallback = poll.question.clone();
        for (at, option) in poll.options.iter().enumerate() {
            fallback.push_str(&format!("\n{}. {option}", at + 1));
            answers.push(json!({ "id": at.to_string(), "org.matrix.msc1767.text": option }));
        }
        let most = if poll.multiple { answers.len() } else { 1 };
        let content = content::threaded(
            json!({
                "org.matrix.msc1767.text": fallback,
                (POLL): {
                    "kind": "org.matrix.msc3381.poll.disclosed",
                    "max_selections": most,
                    "question": text(&poll.question),
                    "answers": answers,
                },
            }),
            part.to,
        );
        let sent = self.put(&part.to.to, POLL, part.idempotency_key, &content, part.timeout).await;
        Ok(Receipt { message_id: sent.map_err(SendError::from)? })
    }

    /// The message that the thread hangs from: the named one, else a new one that says `name`.
    /// <https://spec.matrix.org/v1.16/client-server-api/#threading>
    pub(crate) async fn begin_thread(
        &self,
        to: &ReplyAddress,
        name: &str,
        message_id: Option<&str>,
    ) -> Result<String, SendError> {
        let Some(message_id) = message_id else {
            let content = Body::text(name).into_value();
            let key = self.clock.unique();
            return self.put(&to.to, "m.room.message", &key, &content, TIMEOUT).await.map_err(SendError::from);
        };
        let event = self.standing(to, message_id).await?;
        let related = event.content.pointer("/m.relates_to/rel_type").and_then(Value::as_str);
        match related {
            // An answer that quotes has no such type.
            None => Ok(message_id.to_owned()),
            Some(_) => {
                Err(self.api.refused("no thread can hang from a message that stands in one, or changes another"))
            }
        }
    }

    /// The event, if it stands in this very room. The homeserver takes ids of other rooms in some of its calls.
    async fn standing(&self, to: &ReplyAddress, message_id: &str) -> Result<Standing, SendError> {
        let url = self.url(&["_matrix", "client", "v3", "rooms", &to.to, "event", message_id], &[]);
        let event: Option<Standing> = match self.call(ApiCall::get(&url, TIMEOUT)).await {
            Ok(reply) => reply.json(),
            Err(Failure::Coded(code, _)) if code == "M_NOT_FOUND" => None,
            Err(failure) => return Err(failure.into()),
        };
        let here = event.filter(|event| event.room_id == to.to);
        here.ok_or_else(|| self.api.refused("there is no such message in this room"))
    }
}
