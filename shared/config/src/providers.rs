//! `models`: where models are asked.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::secrets::SecretInput;

/// `models`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ModelsSection {
    /// Providers by id: the part before the slash in `provider/model`.
    pub providers: BTreeMap<String, Provider>,
}

/// One provider. What is left out comes from the built-in catalog, if it knows the id.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Provider {
    /// The URL its API begins with, such as `http://localhost:11434/v1`.
    pub base_url: Option<String>,
    /// The wire format it speaks.
    pub api: Option<ProviderApi>,
    /// Its key.
    pub api_key: Option<SecretInput>,
    /// Headers for every request, such as a tenant's name.
    pub headers: BTreeMap<String, SecretInput>,
    /// The region of AWS, for Amazon Bedrock; otherwise that of `AWS_REGION`.
    pub region: Option<String>,
    /// Longest a call may take, in seconds.
    #[schemars(range(min = 1, max = 900))]
    pub timeout_seconds: Option<u32>,
    /// Most tokens of one answer, for models that do not say.
    #[schemars(range(min = 1))]
    pub max_tokens: Option<u32>,
    /// Models, where the catalog does not know them or knows them wrongly.
    pub models: Vec<Model>,
}

/// A wire format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ProviderApi {
    /// Anthropic's Messages.
    AnthropicMessages,
    /// OpenAI's chat completions, which most others speak too.
    OpenaiCompletions,
    /// OpenAI's Responses.
    OpenaiResponses,
    /// OpenAI's Responses at Azure: the base URL is `https://<resource>.openai.azure.com`, the model that of a deployment.
    AzureOpenaiResponses,
    /// Gemini's own.
    GoogleGenerativeAi,
    /// Amazon Bedrock's Converse.
    BedrockConverseStream,
    /// Ollama's own, which unlike its imitation of OpenAI's takes the size of the context.
    Ollama,
}

/// One model of a provider.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Model {
    /// The provider's name of it: the part after the slash in `provider/model`.
    pub id: String,
    /// What people call it.
    pub name: Option<String>,
    /// Tokens it reads at once.
    #[schemars(range(min = 1))]
    pub context_window: Option<u32>,
    /// Most tokens of one answer.
    #[schemars(range(min = 1))]
    pub max_tokens: Option<u32>,
    /// Whether it reasons before it answers.
    pub reasoning: Option<bool>,
    /// What it reads: `text`, `image`, `pdf`.
    pub input: Option<Vec<ModelInput>>,
    /// What it costs.
    pub cost: Option<ModelCost>,
    /// Where it differs from others of its wire format.
    pub compat: ModelCompat,
}

/// Where a model differs from others of its wire format.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ModelCompat {
    /// Under which name it is told the most tokens of an answer.
    pub max_tokens_field: Option<MaxTokensField>,
}

/// The name of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MaxTokensField {
    /// OpenAI's old one, which most others know.
    MaxTokens,
    /// OpenAI's new one, which its newer models insist on.
    MaxCompletionTokens,
}

/// What a model reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ModelInput {
    /// Text.
    Text,
    /// Pictures.
    Image,
    /// PDFs as they are; without it their text is read to the model.
    Pdf,
}

/// Dollars per million tokens.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ModelCost {
    /// Fresh input.
    pub input: f64,
    /// Output.
    pub output: f64,
    /// Input read from the provider's cache.
    pub cache_read: f64,
    /// Input written to the provider's cache.
    pub cache_write: f64,
}
