//! What hears, speaks and paints: `tools.media`, `tts` and `agents.defaults.mediaModels`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::agents::ModelChoice;
use crate::path::Path;
use crate::safety::is_http_url;
use crate::secrets::SecretInput;
use crate::settings::Config;
use crate::shape::Misfit;

/// `tools.media`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct MediaTools {
    /// Models that turn files of messages into words, asked in this order until one answers.
    pub models: Vec<MediaModel>,
    /// Voice notes.
    pub audio: MediaAudio,
}

/// `tools.media.audio`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct MediaAudio {
    /// Whether voice notes are transcribed, where `tools.media.models` has a model for them.
    pub enabled: bool,
    /// The language that is spoken, as in `de`; guessed if left out.
    pub language: Option<String>,
    /// Longest recording that is transcribed, in bytes.
    #[schemars(range(min = 1024, max = 26_214_400))]
    pub max_bytes: u32,
    /// Whether the answer to a voice note begins with what was heard.
    pub echo_transcript: bool,
    /// How that is said.
    pub echo_format: String,
}

impl Default for MediaAudio {
    fn default() -> Self {
        Self {
            enabled: true,
            language: None,
            max_bytes: 20 * 1024 * 1024,
            echo_transcript: false,
            echo_format: "📝 \"{transcript}\"".to_owned(),
        }
    }
}

/// A model that turns files into words.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct MediaModel {
    /// The provider: `openai`, `groq`, `mistral`, `deepgram`, or a name of your own with a `baseUrl`.
    pub provider: String,
    /// Its model; a well-known provider has one already.
    pub model: Option<String>,
    /// What it takes. Only `audio` is used here: pictures are shown to the agent's own model.
    pub capabilities: Vec<MediaCapability>,
    /// The URL its API begins with, instead of that of `models.providers` or the usual one.
    pub base_url: Option<String>,
    /// Its key, instead of that of `models.providers`.
    pub api_key: Option<SecretInput>,
    /// The language that is spoken, instead of `tools.media.audio.language`.
    pub language: Option<String>,
    /// Longest recording it is given, in bytes, instead of `tools.media.audio.maxBytes`.
    #[schemars(range(min = 1024, max = 26_214_400))]
    pub max_bytes: Option<u32>,
    /// Longest wait for its answer, in seconds; 30 for all models of one voice note together.
    #[schemars(range(min = 1, max = 30))]
    pub timeout_seconds: Option<u32>,
}

/// What a model takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MediaCapability {
    /// Recordings.
    Audio,
    /// Pictures.
    Image,
    /// Films.
    Video,
}

/// `tts`: speech.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Tts {
    /// When an answer is said aloud beside being written.
    pub auto: TtsAuto,
    /// Who speaks, by its id among `providers`. Without it nothing is said, and agents have no tool `tts`.
    pub provider: Option<String>,
    /// Those who can, by id: `openai`, `elevenlabs`, or a name of your own with a `baseUrl` that speaks OpenAI's dialect.
    pub providers: BTreeMap<String, TtsProvider>,
    /// Most characters that are said; the rest of an answer is only written.
    #[schemars(range(min = 1, max = 4096))]
    pub max_text_length: u32,
    /// Longest wait for the sound, in milliseconds.
    #[schemars(range(min = 1000, max = 30_000))]
    pub timeout_ms: u32,
}

impl Default for Tts {
    fn default() -> Self {
        Self {
            auto: TtsAuto::default(),
            provider: None,
            providers: BTreeMap::new(),
            max_text_length: 4096,
            timeout_ms: 25_000,
        }
    }
}

/// When an answer is said aloud.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TtsAuto {
    /// Never unasked.
    #[default]
    Off,
    /// Always.
    Always,
    /// When it answers a voice note.
    Inbound,
    /// When the model marks it with `[[tts]]`.
    Tagged,
}

/// Who speaks.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct TtsProvider {
    /// The URL its API begins with, instead of that of `models.providers` or the usual one.
    pub base_url: Option<String>,
    /// Its key, instead of that of `models.providers`.
    pub api_key: Option<SecretInput>,
    /// Its model; a well-known provider has one already.
    #[serde(alias = "modelId")]
    #[schemars(extend("x-aliases" = ["modelId"]))]
    pub model: Option<String>,
    /// Its name of the voice; a well-known provider has one already.
    #[serde(alias = "speakerVoiceId", alias = "voice", alias = "voiceId")]
    #[schemars(extend("x-aliases" = ["speakerVoiceId", "voice", "voiceId"]))]
    pub speaker_voice: Option<String>,
    /// The form of the sound in the provider's words, as `opus` or `mp3_44100_128`; MP3 if left out.
    #[serde(alias = "outputFormat")]
    #[schemars(extend("x-aliases" = ["outputFormat"]))]
    pub response_format: Option<String>,
}

/// `agents.defaults.mediaModels`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct MediaModels {
    /// Who paints, as `provider/model`: `openai/gpt-image-1`, `google/gemini-2.5-flash-image`, `fal/fal-ai/flux/dev`, or
    /// another one of `models.providers`. Without it agents have no tool `image_generate`.
    pub image: Option<ModelChoice>,
}

impl Tts {
    /// Who speaks, if anybody does.
    pub fn speaker(&self) -> Option<(&str, TtsProvider)> {
        let id = self.provider.as_deref()?;
        Some((id, self.providers.get(id).cloned().unwrap_or_default()))
    }
}

impl MediaTools {
    /// The models that hear, each with its place in the list.
    pub fn ears(&self) -> impl Iterator<Item = (usize, &MediaModel)> {
        let enabled = self.audio.enabled;
        let hears = |model: &MediaModel| model.capabilities.contains(&MediaCapability::Audio);
        self.models.iter().enumerate().filter(move |(_, model)| enabled && hears(model))
    }
}

/// What contradicts itself among all this.
pub(crate) fn inspect(config: &Config) -> Vec<Misfit> {
    let mut misfits = Vec::new();
    let mut refuse = |path: Path, warning: bool, message: &str, fix: &str| {
        misfits.push(Misfit { path, at_key: false, warning, message: message.to_owned(), fix: fix.to_owned() });
    };
    const ADDRESS: &str = "write it as https://api.example.com/v1";
    for (at, model) in config.tools.media.models.iter().enumerate() {
        let path = Path::of(&["tools", "media", "models"]).index(at);
        if model.provider.trim().is_empty() {
            refuse(path.key("provider"), false, "a model is named without its provider", "add provider: \"openai\"");
        }
        if model.capabilities.is_empty() {
            let fix = "add capabilities: [\"audio\"]";
            refuse(path.key("capabilities"), true, "nothing says what this model is for, so it is not used", fix);
        }
        if model.base_url.as_deref().is_some_and(|url| !is_http_url(url)) {
            refuse(path.key("baseUrl"), false, "is not a web address", ADDRESS);
        }
    }
    let tts = &config.tts;
    if tts.auto != TtsAuto::Off && tts.provider.is_none() {
        refuse(
            Path::of(&["tts", "provider"]),
            false,
            "answers are to be said aloud, and nobody is named who speaks",
            "add provider: \"openai\", or set auto to \"off\"",
        );
    }
    for (id, provider) in &tts.providers {
        if provider.base_url.as_deref().is_some_and(|url| !is_http_url(url)) {
            refuse(Path::of(&["tts", "providers", id, "baseUrl"]), false, "is not a web address", ADDRESS);
        }
    }
    let painters = config.agents.defaults.media_models.image.as_ref().map(ModelChoice::in_order).unwrap_or_default();
    if painters.iter().any(|name| !name.contains('/')) {
        let path = Path::of(&["agents", "defaults", "mediaModels", "image"]);
        refuse(path, false, "a model is named without its provider", "write it as \"provider/model\"");
    }
    let echo = &config.tools.media.audio;
    if echo.echo_transcript && !echo.echo_format.contains("{transcript}") {
        let path = Path::of(&["tools", "media", "audio", "echoFormat"]);
        refuse(path, false, "does not say where the transcript goes", "write {transcript} in it");
    }
    misfits
}
