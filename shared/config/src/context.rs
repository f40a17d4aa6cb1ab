//! `agents.defaults.compaction` and `agents.defaults.contextPruning`: what becomes of a conversation that grows longer
//! than its model reads.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `agents.defaults.compaction`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Compaction {
    /// Who writes the summary that stands for the older turns.
    pub mode: CompactionMode,
    /// Tokens of the model's window that are left free; in small windows a fifth of them at most.
    pub reserve_tokens_floor: u32,
    /// Tokens of the newest turns that stay as they were said; in small windows a quarter of the room at most.
    pub keep_recent_tokens: u32,
    /// Notes that the agent takes before.
    pub memory_flush: MemoryFlush,
}

impl Default for Compaction {
    fn default() -> Self {
        Self {
            mode: CompactionMode::default(),
            reserve_tokens_floor: 20_000,
            keep_recent_tokens: 20_000,
            memory_flush: MemoryFlush::default(),
        }
    }
}

/// `agents.defaults.compaction.mode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CompactionMode {
    /// The model; a summary of it that is empty or longer than what it stands for is not taken.
    #[default]
    Safeguard,
    /// The same, under OpenClaw's name for less care.
    Default,
    /// Nobody: the last words of each side stand for the older turns, and no model is asked.
    Off,
}

/// `agents.defaults.compaction.memoryFlush`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct MemoryFlush {
    /// Whether the agent is asked, before older turns become a summary, what of them it wants to remember.
    pub enabled: bool,
    /// Tokens of the window that are left free for that, beside the reserve.
    pub soft_threshold_tokens: u32,
    /// What it is asked; a short default if left out.
    pub prompt: Option<String>,
}

impl Default for MemoryFlush {
    fn default() -> Self {
        Self { enabled: true, soft_threshold_tokens: 4_000, prompt: None }
    }
}

/// `agents.defaults.contextPruning`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ContextPruning {
    /// Whether old results of tools are shortened.
    pub mode: PruningMode,
    /// The part of the window that older turns may fill before long results in them are trimmed.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub soft_trim_ratio: f64,
    /// The part that they may fill, trimmed, before all results in them are cleared.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub hard_clear_ratio: f64,
    /// The model's newest answers, from the first of which on nothing is shortened.
    pub keep_last_assistants: u32,
    /// How long results are trimmed.
    pub soft_trim: SoftTrim,
    /// How results are cleared.
    pub hard_clear: HardClear,
}

impl Default for ContextPruning {
    fn default() -> Self {
        Self {
            mode: PruningMode::default(),
            soft_trim_ratio: 0.3,
            hard_clear_ratio: 0.5,
            keep_last_assistants: 3,
            soft_trim: SoftTrim::default(),
            hard_clear: HardClear::default(),
        }
    }
}

/// `agents.defaults.contextPruning.mode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PruningMode {
    /// Once the older turns are long enough, and then the same way until the next compaction, so that the provider's cache
    /// lasts.
    #[default]
    CacheTtl,
    /// Never.
    Off,
}

/// `agents.defaults.contextPruning.softTrim`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SoftTrim {
    /// A result with more characters is trimmed.
    pub max_chars: u32,
    /// Characters that are kept of its beginning.
    pub head_chars: u32,
    /// Characters that are kept of its end.
    pub tail_chars: u32,
}

impl Default for SoftTrim {
    fn default() -> Self {
        Self { max_chars: 4_000, head_chars: 1_500, tail_chars: 1_500 }
    }
}

/// `agents.defaults.contextPruning.hardClear`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct HardClear {
    /// Whether results are cleared.
    pub enabled: bool,
    /// What stands for a cleared one.
    pub placeholder: String,
}

impl Default for HardClear {
    fn default() -> Self {
        Self { enabled: true, placeholder: "[Old tool result content cleared]".to_owned() }
    }
}
