//! Opening providers by configuration.

use chela_core::secret::Secret;
use chela_http::HostPort;
use chela_models::{Api, AwsKeys, ModelRef, OpenError, ProviderConfig, builtin, builtins, open};

use crate::server::{Provider, call, hello, http, sse};

fn key() -> Option<Secret> {
    Some(Secret::new("k"))
}

fn fails(config: &ProviderConfig, key: Option<Secret>) -> String {
    open(config, key, http(&[])).map(|_| ()).unwrap_err().to_string()
}

#[test]
fn every_well_known_provider_opens_with_a_key_alone() {
    for known in builtins() {
        // Azure and Cloudflare have the name of the account in theirs.
        let nowhere = known.base_url.is_empty() && known.api != Api::Echo;
        let missing = OpenError::Incomplete { provider: known.id.into(), key: "baseUrl" };
        let with = open(&ProviderConfig::of(known.id), key(), http(&[])).map(|_| ());
        assert_eq!(with, if nowhere { Err(missing.clone()) } else { Ok(()) }, "{}", known.id);
        let without = open(&ProviderConfig::of(known.id), None, http(&[])).map(|_| ());
        let expected = match known {
            _ if nowhere => Err(missing),
            known if known.needs_key => Err(OpenError::MissingKey { provider: known.id.into() }),
            known if known.api == Api::BedrockConverseStream => {
                Err(OpenError::MissingAwsKeys { provider: known.id.into() })
            }
            _ => Ok(()),
        };
        assert_eq!(without, expected, "{}", known.id);
        assert!(known.base_url.is_empty() || HostPort::of_url(known.base_url).is_ok(), "{}", known.id);
        for alias in &known.aliases {
            assert_eq!(builtin(alias), Some(known));
        }
    }
    let aws = Some(AwsKeys { id: "AKID".into(), secret: Secret::new("s"), session: None });
    let signs = |base_url: Option<&str>, region: Option<&str>| {
        let (base_url, region) = (base_url.map(str::to_owned), region.map(str::to_owned));
        open(&ProviderConfig { aws: aws.clone(), base_url, region, ..ProviderConfig::of("bedrock") }, None, http(&[]))
    };
    assert!(signs(None, None).is_ok() && signs(None, Some("eu-west-1")).is_ok());
    assert!(signs(Some("https://bedrock.example"), Some("eu-west-1")).is_ok());
    let nowhere = signs(Some("https://bedrock.example"), None).map(|_| ()).unwrap_err().to_string();
    assert!(nowhere.contains("baseUrl cannot be used: it names no region"), "{nowhere}");
    let azure = ProviderConfig { base_url: Some("https://me.openai.azure.com".into()), ..ProviderConfig::of("azure") };
    assert!(open(&azure, key(), http(&[])).is_ok());
}

#[test]
fn what_is_missing_or_unusable_is_named() {
    let unknown = ProviderConfig::of("acme");
    assert!(fails(&unknown, key()).starts_with("models.providers.acme.baseUrl is missing"));
    let url = |url: &str| ProviderConfig { base_url: Some(url.into()), ..ProviderConfig::of("acme") };
    assert!(fails(&url("acme.example/v1"), None).starts_with("models.providers.acme.baseUrl cannot be used"));
    assert!(fails(&url("https://me:secret@acme.example"), None).contains("baseUrl cannot be used"));
    assert!(open(&url("https://acme.example/v1/"), None, http(&[])).is_ok(), "a base URL is enough");
    let newline = fails(&url("https://acme.example"), Some(Secret::new("hunter2\n")));
    assert!(newline.contains("acme.apiKey cannot be used") && !newline.contains("hunter2"), "{newline}");
    let headers = vec![("x tenant".to_owned(), Secret::new("hunter2"))];
    let bad = fails(&ProviderConfig { headers, ..url("https://acme.example") }, None);
    assert!(bad.contains("acme.headers.x tenant cannot be used") && !bad.contains("hunter2"), "{bad}");
}

#[tokio::test]
async fn configured_headers_are_sent_over_our_own_and_can_be_the_key() {
    let headers =
        vec![("Authorization".to_owned(), Secret::new("Basic abc")), ("X-Title".into(), Secret::new("chela"))];
    let config = ProviderConfig { headers: headers.clone(), ..ProviderConfig::of("openrouter") };
    assert!(open(&config, None, http(&[])).is_ok(), "the header is the key");
    let provider = Provider::start([sse(include_str!("../streams/openrouter_text.sse"))]).await;
    let config = ProviderConfig {
        base_url: Some(format!("{}/", provider.base_url)),
        headers,
        ..ProviderConfig::of("openrouter")
    };
    let model = open(&config, key(), http(&[&provider.base_url])).unwrap();
    call(&*model, &hello()).await.0.unwrap();
    let head = &provider.asked()[0].head;
    assert!(head.starts_with("post /v1/chat/completions ") && head.contains("x-title: chela"), "{head}");
    assert!(head.contains("authorization: basic abc") && !head.contains("bearer"), "{head}");
}

#[tokio::test]
async fn the_echo_needs_nothing() {
    let model = open(&ProviderConfig::of("echo"), None, http(&[])).unwrap();
    let (answer, shown) = call(&*model, &hello()).await;
    assert!(shown[0].starts_with("[offline echo] You said: hello"), "{shown:?}");
    assert_eq!(answer.unwrap().usage, Default::default());
}

#[test]
fn a_model_reference_splits_at_the_first_slash() {
    let reference: ModelRef = "openrouter/meta/llama".parse().unwrap();
    assert_eq!((reference.provider.as_str(), reference.model.as_str()), ("openrouter", "meta/llama"));
    for bad in ["", "gpt", "/gpt", "openai/"] {
        assert!(bad.parse::<ModelRef>().unwrap_err().to_string().contains("provider/model"), "{bad}");
    }
    assert_eq!(builtin("anthropic").unwrap().api, Api::AnthropicMessages);
}
