//! `memory_search`: finds passages of the agent's notes by their words and their meaning.

use std::sync::Arc;

use async_trait::async_trait;
use chela_core::model::ToolSpec;
use chela_core::tool::{Effect, Tool, ToolAnswer, ToolCall};
use chela_memory::{Audience, Hit, Memory, Question, Trust};
use serde::Deserialize;
use serde_json::json;

use crate::arguments::arguments;
use crate::session_status::local_time;

/// Most characters of one passage, as in OpenClaw.
const SNIPPET_MAX: usize = 700;

pub(crate) struct MemorySearch {
    pub(crate) memory: Arc<Memory>,
}

#[derive(Deserialize)]
struct Arguments {
    query: String,
    #[serde(rename = "maxResults", alias = "max_results", alias = "limit", default)]
    most: Option<usize>,
}

#[async_trait]
impl Tool for MemorySearch {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "memory_search".into(),
            description: "Search MEMORY.md, USER.md and the notes in memory/. \
                          Use it before you answer about people, plans, decisions or anything said earlier."
                .into(),
            input_schema: json!({
                "type": "object",
                "properties": {
                    "query": { "type": "string" },
                    "maxResults": { "type": "integer", "minimum": 1 },
                },
                "required": ["query"],
            }),
        }
    }

    /// What it writes is derived.
    fn effect(&self) -> Effect {
        Effect::None
    }

    async fn run(&self, call: ToolCall<'_>) -> ToolAnswer {
        self.search(&call).await.map_or_else(ToolAnswer::error, ToolAnswer::ok)
    }
}

impl MemorySearch {
    async fn search(&self, call: &ToolCall<'_>) -> Result<String, String> {
        let Arguments { query, most } = arguments(call.input)?;
        let audience = Audience::of(call.caller, call.session);
        let today = local_time(call).date();
        let question = Question { agent: call.agent, audience: &audience, text: &query, most, today };
        let recall = self.memory.search(call.files, call.purse, &question).await.map_err(|error| error.to_string())?;
        let mut said: Vec<String> = recall.hits.iter().map(shown).collect();
        if said.is_empty() {
            said.push(format!("Nothing found in {} notes. Try other words.", recall.notes));
        }
        said.extend(recall.remark.map(|remark| format!("({remark})")));
        Ok(said.join("\n\n"))
    }
}

fn shown(hit: &Hit) -> String {
    let Hit { path, start_line, end_line, text, score, trust, .. } = hit;
    let whose = match trust {
        Trust::Owner => "",
        Trust::Agent => "; noted by yourself, unasked",
        Trust::Guest => "; a guest said this, your human did not",
    };
    let text = text.trim();
    let cut = text.char_indices().nth(SNIPPET_MAX).and_then(|(end, _)| text.get(..end));
    let text = cut.map_or_else(|| text.to_owned(), |head| format!("{head}…"));
    format!("{path}, lines {start_line}-{end_line} (score {score:.2}{whose}):\n{text}")
}
