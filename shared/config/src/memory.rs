//! `memory`: how what agents remember is searched. What they remember is in files of their workspaces.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::secrets::SecretInput;

/// `memory`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct MemorySection {
    /// How notes are searched.
    pub search: MemorySearch,
}

/// `memory.search`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct MemorySearch {
    /// Whether agents can search their notes.
    pub enabled: bool,
    /// Who says what texts mean: `openai`, `mistral`, `voyage`, `deepinfra`, `gemini`, `ollama`, `lmstudio`,
    /// `openai-compatible`, or a name of `models.providers`. Notes are sent there. Without one, or with `none`, notes are
    /// found by their words alone.
    pub provider: Option<String>,
    /// The model of embeddings, if not the provider's usual one.
    pub model: Option<String>,
    /// Where the provider is, if not where `models.providers` or the catalog says.
    pub remote: MemoryRemote,
    /// How long vectors shall be, where the model can make shorter ones.
    #[schemars(range(min = 32, max = 4096))]
    pub output_dimensionality: Option<u32>,
    /// What the provider is told of a question.
    pub query_input_type: Option<String>,
    /// What the provider is told of a passage.
    pub document_input_type: Option<String>,
    /// What becomes of a question.
    pub query: MemoryQuery,
    /// How notes are cut into passages.
    pub chunking: MemoryChunking,
}

impl Default for MemorySearch {
    fn default() -> Self {
        Self {
            enabled: true,
            provider: None,
            model: None,
            remote: MemoryRemote::default(),
            output_dimensionality: None,
            query_input_type: None,
            document_input_type: None,
            query: MemoryQuery::default(),
            chunking: MemoryChunking::default(),
        }
    }
}

/// `memory.search.remote`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct MemoryRemote {
    /// The URL its API begins with.
    pub base_url: Option<String>,
    /// Its key.
    pub api_key: Option<SecretInput>,
    /// Headers for every request.
    pub headers: BTreeMap<String, SecretInput>,
}

/// `memory.search.query`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct MemoryQuery {
    /// Most passages of an answer.
    #[schemars(range(min = 1, max = 50))]
    pub max_results: u32,
    /// Least relevance of a passage that was found by its meaning.
    #[schemars(range(min = 0, max = 1))]
    pub min_score: f64,
    /// How words and meaning work together.
    pub hybrid: MemoryHybrid,
}

impl Default for MemoryQuery {
    fn default() -> Self {
        Self { max_results: 6, min_score: 0.35, hybrid: MemoryHybrid::default() }
    }
}

/// `memory.search.query.hybrid`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct MemoryHybrid {
    /// Whether words count where the meaning is known.
    pub enabled: bool,
    /// The weight of meaning.
    #[schemars(range(min = 0, max = 1))]
    pub vector_weight: f64,
    /// The weight of words.
    #[schemars(range(min = 0, max = 1))]
    pub text_weight: f64,
    /// How many times more passages are looked at than are shown.
    #[schemars(range(min = 1, max = 20))]
    pub candidate_multiplier: u32,
    /// Whether passages that repeat others come later.
    pub mmr: MemoryMmr,
    /// Whether daily notes count less the older they are.
    pub temporal_decay: MemoryDecay,
}

impl Default for MemoryHybrid {
    fn default() -> Self {
        Self {
            enabled: true,
            vector_weight: 0.7,
            text_weight: 0.3,
            candidate_multiplier: 4,
            mmr: MemoryMmr::default(),
            temporal_decay: MemoryDecay::default(),
        }
    }
}

/// `memory.search.query.hybrid.mmr`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct MemoryMmr {
    /// Whether it is done.
    pub enabled: bool,
    /// Between 0, as various as can be, and 1, as relevant as can be.
    #[schemars(range(min = 0, max = 1))]
    pub lambda: f64,
}

impl Default for MemoryMmr {
    fn default() -> Self {
        Self { enabled: true, lambda: 0.7 }
    }
}

/// `memory.search.query.hybrid.temporalDecay`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct MemoryDecay {
    /// Whether it is done.
    pub enabled: bool,
    /// Days after which a daily note counts half. MEMORY.md and topics do not age.
    #[schemars(range(min = 1))]
    pub half_life_days: f64,
}

impl Default for MemoryDecay {
    fn default() -> Self {
        Self { enabled: true, half_life_days: 30.0 }
    }
}

/// `memory.search.chunking`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct MemoryChunking {
    /// Tokens of a passage.
    #[schemars(range(min = 50, max = 2000))]
    pub tokens: u32,
    /// Tokens that a passage shares with the one before.
    #[schemars(range(min = 0, max = 500))]
    pub overlap: u32,
}

impl Default for MemoryChunking {
    fn default() -> Self {
        Self { tokens: 400, overlap: 80 }
    }
}
