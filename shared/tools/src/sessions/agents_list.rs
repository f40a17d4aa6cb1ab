//! `agents_list`: to whom work can be given.

use std::sync::Arc;

use async_trait::async_trait;
use chela_core::model::ToolSpec;
use chela_core::tool::{Caller, Effect, Tool, ToolAnswer, ToolCall};
use serde_json::json;

use super::House;

pub(super) struct AgentsList(pub(super) Arc<House>);

#[async_trait]
impl Tool for AgentsList {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "agents_list".into(),
            description: "Agents you may name as agentId in sessions_spawn.".into(),
            input_schema: json!({ "type": "object", "properties": {} }),
        }
    }

    fn effect(&self) -> Effect {
        Effect::None
    }

    /// With nobody else to name it would only cost money.
    fn offered(&self, caller: &Caller) -> bool {
        self.0.may_spawn(caller) && !self.0.allowed.is_empty()
    }

    async fn run(&self, call: ToolCall<'_>) -> ToolAnswer {
        let may = self.0.agents.iter().filter(|(id, _)| *id == call.agent || self.0.allowed.contains(id));
        let lines: Vec<String> = may
            .map(|(id, member)| {
                let name = member.name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
                let what = member.description.as_ref().map(|what| format!(": {what}")).unwrap_or_default();
                let models = member.models.join(", ");
                format!("{id}{name}{what} [models: {models}]")
            })
            .collect();
        ToolAnswer::ok(lines.join("\n"))
    }
}
