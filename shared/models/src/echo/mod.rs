//! The offline model: shows the whole path without a key, and says in every answer that nobody is thinking.

use async_trait::async_trait;
use chela_core::model::{Block, Delta, Model, ModelAnswer, ModelError, ModelRequest, Role, Stop, Usage};
use serde_json::Value;

/// What stands at the end of every answer.
const FIX: &str = "(no model is configured: set models.providers.<id>.apiKey and agents.defaults.model)";

/// Answers what it was told. `/tool <name> <json>` makes it call a tool that is on offer.
pub(crate) struct Echo;

#[async_trait]
impl Model for Echo {
    async fn call(
        &self,
        request: &ModelRequest,
        on_delta: &mut (dyn for<'d> FnMut(&'d Delta) + Send),
    ) -> Result<ModelAnswer, ModelError> {
        let (block, stop) = answer(request);
        if let Block::Text { text } = &block {
            on_delta(&Delta::Text(text.clone()));
        }
        Ok(ModelAnswer { blocks: vec![block], stop, usage: Usage::default() })
    }
}

fn answer(request: &ModelRequest) -> (Block, Stop) {
    let last = request.messages.iter().rev().find(|message| message.role == Role::User);
    let said = |text: String| (Block::Text { text: format!("[offline echo] {text}  {FIX}") }, Stop::End);
    match last.and_then(|message| message.blocks.last()) {
        Some(Block::Text { text }) => match scripted_call(request, text) {
            Some(call) => (call, Stop::ToolUse),
            None => said(format!("You said: {text}")),
        },
        Some(Block::ToolResult { text, .. }) => said(format!("The tool answered: {text}")),
        _ => said("You said nothing.".to_owned()),
    }
}

fn scripted_call(request: &ModelRequest, text: &str) -> Option<Block> {
    let (name, input) = text.strip_prefix("/tool ")?.trim().split_once(' ')?;
    let input: Value = serde_json::from_str(input).ok()?;
    let offered = request.tools.iter().any(|tool| tool.name == name);
    let id = format!("echo_{}", request.messages.len());
    offered.then(|| Block::ToolUse { id, name: name.to_owned(), input })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chela_core::model::{ModelMessage, ToolSpec};
    use serde_json::json;

    use super::*;

    fn told(block: Block) -> (Block, Stop) {
        let tool = ToolSpec { name: "read".into(), description: String::new(), input_schema: json!({}) };
        answer(&ModelRequest {
            model: "echo".into(),
            system: String::new(),
            messages: vec![ModelMessage { role: Role::User, blocks: vec![block] }],
            tools: vec![tool],
            max_tokens: 1,
            timeout: Duration::from_secs(1),
            ..ModelRequest::default()
        })
    }

    fn text(text: &str) -> Block {
        Block::Text { text: text.into() }
    }

    #[test]
    fn it_says_that_nobody_is_thinking() {
        let (block, stop) = told(text("hello"));
        assert_eq!(block, text(&format!("[offline echo] You said: hello  {FIX}")));
        assert_eq!(stop, Stop::End);
    }

    #[test]
    fn it_calls_a_tool_that_is_on_offer_and_shows_the_result() {
        let call = Block::ToolUse { id: "echo_1".into(), name: "read".into(), input: json!({"path": "SOUL.md"}) };
        assert_eq!(told(text("/tool read {\"path\": \"SOUL.md\"}")), (call, Stop::ToolUse));
        let result = Block::ToolResult { id: "echo_1".into(), text: "a soul".into(), is_error: false, files: vec![] };
        assert_eq!(told(result).0, text(&format!("[offline echo] The tool answered: a soul  {FIX}")));
        for no_call in ["/tool burn {}", "/tool read {", "/tool read"] {
            assert_eq!(told(text(no_call)).1, Stop::End, "{no_call}");
        }
    }
}
