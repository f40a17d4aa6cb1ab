//! `skill`: loads the instructions of a skill, or one of its files.

use std::sync::Arc;

use async_trait::async_trait;
use chela_core::blob::check_key;
use chela_core::model::ToolSpec;
use chela_core::tool::{Effect, Tool, ToolAnswer, ToolCall};
use serde::Deserialize;
use serde_json::json;

use crate::shelf::{Shelf, ShelfSettings, Stocked};

/// Most characters of a file that are answered at once.
const ANSWER_CHARS: usize = 40_000;

/// Loads skills of the agent that calls it.
pub struct SkillTool {
    /// Where they stand.
    pub shelf: Arc<Shelf>,
    /// Which the agent may use.
    pub settings: ShelfSettings,
}

#[derive(Deserialize)]
struct Arguments {
    name: String,
    #[serde(default)]
    file: Option<String>,
}

#[async_trait]
impl Tool for SkillTool {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "skill".into(),
            description: "Load a skill's instructions, or one of its files.".into(),
            input_schema: json!({
                "type": "object",
                "properties": { "name": { "type": "string" }, "file": { "type": "string" } },
                "required": ["name"],
            }),
        }
    }

    fn effect(&self) -> Effect {
        Effect::None
    }

    async fn run(&self, call: ToolCall<'_>) -> ToolAnswer {
        self.load(&call).await.map_or_else(ToolAnswer::error, ToolAnswer::ok)
    }
}

impl SkillTool {
    async fn load(&self, call: &ToolCall<'_>) -> Result<String, String> {
        let Arguments { name, file } = Arguments::deserialize(call.input).map_err(|error| error.to_string())?;
        let stock = self.shelf.stock(call.agent, &self.settings, call.clock.now()).await;
        let (stock, _) = stock.map_err(|error| error.to_string())?;
        let Some(found) = stock.iter().find(|it| it.skill.name == name) else {
            let names: Vec<&str> = offered(&stock).map(|it| it.skill.name.as_str()).collect();
            return Err(format!("There is no skill \"{name}\". There are: {}.", names.join(", ")));
        };
        if !found.missing.is_empty() {
            let missing: Vec<String> = found.missing.iter().map(ToString::to_string).collect();
            return Err(format!("The skill \"{name}\" cannot work here, it lacks {}.", missing.join("; ")));
        }
        let path = file.as_deref().unwrap_or("SKILL.md");
        check_key(path).map_err(|_| format!("\"{path}\" is no file of a skill: name it as the skill's text does."))?;
        let bytes = self.shelf.file(found, path).await?;
        let bytes = bytes.ok_or_else(|| format!("The skill \"{name}\" has no file \"{path}\"."))?;
        let text = std::str::from_utf8(&bytes).map_err(|_| format!("\"{path}\" is no text."))?;
        let text = if file.is_none() { found.skill.body.as_str() } else { text };
        Ok(cut(text))
    }
}

fn offered(stock: &[Stocked]) -> impl Iterator<Item = &Stocked> {
    stock.iter().filter(|it| it.missing.is_empty())
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(ANSWER_CHARS) {
        Some((end, _)) => format!("{}\n[cut here: the file is longer]", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
