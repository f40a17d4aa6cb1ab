//! What is known of providers and models, as data. Each file is read when somebody first asks for it: a cold start with
//! one provider reads a few kilobytes, and the models only where one is looked up.

mod services;

use std::sync::LazyLock;

use chela_core::model::Thinking;
use chela_core::spend::Price;
use serde::{Deserialize, Deserializer, Serialize};

pub use self::services::{nano, price_of_service};

/// A wire dialect, under OpenClaw's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Api {
    /// Anthropic's Messages.
    AnthropicMessages,
    /// OpenAI's chat completions, which most others speak too.
    OpenaiCompletions,
    /// OpenAI's Responses.
    OpenaiResponses,
    /// OpenAI's Responses at Azure.
    AzureOpenaiResponses,
    /// Gemini's own.
    GoogleGenerativeAi,
    /// Amazon Bedrock's Converse.
    BedrockConverseStream,
    /// Ollama's own.
    Ollama,
    /// The offline model: no network, no key, no thought.
    Echo,
}

/// OpenAI's newer models refuse the old name, most others do not know the new one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaxTokensField {
    /// `max_tokens`.
    #[default]
    MaxTokens,
    /// `max_completion_tokens`.
    MaxCompletionTokens,
}

/// How a speaker of chat completions is told how hard to think.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ThinkingField {
    /// Not at all.
    #[default]
    None,
    /// `reasoning_effort`.
    Effort,
    /// `reasoning: {effort}`.
    Openrouter,
    /// `thinking: {type}`.
    Switch,
    /// `enable_thinking`.
    Enable,
}

/// What is known of a well-known provider.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Builtin {
    /// Its id.
    pub id: &'static str,
    /// Other names people give it.
    #[serde(default)]
    pub aliases: Vec<&'static str>,
    /// Its dialect.
    pub api: Api,
    /// Its base URL; private for servers on one's own machine, so it must be among the allowed hosts of the HTTP client.
    /// Empty where it has the name of an account in it and must be configured.
    pub base_url: &'static str,
    /// Whether it answers nothing without a key.
    pub needs_key: bool,
    /// The variables in which its own SDK and others look for the key, the usual one first.
    pub key_env: Vec<&'static str>,
    /// Tokens its models read at once, on the careful side.
    pub context_window: u32,
    /// Most tokens of an answer, on the careful side.
    pub max_tokens: u32,
    /// The name of the limit, where its dialect has two.
    #[serde(default)]
    pub max_tokens_field: MaxTokensField,
    /// The header of the key, where it is not that of its dialect.
    #[serde(default)]
    pub(crate) key_header: Option<&'static str>,
    #[serde(default)]
    pub(crate) thinking: ThinkingField,
    #[serde(default)]
    pub(crate) returns_reasoning: bool,
    #[serde(default)]
    pub(crate) short_tool_ids: bool,
    #[serde(default)]
    pub(crate) cache_key: bool,
}

/// What a model reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Input {
    /// Text.
    Text,
    /// Pictures.
    Image,
    /// PDF, pages and all.
    Pdf,
}

/// How hard a model can be told to think, in the providers' words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Effort {
    None,
    Minimal,
    Low,
    Medium,
    High,
    Xhigh,
    Max,
}

/// What is known of a well-known model.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KnownModel {
    /// Its provider's id, as in [`Builtin::id`].
    pub provider: &'static str,
    /// The provider's name of it.
    pub id: &'static str,
    /// Tokens it reads at once.
    pub context_window: u32,
    /// Most tokens of one answer.
    pub max_tokens: u32,
    /// What it reads.
    pub input: Vec<Input>,
    /// Whether it can reason before it answers.
    pub reasoning: bool,
    /// What it costs, on the day of [`prices_of`]; `None` where that is not known for sure.
    #[serde(default, rename = "cost", deserialize_with = "price")]
    pub price: Option<Price>,
    /// Claude: it decides itself how long to think, and is told only how hard.
    #[serde(default)]
    pub(crate) adaptive: bool,
    /// Claude: it cannot be told not to think.
    #[serde(default)]
    pub(crate) always_thinks: bool,
    #[serde(default)]
    pub(crate) efforts: Vec<Effort>,
}

/// Dollars for a million tokens, as configuration and price lists have it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Cost {
    /// Fresh input.
    pub input: f64,
    /// Output, reasoning included.
    pub output: f64,
    /// Input read from the provider's cache.
    pub cache_read: f64,
    /// Input written to the provider's cache.
    pub cache_write: f64,
}

impl From<Cost> for Price {
    /// What is below zero or no number costs nothing.
    fn from(cost: Cost) -> Self {
        // A dollar for a million tokens is a million billionths for a thousand.
        let nano = |dollars: f64| (dollars * 1e6).round() as u64;
        Self {
            input: nano(cost.input),
            output: nano(cost.output),
            cache_read: nano(cost.cache_read),
            cache_write: nano(cost.cache_write),
        }
    }
}

fn price<'de, D: Deserializer<'de>>(data: D) -> Result<Option<Price>, D::Error> {
    Ok(Option::<Cost>::deserialize(data)?.map(Price::from))
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Models {
    prices_of: &'static str,
    models: Vec<KnownModel>,
}

// That both files can be read is tested; a reader without them knows nobody, which is safe.
static PROVIDERS: LazyLock<Vec<Builtin>> =
    LazyLock::new(|| serde_json::from_str(include_str!("providers.json")).unwrap_or_default());
static MODELS: LazyLock<Models> =
    LazyLock::new(|| serde_json::from_str(include_str!("models.json")).unwrap_or_default());

/// The well-known providers. Limits are those that every current model of the provider keeps; larger ones are those of
/// [`known`] models, or configured by model (`models.providers.<id>.models`).
pub fn builtins() -> &'static [Builtin] {
    &PROVIDERS
}

/// What is known of the provider `id`, also by another name of it.
pub fn builtin(id: &str) -> Option<&'static Builtin> {
    PROVIDERS.iter().find(|known| known.id == id || known.aliases.contains(&id))
}

/// The well-known models.
pub fn models() -> &'static [KnownModel] {
    &MODELS.models
}

/// The day of the prices, as in `2026-11-21`.
pub fn prices_of() -> &'static str {
    MODELS.prices_of
}

/// What is known of a model: by its whole name, or by the name before a date (`…-20251001`, `…-2025-10-01`). An
/// inference profile of Bedrock for a region costs as much as the one for the United States, unless it has its own entry.
pub fn known(provider: &str, model: &str) -> Option<&'static KnownModel> {
    let provider = builtin(provider)?.id;
    let find = |id: &str| MODELS.models.iter().find(|known| known.provider == provider && known.id == id);
    let regional = || {
        let (_, bare) = model.split_once('.').filter(|(region, _)| ["eu", "apac", "au", "jp"].contains(region))?;
        find(&format!("us.{bare}"))
    };
    find(model).or_else(|| find(undated(model)?)).or_else(|| regional().filter(|_| provider == "amazon-bedrock"))
}

/// The name before `-20251001` or `-2025-10-01`.
fn undated(model: &str) -> Option<&str> {
    let before = |date: usize| {
        let (name, date) = model.split_at_checked(model.len().checked_sub(date)?)?;
        let digits: String = date.strip_prefix('-')?.split('-').collect();
        let is_date = digits.len() == 8 && digits.starts_with("20") && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_date.then_some(name)
    };
    before(9).or_else(|| before(11))
}

/// The effort a model is asked for; `None` where nothing is said.
pub(crate) fn effort(wanted: Thinking, offered: &[Effort]) -> Option<Effort> {
    let wanted = match wanted {
        Thinking::Off => return offered.iter().find(|effort| **effort == Effort::None).copied(),
        Thinking::Minimal => Effort::Minimal,
        Thinking::Low => Effort::Low,
        Thinking::Medium => Effort::Medium,
        Thinking::High => Effort::High,
        Thinking::Xhigh if !offered.contains(&Effort::Xhigh) => Effort::Max,
        Thinking::Xhigh => Effort::Xhigh,
    };
    let offered = || offered.iter().copied().filter(|effort| *effort != Effort::None);
    offered().filter(|effort| *effort <= wanted).max().or_else(|| offered().min())
}

#[cfg(test)]
mod tests;
