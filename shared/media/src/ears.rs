//! Voice notes to words.

use async_trait::async_trait;
use chela_core::media::{Ears, MediaError, Recording};
use serde_json::Value;
use url::form_urlencoded::byte_serialize;

use crate::known::EarsForm;
use crate::multipart::Form;
use crate::provider::{Login, Provider};

/// Shorter recordings hold no word, as in OpenClaw.
const LEAST_BYTES: usize = 1024;

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
}

/// Several providers, asked in this order until one answers.
pub struct Hearing(pub Vec<Listener>);

#[async_trait]
impl Ears for Hearing {
    async fn transcribe(&self, recording: &Recording) -> Result<String, MediaError> {
        if recording.bytes.len() < LEAST_BYTES {
            return Err(MediaError::Unfit("it is too short to hold a word".to_owned()));
        }
        let mut failures = Vec::new();
        for listener in &self.0 {
            match listener.transcribe(recording).await {
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
    async fn transcribe(&self, recording: &Recording) -> Result<String, MediaError> {
        let most = self.max_bytes;
        if recording.bytes.len() > most {
            return Err(MediaError::Unfit(format!("it is over the {most} bytes that {} is given", self.provider.id)));
        }
        let (answer, place) = match self.form {
            EarsForm::OpenAi => (self.openai(recording).await?, "/text"),
            EarsForm::Deepgram => (self.deepgram(recording).await?, "/results/channels/0/alternatives/0/transcript"),
        };
        let words = answer.pointer(place).and_then(Value::as_str);
        words.map(|words| words.trim().to_owned()).ok_or_else(|| self.provider.broken("its answer holds no transcript"))
    }

    async fn openai(&self, recording: &Recording) -> Result<Value, MediaError> {
        let mut form = Form::around(&recording.bytes);
        form.value("model", &self.model);
        form.value("response_format", "json");
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
