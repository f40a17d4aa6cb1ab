use std::collections::BTreeMap;

use async_trait::async_trait;
use chela_config::{MissingVariable, Surroundings, check};
use chela_core::secret::SecretError;
use chela_http::HttpOptions;

use super::*;

/// Variables by name.
struct Variables(BTreeMap<&'static str, &'static str>);

#[async_trait]
impl SecretStore for Variables {
    async fn get(&self, reference: &SecretRef) -> Result<Secret, SecretError> {
        let found = self.0.get(reference.id.as_str()).map(|value| Secret::new(*value));
        found.ok_or_else(|| SecretError::Missing {
            source_kind: reference.source,
            id: reference.id.clone(),
            fix: "set it".into(),
        })
    }
}

fn config(text: &str) -> Config {
    let surroundings = Surroundings { variables: &|_| None, missing: MissingVariable::Defer, channels: &[] };
    let checked = check("chela.json5", text, &|_| None, &surroundings);
    checked.config.unwrap_or_else(|| panic!("{}", checked.report.render()))
}

async fn opened(text: &str, variables: &[(&'static str, &'static str)]) -> (Media, Vec<String>) {
    let options = HttpOptions { allow_hosts: vec![], user_agent: "t".into(), extra_roots: None };
    let http = HttpClient::new(options).unwrap();
    let mut problems = Vec::new();
    let secrets = Variables(variables.iter().copied().collect());
    let media = open(&config(text), &secrets, &http, &mut problems).await;
    (media, problems)
}

fn names(media: &Media) -> Vec<String> {
    media.tools.iter().map(|tool| tool.spec().name).collect()
}

#[tokio::test]
async fn without_configuration_pdfs_are_read_and_nothing_else_is_there() {
    let (media, problems) = opened("{}", &[("OPENAI_API_KEY", "k")]).await;
    assert_eq!((names(&media), problems), (vec![], vec![]), "schemas of tools are paid for on every call");
    let MediaSettings { ears, voice, documents, echo, aloud } = media.settings;
    assert!(ears.is_none() && voice.is_none() && documents.is_some() && echo.is_none() && aloud == AutoVoice::Off);
}

#[tokio::test]
async fn what_is_configured_is_opened_with_the_usual_keys() {
    let text = "{ tools: { media: { models: [{ provider: 'groq', capabilities: ['audio'] }],
                  audio: { echoTranscript: true } } }, tts: { auto: 'inbound', provider: 'openai' },
                  agents: { defaults: { mediaModels: { image: { primary: 'google/g', fallbacks: ['fal/a/b'] } } } } }";
    let keys = [("GROQ_API_KEY", "1"), ("OPENAI_API_KEY", "2"), ("GEMINI_API_KEY", "3"), ("FAL_KEY", "4")];
    let (media, problems) = opened(text, &keys).await;
    assert_eq!(problems, Vec::<String>::new());
    assert_eq!(names(&media), ["tts", "image_generate"]);
    let MediaSettings { ears, voice, echo, aloud, .. } = media.settings;
    assert!(ears.is_some() && voice.is_some() && echo.is_some() && aloud == AutoVoice::Inbound);
}

#[tokio::test]
async fn what_cannot_be_opened_is_named_and_the_rest_works() {
    let text = "{ tools: { media: { models: [{ provider: 'groq', capabilities: ['audio'] },
                  { provider: 'mine', model: 'm', capabilities: ['audio'] },
                  { provider: 'mine', baseUrl: 'http://localhost:1/v1', model: 'm', capabilities: ['audio'] },
                  { provider: 'mine', baseUrl: 'http://localhost:1/v1', capabilities: ['audio'] }] } },
                  tts: { provider: 'elevenlabs' } }";
    let (media, problems) = opened(text, &[]).await;
    let wanted = [
        "tools.media.models[0].apiKey is missing: groq answers nothing without one",
        "tools.media.models[1].baseUrl is missing, and this provider has no usual one; set it",
        "tools.media.models[3].model is missing, and this provider has no usual one; set it",
        "tts.providers.elevenlabs.apiKey is missing: elevenlabs answers nothing without one",
    ];
    assert_eq!(problems, wanted);
    assert!(media.settings.ears.is_some() && media.settings.voice.is_none());
    assert_eq!(names(&media), Vec::<String>::new());
}

/// A key belongs to an address. Of a provider that is asked somewhere else, it stays at home.
#[tokio::test]
async fn a_key_goes_to_no_other_address_than_its_own() {
    let text = "{ models: { providers: { openai: { apiKey: 'general' } } },
                  tts: { provider: 'openai', providers: { openai: { baseUrl: 'https://else.example' } } } }";
    let config = config(text);
    let options = HttpOptions { allow_hosts: vec![], user_agent: "t".into(), extra_roots: None };
    let (http, mut problems) = (HttpClient::new(options).unwrap(), Vec::new());
    let secrets = Variables([("OPENAI_API_KEY", "usual")].into());
    let mut opener = Opener { config: &config, secrets: &secrets, http: &http, problems: &mut problems };
    let said = |base_url| Said {
        at: "tts".into(),
        id: "openai",
        base_url,
        key: None,
        known_url: Some("https://api.openai.com/v1"),
        variable: "",
        timeout: TOOL_TIMEOUT,
    };
    let elsewhere = opener.provider(&said(Some("https://else.example"))).await.unwrap();
    assert_eq!((elsewhere.key, elsewhere.base_url.as_str()), (None, "https://else.example"));
    let home = opener.provider(&said(None)).await.unwrap();
    assert_eq!(home.key, Some(Secret::new("general")));
}

#[test]
fn only_addresses_that_the_owner_wrote_may_be_private() {
    let config = config(
        "{ models: { providers: { mine: { baseUrl: 'http://localhost:3/v1' }, openai: { apiKey: 'k' } } },
           tools: { media: { models: [{ provider: 'x', baseUrl: 'http://localhost:1/v1', capabilities: ['audio'] },
           { provider: 'groq', capabilities: ['audio'] },
           { provider: 'y', baseUrl: 'http://localhost:9/v1', capabilities: ['video'] }] } },
           tts: { provider: 'z', providers: { z: { baseUrl: 'http://localhost:2/v1' } } },
           agents: { defaults: { mediaModels: { image: { primary: 'mine/m', fallbacks: ['openai/m'] } } } } }",
    );
    assert_eq!(base_urls(&config), ["http://localhost:1/v1", "http://localhost:2/v1", "http://localhost:3/v1"]);
}

#[test]
fn a_model_sees_what_its_entry_says() {
    let model = |input| Model { input, ..Model::default() };
    assert_eq!(sees(None, None), Sees::default());
    assert_eq!(sees(Some(&model(None)), None), Sees::default());
    assert_eq!(
        sees(Some(&model(Some(vec![ModelInput::Text, ModelInput::Image]))), None),
        Sees { image: true, pdf: false }
    );
    assert_eq!(sees(Some(&model(Some(vec![ModelInput::Pdf]))), None), Sees { image: false, pdf: true });
}
