//! What each dialect makes of thoughts, files, degrees of thinking and marks.

use chela_core::model::{Block, ModelRequest, Thinking, ToolSpec};
use chela_core::secret::Secret;
use chela_core::shown::StoredFile;
use chela_models::{Api, AwsKeys, Input, MaxTokensField, ModelConfig, ProviderConfig};
use serde_json::{Value, json};

use crate::server::{Asked, KEY, Provider, assistant, call, hello, http, reply, request, sse, text, user};

const RESPONSES: &str = include_str!("../streams/responses_text.sse");
const GEMINI: &str = include_str!("../streams/gemini_text.sse");
const OLLAMA: &str = include_str!("../streams/ollama_native_text.ndjson");
const ANTHROPIC: &str = include_str!("../streams/anthropic_text.sse");
const OPENAI: &str = include_str!("../streams/openai_text.sse");

/// Asks the provider `id` in its dialect, by this configuration, and gives what it was asked.
async fn asked_by(config: ProviderConfig, replies: Vec<String>, request: &ModelRequest) -> Vec<Asked> {
    let provider = Provider::start(replies).await;
    let host = provider.base_url.strip_suffix("/v1").unwrap().to_owned();
    let query = config.base_url.clone().unwrap_or_default();
    let config = ProviderConfig { base_url: Some(format!("{host}{query}")), ..config };
    let key = config.aws.is_none().then(|| Secret::new(KEY));
    let model = chela_models::open(&config, key, http(&[&host])).unwrap();
    call(&*model, request).await.0.ok();
    provider.asked()
}

async fn asked(id: &str, api: Api, wire: &str, request: &ModelRequest) -> Asked {
    let config = ProviderConfig { api: Some(api), ..ProviderConfig::of(id) };
    asked_by(config, vec![sse(wire)], request).await.remove(0)
}

async fn body(id: &str, api: Api, wire: &str, request: &ModelRequest) -> Value {
    asked(id, api, wire, request).await.body
}

/// One that answers nothing readable: for what is asked only.
async fn bedrock(request: &ModelRequest) -> Value {
    body("bedrock", Api::BedrockConverseStream, "", request).await
}

fn of_model(model: &str, thinking: Thinking) -> ModelRequest {
    ModelRequest { model: model.into(), thinking, max_tokens: 8192, ..hello() }
}

fn thoughts(seals: [&str; 3]) -> ModelRequest {
    let thought = |seal: &str| Block::Thinking { text: "Hm.".into(), signature: Some(seal.into()) };
    let look = Block::ToolUse { id: "call_1".into(), name: "look".into(), input: json!({"at": 1}) };
    let seen = Block::ToolResult { id: "call_1".into(), text: "no".into(), is_error: true, files: vec![] };
    let said = seals.map(thought).into_iter().chain([text("I look."), look]).collect();
    let mut request = request(vec![user(vec![text("hello")]), assistant(said), user(vec![seen])]);
    request.tools =
        vec![ToolSpec { name: "look".into(), description: "Looks.".into(), input_schema: json!({"type": "object"}) }];
    request
}

fn with_files(model: &str) -> ModelRequest {
    let file = |key: &str, kind: &str| Block::File { key: key.into(), content_type: kind.into() };
    let blocks = vec![file("a", "image/png"), file("b", "application/pdf"), file("lost", "image/png"), text("what?")];
    let files = [("a", "picture"), ("b", "document")].map(|(key, bytes)| (key.into(), bytes.into()));
    ModelRequest { model: model.into(), files: files.into(), ..request(vec![user(blocks)]) }
}

const SEALS: [&str; 3] = ["c2VhbA==", "gemini:R2VtaW5p", "openai:rs_1:T3BlbkFJ"];

#[tokio::test]
async fn responses_get_sealed_reasoning_calls_and_results_as_items() {
    let request = ModelRequest { conversation: "c0ffee".into(), ..thoughts(SEALS) };
    let asked = asked("openai", Api::OpenaiResponses, RESPONSES, &request).await;
    let expected = json!({
        "model": "some-model",
        "stream": true,
        "store": false,
        "max_output_tokens": 100,
        "prompt_cache_key": "c0ffee",
        "include": ["reasoning.encrypted_content"],
        "instructions": "Be kind.",
        "tools": [{
            "type": "function", "name": "look", "description": "Looks.", "parameters": {"type": "object"}, "strict": false,
        }],
        "input": [
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hello"}]},
            {"type": "reasoning", "id": "rs_1", "encrypted_content": "T3BlbkFJ",
                "summary": [{"type": "summary_text", "text": "Hm."}]},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I look."}]},
            {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": "{\"at\":1}"},
            {"type": "function_call_output", "call_id": "call_1", "output": "Error: no"},
        ],
    });
    assert_eq!(asked.body, expected);
    assert!(asked.head.starts_with("post /responses ") && asked.head.contains(&format!("authorization: bearer {KEY}")));
    let nameless = body("openai", Api::OpenaiResponses, RESPONSES, &thoughts(SEALS)).await;
    assert!(nameless.get("prompt_cache_key").is_none(), "{nameless}");
}

#[tokio::test]
async fn reasoning_that_cannot_be_opened_is_left_out_the_second_time() {
    let refusal = r#"{"error":{"message":"The encrypted content gAAA... could not be verified.","code":"invalid_encrypted_content"}}"#;
    let replies = vec![reply(400, "application/json", "", refusal), sse(RESPONSES)];
    let config = ProviderConfig { api: Some(Api::OpenaiResponses), ..ProviderConfig::of("openai") };
    let asked = asked_by(config, replies, &thoughts(SEALS)).await;
    let items: Vec<usize> = asked.iter().map(|asked| asked.body["input"].as_array().unwrap().len()).collect();
    assert_eq!(items, [5, 4]);
    assert_eq!(asked[1].body.get("include"), None);
}

#[tokio::test]
async fn azure_is_asked_with_its_header_path_and_version() {
    let config = ProviderConfig {
        base_url: Some("/openai/v1?api-version=preview".into()),
        api: Some(Api::AzureOpenaiResponses),
        ..ProviderConfig::of("azure")
    };
    let head = asked_by(config, vec![sse(RESPONSES)], &hello()).await.remove(0).head;
    assert!(head.starts_with("post /openai/v1/responses?api-version=preview "), "{head}");
    assert!(head.contains(&format!("api-key: {KEY}")) && !head.contains("authorization"), "{head}");
}

#[tokio::test]
async fn gemini_gets_the_seal_on_the_call_and_the_name_with_the_result() {
    let mut request = thoughts(SEALS);
    request.model = "gemini-3.5-flash".into();
    let asked = asked("google", Api::GoogleGenerativeAi, GEMINI, &request).await;
    let expected = json!({
        "systemInstruction": {"parts": [{"text": "Be kind."}]},
        "tools": [{"functionDeclarations": [
            {"name": "look", "description": "Looks.", "parametersJsonSchema": {"type": "object"}},
        ]}],
        "generationConfig": {"maxOutputTokens": 100, "thinkingConfig": {"thinkingLevel": "low"}},
        "contents": [
            {"role": "user", "parts": [{"text": "hello"}]},
            {"role": "model", "parts": [
                {"text": "I look."},
                {"functionCall": {"id": "call_1", "name": "look", "args": {"at": 1}}, "thoughtSignature": "R2VtaW5p"},
            ]},
            {"role": "user", "parts": [
                {"functionResponse": {"id": "call_1", "name": "look", "response": {"error": "no"}}},
            ]},
        ],
    });
    assert_eq!(asked.body, expected);
    assert!(asked.head.starts_with("post /models/gemini-3.5-flash:streamgeneratecontent?alt=sse "), "{}", asked.head);
    assert!(asked.head.contains(&format!("x-goog-api-key: {KEY}")) && !asked.head.contains("authorization"));
}

#[tokio::test]
async fn ollama_gets_the_context_it_is_configured_for() {
    let known = ModelConfig { context_window: Some(65_536), ..ModelConfig::default() };
    let config = ProviderConfig {
        api: Some(Api::Ollama),
        models: [("some-model".into(), known)].into(),
        ..ProviderConfig::of("ollama")
    };
    let mut request = thoughts(SEALS);
    request.messages[1].blocks.insert(0, Block::Thinking { text: "Open.".into(), signature: None });
    let asked = asked_by(config, vec![sse(OLLAMA)], &request).await.remove(0);
    let look = json!({"name": "look", "arguments": {"at": 1}});
    let expected = json!({
        "model": "some-model",
        "stream": true,
        "think": false,
        "options": {"num_ctx": 65_536, "num_predict": 100},
        "tools": [{"type": "function", "function": {"name": "look", "description": "Looks.", "parameters": {"type": "object"}}}],
        "messages": [
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": "hello"},
            {"role": "assistant", "content": "I look.", "thinking": "Open.", "tool_calls": [{"id": "call_1", "function": look}]},
            {"role": "tool", "tool_name": "look", "tool_call_id": "call_1", "content": "Error: no"},
        ],
    });
    assert_eq!(asked.body, expected);
    assert!(asked.head.starts_with("post /api/chat "), "{}", asked.head);
    let refusal = r#"{"error":"\"some-model\" does not support thinking"}"#;
    let config = ProviderConfig { api: Some(Api::Ollama), ..ProviderConfig::of("ollama") };
    let replies = vec![reply(400, "application/json", "", refusal), sse(OLLAMA)];
    let asked = asked_by(config, replies, &of_model("some-model", Thinking::High)).await;
    assert_eq!((&asked[0].body["think"], asked[1].body.get("think")), (&json!(true), None));
}

#[tokio::test]
async fn bedrock_gets_claudes_seals_marks_and_fields() {
    let mut request = thoughts(SEALS);
    request.model = "us.anthropic.claude-sonnet-4-5-20250929-v1:0".into();
    (request.thinking, request.max_tokens) = (Thinking::Medium, 4096);
    let asked = asked("bedrock", Api::BedrockConverseStream, "", &request).await;
    let mark = json!({"cachePoint": {"type": "default"}});
    let expected = json!({
        "messages": [
            {"role": "user", "content": [{"text": "hello"}]},
            {"role": "assistant", "content": [
                {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "c2VhbA=="}}},
                {"text": "I look."},
                {"toolUse": {"toolUseId": "call_1", "name": "look", "input": {"at": 1}}},
            ]},
            {"role": "user", "content": [
                {"toolResult": {"toolUseId": "call_1", "content": [{"text": "no"}], "status": "error"}},
                mark,
            ]},
        ],
        "system": [{"text": "Be kind."}, mark],
        "inferenceConfig": {"maxTokens": 4096},
        "toolConfig": {"tools": [
            {"toolSpec": {"name": "look", "description": "Looks.", "inputSchema": {"json": {"type": "object"}}}},
        ]},
        "additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 3072}},
    });
    assert_eq!(asked.body, expected);
    let path = "post /model/us.anthropic.claude-sonnet-4-5-20250929-v1%3a0/converse-stream ";
    assert!(asked.head.starts_with(path) && asked.head.contains("authorization: bearer"), "{}", asked.head);
    let aws = AwsKeys { id: "AKIDEXAMPLE".into(), secret: Secret::new("hunter2"), session: Some(Secret::new("token")) };
    let config = ProviderConfig {
        api: Some(Api::BedrockConverseStream),
        aws: Some(aws),
        region: Some("eu-west-1".into()),
        ..ProviderConfig::of("bedrock")
    };
    let head = asked_by(config, vec![sse("")], &request).await.remove(0).head;
    assert!(head.contains("/eu-west-1/bedrock/aws4_request") && head.contains("x-amz-security-token: token"), "{head}");
}

#[tokio::test]
async fn pictures_and_documents_go_where_the_dialect_has_a_place_for_them() {
    let (picture, document) = ("cGljdHVyZQ==", "ZG9jdW1lbnQ=");
    let (png, pdf) = (format!("data:image/png;base64,{picture}"), format!("data:application/pdf;base64,{document}"));
    let files = with_files("some-model");
    let source = |kind: &str, data: &str| json!({"type": "base64", "media_type": kind, "data": data});
    let anthropic = body("anthropic", Api::AnthropicMessages, ANTHROPIC, &files).await;
    let expected = json!([
        {"type": "image", "source": source("image/png", picture)},
        {"type": "document", "source": source("application/pdf", document)},
        {"type": "text", "text": "what?", "cache_control": {"type": "ephemeral"}},
    ]);
    assert_eq!(anthropic["messages"][0]["content"], expected);
    let chat = body("somebody", Api::OpenaiCompletions, OPENAI, &files).await;
    let expected = json!([{"type": "image_url", "image_url": {"url": png}}, {"type": "text", "text": "what?"}]);
    assert_eq!(chat["messages"][1]["content"], expected, "few know documents");
    let responses = body("openai", Api::OpenaiResponses, RESPONSES, &files).await;
    let expected = json!([
        {"type": "input_image", "image_url": png},
        {"type": "input_file", "filename": "file.pdf", "file_data": pdf},
        {"type": "input_text", "text": "what?"},
    ]);
    assert_eq!(responses["input"][0]["content"], expected);
    let gemini = body("google", Api::GoogleGenerativeAi, GEMINI, &files).await;
    let blob = |kind: &str, data: &str| json!({"inlineData": {"mimeType": kind, "data": data}});
    let expected = json!([blob("image/png", picture), blob("application/pdf", document), {"text": "what?"}]);
    assert_eq!(gemini["contents"][0]["parts"], expected);
    let ollama = body("ollama", Api::Ollama, OLLAMA, &files).await;
    assert_eq!(ollama["messages"][1], json!({"role": "user", "content": "what?", "images": [picture]}));
    let bedrock = bedrock(&files).await;
    let expected = json!([
        {"image": {"format": "png", "source": {"bytes": picture}}},
        {"document": {"format": "pdf", "name": "file 1", "source": {"bytes": document}}},
        {"text": "what?"},
    ]);
    assert_eq!(bedrock["messages"][0]["content"], expected);
}

#[tokio::test]
async fn a_model_that_reads_words_only_gets_no_files() {
    let openai = body("groq", Api::OpenaiCompletions, OPENAI, &with_files("openai/gpt-oss-120b")).await;
    assert_eq!(openai["messages"][1]["content"], "what?", "known to read text");
    for (input, expected) in [(vec![Input::Text], 1), (vec![Input::Text, Input::Image, Input::Pdf], 3)] {
        let model = ModelConfig { input: Some(input), ..ModelConfig::default() };
        let config = ProviderConfig {
            api: Some(Api::OpenaiCompletions),
            models: [("some-model".into(), model)].into(),
            ..ProviderConfig::of("somebody")
        };
        let body = asked_by(config, vec![sse(OPENAI)], &with_files("some-model")).await.remove(0).body;
        let parts = body["messages"][1]["content"].as_array().map_or(1, Vec::len);
        assert_eq!(parts, expected, "as configured");
    }
}

#[tokio::test]
async fn each_model_is_told_how_hard_to_think_in_its_own_way() {
    let messages = |model, thinking| body_of("anthropic", Api::AnthropicMessages, ANTHROPIC, model, thinking);
    let budget = messages("claude-haiku-4-5", Thinking::High).await;
    assert_eq!(budget["thinking"], json!({"type": "enabled", "budget_tokens": 6144}), "below max_tokens");
    assert_eq!(messages("claude-haiku-4-5", Thinking::Off).await.get("thinking"), None);
    let adaptive = messages("claude-opus-4-6", Thinking::Xhigh).await;
    assert_eq!(
        (&adaptive["thinking"], &adaptive["output_config"]),
        (&json!({"type": "adaptive"}), &json!({"effort": "max"}))
    );
    assert_eq!(messages("claude-opus-4-6", Thinking::Off).await["thinking"], json!({"type": "disabled"}));
    let always = messages("claude-opus-5-5", Thinking::Off).await;
    assert_eq!((always.get("thinking"), &always["output_config"]), (None, &json!({"effort": "low"})));
    let responses = |model, thinking| body_of("openai", Api::OpenaiResponses, RESPONSES, model, thinking);
    assert_eq!(responses("gpt-5.1", Thinking::Off).await["reasoning"], json!({"effort": "none"}));
    assert_eq!(responses("gpt-5", Thinking::Minimal).await["reasoning"], json!({"effort": "minimal"}));
    let plain = responses("gpt-4.1", Thinking::High).await;
    assert_eq!((plain.get("reasoning"), plain.get("include")), (None, None), "it does not reason");
    assert_eq!(responses("new", Thinking::Off).await.get("reasoning"), None);
    let gemini = |model, thinking| body_of("google", Api::GoogleGenerativeAi, GEMINI, model, thinking);
    let config = |body: Value| body["generationConfig"]["thinkingConfig"].clone();
    assert_eq!(config(gemini("gemini-2.5-flash", Thinking::Off).await), json!({"thinkingBudget": 0}));
    assert_eq!(config(gemini("gemini-2.5-pro", Thinking::Off).await), json!({"thinkingBudget": 128}));
    assert_eq!(config(gemini("gemini-2.5-pro", Thinking::Xhigh).await), json!({"thinkingBudget": 6144}));
    assert_eq!(config(gemini("gemini-3.5-flash", Thinking::High).await), json!({"thinkingLevel": "high"}));
    assert_eq!(config(gemini("gemma-3-27b-it", Thinking::High).await), Value::Null);
    let chat = |id, model, thinking| body_of(id, Api::OpenaiCompletions, OPENAI, model, thinking);
    assert_eq!(chat("openai", "gpt-5.4", Thinking::Low).await["reasoning_effort"], "low");
    assert_eq!(chat("openrouter", "x/y", Thinking::High).await["reasoning"], json!({"effort": "high"}));
    assert_eq!(chat("deepseek", "x", Thinking::High).await["thinking"], json!({"type": "enabled"}));
    assert_eq!(chat("zai", "glm-5", Thinking::Off).await["thinking"], json!({"type": "disabled"}));
    assert_eq!(chat("qwen", "x", Thinking::Low).await["enable_thinking"], true);
    let told = ["reasoning_effort", "reasoning", "thinking", "enable_thinking"];
    for (id, model, thinking) in
        [("somebody", "x", Thinking::High), ("qwen", "x", Thinking::Off), ("openai", "gpt-4.1", Thinking::High)]
    {
        let body = chat(id, model, thinking).await;
        assert!(told.iter().all(|key| body.get(key).is_none()), "{id}: {body}");
    }
    let ollama = |model, thinking| body_of("ollama", Api::Ollama, OLLAMA, model, thinking);
    assert_eq!(ollama("gpt-oss:20b", Thinking::Off).await["think"], "low");
    assert_eq!(ollama("qwen3", Thinking::High).await["think"], true);
    let fields = bedrock(&of_model("global.anthropic.claude-opus-4-6-v1", Thinking::Low)).await;
    let expected = json!({"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}});
    assert_eq!(fields["additionalModelRequestFields"], expected);
    let nova = bedrock(&of_model("amazon.nova-2-lite-v1:0", Thinking::High)).await;
    assert_eq!(nova.get("additionalModelRequestFields"), None);
    assert_eq!(bedrock(&of_model("qwen.qwen3-32b-v1:0", Thinking::Off)).await["system"], json!([{"text": "Be kind."}]));
}

async fn body_of(id: &str, api: Api, wire: &str, model: &str, thinking: Thinking) -> Value {
    body(id, api, wire, &of_model(model, thinking)).await
}

/// With a budget, a model in the middle of tools must have thought first.
#[tokio::test]
async fn a_turn_that_began_without_a_thought_goes_on_without_thinking() {
    let mut turn = thoughts(SEALS);
    (turn.model, turn.thinking, turn.max_tokens) = ("claude-haiku-4-5".into(), Thinking::Low, 8192);
    let ask = async |turn: &ModelRequest| body("anthropic", Api::AnthropicMessages, ANTHROPIC, turn).await;
    assert_eq!(ask(&turn).await["thinking"], json!({"type": "enabled", "budget_tokens": 2048}));
    turn.messages[1].blocks.remove(0);
    assert_eq!(ask(&turn).await.get("thinking"), None);
    (turn.model, turn.max_tokens) = ("claude-opus-4-6".into(), 512);
    assert_eq!(ask(&turn).await["thinking"], json!({"type": "adaptive"}), "no such rule, and no budget to keep");
    turn.messages.push(assistant(vec![text("No.")]));
    turn.messages.push(user(vec![text("again")]));
    turn.model = "claude-haiku-4-5".into();
    assert_eq!(ask(&turn).await.get("thinking"), None, "no room for the least budget");
}

#[tokio::test]
async fn the_name_of_the_limit_can_be_configured_by_model() {
    let model = ModelConfig { max_tokens_field: Some(MaxTokensField::MaxCompletionTokens), ..ModelConfig::default() };
    let config = ProviderConfig {
        api: Some(Api::OpenaiCompletions),
        models: [("some-model".into(), model)].into(),
        ..ProviderConfig::of("somebody")
    };
    let body = asked_by(config, vec![sse(OPENAI)], &hello()).await.remove(0).body;
    assert_eq!((&body["max_completion_tokens"], body.get("max_tokens")), (&json!(100), None));
}

#[tokio::test]
async fn a_provider_can_be_given_less_time_than_the_caller_has() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let timeout = Some(std::time::Duration::from_millis(50));
    let config = ProviderConfig { base_url: Some(url.clone()), timeout, ..ProviderConfig::of("x") };
    let model = chela_models::open(&config, None, http(&[&url])).unwrap();
    let answer = tokio::time::timeout(std::time::Duration::from_secs(5), call(&*model, &hello())).await.unwrap();
    assert!(answer.0.is_err());
}

/// A step with two calls: the first shows a picture, a document and one that is gone; the second failed. Then a word.
fn showing(model: &str) -> ModelRequest {
    let look = |id: &str| Block::ToolUse { id: id.into(), name: "look".into(), input: json!({}) };
    let file = |key: &str, kind: &str| StoredFile { key: format!("media/main/{key}"), content_type: kind.into() };
    let files = vec![file("a.png", "image/png"), file("b.pdf", "application/pdf"), file("c.gif", "image/gif")];
    let shown = Block::ToolResult { id: "call_1".into(), text: "Seen.".into(), is_error: false, files };
    let files = vec![file("a.png", "image/png")];
    let failed = Block::ToolResult { id: "call_2".into(), text: "Gone.".into(), is_error: true, files };
    let bytes = [("media/main/a.png", "picture"), ("media/main/b.pdf", "document")];
    ModelRequest {
        model: model.into(),
        files: bytes.map(|(key, bytes)| (key.into(), bytes.into())).into(),
        ..request(vec![
            user(vec![text("hello")]),
            assistant(vec![look("call_1"), look("call_2")]),
            user(vec![failed, shown, text("and?")]),
        ])
    }
}

const GIF_UNSEEN: &str = "[a picture, which this model cannot see: c.gif]";
const PDF_UNSEEN: &str = "[a document, which this model cannot see: b.pdf]";
const PNG_UNSEEN: &str = "[a picture, which this model cannot see: a.png]";
const HEADING: &str = "[Shown by the result of look (call_1), not sent by the user:]";

#[tokio::test]
async fn what_a_tool_shows_stands_in_its_result_at_anthropic_openai_and_claude_on_bedrock() {
    let (seen, failed) = (format!("Seen.\n{GIF_UNSEEN}"), format!("Gone.\n{PNG_UNSEEN}"));
    let sent = body("anthropic", Api::AnthropicMessages, ANTHROPIC, &showing("claude-sonnet-4-5")).await;
    let source = |kind: &str, data: &str| json!({"type": "base64", "media_type": kind, "data": data});
    let expected = json!([
        {"type": "tool_result", "tool_use_id": "call_1", "content": [
            {"type": "text", "text": seen},
            {"type": "image", "source": source("image/png", "cGljdHVyZQ==")},
            {"type": "document", "source": source("application/pdf", "ZG9jdW1lbnQ=")},
        ]},
        {"type": "tool_result", "tool_use_id": "call_2", "content": failed, "is_error": true},
        {"type": "text", "text": "and?", "cache_control": {"type": "ephemeral"}},
    ]);
    assert_eq!(sent["messages"][2]["content"], expected);

    let sent = body("openai", Api::OpenaiResponses, RESPONSES, &showing("gpt-5.1")).await;
    let expected = json!([
        {"type": "function_call_output", "call_id": "call_1", "output": [
            {"type": "input_text", "text": seen},
            {"type": "input_image", "image_url": "data:image/png;base64,cGljdHVyZQ=="},
            {"type": "input_file", "filename": "file.pdf", "file_data": "data:application/pdf;base64,ZG9jdW1lbnQ="},
        ]},
        {"type": "function_call_output", "call_id": "call_2", "output": format!("Error: {failed}")},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "and?"}]},
    ]);
    assert_eq!(json!(sent["input"].as_array().unwrap()[3..]), expected);

    let sent = bedrock(&showing("us.anthropic.claude-sonnet-4-5-20250929-v1:0")).await;
    let expected = json!([
        {"toolResult": {"toolUseId": "call_1", "status": "success", "content": [
            {"text": seen},
            {"image": {"format": "png", "source": {"bytes": "cGljdHVyZQ=="}}},
            {"document": {"format": "pdf", "name": "file 1", "source": {"bytes": "ZG9jdW1lbnQ="}}},
        ]}},
        {"toolResult": {"toolUseId": "call_2", "status": "error", "content": [{"text": failed}]}},
        {"text": "and?"},
        {"cachePoint": {"type": "default"}},
    ]);
    assert_eq!(sent["messages"][2]["content"], expected);
}

#[tokio::test]
async fn gemini_takes_it_in_the_result_from_its_third_generation_on_and_behind_it_before() {
    let answer = |shown: Value| {
        let mut of = json!({"id": "call_1", "name": "look", "response": {"output": format!("Seen.\n{GIF_UNSEEN}")}});
        if !shown.is_null() {
            of["parts"] = shown;
        }
        json!({"functionResponse": of})
    };
    let error = json!({"error": format!("Gone.\n{PNG_UNSEEN}")});
    let failed = json!({"functionResponse": {"id": "call_2", "name": "look", "response": error}});
    let data = |kind: &str, data: &str| json!({"inlineData": {"mimeType": kind, "data": data}});
    let (png, pdf) = (data("image/png", "cGljdHVyZQ=="), data("application/pdf", "ZG9jdW1lbnQ="));
    let sent = body("google", Api::GoogleGenerativeAi, GEMINI, &showing("gemini-3.5-flash")).await;
    let expected = json!([answer(json!([png, pdf])), failed, {"text": "and?"}]);
    assert_eq!(sent["contents"][2]["parts"], expected);
    let mut third = showing("gemini-3.5-flash");
    third.files.insert("media/main/c.gif".into(), "film".into());
    let sent = body("google", Api::GoogleGenerativeAi, GEMINI, &third).await;
    assert_eq!(sent["contents"][2]["parts"][2], json!({"text": HEADING}));
    assert_eq!(sent["contents"][2]["parts"][3], data("image/gif", "ZmlsbQ=="), "which it does not take in a result");
    let sent = body("google", Api::GoogleGenerativeAi, GEMINI, &showing("gemini-2.5-pro")).await;
    let expected = json!([answer(Value::Null), failed, {"text": HEADING}, png, pdf, {"text": "and?"}]);
    assert_eq!(sent["contents"][2]["parts"], expected);
}

#[tokio::test]
async fn where_results_are_words_alone_what_is_shown_follows_all_of_them_as_what_it_is() {
    let told = format!("Seen.\n{PDF_UNSEEN}\n{GIF_UNSEEN}");
    let failed = format!("Error: Gone.\n{PNG_UNSEEN}");
    let picture = json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,cGljdHVyZQ=="}});
    let shown = json!({"role": "user", "content": [
        {"type": "text", "text": HEADING}, picture, {"type": "text", "text": "and?"},
    ]});
    let sent = body("somebody", Api::OpenaiCompletions, OPENAI, &showing("some-model")).await;
    let tool = |id: &str, content: &str| json!({"role": "tool", "tool_call_id": id, "content": content});
    let expected = json!([tool("call_1", &told), tool("call_2", &failed), shown]);
    assert_eq!(json!(sent["messages"].as_array().unwrap()[3..]), expected);

    let sent = body("mistral", Api::OpenaiCompletions, OPENAI, &showing("some-model")).await;
    let roles: Vec<&str> =
        sent["messages"].as_array().unwrap()[3..].iter().map(|m| m["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["tool", "tool", "assistant", "user"], "which takes no user directly behind a tool");

    let sent = body("ollama", Api::Ollama, OLLAMA, &showing("some-model")).await;
    let tool =
        |id: &str, content: &str| json!({"role": "tool", "tool_name": "look", "tool_call_id": id, "content": content});
    let shown = json!({"role": "user", "content": format!("{HEADING}\n\nand?"), "images": ["cGljdHVyZQ=="]});
    assert_eq!(
        json!(sent["messages"].as_array().unwrap()[3..]),
        json!([tool("call_1", &told), tool("call_2", &failed), shown])
    );

    let sent = bedrock(&showing("some.model-v1:0")).await;
    let content = sent["messages"][2]["content"].as_array().unwrap();
    assert_eq!(content[0]["toolResult"]["content"], json!([{"text": format!("Seen.\n{GIF_UNSEEN}")}]));
    assert_eq!(
        content[2..4],
        [json!({"text": HEADING}), json!({"image": {"format": "png", "source": {"bytes": "cGljdHVyZQ=="}}})]
    );
    assert_eq!(content[4]["document"]["name"], "file 1");
}

/// By configuration or by the catalogue.
#[tokio::test]
async fn a_model_that_takes_no_pictures_is_told_that_there_is_one() {
    let blind = ModelConfig { input: Some(vec![Input::Text]), ..ModelConfig::default() };
    let all = format!("Seen.\n{PNG_UNSEEN}\n{PDF_UNSEEN}\n{GIF_UNSEEN}");
    for (id, api, wire, at) in [
        ("openai", Api::OpenaiCompletions, OPENAI, "/messages/3/content"),
        ("openai", Api::OpenaiResponses, RESPONSES, "/input/3/output"),
        ("anthropic", Api::AnthropicMessages, ANTHROPIC, "/messages/2/content/0/content"),
        ("google", Api::GoogleGenerativeAi, GEMINI, "/contents/2/parts/0/functionResponse/response/output"),
        ("bedrock", Api::BedrockConverseStream, "", "/messages/2/content/0/toolResult/content/0/text"),
        ("ollama", Api::Ollama, OLLAMA, "/messages/3/content"),
    ] {
        let models = [("some-model".into(), blind.clone())].into();
        let config = ProviderConfig { api: Some(api), models, ..ProviderConfig::of(id) };
        let sent = asked_by(config, vec![sse(wire)], &showing("some-model")).await.remove(0);
        assert_eq!(sent.body.pointer(at), Some(&json!(all)), "{id}: {:#}", sent.body);
        assert!(!sent.body.to_string().contains("cGljdHVyZQ=="), "{id}");
    }
}
