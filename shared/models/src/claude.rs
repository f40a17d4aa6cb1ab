//! How Claude is told to think, by Anthropic and by Bedrock alike:
//! <https://docs.claude.com/en/docs/build-with-claude/adaptive-thinking>.

use chela_core::model::{Block, ModelRequest, Role, Thinking};
use serde::Serialize;

use crate::catalog::{Effort, effort};
use crate::facts::Facts;
use crate::transcript::Said;

/// The least a budget may be.
const LEAST_BUDGET: u32 = 1024;

/// The names of Claudes that think by budget; later ones decide themselves how long to think, and refuse a budget.
const BY_BUDGET: [&str; 9] =
    ["claude-2", "claude-3", "-4-0", "-4-1", "-4.1", "-4-5", "-4.5", "opus-4-2025", "sonnet-4-2025"];

/// What newer Claudes can be told, if nothing better is known.
const EFFORTS: [Effort; 3] = [Effort::Low, Effort::Medium, Effort::High];

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(crate) enum Mode {
    Adaptive,
    Enabled { budget_tokens: u32 },
    Disabled,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct OutputConfig {
    pub(crate) effort: Effort,
}

/// The fields of a request that say how to think; both are left out where there is nothing to say.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct HowToThink {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) thinking: Option<Mode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) output_config: Option<OutputConfig>,
}

/// How a model of Anthropic's dialect is to think. Its tokens come out of the request's `max_tokens`, so that the most a
/// call can cost stays what was reserved for it.
pub(crate) fn how_to_think(request: &ModelRequest, facts: &Facts<'_>, said: &[Said<'_>]) -> HowToThink {
    let known = facts.known();
    if facts.reasons() == Some(false) {
        return HowToThink::default();
    }
    let is_adaptive = known.map_or_else(|| decides_itself(&request.model), |model| model.adaptive);
    if is_adaptive {
        let efforts =
            known.map(|model| model.efforts.as_slice()).filter(|efforts| !efforts.is_empty()).unwrap_or(&EFFORTS);
        let with = |thinking, wanted| HowToThink {
            thinking,
            output_config: effort(wanted, efforts).map(|effort| OutputConfig { effort }),
        };
        return match (request.thinking, known.map(|model| model.always_thinks)) {
            (Thinking::Off, Some(true)) => with(None, Thinking::Minimal),
            (Thinking::Off, Some(false)) => HowToThink { thinking: Some(Mode::Disabled), output_config: None },
            (Thinking::Off, None) => HowToThink::default(),
            (wanted, _) => with(Some(Mode::Adaptive), wanted),
        };
    }
    let wanted = match request.thinking {
        Thinking::Off => return HowToThink::default(),
        Thinking::Minimal => LEAST_BUDGET,
        Thinking::Low => 2048,
        Thinking::Medium => 8192,
        Thinking::High => 16_384,
        Thinking::Xhigh => 32_768,
    };
    // A quarter of the answer is for what is said.
    let budget_tokens = wanted.min(request.max_tokens.saturating_sub(request.max_tokens / 4));
    let possible = budget_tokens >= LEAST_BUDGET && budget_tokens < request.max_tokens && !begins_without_thought(said);
    HowToThink { thinking: possible.then_some(Mode::Enabled { budget_tokens }), output_config: None }
}

fn decides_itself(model: &str) -> bool {
    model.contains("claude") && !BY_BUDGET.iter().any(|name| model.contains(name))
}

/// Whether the model is in the middle of tools that it called without thinking first; with a budget, "a final assistant
/// message must start with a thinking block".
fn begins_without_thought(said: &[Said<'_>]) -> bool {
    let in_tools = said
        .last()
        .is_some_and(|last| matches!(last.blocks.first().map(AsRef::as_ref), Some(Block::ToolResult { .. })));
    let last = said.iter().rev().find(|said| said.role == Role::Assistant);
    let begins = last.and_then(|last| last.blocks.first()).map(AsRef::as_ref);
    in_tools && !matches!(begins, Some(Block::Thinking { .. } | Block::RedactedThinking { .. }))
}
