//! What clients of the protocol can do here: a few verbs of the API, and notes as resources.

use bytes::Bytes;
use chela_agent::Known;
use chela_core::session_key::SessionKey;
use chela_mcp::protocol::INVALID_PARAMS;
use http::{HeaderMap, HeaderValue};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::Api;
use super::{Fault, broken};
use crate::memory::{MemoryError, Notes};

/// Rows where nothing else is asked for, and most rows.
const SHOWN: usize = 50;
const MOST_SHOWN: usize = 500;

/// What all tools take; each uses its own part.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Arguments {
    agent: Option<String>,
    session: String,
    limit: Option<usize>,
    query: String,
    path: String,
    text: String,
    peer: Option<String>,
    wait: Option<u64>,
    key: Option<String>,
}

pub(super) fn specs() -> Value {
    let text = |description: &str| json!({ "type": "string", "description": description });
    let number = |description: &str| json!({ "type": "integer", "minimum": 1, "description": description });
    let agent = text("Whose; the first agent's if left out.");
    let tool = |name: &str, description: &str, properties: Value, required: Value, reads: bool| {
        json!({
            "name": name, "description": description,
            "inputSchema": { "type": "object", "properties": properties, "required": required },
            "annotations": { "readOnlyHint": reads, "destructiveHint": false, "openWorldHint": !reads },
        })
    };
    json!([
        tool(
            "sessions_list",
            "Lists conversations, newest first.",
            json!({ "agent": text("Of this agent; of all if left out."), "limit": number("Most rows.") }),
            json!([]),
            true
        ),
        tool(
            "session_history",
            "Shows what was said in a conversation.",
            json!({ "session": text("Its key, as sessions_list names it."), "limit": number("Most entries.") }),
            json!(["session"]),
            true
        ),
        tool(
            "memory_search",
            "Finds passages of notes by words and by meaning.",
            json!({ "query": text("Words or a question."), "agent": agent, "limit": number("Most passages.") }),
            json!(["query"]),
            true
        ),
        tool(
            "memory_get",
            "Shows a note as it is.",
            json!({ "path": text("Its path, as memory_search names it."), "agent": agent }),
            json!(["path"]),
            true
        ),
        tool(
            "send_message",
            "Says something to the assistant as its owner, and waits for the answer. Without one in time, ask again with the \
             same key.",
            json!({
                "text": text("What is said."),
                "peer": text("A name: one name, one conversation."),
                "wait": json!({ "type": "integer", "minimum": 0, "maximum": 28, "description": "Seconds." }),
                "key": text("The same for every attempt to say this, so that it is said once."),
            }),
            json!(["text"]),
            false
        ),
    ])
}

impl Api {
    /// A failure that the caller can do something about is an answer of the tool.
    pub(super) async fn tool_called(&self, params: &Map<String, Value>) -> Result<Value, Fault> {
        let name = params.get("name").and_then(Value::as_str).unwrap_or_default();
        let given = params.get("arguments").cloned().unwrap_or_else(|| json!({}));
        let arguments = Arguments::deserialize(given)
            .map_err(|error| Fault::new(INVALID_PARAMS, format!("the arguments do not fit: {error}")))?;
        let limit = arguments.limit.unwrap_or(SHOWN).clamp(1, MOST_SHOWN);
        let answer = match name {
            "sessions_list" => self.listed(arguments.agent.as_deref(), limit).await.map_err(|error| error.to_string()),
            "session_history" => {
                let found = self.conversation(&SessionKey::from_stored(arguments.session), limit).await;
                let none = || "there is no such session: sessions_list names them".to_owned();
                found.map_err(|error| error.to_string()).and_then(|found| found.ok_or_else(none))
            }
            "memory_search" => self.found(&arguments).await.map_err(|error| error.to_string()),
            "memory_get" => {
                self.note(arguments.agent.as_deref(), &arguments.path).await.map_err(|error| error.to_string())
            }
            "send_message" => self.said(&arguments).await,
            other => {
                let text = format!("there is no tool \"{}\": tools/list names them", other.escape_default());
                return Err(Fault::new(INVALID_PARAMS, text));
            }
        };
        let (text, is_error) = match answer {
            Ok(value) => (value.to_string(), false),
            Err(text) => (text, true),
        };
        Ok(json!({ "content": [{ "type": "text", "text": text }], "isError": is_error }))
    }

    async fn said(&self, arguments: &Arguments) -> Result<Value, String> {
        let Arguments { text, peer, wait, key, .. } = arguments;
        let mut headers = HeaderMap::new();
        if let Some(key) = key {
            let value = HeaderValue::from_str(key).map_err(|_| "key must be printable".to_owned())?;
            headers.insert("idempotency-key", value);
        }
        let ask = json!({ "text": text, "peer": peer, "wait": wait });
        let ack = self.message(&headers, &Bytes::from(ask.to_string())).await;
        let answer: Value = serde_json::from_slice(&ack.body).unwrap_or_default();
        match answer.get("error").and_then(Value::as_str) {
            Some(error) => Err(error.to_owned()),
            None => Ok(answer),
        }
    }

    async fn found(&self, arguments: &Arguments) -> Result<Value, MemoryError> {
        let built = self.live.current().await;
        // The halt is read for each request, as `/memory/search` does.
        let (known, files, agent) = (Known::default(), self.live.files().as_ref(), arguments.agent.as_deref());
        let money = Some((self.spend.as_ref(), &known));
        let notes = Notes::of(&built, files, money, self.clock.as_ref(), agent)?;
        notes.search(&arguments.query, arguments.limit).await
    }

    async fn note(&self, agent: Option<&str>, path: &str) -> Result<Value, MemoryError> {
        let built = self.live.current().await;
        Notes::of(&built, self.live.files().as_ref(), None, self.clock.as_ref(), agent)?.show(path).await
    }

    /// The notes of all agents.
    pub(super) async fn resources(&self) -> Result<Value, Fault> {
        let built = self.live.current().await;
        let mut resources = Vec::new();
        for agent in built.config.agents.ids() {
            let notes = Notes::of(&built, self.live.files().as_ref(), None, self.clock.as_ref(), Some(&agent));
            let listed = notes.map_err(|error| broken(&error))?.list().await.map_err(|error| broken(&error))?;
            let rows = listed.get("notes").and_then(Value::as_array).cloned().unwrap_or_default();
            resources.extend(rows.iter().filter_map(|row| {
                let path = row.get("path")?.as_str()?;
                let uri = format!("chela://{agent}/{path}");
                Some(json!({ "uri": uri, "name": path, "mimeType": "text/markdown", "size": row.get("bytes") }))
            }));
        }
        Ok(json!({ "resources": resources }))
    }

    pub(super) async fn resource(&self, params: &Map<String, Value>) -> Result<Value, Fault> {
        let uri = params.get("uri").and_then(Value::as_str).unwrap_or_default();
        let unknown = || Fault::new(INVALID_PARAMS, "there is no such resource: resources/list names them");
        let (agent, path) = uri.strip_prefix("chela://").and_then(|rest| rest.split_once('/')).ok_or_else(unknown)?;
        match self.note(Some(agent), path).await {
            Ok(note) => {
                let content = json!({ "uri": uri, "mimeType": "text/markdown", "text": note.get("text") });
                Ok(json!({ "contents": [content] }))
            }
            Err(MemoryError::Unknown(_)) => Err(unknown()),
            Err(error) => Err(broken(&error)),
        }
    }
}
