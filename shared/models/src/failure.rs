//! What providers say when they do not answer, sorted by what the caller can do about it.

use std::time::Duration;

use chela_core::model::ModelError;
use chela_core::secret::Secret;
use chela_http::HttpError;
use http::{HeaderMap, StatusCode};
use serde_json::Value;

/// Longest quote of a provider's words.
const MAX_WORDS: usize = 300;

/// A wait longer than this is a mistake of the provider's clock.
const MAX_WAIT: Duration = Duration::from_secs(24 * 3600);

/// How the providers say that the transcript is too long.
const TOO_LONG: [&str; 22] = [
    "prompt is too long",               // Anthropic
    "exceed context limit",             // Anthropic, input and max_tokens together
    "request_too_large",                // Anthropic
    "context_length_exceeded",          // OpenAI
    "maximum context length",           // OpenAI, vLLM, OpenRouter, DeepSeek
    "context window",                   // LiteLLM, OpenAI's Responses, MiniMax
    "string_above_max_length",          // OpenAI
    "exceed_context_size",              // llama.cpp
    "available context size",           // llama.cpp
    "greater than the context length",  // LM Studio
    "exceeded max context",             // Ollama
    "input length exceeds",             // Ollama
    "reduce the length of",             // Groq, OpenAI, Cerebras
    "too large for model with",         // Mistral: "… with 32768 maximum context length"
    "maximum number of tokens allowed", // Gemini: "The input token count (…) exceeds the …"
    "input is too long",                // Bedrock
    "maximum prompt length",            // xAI
    "range of input length",            // Qwen
    "exceeded model token limit",       // Moonshot
    "prompt exceeds max length",        // Z.AI
    "tokens_limit_reached",             // GitHub Models
    "too many tokens: ",                // Cohere; Bedrock's throttling says "Too many tokens, please wait"
];

/// How the providers say that the money has run out, whatever the status.
const NO_MONEY: [&str; 12] = [
    "credit balance",             // Anthropic: 400
    "reached your specified",     // Anthropic: 400, the owner's own spending limit
    "insufficient_quota",         // OpenAI: 429
    "billing_error",              // Anthropic: 402
    "billing_hard_limit",         // OpenAI: 400
    "billing_not_active",         // OpenAI: 429
    "insufficient balance",       // DeepSeek: 402, Moonshot and MiniMax: 429
    "insufficient credits",       // OpenRouter: 402
    "insufficient_user_quota",    // gateways before OpenAI
    "billing to be enabled",      // Gemini: 403
    "billing_disabled",           // Gemini: 403
    "used all available credits", // xAI: 429
];

/// How the providers say that they have too much to do, whatever the status.
const TOO_BUSY: [&str; 9] = [
    "overloaded",                     // Anthropic: 529, Gemini: 503, DeepSeek: 503, Together: 503
    "modelnotready",                  // Bedrock: 429, while it warms up
    "serviceunavailableexception",    // Bedrock: 503
    "serverisbusy",                   // Azure
    "server is busy",                 // DeepSeek, Ollama: 503
    "experiencing high demand",       // Gemini: 503
    "over capacity",                  // Groq: 498, Cerebras
    "too_many_requests_error: queue", // Cerebras
    "engine_overloaded",              // Moonshot: 429
];

/// How the providers say that a key is wrong where the status does not.
const BAD_KEY: [&str; 2] = [
    "api key not valid", // Gemini: 400
    "api_key_invalid",   // Gemini: 400
];

/// How a request begins that an error repeats.
const REPEATS: [&str; 4] = ["'input':", "\"input\":", "'ctx':", "\"ctx\":"];

/// Who failed, and the key that must not be quoted.
#[derive(Clone)]
pub(crate) struct Witness {
    pub(crate) provider: String,
    pub(crate) key: Option<Secret>,
}

impl Witness {
    /// The provider is there but makes no sense, or its stream broke off.
    pub(crate) fn broken(&self, reason: impl Into<String>) -> ModelError {
        ModelError::Unavailable { provider: self.provider.clone(), reason: reason.into() }
    }

    /// The request can never succeed.
    pub(crate) fn rejected(&self, reason: impl Into<String>) -> ModelError {
        ModelError::Rejected { provider: self.provider.clone(), reason: reason.into() }
    }

    /// No answer at all. A call that may have been sent may be sent again: it costs tokens, nothing else.
    pub(crate) fn no_answer(&self, error: &HttpError) -> ModelError {
        match error {
            HttpError::BadUrl { .. } | HttpError::Blocked { .. } | HttpError::Setup { .. } => {
                self.rejected(format!("{error}; check models.providers.{}.baseUrl", self.provider))
            }
            HttpError::NotSent { .. } | HttpError::Unknown { .. } | HttpError::TooLarge { .. } => {
                self.broken(error.to_string())
            }
        }
    }

    /// An answer with an error status.
    pub(crate) fn status(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> ModelError {
        let mut said = Said::of_body(body);
        // AWS names the kind of an error in a header, with a URL behind a colon.
        let kind = headers.get("x-amzn-errortype").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        said.kind.push(' ');
        said.kind.push_str(kind.split(':').next().unwrap_or_default());
        self.sort(status.as_u16(), &said, wait(headers).or(said.after))
    }

    /// An error object inside an answer that began well.
    pub(crate) fn in_stream(&self, error: &Value) -> ModelError {
        let said = Said::of_error(error);
        self.sort(said.status(), &said, said.after)
    }

    fn sort(&self, status: u16, said: &Said, after: Option<Duration>) -> ModelError {
        let provider = self.provider.clone();
        let reason = self.quote(status, &said.words);
        let searched = format!("{} {}", said.kind, said.words).to_ascii_lowercase();
        let says = |phrases: &[&str]| phrases.iter().any(|phrase| searched.contains(phrase));
        match status {
            402 => ModelError::Billing { provider, reason },
            _ if says(&NO_MONEY) => ModelError::Billing { provider, reason },
            529 => ModelError::Overloaded { provider, after },
            429 | 498 | 500..=599 if says(&TOO_BUSY) => ModelError::Overloaded { provider, after },
            503 if after.is_some() => ModelError::Overloaded { provider, after },
            429 => ModelError::RateLimited { provider, after },
            // Bedrock, of an account's quotas.
            400 if says(&["servicequotaexceeded", "throttlingexception"]) => {
                ModelError::RateLimited { provider, after }
            }
            413 => ModelError::TooLong { provider },
            _ if says(&TOO_LONG) => ModelError::TooLong { provider },
            400 if says(&BAD_KEY) => ModelError::Credential { provider, reason },
            // OpenRouter answers 403 to input that a moderator flagged.
            403 if says(&["flagged", "moderation"]) => ModelError::Rejected { provider, reason },
            401 | 403 => ModelError::Credential { provider, reason },
            408 | 409 | 425 | 500..=599 => ModelError::Unavailable { provider, reason },
            300..=399 => ModelError::Rejected {
                reason: format!("it answers {status}, a redirect; check models.providers.{provider}.baseUrl"),
                provider,
            },
            _ => ModelError::Rejected { provider, reason },
        }
    }

    /// The provider's words, short, on one line, and without the key or the masked form of it that some quote.
    fn quote(&self, status: u16, words: &str) -> String {
        let key = self.key.as_ref().map_or("", Secret::expose);
        let prefix: String = key.chars().take(4).collect();
        let shows_key = |word: &&str| prefix.len() == 4 && (word.contains(key) || word.contains(&prefix));
        // Servers that check requests by pydantic (vLLM, LiteLLM) repeat what they were sent: the conversation itself.
        let words = REPEATS.iter().fold(words, |words, mark| words.split(mark).next().unwrap_or_default());
        let clean = words.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
        let clean: Vec<&str> = clean.map(|word| if shows_key(&word) { "…" } else { word }).collect();
        let clean: String = clean.join(" ").chars().take(MAX_WORDS).collect();
        if clean.is_empty() { format!("status {status}") } else { format!("status {status}: {clean}") }
    }
}

/// What an error says, in whichever shape.
struct Said {
    /// Its type and code.
    kind: String,
    /// Its message.
    words: String,
    /// How long it asks to wait.
    after: Option<Duration>,
}

impl Said {
    fn of_body(body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        match serde_json::from_slice::<Value>(body) {
            // Gemini without `alt=sse` sends a list of one.
            Ok(whole) => {
                let whole = whole.get(0).unwrap_or(&whole);
                Self::of_error(whole.get("error").unwrap_or(whole))
            }
            // A page of some proxy in front of the provider.
            Err(_) if text.trim_start().starts_with('<') => Self::of_words(String::new()),
            Err(_) => Self::of_words(text.into_owned()),
        }
    }

    fn of_words(words: String) -> Self {
        Self { kind: String::new(), words, after: None }
    }

    /// `{type, code, message}` as OpenAI and Anthropic have it, `{status, details}` of Gemini, `{metadata: {raw}}` of
    /// OpenRouter, a bare string of Ollama, `{detail}` of FastAPI servers, `{Message}` of some parts of AWS.
    fn of_error(error: &Value) -> Self {
        let word = |name: &str| match error.get(name) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Null) | None => String::new(),
            Some(other) => other.to_string(),
        };
        let raw = error.pointer("/metadata/raw").and_then(Value::as_str).unwrap_or_default();
        let words = match error {
            Value::String(text) => text.clone(),
            _ => format!("{} {} {} {raw}", word("message"), word("Message"), detail(error).unwrap_or(word("detail"))),
        };
        let details = error.get("details").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let of_details = |name: &'static str| details.iter().filter_map(move |it| it.get(name)?.as_str());
        let reasons: Vec<&str> = of_details("reason").collect();
        let kind = [word("type"), word("code"), word("status"), word("__type"), reasons.join(" ")].join(" ");
        let after = of_details("retryDelay").find_map(seconds).map(|after| after.min(MAX_WAIT));
        Self { kind, words, after }
    }

    /// The status this error would have had on its own.
    fn status(&self) -> u16 {
        let of_word = |word: &str| match word {
            "invalid_request_error" | "invalid_prompt" => Some(400),
            "authentication_error" | "invalid_api_key" => Some(401),
            "billing_error" => Some(402),
            "permission_error" => Some(403),
            "not_found_error" => Some(404),
            "request_too_large" => Some(413),
            "rate_limit_error" | "rate_limit_exceeded" | "RESOURCE_EXHAUSTED" => Some(429),
            "overloaded_error" => Some(529),
            "INVALID_ARGUMENT" | "validationException" => Some(400),
            "throttlingException" => Some(429),
            "serviceUnavailableException" | "UNAVAILABLE" => Some(503),
            number => number.parse().ok().filter(|status| (400..600).contains(status)),
        };
        self.kind.split_whitespace().find_map(of_word).unwrap_or(500)
    }
}

/// What FastAPI finds wrong, without what it found it wrong in.
fn detail(error: &Value) -> Option<String> {
    let list = error.get("detail")?.as_array()?;
    let found: Vec<&str> = list.iter().filter_map(|it| it.get("msg")?.as_str()).collect();
    Some(found.join("; "))
}

/// How long the provider asks to wait: milliseconds, seconds, or a date measured against the provider's own clock.
fn wait(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let number = |text: &str| text.parse::<f64>().ok();
    let date = |text: &str| jiff::fmt::rfc2822::parse(text).ok().map(|date| date.timestamp());
    let after = text("retry-after");
    let seconds = text("retry-after-ms").and_then(number).map(|ms| ms / 1000.0).or_else(|| after.and_then(number));
    let until = || {
        let (then, now) = (date(after?)?, date(text("date")?)?);
        Duration::try_from(then.duration_since(now)).ok()
    };
    let wait = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).or_else(until)?;
    Some(wait.min(MAX_WAIT))
}

/// `34s` or `1.5s`, as Google writes durations.
fn seconds(text: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(text.strip_suffix('s')?.parse().ok()?).ok()
}
