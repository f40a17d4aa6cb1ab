//! One provider: where it is, the key, and what its refusals mean.

use std::time::Duration;

use bytes::Bytes;
use chela_core::media::MediaError;
use chela_core::secret::Secret;
use chela_http::{HttpClient, HttpError, Request, Response};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderName, HeaderValue};
use serde_json::Value;

/// Longest quote of a provider's words.
const MAX_WORDS: usize = 200;

/// Most bytes of what a provider makes: a picture, or minutes of speech.
const MAX_ANSWER: usize = 32 * 1024 * 1024;

/// A provider of media. Cheap to clone.
#[derive(Clone)]
pub struct Provider {
    /// What people call it, in errors too.
    pub id: String,
    /// Everything before the path of the call.
    pub base_url: String,
    /// The key; none for servers of one's own.
    pub key: Option<Secret>,
    /// The way out.
    pub http: HttpClient,
    /// Longest wait for an answer.
    pub timeout: Duration,
}

/// How a key is shown to a provider.
#[derive(Clone, Copy)]
pub(crate) enum Login {
    /// `Authorization: <word> <key>`.
    Authorization(&'static str),
    /// A header of its own.
    Header(&'static str),
}

impl Provider {
    /// The URL of a call.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base_url.trim_end_matches('/'))
    }

    /// Posts, and takes the whole answer.
    pub(crate) async fn post(
        &self,
        url: &str,
        login: Login,
        content_type: &str,
        body: impl Into<Bytes>,
    ) -> Result<Bytes, MediaError> {
        let unusable = || self.rejected("the key holds a character no header can carry");
        let content_type = HeaderValue::from_str(content_type).map_err(|_| self.rejected("no such content type"))?;
        let mut request = Request::post(url, body, self.timeout, MAX_ANSWER).header(CONTENT_TYPE, content_type);
        if let Some(key) = &self.key {
            let (name, text) = match login {
                Login::Authorization(word) => (AUTHORIZATION, format!("{word} {}", key.expose())),
                Login::Header(name) => (HeaderName::from_static(name), key.expose().to_owned()),
            };
            let mut value = HeaderValue::from_str(&text).map_err(|_| unusable())?;
            value.set_sensitive(true);
            request = request.header(name, value);
        }
        let response = self.http.send(request).await.map_err(|error| self.no_answer(&error))?;
        self.whole(response)
    }

    /// Posts JSON and reads JSON.
    pub(crate) async fn ask(&self, url: &str, login: Login, body: &Value) -> Result<Value, MediaError> {
        let answer = self.post(url, login, "application/json", body.to_string()).await?;
        self.json(&answer)
    }

    pub(crate) fn json(&self, answer: &[u8]) -> Result<Value, MediaError> {
        serde_json::from_slice(answer).map_err(|_| self.broken("it answers with something else than JSON"))
    }

    /// Fetches what an answer points to. The address is the provider's choice, not the owner's: it must be public, and the
    /// key does not go there.
    pub(crate) async fn fetch(&self, url: &str) -> Result<Bytes, MediaError> {
        let request = Request::get(url, self.timeout, MAX_ANSWER).follow(2);
        let response = self.http.public_only().send(request).await.map_err(|error| self.no_answer(&error))?;
        self.whole(response)
    }

    fn whole(&self, response: Response) -> Result<Bytes, MediaError> {
        if response.status.is_success() {
            return Ok(response.body);
        }
        let status = response.status.as_u16();
        let words = words(&response.body);
        let no_money = ["insufficient_quota", "credit balance", "billing", "quota_exceeded"];
        let (provider, reason) = (self.id.clone(), self.quote(status, &words));
        Err(match status {
            401..=403 => MediaError::Credential { provider, reason },
            _ if no_money.iter().any(|phrase| words.to_ascii_lowercase().contains(phrase)) => {
                MediaError::Credential { provider, reason }
            }
            408 | 409 | 425 | 429 | 500..=599 => MediaError::Unavailable { provider, reason },
            _ => MediaError::Rejected { provider, reason },
        })
    }

    fn no_answer(&self, error: &HttpError) -> MediaError {
        match error {
            HttpError::BadUrl { .. } | HttpError::Blocked { .. } | HttpError::Setup { .. } => {
                self.rejected(error.to_string())
            }
            HttpError::NotSent { .. } => {
                MediaError::Unavailable { provider: self.id.clone(), reason: error.to_string() }
            }
            HttpError::Unknown { .. } | HttpError::TooLarge { .. } => self.broken(error.to_string()),
        }
    }

    /// It took the request, and what came of it cannot be used.
    pub(crate) fn broken(&self, reason: impl Into<String>) -> MediaError {
        MediaError::Unknown { provider: self.id.clone(), reason: reason.into() }
    }

    pub(crate) fn rejected(&self, reason: impl Into<String>) -> MediaError {
        MediaError::Rejected { provider: self.id.clone(), reason: reason.into() }
    }

    /// The provider's words, short, on one line, and without the key or the masked form of it that some quote.
    fn quote(&self, status: u16, words: &str) -> String {
        let key = self.key.as_ref().map_or("", Secret::expose);
        let prefix: String = key.chars().take(4).collect();
        let shows_key = |word: &str| !key.is_empty() && (word.contains(key) || word.contains(&prefix));
        let clean = words.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
        let clean: Vec<&str> = clean.map(|word| if shows_key(word) { "…" } else { word }).collect();
        let clean: String = clean.join(" ").chars().take(MAX_WORDS).collect();
        if clean.is_empty() { format!("status {status}") } else { format!("status {status}: {clean}") }
    }
}

/// What an error says, in whichever shape: `{error: {message}}` of OpenAI and Google, `{err_msg}` of Deepgram, `{detail:
/// {message}}` of ElevenLabs and `{detail}` of fal.
fn words(body: &[u8]) -> String {
    let Ok(json) = serde_json::from_slice::<Value>(body) else {
        let text = String::from_utf8_lossy(body);
        // A page of some proxy in front of the provider says nothing.
        return if text.trim_start().starts_with('<') { String::new() } else { text.into_owned() };
    };
    let places = ["/error/message", "/detail/message", "/err_msg", "/message", "/detail", "/error"];
    let said = places.iter().find_map(|place| json.pointer(place).and_then(Value::as_str)).unwrap_or_default();
    let code = json.pointer("/error/code").and_then(Value::as_str).unwrap_or_default();
    format!("{code} {said}")
}
