//! `/context`: what the model reads, and how long it is.

use chela_core::model::{Block, ModelMessage, Role};
use chela_core::turn::bytes_of;
use serde_json::json;

use super::Asked;
use crate::answer::Attempt;

/// Longest messages that `detail` names.
const LONGEST: usize = 5;

/// Characters of each that it shows.
const SHOWN_CHARS: usize = 60;

/// Tokens of so many characters, roughly and on the careful side.
pub(super) fn tokens(chars: usize) -> usize {
    chars.div_ceil(3)
}

/// Characters of everything that a model reads before the message itself.
pub(super) struct Measured {
    system: usize,
    tools: Vec<(String, usize)>,
    past: usize,
    /// Tokens that the first model reads at once.
    pub(super) window: u32,
}

impl Measured {
    pub(super) fn of(attempt: &Attempt<'_>, past: usize) -> Self {
        let settings = attempt.settings;
        let tools = settings.tools.iter().map(|tool| {
            let spec = tool.spec();
            let length = spec.description.len().saturating_add(spec.input_schema.to_string().len());
            (spec.name, length)
        });
        let chosen = attempt.machine.head().choices.model.as_ref();
        let choice = settings.models.iter().find(|choice| Some(&choice.name) == chosen).or(settings.models.first());
        Self {
            system: settings.system.len(),
            tools: tools.collect(),
            past,
            window: choice.map_or(0, |choice| choice.context_window),
        }
    }

    fn of_tools(&self) -> usize {
        self.tools.iter().map(|(_, chars)| chars).sum()
    }

    pub(super) fn all(&self) -> usize {
        self.system.saturating_add(self.of_tools()).saturating_add(self.past)
    }
}

pub(super) fn told(asked: &Asked<'_>) -> String {
    let past = asked.attempt.machine.past();
    let measured = Measured::of(asked.attempt, bytes_of(&past));
    match asked.spoken.first().0.as_str() {
        "json" => as_json(&measured, &past),
        "detail" => format!("{}\n\n{}", summary(&measured, &past), detail(&measured, &past)),
        _ => summary(&measured, &past),
    }
}

fn summary(measured: &Measured, past: &[ModelMessage]) -> String {
    format!(
        "About {} of {} tokens:\n\
         - prompt and workspace files: {}\n\
         - {} tools: {}\n\
         - {} messages: {}",
        tokens(measured.all()),
        measured.window,
        tokens(measured.system),
        measured.tools.len(),
        tokens(measured.of_tools()),
        past.len(),
        tokens(measured.past),
    )
}

fn detail(measured: &Measured, past: &[ModelMessage]) -> String {
    let tools: String = measured.tools.iter().map(|(name, chars)| format!("\n- {name}: {}", tokens(*chars))).collect();
    let mut longest: Vec<(usize, &ModelMessage)> =
        past.iter().map(|message| (bytes_of(std::slice::from_ref(message)), message)).collect();
    longest.sort_by_key(|(length, _)| std::cmp::Reverse(*length));
    let longest: String = longest
        .iter()
        .take(LONGEST)
        .map(|(length, message)| format!("\n- {}: {}", tokens(*length), begins(message)))
        .collect();
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

fn as_json(measured: &Measured, past: &[ModelMessage]) -> String {
    let tools: serde_json::Map<String, serde_json::Value> =
        measured.tools.iter().map(|(name, chars)| (name.clone(), tokens(*chars).into())).collect();
    let value = json!({
        "window": measured.window,
        "tokens": tokens(measured.all()),
        "system": tokens(measured.system),
        "tools": tools,
        "messages": { "count": past.len(), "tokens": tokens(measured.past) },
    });
    format!("```json\n{value:#}\n```")
}
