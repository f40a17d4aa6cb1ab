//! LiteLLM's proxy, which nobody here wrote, between a dialect and a model: it reads what the dialect asks, asks the model in
//! OpenAI's chat completions, and answers in the dialect. Of Responses it passes on what it
//! is asked, or fails. `tools/bootstrap litellm` installs it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use chela_core::model::{Block, ModelRequest, Stop, Thinking, ToolSpec};
use chela_core::secret::Secret;
use chela_core::shown::StoredFile;
use chela_models::{Api, ProviderConfig};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};

use crate::server::{Provider, assistant, call, http, request, sse, text, user};

const TEXT: &str = include_str!("../streams/openai_text.sse");
const TOOLS: &str = include_str!("../streams/openai_tools.sse");

/// It takes ten seconds to start, on a slow machine three times that.
const START_WITHIN: Duration = Duration::from_secs(180);

struct Proxy {
    child: Child,
    folder: PathBuf,
    url: String,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

impl Proxy {
    async fn start(upstream: &str) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        let folder = std::env::temp_dir().join(format!("chela-litellm-{port}"));
        std::fs::create_dir_all(&folder).unwrap();
        let params = json!({"model": "hosted_vllm/some-model", "api_base": upstream, "api_key": "sk-upstream"});
        let config = json!({
            "model_list": [{"model_name": "some-model", "litellm_params": params}],
            "litellm_settings": {"num_retries": 0, "telemetry": false},
            "general_settings": {"master_key": "sk-proxy"},
        });
        std::fs::write(folder.join("config.yaml"), config.to_string()).unwrap();
        let log = std::fs::File::create(folder.join("proxy.log")).unwrap();
        let installed = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/litellm/bin/litellm");
        let program = std::env::var_os("CHELA_LITELLM").map_or_else(installed, PathBuf::from);
        let child = Command::new(&program)
            .args(["--config", "config.yaml", "--host", "127.0.0.1", "--port", &port.to_string()])
            .current_dir(&folder)
            .env("LITELLM_LOCAL_MODEL_COST_MAP", "True")
            .env("HOME", &folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{} does not run ({error}); run: tools/bootstrap litellm", program.display())
            });
        let mut proxy = Self { child, folder, url: format!("http://127.0.0.1:{port}") };
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            let gone = proxy.child.try_wait().unwrap().is_some() || started.elapsed() > START_WITHIN;
            assert!(!gone, "LiteLLM did not start:\n{}", proxy.log());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        proxy
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("proxy.log")).unwrap_or_default()
    }
}

fn turn() -> ModelRequest {
    let look = Block::ToolUse { id: "call_1".into(), name: "get_weather".into(), input: json!({"location": "Rome"}) };
    let seen = Block::ToolResult { id: "call_1".into(), text: "18 degrees".into(), is_error: false, files: vec![] };
    let picture = Block::File { key: "a".into(), content_type: "image/png".into() };
    let mut turn = request(vec![
        user(vec![picture, text("Which city is this, and its weather?")]),
        assistant(vec![text("Rome. I look."), look]),
        user(vec![seen, text("And Paris?")]),
    ]);
    turn.tools = vec![ToolSpec {
        name: "get_weather".into(),
        description: "The weather of a place.".into(),
        input_schema: json!({"type": "object", "properties": {"location": {"type": "string"}}, "required": ["location"]}),
    }];
    turn.files = [("a".into(), "picture".into())].into();
    turn.thinking = Thinking::Off;
    turn.timeout = Duration::from_secs(60);
    turn
}

/// What the model behind the proxy must have been asked, whatever the dialect. What LiteLLM makes of Gemini's is without
/// pictures, has the user's words before the result, and the whole response as the result.
fn understood(body: &Value, api: Api) {
    let messages = body["messages"].as_array().unwrap();
    let words = |message: &Value| match &message["content"] {
        Value::String(text) => text.clone(),
        parts => parts.as_array().unwrap().iter().filter_map(|part| part["text"].as_str()).collect(),
    };
    let mut said: Vec<(&str, String)> =
        messages.iter().map(|message| (message["role"].as_str().unwrap(), words(message))).collect();
    if api == Api::GoogleGenerativeAi {
        said.swap(3, 4);
    } else {
        let parts = messages[1]["content"].as_array().unwrap();
        let picture = parts.iter().find(|part| part["type"] == "image_url").unwrap();
        assert_eq!(picture["image_url"]["url"], "data:image/png;base64,cGljdHVyZQ==", "{body:#}");
    }
    let result = if api == Api::GoogleGenerativeAi { r#"{"output": "18 degrees"}"# } else { "18 degrees" };
    let expected = [
        ("system", "Be kind."),
        ("user", "Which city is this, and its weather?"),
        ("assistant", "Rome. I look."),
        ("tool", result),
        ("user", "And Paris?"),
    ];
    assert_eq!(said, expected.map(|(role, words)| (role, words.to_owned())), "{body:#}");
    let call = &messages[2]["tool_calls"][0];
    let result = messages.iter().find(|message| message["role"] == "tool").unwrap();
    assert_eq!(call["id"], result["tool_call_id"], "{body:#}");
    assert_eq!(call["function"]["name"], "get_weather");
    let arguments: Value = serde_json::from_str(call["function"]["arguments"].as_str().unwrap()).unwrap();
    assert_eq!(arguments, json!({"location": "Rome"}));
    let tool = &body["tools"][0]["function"];
    assert_eq!((&tool["name"], &tool["parameters"]["required"]), (&json!("get_weather"), &json!(["location"])));
    assert_eq!(body["max_tokens"].as_u64().or(body["max_completion_tokens"].as_u64()), Some(100), "{body:#}");
}

/// The same with a picture in the result and no word behind it.
fn showing() -> ModelRequest {
    let mut turn = turn();
    let Some(Block::ToolResult { files, .. }) = turn.messages[2].blocks.first_mut() else { panic!("a result") };
    files.push(StoredFile { key: "b".into(), content_type: "image/png".into() });
    turn.messages[2].blocks.truncate(1);
    turn.files.insert("b".into(), "shot".into());
    turn
}

/// What a tool showed must have come to the model. LiteLLM passes on what Messages and chat completions show.
fn shows(body: &Value, api: Api) {
    let messages = body["messages"].as_array().unwrap();
    let tool = messages.iter().find(|message| message["role"] == "tool").unwrap();
    assert!(tool.to_string().contains("18 degrees"), "{body:#}");
    let picture = body.to_string().contains("data:image/png;base64,c2hvdA==");
    assert_eq!(picture, api != Api::GoogleGenerativeAi, "{api:?}: {body:#}");
}

#[tokio::test]
async fn litellm_understands_three_dialects_and_is_understood() {
    let dialects =
        [(Api::OpenaiCompletions, "/v1"), (Api::AnthropicMessages, ""), (Api::GoogleGenerativeAi, "/v1beta")];
    let upstream = Provider::start(dialects.iter().flat_map(|_| [sse(TEXT), sse(TOOLS), sse(TEXT)])).await;
    let proxy = Proxy::start(&upstream.base_url).await;
    for (number, (api, path)) in dialects.into_iter().enumerate() {
        let base_url = Some(format!("{}{path}", proxy.url));
        let config = ProviderConfig { api: Some(api), base_url, ..ProviderConfig::of("somebody") };
        let headers = vec![("authorization".to_owned(), Secret::new("Bearer sk-proxy"))];
        let config = ProviderConfig { headers, ..config };
        let model = chela_models::open(&config, Some(Secret::new("sk-proxy")), http(&[&proxy.url])).unwrap();
        let told = |what: &str| format!("{api:?}: {what}\n{}", proxy.log());
        let (answer, shown) = call(&*model, &turn()).await;
        let answer = answer.unwrap_or_else(|error| panic!("{}", told(&error.to_string())));
        assert_eq!((shown.concat().as_str(), answer.stop), ("Grüß Gott, 🦀!", Stop::End), "{}", told("text"));
        assert_eq!(answer.blocks, [text("Grüß Gott, 🦀!")], "{}", told("text"));
        understood(&upstream.asked()[number * 3].body, api);
        let answer = call(&*model, &turn()).await.0.unwrap_or_else(|error| panic!("{}", told(&error.to_string())));
        let calls = answer.blocks.iter().filter_map(|block| match block {
            Block::ToolUse { name, input, .. } => Some((name.as_str(), input.clone())),
            _ => None,
        });
        let mut expected = vec![("get_weather", json!({"location": "Paris"})), ("session_status", json!({}))];
        // It loses calls without arguments on the way to Gemini's dialect.
        expected.truncate(if api == Api::GoogleGenerativeAi { 1 } else { 2 });
        assert_eq!(calls.collect::<Vec<_>>(), expected, "{}", told("calls"));
        assert_eq!(answer.stop, Stop::ToolUse, "{}", told("calls"));
        call(&*model, &showing()).await.0.unwrap_or_else(|error| panic!("{}", told(&error.to_string())));
        shows(&upstream.asked()[number * 3 + 2].body, api);
    }
}
