//! Providers of embeddings, as data.

/// The form of a provider's requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// `POST /embeddings`, which most speak.
    OpenAi,
    /// The same, with Voyage's name for dimensions.
    Voyage,
    /// `POST /models/<model>:batchEmbedContents`.
    Gemini,
    /// `POST /api/embed`.
    Ollama,
}

/// A provider that is known by name.
#[derive(Clone, Copy, Debug)]
pub struct Provider {
    /// Its name in `memory.search.provider`.
    pub id: &'static str,
    /// The name its key and URL have in `models.providers`.
    pub models_id: &'static str,
    /// Where its API begins; empty if that must be configured.
    pub base_url: &'static str,
    /// The form of its requests.
    pub dialect: Dialect,
    /// The model that is asked if none is named; empty if one must be.
    pub model: &'static str,
    /// The variable its key is usually in; empty for one that needs none.
    pub key: &'static str,
    /// What it wants to be told of a question and of a passage, if anything.
    pub input_types: Option<(&'static str, &'static str)>,
}

/// Defaults are OpenClaw's.
const PROVIDERS: &[Provider] = &[
    Provider {
        id: "openai",
        models_id: "openai",
        base_url: "https://api.openai.com/v1",
        dialect: Dialect::OpenAi,
        model: "text-embedding-3-small",
        key: "OPENAI_API_KEY",
        input_types: None,
    },
    Provider {
        id: "mistral",
        models_id: "mistral",
        base_url: "https://api.mistral.ai/v1",
        dialect: Dialect::OpenAi,
        model: "mistral-embed",
        key: "MISTRAL_API_KEY",
        input_types: None,
    },
    Provider {
        id: "voyage",
        models_id: "voyage",
        base_url: "https://api.voyageai.com/v1",
        dialect: Dialect::Voyage,
        model: "voyage-4-large",
        key: "VOYAGE_API_KEY",
        input_types: Some(("query", "document")),
    },
    Provider {
        id: "deepinfra",
        models_id: "deepinfra",
        base_url: "https://api.deepinfra.com/v1/openai",
        dialect: Dialect::OpenAi,
        model: "BAAI/bge-m3",
        key: "DEEPINFRA_API_KEY",
        input_types: None,
    },
    Provider {
        id: "gemini",
        models_id: "google",
        base_url: "https://generativelanguage.googleapis.com/v1beta",
        dialect: Dialect::Gemini,
        model: "gemini-embedding-001",
        key: "GEMINI_API_KEY",
        input_types: Some(("RETRIEVAL_QUERY", "RETRIEVAL_DOCUMENT")),
    },
    Provider {
        id: "ollama",
        models_id: "ollama",
        base_url: "http://localhost:11434",
        dialect: Dialect::Ollama,
        model: "nomic-embed-text",
        key: "",
        input_types: None,
    },
    Provider {
        id: "lmstudio",
        models_id: "lmstudio",
        base_url: "http://localhost:1234/v1",
        dialect: Dialect::OpenAi,
        model: "text-embedding-nomic-embed-text-v1.5",
        key: "",
        input_types: None,
    },
    Provider {
        id: "openai-compatible",
        models_id: "openai-compatible",
        base_url: "",
        dialect: Dialect::OpenAi,
        model: "",
        key: "",
        input_types: None,
    },
];

/// A provider by its name in `memory.search.provider`. A name that is not known is one of `models.providers`, which
/// speaks OpenAI's form.
pub fn provider(id: &str) -> Option<&'static Provider> {
    PROVIDERS.iter().find(|provider| provider.id == id)
}
