//! `sessions_send`: a message to another conversation. What it answers arrives as a message.

use std::sync::Arc;

use async_trait::async_trait;
use chela_core::model::ToolSpec;
use chela_core::queue::{Authority, Lane, Purpose};
use chela_core::relay::Letter;
use chela_core::session_key::{SessionKey, agent_id_of};
use chela_core::tool::{Caller, Effect, Tool, ToolAnswer, ToolCall};
use serde::Deserialize;
use serde_json::json;

use super::{House, away, not_queued};
use crate::arguments::arguments;

/// Longest message, in bytes.
const MESSAGE_MAX: usize = 32 * 1024;

pub(super) struct SessionsSend(pub(super) Arc<House>);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Arguments {
    session_key: Option<String>,
    label: Option<String>,
    message: String,
}

#[async_trait]
impl Tool for SessionsSend {
    fn spec(&self) -> ToolSpec {
        let text = || json!({ "type": "string" });
        ToolSpec {
            name: "sessions_send".into(),
            description: "Write to another conversation of yours, by sessionKey or label. Answers at once; its reply comes later as a message.".into(),
            input_schema: json!({
                "type": "object",
                "properties": { "sessionKey": text(), "label": text(), "message": text() },
                "required": ["message"],
            }),
        }
    }

    fn effect(&self) -> Effect {
        Effect::Keyed
    }

    fn offered(&self, caller: &Caller) -> bool {
        caller.authority == Authority::Owner && self.0.may_spawn(caller)
    }

    async fn run(&self, call: ToolCall<'_>) -> ToolAnswer {
        self.send(&call).await.map_or_else(ToolAnswer::error, ToolAnswer::ok)
    }
}

impl SessionsSend {
    async fn send(&self, call: &ToolCall<'_>) -> Result<String, String> {
        let Arguments { session_key, label, message } = arguments(call.input)?;
        if !self.offered(call.caller) {
            return Err("Only the owner's own conversations write to others.".to_owned());
        }
        if message.trim().is_empty() || message.len() > MESSAGE_MAX {
            return Err(format!("The message must have 1 to {MESSAGE_MAX} bytes."));
        }
        let to = self.find(call, session_key.as_deref(), label.as_deref()).await?;
        let agent = agent_id_of(to.as_str()).filter(|agent| self.0.agents.contains_key(agent));
        let Some(to_agent) = agent else { return Err("Nobody answers in that conversation.".to_owned()) };
        let letter = Letter {
            from: call.session,
            from_agent: call.agent,
            caller: call.caller,
            to: to.clone(),
            to_agent,
            purpose: Purpose::Message,
            label: None,
            text: message,
            idempotency_key: call.idempotency_key,
        };
        let Some(envelope) = letter.envelope(call.clock.now()) else {
            return Err("This has been written to and fro often enough: answer the user first.".to_owned());
        };
        call.queue.push(Lane::Background, &envelope).await.map_err(|error| not_queued(&error))?;
        Ok(format!("Sent to {to}. Its answer will come as a message; end your turn instead of waiting."))
    }

    /// The conversation that is meant, if it is there and this caller sees it.
    async fn find(&self, call: &ToolCall<'_>, key: Option<&str>, label: Option<&str>) -> Result<SessionKey, String> {
        let unknown = || "There is no such conversation here; sessions_list shows those you see.".to_owned();
        let key = match (key, label) {
            (Some(key), _) => SessionKey::from_stored(key),
            (None, Some(label)) => {
                let seen = self.0.seen(call).await.map_err(|error| away(&error))?;
                let found = seen.into_iter().find(|listing| listing.label.as_deref() == Some(label));
                found.ok_or_else(unknown)?.session
            }
            (None, None) => return Err("Name the conversation by sessionKey or label.".to_owned()),
        };
        if key == *call.session {
            return Err("That is this conversation.".to_owned());
        }
        // A key that nobody ever used must not become a conversation.
        let seen = self.0.sees(call, &key).await.map_err(|error| away(&error))?;
        let there = seen && call.sessions.head(&key).await.map_err(|error| away(&error))?.is_some();
        if there { Ok(key) } else { Err(unknown()) }
    }
}
