//! Voice notes to words.

use async_trait::async_trait;
use chela_core::media::{Ears, MediaError, Recording};
use chela_core::purse::{Purse, Tariff, paid};
use serde_json::Value;
use url::form_urlencoded::byte_serialize;

use crate::known::EarsForm;
use crate::multipart::Form;
use crate::provider::{Login, Provider};

/// Shorter recordings hold no word, as in OpenClaw.
const LEAST_BYTES: usize = 1024;

/// Bytes of a second at least: those of the narrowest codecs of voice notes. What a recording says of its own length is the
/// sender's word, and nothing is reserved by it.
const LEAST_BYTES_A_SECOND: usize = 500;

/// Tokens that OpenAI's own models make of a second of sound.
const TOKENS_A_SECOND: f64 = 10.0;

/// A provider that hears.
#[derive(Clone)]
pub struct Listener {
    /// Who.
    pub provider: Provider,
    /// How it takes recordings.
    pub form: EarsForm,
    /// Its model.
    pub model: String,
    /// The language that is spoken, as in `de`; guessed if left out.
    pub language: Option<String>,
    /// Longest recording it is given, in bytes.
    pub max_bytes: usize,
    /// What it takes for a thousand seconds.
    pub tariff: Tariff,
}

/// Several providers, asked in this order until one answers.
pub struct Hearing(pub Vec<Listener>);

#[async_trait]
impl Ears for Hearing {
    async fn transcribe(&self, recording: &Recording, purse: &dyn Purse) -> Result<String, MediaError> {
        if recording.bytes.len() < LEAST_BYTES {
            return Err(MediaError::Unfit("it is too short to hold a word".to_owned()));
        }
        let mut failures = Vec::new();
        for listener in &self.0 {
            match listener.transcribe(recording, purse).await {
                Ok(words) => return Ok(words),
                Err(error) => failures.push(error),
            }
        }
        // The first one is the one the owner wanted.
        let reason = || MediaError::Unfit("nothing is configured that hears".to_owned());
        Err(failures.into_iter().next().unwrap_or_else(reason))
    }
}

impl Listener {
    async fn transcribe(&self, recording: &Recording, purse: &dyn Purse) -> Result<String, MediaError> {
        let (bytes, most) = (recording.bytes.len(), self.max_bytes);
        if bytes > most {
            return Err(MediaError::Unfit(format!("it is over the {most} bytes that {} is given", self.provider.id)));
        }
        let longest = u64::try_from(bytes.div_ceil(LEAST_BYTES_A_SECOND)).unwrap_or(u64::MAX);
        let call = async {
            let heard = self.ask(recording).await;
            let used = match &heard {
                Ok(heard) => heard.seconds.unwrap_or(longest),
                Err(error) if error.may_be_billed() => longest,
                Err(_) => 0,
            };
            (heard.map(|heard| heard.words), used)
        };
        paid(purse, &self.tariff, longest, call).await
    }

    async fn ask(&self, recording: &Recording) -> Result<Heard, MediaError> {
        let (answer, place) = match self.form {
            EarsForm::OpenAi => (self.openai(recording).await?, "/text"),
            EarsForm::Deepgram => (self.deepgram(recording).await?, "/results/channels/0/alternatives/0/transcript"),
        };
        let words = answer.pointer(place).and_then(Value::as_str).map(|words| words.trim().to_owned());
        let words = words.ok_or_else(|| self.provider.broken("its answer holds no transcript"))?;
        Ok(Heard { words, seconds: seconds(&answer) })
    }

    async fn openai(&self, recording: &Recording) -> Result<Value, MediaError> {
        let mut form = Form::around(&recording.bytes);
        form.value("model", &self.model);
        // Whisper says how long it listened only where it is asked for more; OpenAI's newer models know nothing else.
        let format = if self.model.starts_with("whisper") { "verbose_json" } else { "json" };
        form.value("response_format", format);
        if let Some(language) = &self.language {
            form.value("language", language);
        }
        let name = format!("voice.{}", recording.extension);
        form.file("file", &name, &recording.content_type, &recording.bytes);
        let (content_type, body) = form.end();
        let url = self.provider.url("/audio/transcriptions");
        let answer = self.provider.post(&url, Login::Authorization("Bearer"), &content_type, body).await?;
        self.provider.json(&answer)
    }

    async fn deepgram(&self, recording: &Recording) -> Result<Value, MediaError> {
        let written = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
        let language = match &self.language {
            Some(language) => format!("language={}", written(language)),
            None => "detect_language=true".to_owned(),
        };
        let model = written(&self.model);
        let url = self.provider.url(&format!("/listen?model={model}&smart_format=true&{language}"));
        let (content_type, bytes) = (recording.content_type.as_str(), recording.bytes.clone());
        let answer = self.provider.post(&url, Login::Authorization("Token"), content_type, bytes).await?;
        self.provider.json(&answer)
    }
}

/// What was heard.
struct Heard {
    words: String,
    /// How long the provider listened, if it says so.
    seconds: Option<u64>,
}

/// Whole seconds that are billed, as Deepgram, Whisper, OpenAI's newer models and Mistral have them.
fn seconds(answer: &Value) -> Option<u64> {
    let number = |place: &str| answer.pointer(place).and_then(Value::as_f64);
    let places = ["/metadata/duration", "/duration", "/usage/seconds", "/usage/prompt_audio_seconds"];
    let tokens = || Some(number("/usage/input_token_details/audio_tokens")? / TOKENS_A_SECOND);
    let seconds = places.iter().find_map(|place| number(place)).or_else(tokens)?;
    (seconds >= 0.0).then(|| seconds.ceil() as u64)
}
