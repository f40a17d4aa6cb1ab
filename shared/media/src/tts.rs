//! `tts`: says something aloud.

use std::sync::Arc;

use async_trait::async_trait;
use chela_core::media::Voice;
use chela_core::model::ToolSpec;
use chela_core::tool::{Effect, Tool, ToolAnswer, ToolCall};
use serde_json::{Value, json};

use crate::outbox::{answer, keep, made};

const DESCRIPTION: &str =
    "Say something aloud: makes a sound file that you can send. Use it when asked for a voice message.";

const TAGS: &str = " To have your whole answer said aloud as well, put [[tts]] in it instead.";

/// The tool. Its effect is one file, named after the call.
pub struct Tts {
    /// What speaks.
    pub voice: Arc<dyn Voice>,
    /// Whether an answer is said as a whole where the model marks it.
    pub tags: bool,
}

#[async_trait]
impl Tool for Tts {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "tts".into(),
            description: if self.tags { format!("{DESCRIPTION}{TAGS}") } else { DESCRIPTION.into() },
            input_schema: json!({
                "type": "object",
                "properties": { "text": { "type": "string", "description": "what to say" } },
                "required": ["text"],
            }),
        }
    }

    fn effect(&self) -> Effect {
        Effect::Keyed
    }

    async fn run(&self, call: ToolCall<'_>) -> ToolAnswer {
        self.spoken(&call).await.map_or_else(ToolAnswer::error, |path| answer("The sound is ready.", &path))
    }
}

impl Tts {
    async fn spoken(&self, call: &ToolCall<'_>) -> Result<String, String> {
        let Some(text) = call.input.get("text").and_then(Value::as_str).filter(|text| !text.trim().is_empty()) else {
            return Err("Say what to say: text is missing.".to_owned());
        };
        if let Some(path) = made(call).await? {
            return Ok(path);
        }
        let speech =
            self.voice.say(text, call.purse).await.map_err(|error| format!("It could not be said: {error}."))?;
        keep(call, speech.bytes, speech.extension).await
    }
}
