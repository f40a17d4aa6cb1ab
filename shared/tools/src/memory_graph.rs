//! `memory_graph`: the knowledge graph, with the verbs of the public MCP server "memory" as one tool: nine of them would
//! be paid for with every call of a model.

use async_trait::async_trait;
use chela_core::model::ToolSpec;
use chela_core::queue::Authority;
use chela_core::tool::{Effect, Tool, ToolAnswer, ToolCall};
use chela_memory::{Action, graph};
use serde_json::json;

use crate::arguments::arguments;

pub(crate) struct MemoryGraph;

#[async_trait]
impl Tool for MemoryGraph {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "memory_graph".into(),
            description: "Who and what belongs together: entities {name, entityType, observations}, \
                          relations {from, to, relationType}, observations {entityName, contents}."
                .into(),
            input_schema: json!({
                "type": "object",
                "properties": {
                    "action": { "enum": [
                        "create_entities", "create_relations", "add_observations", "delete_entities",
                        "delete_observations", "delete_relations", "read_graph", "search_nodes", "open_nodes",
                    ] },
                    "entities": { "type": "array", "items": { "type": "object" } },
                    "relations": { "type": "array", "items": { "type": "object" } },
                    "observations": { "type": "array", "items": { "type": "object" } },
                    "names": { "type": "array", "items": { "type": "string" }, "description": "of entities to open or delete" },
                    "query": { "type": "string" },
                },
                "required": ["action"],
            }),
        }
    }

    /// What is done again finds itself done.
    fn effect(&self) -> Effect {
        Effect::Keyed
    }

    async fn run(&self, call: ToolCall<'_>) -> ToolAnswer {
        act(&call).await.map_or_else(ToolAnswer::error, ToolAnswer::ok)
    }
}

async fn act(call: &ToolCall<'_>) -> Result<String, String> {
    if call.caller.authority < Authority::Owner {
        return Err("The graph is your human's: it is out of reach in a turn for guests.".to_owned());
    }
    let action: Action = arguments(call.input)?;
    graph(call.files, call.agent, &action).await.map_err(|error| error.to_string())
}
