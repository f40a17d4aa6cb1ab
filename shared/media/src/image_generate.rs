//! `image_generate`: makes a picture.

use async_trait::async_trait;
use chela_core::model::ToolSpec;
use chela_core::tool::{Effect, Tool, ToolAnswer, ToolCall};
use serde_json::{Value, json};

use crate::outbox::{keep, made, shown};
use crate::painter::{Painter, Size};

/// Longest description of a picture.
const PROMPT_CHARS: usize = 4_000;

/// The tool. Its effect is one file, named after the call.
pub struct ImageGenerate {
    /// Who paints, asked in this order until one does.
    pub painters: Vec<Painter>,
}

#[async_trait]
impl Tool for ImageGenerate {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "image_generate".into(),
            description: "Make a picture from a description: makes a file that you can send. It costs money.".into(),
            input_schema: json!({
                "type": "object",
                "properties": {
                    "prompt": { "type": "string", "description": "what is to be seen" },
                    "size": { "type": "string", "description": "width x height, e.g. 1024x1024 or 1536x1024" },
                },
                "required": ["prompt"],
            }),
        }
    }

    fn effect(&self) -> Effect {
        Effect::Keyed
    }

    async fn run(&self, call: ToolCall<'_>) -> ToolAnswer {
        match self.painted(&call).await {
            Ok(path) => shown(&call, "The picture is ready.", &path).await,
            Err(reason) => ToolAnswer::error(reason),
        }
    }
}

impl ImageGenerate {
    async fn painted(&self, call: &ToolCall<'_>) -> Result<String, String> {
        let text = |name: &str| call.input.get(name).and_then(Value::as_str).map(str::trim).filter(|t| !t.is_empty());
        let prompt = text("prompt").ok_or("Say what is to be seen: prompt is missing.")?;
        if prompt.chars().count() > PROMPT_CHARS {
            return Err(format!("The prompt is longer than {PROMPT_CHARS} characters: shorten it."));
        }
        let size = text("size").map(Size::read).transpose()?;
        if let Some(path) = made(call).await? {
            return Ok(path);
        }
        let mut failures = Vec::new();
        for painter in &self.painters {
            match painter.paint(prompt, size, call.purse).await {
                Ok(picture) => return keep(call, picture.bytes, picture.extension).await,
                Err(error) => failures.push(error.to_string()),
            }
        }
        Err(format!("No picture could be made: {}.", failures.join("; ")))
    }
}
