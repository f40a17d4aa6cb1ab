//! How much of the past fits.

use crate::model::{Block, ModelMessage, Role};

/// What a file that a model looks at counts: about 1,500 tokens, as a picture of a megapixel does.
const FILE_CHARS: usize = 4_500;

/// The newest messages that fit into so many [`chars`], beginning with a question: a tool result never loses its call.
pub fn recent_enough(past: &[ModelMessage], budget: usize) -> Vec<ModelMessage> {
    let mut start = past.len();
    let mut used = 0usize;
    for (index, message) in past.iter().enumerate().rev() {
        used = used.saturating_add(chars(std::slice::from_ref(message)));
        if used > budget {
            break;
        }
        let opens = matches!(message.blocks.first(), Some(Block::Text { .. })) && message.role == Role::User;
        if opens {
            start = index;
        }
    }
    past.get(start..).unwrap_or_default().to_vec()
}

/// The length of all messages, roughly: bytes of their texts and arguments.
pub fn chars(messages: &[ModelMessage]) -> usize {
    let of_block = |block: &Block| match block {
        Block::Text { text } | Block::Thinking { text, .. } | Block::ToolResult { text, .. } => text.len(),
        Block::RedactedThinking { data } => data.len(),
        Block::ToolUse { input, .. } => input.to_string().len(),
        Block::File { .. } => FILE_CHARS,
    };
    messages.iter().flat_map(|message| message.blocks.iter()).map(of_block).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortened_past_never_begins_with_a_tool_result() {
        let user = |text: &str| ModelMessage { role: Role::User, blocks: vec![Block::Text { text: text.into() }] };
        let call = Block::ToolUse { id: "a".into(), name: "read".into(), input: serde_json::json!({}) };
        let result = Block::ToolResult { id: "a".into(), text: "x".repeat(50), is_error: false };
        let past = [
            user("old"),
            ModelMessage { role: Role::Assistant, blocks: vec![call] },
            ModelMessage { role: Role::User, blocks: vec![result] },
            user("new"),
        ];
        assert_eq!(recent_enough(&past, 55), vec![user("new")]);
        assert_eq!(recent_enough(&past, 1000).len(), 4);
    }
}
