//! `/context`: what the model reads, and how long it is.

use chela_core::model::{Block, ModelMessage, Role};
use chela_core::turn::tokens_of;
use serde_json::json;

use super::Asked;
use crate::report::{Filling, report};

/// Longest messages that `detail` names.
const LONGEST: usize = 5;

/// Characters of each that it shows.
const SHOWN_CHARS: usize = 60;

pub(super) fn told(asked: &Asked<'_>) -> String {
    let (attempt, filling) = (asked.attempt, Filling::of(asked.attempt));
    match asked.spoken.first().0.as_str() {
        "json" => as_json(&filling),
        "detail" => format!("{}\n\n{}", report(attempt, &filling), detail(&filling)),
        _ => report(attempt, &filling),
    }
}

fn messages(filling: &Filling) -> impl Iterator<Item = &ModelMessage> {
    filling.context.turns().flat_map(|turn| &turn.messages)
}

fn detail(filling: &Filling) -> String {
    let tools: String = filling.tools.iter().map(|(name, tokens)| format!("\n- {name}: {tokens}")).collect();
    let mut longest: Vec<(u64, &ModelMessage)> =
        messages(filling).map(|message| (tokens_of(std::slice::from_ref(message)), message)).collect();
    longest.sort_by_key(|(length, _)| std::cmp::Reverse(*length));
    let longest: String =
        longest.iter().take(LONGEST).map(|(length, message)| format!("\n- {length}: {}", begins(message))).collect();
    format!("**Tools**{tools}\n\n**Longest messages**{longest}")
}

/// Who said it, and how it begins.
fn begins(message: &ModelMessage) -> String {
    let who = match message.role {
        Role::User => "user",
        Role::Assistant => "me",
    };
    let begins = message.blocks.iter().find_map(|block| match block {
        Block::Text { text } | Block::ToolResult { text, .. } => Some(text.as_str()),
        Block::ToolUse { name, .. } => Some(name.as_str()),
        _ => None,
    });
    let begins: String = begins.unwrap_or_default().chars().take(SHOWN_CHARS).collect();
    format!("{who}, \"{}\"", begins.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn as_json(filling: &Filling) -> String {
    let tools: serde_json::Map<String, serde_json::Value> =
        filling.tools.iter().map(|(name, tokens)| (name.clone(), (*tokens).into())).collect();
    let value = json!({
        "window": filling.window,
        "tokens": filling.total.unwrap_or_default(),
        "system": filling.system,
        "tools": tools,
        "messages": { "count": messages(filling).count(), "tokens": filling.past() },
    });
    format!("```json\n{value:#}\n```")
}
