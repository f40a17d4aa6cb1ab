//! Opens what hears, speaks and paints.

use std::sync::Arc;
use std::time::Duration;

use chela_agent::{AutoVoice, MediaSettings, Sees};
use chela_config::{Config, MediaModel, Model, ModelInput, SecretInput, TtsAuto, TtsProvider};
use chela_core::media::{Ears, Voice};
use chela_core::purse::{Service, Tariff};
use chela_core::secret::{Secret, SecretRef, SecretSource, SecretStore};
use chela_core::tool::Tool;
use chela_http::HttpClient;
use chela_media::{Hearing, ImageGenerate, Listener, Painter, Pdfs, Provider, Speaker, Tts, ears, painter, voice};
use chela_models::{Input, KnownModel};

use crate::install::resolve;
use crate::usage::tariff;

/// A tool has thirty seconds, and must still keep what it made.
const TOOL_TIMEOUT: Duration = Duration::from_secs(27);

/// Longest wait for a transcript, if nothing says how long.
const HEARING_TIMEOUT: Duration = Duration::from_secs(20);

/// What hears, speaks and paints, opened.
pub(crate) struct Media {
    /// For the turn.
    pub(crate) settings: MediaSettings,
    /// For the agents.
    pub(crate) tools: Vec<Arc<dyn Tool>>,
}

/// What a model looks at itself: what configuration says, else what is known of it.
pub(crate) fn sees(model: Option<&Model>, known: Option<&KnownModel>) -> Sees {
    if let Some(input) = model.and_then(|model| model.input.as_ref()) {
        return Sees { image: input.contains(&ModelInput::Image), pdf: input.contains(&ModelInput::Pdf) };
    }
    let reads = |wanted| known.is_some_and(|known| known.input.contains(&wanted));
    Sees { image: reads(Input::Image), pdf: reads(Input::Pdf) }
}

/// Base URLs that the owner has configured for media: these may be private.
pub(crate) fn base_urls(config: &Config) -> Vec<String> {
    let configured = |id: &str| config.models.providers.get(id).and_then(|provider| provider.base_url.clone());
    let heard = config.tools.media.ears().filter_map(|(_, m)| m.base_url.clone().or_else(|| configured(&m.provider)));
    let spoken = config.tts.speaker().and_then(|(id, speaker)| speaker.base_url.or_else(|| configured(id)));
    let painters = painters(config).into_iter().filter_map(|(id, _)| configured(&id));
    heard.chain(spoken).chain(painters).collect()
}

/// Who paints: provider and model.
fn painters(config: &Config) -> Vec<(String, String)> {
    let names = config.agents.defaults.media_models.image.as_ref().map(|choice| choice.in_order()).unwrap_or_default();
    let parts = |name: String| name.split_once('/').map(|(id, model)| (id.to_owned(), model.to_owned()));
    names.into_iter().filter_map(parts).collect()
}

/// Opens all of it. What cannot be opened is left out, with the reason among the problems.
pub(crate) async fn open(
    config: &Config,
    secrets: &dyn SecretStore,
    http: &HttpClient,
    problems: &mut Vec<String>,
) -> Media {
    let mut opener = Opener { config, secrets, http, problems };
    let (ears, voice) = (opener.ears().await, opener.voice().await);
    let mut tools: Vec<Arc<dyn Tool>> = Vec::new();
    if let Some(voice) = &voice {
        tools.push(Arc::new(Tts { voice: voice.clone(), tags: config.tts.auto == TtsAuto::Tagged }));
    }
    let painters = opener.painters().await;
    if !painters.is_empty() {
        tools.push(Arc::new(ImageGenerate { painters }));
    }
    let audio = &config.tools.media.audio;
    let aloud = match config.tts.auto {
        TtsAuto::Off => AutoVoice::Off,
        TtsAuto::Always => AutoVoice::Always,
        TtsAuto::Inbound => AutoVoice::Inbound,
        TtsAuto::Tagged => AutoVoice::Tagged,
    };
    let echo = audio.echo_transcript.then(|| audio.echo_format.clone());
    Media { settings: MediaSettings { ears, echo, documents: Some(Arc::new(Pdfs)), voice, aloud }, tools }
}

struct Opener<'a> {
    config: &'a Config,
    secrets: &'a dyn SecretStore,
    http: &'a HttpClient,
    problems: &'a mut Vec<String>,
}

/// What one place of the configuration says of a provider.
struct Said<'a> {
    /// The place.
    at: String,
    id: &'a str,
    base_url: Option<&'a str>,
    key: Option<&'a SecretInput>,
    /// The usual base URL.
    known_url: Option<&'static str>,
    /// The usual variable of the key; empty for `<ID>_API_KEY`.
    variable: &'static str,
    timeout: Duration,
}

impl Opener<'_> {
    async fn ears(&mut self) -> Option<Arc<dyn Ears>> {
        let mut listeners = Vec::new();
        let audio = &self.config.tools.media.audio;
        for (at, entry) in self.config.tools.media.ears() {
            let MediaModel { provider: id, base_url, api_key, .. } = entry;
            let (known, at) = (ears(id), format!("tools.media.models[{at}]"));
            let timeout = entry.timeout_seconds.map_or(HEARING_TIMEOUT, |s| Duration::from_secs(s.into()));
            let said = Said {
                at: at.clone(),
                id,
                base_url: base_url.as_deref(),
                key: api_key.as_ref(),
                known_url: known.base_url,
                variable: known.variable,
                timeout,
            };
            let (provider, model) =
                (self.provider(&said).await, entry.model.clone().or(known.model.map(str::to_owned)));
            let (Some(provider), Some(model)) = (provider, self.named(model, &at, "model")) else { continue };
            let language = entry.language.clone().or_else(|| audio.language.clone());
            let max_bytes = entry.max_bytes.unwrap_or(audio.max_bytes) as usize;
            let tariff = self.tariff(Service::Transcripts, &said, &model);
            listeners.push(Listener { provider, form: known.form, model, language, max_bytes, tariff });
        }
        (!listeners.is_empty()).then(|| Arc::new(Hearing(listeners)) as Arc<dyn Ears>)
    }

    async fn voice(&mut self) -> Option<Arc<dyn Voice>> {
        let (id, speaker) = self.config.tts.speaker()?;
        let TtsProvider { base_url, api_key, model, speaker_voice, response_format } = speaker;
        let (known, at) = (voice(id), format!("tts.providers.{id}"));
        let said = Said {
            at: at.clone(),
            id,
            base_url: base_url.as_deref(),
            key: api_key.as_ref(),
            known_url: known.base_url,
            variable: known.variable,
            timeout: Duration::from_millis(self.config.tts.timeout_ms.into()),
        };
        let provider = self.provider(&said).await?;
        let model = self.named(model.or(known.model.map(str::to_owned)), &at, "model")?;
        let voice = self.named(speaker_voice.or(known.voice.map(str::to_owned)), &at, "speakerVoice")?;
        let most = self.config.tts.max_text_length as usize;
        let tariff = self.tariff(Service::Speech, &said, &model);
        Some(Arc::new(Speaker { provider, form: known.form, model, voice, format: response_format, most, tariff }))
    }

    async fn painters(&mut self) -> Vec<Painter> {
        let mut opened = Vec::new();
        for (id, model) in painters(self.config) {
            let known = painter(&id);
            let said = Said {
                at: format!("models.providers.{id}"),
                id: &id,
                base_url: None,
                key: None,
                known_url: known.base_url,
                variable: known.variable,
                timeout: TOOL_TIMEOUT,
            };
            let Some(provider) = self.provider(&said).await else { continue };
            let tariff = self.tariff(Service::Pictures, &said, &model);
            opened.push(Painter { provider, form: known.form, model, tariff });
        }
        opened
    }

    /// Whoever is configured at this place; what it leaves out comes from `models.providers`, then from what is known.
    async fn provider(&mut self, said: &Said<'_>) -> Option<Provider> {
        let general = self.config.models.providers.get(said.id);
        let url = said.base_url.or(general.and_then(|provider| provider.base_url.as_deref())).or(said.known_url);
        let base_url = self.named(url.map(str::to_owned), &said.at, "baseUrl")?;
        let key = match (said.key, general.and_then(|provider| provider.api_key.as_ref())) {
            (Some(own), _) => Some(resolve(own, self.secrets, &format!("{}.apiKey", said.at), self.problems).await?),
            // A key of the provider's other address must not go to this one.
            (None, Some(general)) if said.base_url.is_none() => {
                let at = format!("models.providers.{}.apiKey", said.id);
                Some(resolve(general, self.secrets, &at, self.problems).await?)
            }
            (None, _) => self.usual_key(said, said.base_url.is_none()).await,
        };
        if key.is_none() && said.base_url.is_none() && general.is_none_or(|provider| provider.base_url.is_none()) {
            self.problems.push(format!("{}.apiKey is missing: {} answers nothing without one", said.at, said.id));
            return None;
        }
        let (id, http) = (said.id.to_owned(), self.http.clone());
        Some(Provider { id, base_url, key, http, timeout: said.timeout })
    }

    /// What it takes: a known price is that of the provider's usual address.
    fn tariff(&self, service: Service, said: &Said<'_>, model: &str) -> Tariff {
        let general = self.config.models.providers.get(said.id);
        let url = said.base_url.or(general.and_then(|provider| provider.base_url.as_deref()));
        let usual = url.is_none_or(|url| said.known_url == Some(url.trim_end_matches('/')));
        tariff(self.config, service, said.id, model, usual)
    }

    /// The variable every SDK of the provider reads.
    async fn usual_key(&self, said: &Said<'_>, at_home: bool) -> Option<Secret> {
        let usual = || format!("{}_API_KEY", said.id.to_ascii_uppercase().replace('-', "_"));
        let id = if said.variable.is_empty() { usual() } else { said.variable.to_owned() };
        if !at_home {
            return None;
        }
        self.secrets.get(&SecretRef { source: SecretSource::Env, id }).await.ok()
    }

    fn named(&mut self, value: Option<String>, at: &str, key: &str) -> Option<String> {
        if value.is_none() {
            self.problems.push(format!("{at}.{key} is missing, and this provider has no usual one; set it"));
        }
        value
    }
}

#[cfg(test)]
mod tests;
