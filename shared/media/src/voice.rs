//! Words to speech.

use async_trait::async_trait;
use chela_core::media::{MediaError, Speech, Voice};
use chela_core::purse::{Purse, Tariff, paid};
use serde_json::json;
use url::form_urlencoded::byte_serialize;

use crate::known::VoiceForm;
use crate::provider::{Login, Provider};
use crate::speakable::speakable;

/// A provider that speaks.
#[derive(Clone)]
pub struct Speaker {
    /// Who.
    pub provider: Provider,
    /// How it is told what to say.
    pub form: VoiceForm,
    /// Its model.
    pub model: String,
    /// Its name of the voice.
    pub voice: String,
    /// `mp3`, `opus`, `wav`, … in the provider's own words; MP3 if left out.
    pub format: Option<String>,
    /// Most characters that are said; more is cut at the end of a sentence.
    pub most: usize,
    /// What it takes for a thousand characters.
    pub tariff: Tariff,
}

#[async_trait]
impl Voice for Speaker {
    async fn say(&self, markdown: &str, purse: &dyn Purse) -> Result<Speech, MediaError> {
        let words = speakable(markdown, self.most);
        if words.is_empty() {
            return Err(MediaError::Unfit("there is nothing in it that could be said".to_owned()));
        }
        let chars = u64::try_from(words.chars().count()).unwrap_or(u64::MAX);
        let call = async {
            let said = self.ask(&words).await;
            let billed = said.as_ref().err().is_none_or(MediaError::may_be_billed);
            (said, if billed { chars } else { 0 })
        };
        paid(purse, &self.tariff, chars, call).await
    }
}

impl Speaker {
    async fn ask(&self, words: &str) -> Result<Speech, MediaError> {
        let bytes = match self.form {
            VoiceForm::OpenAi => {
                let format = self.format.as_deref().unwrap_or("mp3");
                let body = json!({
                    "model": self.model, "input": words, "voice": self.voice, "response_format": format,
                });
                let url = self.provider.url("/audio/speech");
                self.provider.post(&url, Login::Authorization("Bearer"), "application/json", body.to_string()).await?
            }
            VoiceForm::ElevenLabs => {
                let format = self.format.as_deref().unwrap_or("mp3_44100_128");
                let voice: String = byte_serialize(self.voice.as_bytes()).collect();
                let format: String = byte_serialize(format.as_bytes()).collect();
                let path = format!("/v1/text-to-speech/{voice}?output_format={format}");
                let url = self.provider.url(&path);
                let body = json!({ "text": words, "model_id": self.model });
                self.provider.post(&url, Login::Header("xi-api-key"), "application/json", body.to_string()).await?
            }
        };
        // A server that answers 200 with an explanation has said nothing.
        let kind = infer::get(&bytes).filter(|kind| kind.matcher_type() == infer::MatcherType::Audio);
        match kind {
            Some(kind) => Ok(Speech { bytes, extension: kind.extension() }),
            None => Err(self.provider.broken("it answers with something else than sound")),
        }
    }
}
