//! Embeddings from a provider: what texts mean, as vectors.

mod dialect;
mod provider;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chela_core::secret::Secret;
use chela_http::{HttpClient, Request};
use http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

pub use self::provider::{Dialect, Provider, provider};
use crate::vector::Vector;

/// Texts of one request: with 3,072 dimensions an answer of some 4 MB.
const BATCH: usize = 64;

/// Largest answer.
const ANSWER_MAX: usize = 16 * 1024 * 1024;

/// Longest a request may take: a search waits for it.
const WITHIN: Duration = Duration::from_secs(15);

/// How often a request is made that is told to come later.
const ATTEMPTS: u32 = 3;

/// Longest wait before another attempt. Whoever wants more time than that is done without.
const PATIENCE: Duration = Duration::from_secs(4);

/// Most bytes of a text: the least of what providers take, 2,048 tokens, with room to spare.
const TEXT_MAX: usize = 6 * 1024;

/// Questions whose vectors are kept.
const QUESTIONS_KEPT: usize = 256;

/// Why there are no vectors. The search goes on by words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EmbedError {
    /// The provider refuses: the key, the model or the address is wrong.
    #[error("{provider} refuses ({status}): check the key, the model and the URL under memory.search")]
    Refused {
        /// Its name.
        provider: String,
        /// The status of its answer.
        status: u16,
    },
    /// It does not answer, or wants to be left alone for a while.
    #[error("{provider} cannot be asked now ({reason})")]
    Unavailable {
        /// Its name.
        provider: String,
        /// What was seen.
        reason: String,
    },
    /// Its answer cannot be used: not so many vectors, or of other dimensions.
    #[error("{provider} answers with {what}; check that memory.search.model is a model of embeddings")]
    Unfit {
        /// Its name.
        provider: String,
        /// What is wrong.
        what: String,
    },
}

/// Which provider is asked, and how.
#[derive(Clone, Debug)]
pub struct EmbedderSettings {
    /// Its name, for people.
    pub provider: String,
    /// Where its API begins.
    pub base_url: String,
    /// The form of its requests.
    pub dialect: Dialect,
    /// The model.
    pub model: String,
    /// Its key, if it wants one.
    pub key: Option<Secret>,
    /// Headers for every request.
    pub headers: Vec<(String, Secret)>,
    /// How long vectors shall be, where the model can make shorter ones.
    pub dimensions: Option<u32>,
    /// What it is told of a question.
    pub query_type: Option<String>,
    /// What it is told of a passage.
    pub passage_type: Option<String>,
}

/// Told the model and how many tokens a request cost, as the provider counts them, else as four bytes each.
pub type Spent = Arc<dyn Fn(&str, u64) + Send + Sync>;

/// Asks a provider for vectors.
pub struct Embedder {
    settings: EmbedderSettings,
    headers: HeaderMap,
    http: HttpClient,
    spent: Option<Spent>,
    questions: Mutex<HashMap<String, Vector>>,
}

impl Embedder {
    /// An embedder; an error names a header that is none. `spent` is told what requests cost.
    pub fn new(settings: EmbedderSettings, http: HttpClient, spent: Option<Spent>) -> Result<Self, String> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(key) = &settings.key {
            let (name, value) = match settings.dialect {
                Dialect::Gemini => (HeaderName::from_static("x-goog-api-key"), key.expose().to_owned()),
                _ => (AUTHORIZATION, format!("Bearer {}", key.expose())),
            };
            headers
                .insert(name, secret_value(&value).ok_or("the key of memory.search has characters no header takes")?);
        }
        for (name, value) in &settings.headers {
            let found = HeaderName::try_from(name.as_str()).ok().zip(secret_value(value.expose()));
            let (header, value) =
                found.ok_or_else(|| format!("memory.search.remote.headers: \"{name}\" is no header"))?;
            headers.insert(header, value);
        }
        Ok(Self { settings, headers, http, spent, questions: Mutex::default() })
    }

    /// A name for what makes these vectors: those of another cannot be compared with them.
    pub fn identity(&self) -> String {
        let EmbedderSettings { base_url, model, dimensions, passage_type, .. } = &self.settings;
        let dimensions = dimensions.map_or_else(String::new, |count| count.to_string());
        format!("{base_url} {model} {dimensions} {}", passage_type.as_deref().unwrap_or_default())
    }

    /// The vectors of passages, in their order; `None` for one without meaning. At most one request is under way.
    pub(crate) async fn passages(&self, texts: &[String]) -> Result<Vec<Option<Vector>>, EmbedError> {
        let mut vectors = Vec::with_capacity(texts.len());
        for batch in texts.chunks(BATCH) {
            let made = self.ask(batch, self.settings.passage_type.as_deref()).await?;
            vectors.extend(made.iter().map(|parts| Vector::of(parts)));
        }
        Ok(vectors)
    }

    /// The vector of a question, asked once for each process; `None` if it has no meaning.
    pub(crate) async fn question(&self, text: &str) -> Result<Option<Vector>, EmbedError> {
        let known = self.questions.lock().unwrap_or_else(PoisonError::into_inner).get(text).cloned();
        if known.is_some() {
            return Ok(known);
        }
        let made = self.ask(&[text.to_owned()], self.settings.query_type.as_deref()).await?;
        let vector = made.first().and_then(|parts| Vector::of(parts));
        if let Some(vector) = &vector {
            let mut questions = self.questions.lock().unwrap_or_else(PoisonError::into_inner);
            if questions.len() >= QUESTIONS_KEPT {
                questions.clear();
            }
            questions.insert(text.to_owned(), vector.clone());
        }
        Ok(vector)
    }

    async fn ask(&self, texts: &[String], input_type: Option<&str>) -> Result<Vec<Vec<f32>>, EmbedError> {
        let EmbedderSettings { base_url, dialect, model, dimensions, .. } = &self.settings;
        let texts: Vec<String> = texts.iter().map(|text| shortened(text).to_owned()).collect();
        let body = dialect::body(*dialect, model, &texts, *dimensions, input_type).to_string();
        let url = dialect::url(*dialect, base_url, model);
        let mut attempt = 1;
        let answer = loop {
            let mut request = Request::post(url.clone(), body.clone(), WITHIN, ANSWER_MAX);
            request.headers = self.headers.clone();
            let response = self.http.send(request).await.map_err(|error| self.unavailable(error.to_string()))?;
            let later = response.status == StatusCode::TOO_MANY_REQUESTS || response.status.is_server_error();
            if response.status.is_success() {
                break response;
            }
            if !later {
                let (provider, status) = (self.settings.provider.clone(), response.status.as_u16());
                return Err(EmbedError::Refused { provider, status });
            }
            let wait = retry_after(&response.headers).unwrap_or(Duration::from_millis(250) * 2_u32.pow(attempt));
            if attempt >= ATTEMPTS || wait > PATIENCE {
                return Err(self.unavailable(format!("it answers {}", response.status.as_u16())));
            }
            attempt = attempt.saturating_add(1);
            tokio::time::sleep(wait).await;
        };
        let read = dialect::read(*dialect, &answer.body).ok_or_else(|| self.unfit("something else".to_owned()))?;
        let lengths: Vec<usize> = read.vectors.iter().map(Vec::len).collect();
        if lengths.len() != texts.len() {
            return Err(self.unfit(format!("{} vectors for {} texts", lengths.len(), texts.len())));
        }
        if lengths.windows(2).any(|pair| pair.first() != pair.last()) || lengths.contains(&0) {
            return Err(self.unfit("vectors of different dimensions".to_owned()));
        }
        if let Some(spent) = &self.spent {
            let bytes: usize = texts.iter().map(String::len).sum();
            spent(model, read.tokens.unwrap_or(bytes as u64 / 4));
        }
        Ok(read.vectors)
    }

    fn unavailable(&self, reason: String) -> EmbedError {
        EmbedError::Unavailable { provider: self.settings.provider.clone(), reason }
    }

    fn unfit(&self, what: String) -> EmbedError {
        EmbedError::Unfit { provider: self.settings.provider.clone(), what }
    }
}

fn secret_value(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

/// The beginning of a text that every provider takes. Some refuse an empty one.
fn shortened(text: &str) -> &str {
    if text.trim().is_empty() {
        return ".";
    }
    let end = (0..=TEXT_MAX.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    text.get(..end).unwrap_or_default()
}
