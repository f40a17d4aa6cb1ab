//! What providers say instead of an answer, and what the caller can do about it.

use std::time::Duration;

use chela_core::model::ModelError;
use chela_models::{Api, ProviderConfig};
use tokio::net::TcpListener;

use crate::server::{KEY, Provider, call, hello, http, reply};

/// One word for what the caller can do.
fn sorted(error: &ModelError) -> String {
    match error {
        ModelError::RateLimited { after, .. } => match after {
            Some(after) => format!("wait {} ms", after.as_millis()),
            None => "wait".into(),
        },
        ModelError::Overloaded { .. } => "overloaded".into(),
        ModelError::Billing { .. } => "billing".into(),
        ModelError::Unavailable { .. } => "retry".into(),
        ModelError::Credential { .. } => "owner".into(),
        ModelError::TooLong { .. } => "shorten".into(),
        ModelError::Rejected { .. } => "never".into(),
    }
}

async fn sorted_reply(status: u16, headers: &str, body: &str) -> String {
    let provider = Provider::start([reply(status, "application/json", headers, body)]).await;
    sorted(&call(&*provider.openai(), &hello()).await.0.unwrap_err())
}

/// Status, body, and what the caller can do.
const ANSWERS: &[(u16, &str, &str)] = &[
    (401, r#"{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}"#, "owner"),
    (403, r#"{"error":{"message":"Country not supported","code":"unsupported_country"}}"#, "owner"),
    (403, r#"{"error":{"code":403,"message":"Your input was flagged by moderation"}}"#, "never"),
    (
        402,
        r#"{"error":{"message":"Insufficient Balance","type":"unknown_error","code":"invalid_request_error"}}"#,
        "billing",
    ),
    (
        400,
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API."}}"#,
        "billing",
    ),
    (
        400,
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"You have reached your specified API usage limits."}}"#,
        "billing",
    ),
    (
        429,
        r#"{"error":{"message":"You exceeded your current quota, please check your plan and billing details.","type":"insufficient_quota","code":"insufficient_quota"}}"#,
        "billing",
    ),
    (
        429,
        r#"{"error":{"message":"Rate limit reached. You can add a payment method at https://x/account/billing","code":"rate_limit_exceeded"}}"#,
        "wait",
    ),
    (429, r#"[{"error":{"code":429,"status":"RESOURCE_EXHAUSTED"}}]"#, "wait"),
    (
        400,
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 210000 tokens > 200000 maximum"}}"#,
        "shorten",
    ),
    (
        400,
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000"}}"#,
        "shorten",
    ),
    (
        400,
        r#"{"error":{"message":"This model's maximum context length is 128000 tokens.","type":"invalid_request_error","code":"context_length_exceeded"}}"#,
        "shorten",
    ),
    (
        400,
        r#"{"error":{"code":400,"message":"the request exceeds the available context size","type":"exceed_context_size_error"}}"#,
        "shorten",
    ),
    (
        413,
        r#"{"type":"error","error":{"type":"request_too_large","message":"Request exceeds the maximum size"}}"#,
        "shorten",
    ),
    (413, "", "shorten"),
    (
        400,
        r#"{"error":{"message":"max_tokens: 99999 > 8192, which is the maximum allowed number of output tokens"}}"#,
        "never",
    ),
    (404, r#"{"error":"model 'llama9' not found"}"#, "never"),
    (422, r#"{"detail":[{"msg":"field required"}]}"#, "never"),
    (301, "", "never"),
    (408, "", "retry"),
    (500, r#"{"type":"error","error":{"type":"api_error","message":"Internal server error"}}"#, "retry"),
    (502, "<html><body>Bad Gateway</body></html>", "retry"),
    (503, "upstream connect error", "retry"),
    (529, r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#, "overloaded"),
    (529, "", "overloaded"),
    (
        503,
        r#"{"error":{"code":503,"message":"The model is overloaded. Please try again later.","status":"UNAVAILABLE"}}"#,
        "overloaded",
    ),
    (
        429,
        r#"{"error":{"message":"The engine is currently overloaded","type":"engine_overloaded_error"}}"#,
        "overloaded",
    ),
    (
        400,
        r#"[{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID"}]}}]"#,
        "owner",
    ),
    (
        400,
        r#"{"error":{"code":400,"message":"The input token count (1234567) exceeds the maximum number of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}}"#,
        "shorten",
    ),
    (
        403,
        r#"{"error":{"code":403,"message":"This API method requires billing to be enabled.","status":"PERMISSION_DENIED"}}"#,
        "billing",
    ),
    (
        429,
        r#"{"error":{"code":429,"message":"You exceeded your current quota, please check your plan and billing details.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34.5s"}]}}"#,
        "wait 34500 ms",
    ),
    (
        400,
        r#"{"error":{"message":"This model's maximum prompt length is 131072 but the request contains 537812 tokens."}}"#,
        "shorten",
    ),
    (
        413,
        r#"{"error":{"code":"tokens_limit_reached","message":"Request body too large for gpt-4o model."}}"#,
        "shorten",
    ),
];

#[tokio::test]
async fn statuses_and_wordings_are_sorted_by_what_the_caller_can_do() {
    for (status, body, expected) in ANSWERS {
        assert_eq!(sorted_reply(*status, "", body).await, *expected, "{status} {body}");
    }
}

#[tokio::test]
async fn the_kinds_of_aws_stand_in_a_header() {
    let table = [
        (429, "ThrottlingException", "Too many tokens, please wait before trying again.", "wait"),
        (400, "ServiceQuotaExceededException", "Your request exceeds the quota", "wait"),
        (429, "ModelNotReadyException:http://internal/", "Model is not ready", "overloaded"),
        (503, "ServiceUnavailableException", "Try again", "overloaded"),
        (400, "ValidationException", "Input is too long for requested model.", "shorten"),
        (400, "ValidationException", "The provided model identifier is invalid.", "never"),
        (403, "AccessDeniedException", "You don't have access to the model", "owner"),
        (403, "ExpiredTokenException", "The security token included in the request is expired", "owner"),
        (408, "ModelTimeoutException", "The model took too long", "retry"),
        (500, "InternalServerException", "", "retry"),
    ];
    for (status, kind, words, expected) in table {
        let body = serde_json::json!({"message": words}).to_string();
        assert_eq!(sorted_reply(status, &format!("x-amzn-errortype: {kind}\r\n"), &body).await, expected, "{kind}");
    }
}

#[tokio::test]
async fn a_wait_is_read_in_every_form() {
    let table = [
        ("retry-after: 7\r\n", "wait 7000 ms"),
        ("retry-after: 1.5\r\n", "wait 1500 ms"),
        ("retry-after: 20\r\nretry-after-ms: 250\r\n", "wait 250 ms"),
        ("date: Wed, 21 Oct 2026 07:28:00 GMT\r\nretry-after: Wed, 21 Oct 2026 07:29:30 GMT\r\n", "wait 90000 ms"),
        ("date: Wed, 21 Oct 2026 07:28:00 GMT\r\nretry-after: Wed, 21 Oct 2026 07:27:00 GMT\r\n", "wait"),
        ("retry-after: Wed, 21 Oct 2026 07:29:30 GMT\r\n", "wait"),
        ("retry-after: 99999999999\r\n", "wait 86400000 ms"),
        ("retry-after: -5\r\n", "wait"),
        ("retry-after: soon\r\n", "wait"),
    ];
    for (headers, expected) in table {
        assert_eq!(sorted_reply(429, headers, "{}").await, expected, "{headers}");
    }
}

#[tokio::test]
async fn the_providers_words_reach_the_owner_without_the_key() {
    let long = "x".repeat(5000);
    let masked = r#"{"error":{"message":"Incorrect API key provided: sk-proj-********ijkl. See https://x/keys"}}"#;
    let table = [
        (
            401,
            masked.to_owned(),
            "refuses the credential: status 401: Incorrect API key provided: … See https://x/keys",
        ),
        (
            401,
            format!(r#"{{"error":{{"message":"bad key\n'{KEY}'"}}}}"#),
            "refuses the credential: status 401: bad key …",
        ),
        (404, r#"{"error":"model 'm' not found"}"#.to_owned(), "rejects the request: status 404: model 'm' not found"),
        (502, "<html>".to_owned(), "is not answering properly: status 502"),
    ];
    for (status, body, expected) in table {
        let provider = Provider::start([reply(status, "application/json", "", &body)]).await;
        let error = call(&*provider.openai(), &hello()).await.0.unwrap_err();
        assert_eq!(error.to_string(), format!("somebody {expected}"));
        assert!(!format!("{error:?}").contains("sk-proj"), "{error:?}");
    }
    let provider = Provider::start([reply(500, "text/plain", "", &long)]).await;
    assert!(call(&*provider.openai(), &hello()).await.0.unwrap_err().to_string().len() < 400);
}

/// Errors are logged and shown, and some servers repeat the request in them, which is what people said.
#[tokio::test]
async fn d04_an_error_does_not_repeat_what_was_asked() {
    for body in [
        r#"{"detail":[{"type":"missing","loc":["body"],"msg":"Field required","input":{"messages":["my card 4111"]}}]}"#,
        r#"{"error":{"message":"[{'type': 'missing', 'msg': 'Field required', 'input': {'messages': ['my card 4111']}}]"}}"#,
        r#"{"message":"Field required","detail":{"loc":"body","input":"my card 4111"}}"#,
    ] {
        for status in [422, 500] {
            let provider = Provider::start([reply(status, "application/json", "", body)]).await;
            let error = call(&*provider.openai(), &hello()).await.0.unwrap_err().to_string();
            assert!(error.contains("Field required") && !error.contains("4111"), "{error}");
        }
    }
}

#[tokio::test]
async fn a_provider_that_is_not_there_or_forbidden_ground_is_told_apart() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    drop(listener);
    let config = ProviderConfig { base_url: Some(url.clone()), ..ProviderConfig::of("local") };
    for (allowed, expected) in [(vec![url.as_str()], "retry"), (vec![], "never")] {
        let model = chela_models::open(&config, None, http(&allowed)).unwrap();
        assert_eq!(sorted(&call(&*model, &hello()).await.0.unwrap_err()), expected);
    }
}

#[tokio::test]
async fn a_call_ends_with_its_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let config =
        ProviderConfig { api: Some(Api::AnthropicMessages), base_url: Some(url.clone()), ..ProviderConfig::of("x") };
    let model = chela_models::open(&config, None, http(&[&url])).unwrap();
    let mut hello = hello();
    hello.timeout = Duration::from_millis(50);
    assert_eq!(sorted(&call(&*model, &hello).await.0.unwrap_err()), "retry");
}
