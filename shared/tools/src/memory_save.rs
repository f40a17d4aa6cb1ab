//! `memory_save`: one more note in the file of the day or of a topic. What a guest has noted goes into a file of guests.

use async_trait::async_trait;
use chela_core::model::ToolSpec;
use chela_core::tool::{Effect, Tool, ToolAnswer, ToolCall};
use chela_memory::{Audience, Note, Origin, save};
use serde::Deserialize;
use serde_json::json;

use crate::arguments::arguments;
use crate::session_status::local_time;

pub(crate) struct MemorySave;

#[derive(Deserialize)]
struct Arguments {
    text: String,
    #[serde(default)]
    topic: Option<String>,
}

#[async_trait]
impl Tool for MemorySave {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "memory_save".into(),
            description: "Remember something: adds a note to today's memory file, or to a topic's. \
                          Write whole sentences with names and dates. No secrets."
                .into(),
            input_schema: json!({
                "type": "object",
                "properties": {
                    "text": { "type": "string", "description": "what to remember" },
                    "topic": { "type": "string", "description": "e.g. people; today if left out" },
                },
                "required": ["text"],
            }),
        }
    }

    fn effect(&self) -> Effect {
        Effect::Keyed
    }

    async fn run(&self, call: ToolCall<'_>) -> ToolAnswer {
        keep(&call).await.map_or_else(ToolAnswer::error, ToolAnswer::ok)
    }
}

async fn keep(call: &ToolCall<'_>) -> Result<String, String> {
    let Arguments { text, topic } = arguments(call.input)?;
    let topic = topic.as_deref().map(str::trim).filter(|topic| !topic.is_empty());
    let note = Note {
        text: &text,
        topic,
        key: call.idempotency_key,
        origin: Origin::of(call.caller, call.session),
        now: local_time(call),
    };
    let audience = Audience::of(call.caller, call.session);
    let path = save(call.files, call.agent, &audience, &note).await.map_err(|error| error.to_string())?;
    Ok(format!("Saved in {path}."))
}
