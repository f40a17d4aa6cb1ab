//! Embeddings from a provider: what texts mean, as vectors.

mod dialect;
mod provider;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use chela_core::purse::{Declined, Purse, Tariff, paid};
use chela_core::secret::Secret;
use chela_http::{HttpClient, HttpError, Request};
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
    /// Nobody was asked, for the sake of money.
    #[error("{0}")]
    Declined(#[from] Declined),
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
    /// What it takes for a thousand tokens.
    pub tariff: Tariff,
}

/// Asks a provider for vectors.
pub struct Embedder {
    settings: EmbedderSettings,
    headers: HeaderMap,
    http: HttpClient,
    questions: Mutex<HashMap<String, Vector>>,
}

impl Embedder {
    /// An embedder; an error names a header that is none.
    pub fn new(settings: EmbedderSettings, http: HttpClient) -> Result<Self, String> {
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
        Ok(Self { settings, headers, http, questions: Mutex::default() })
    }

    /// A name for what makes these vectors: those of another cannot be compared with them.
    pub fn identity(&self) -> String {
        let EmbedderSettings { base_url, model, dimensions, passage_type, .. } = &self.settings;
        let dimensions = dimensions.map_or_else(String::new, |count| count.to_string());
        format!("{base_url} {model} {dimensions} {}", passage_type.as_deref().unwrap_or_default())
    }

    /// The vectors of passages, in their order; `None` for one without meaning. At most one request is under way.
    pub(crate) async fn passages(
        &self,
        texts: &[String],
        purse: &dyn Purse,
    ) -> Result<Vec<Option<Vector>>, EmbedError> {
        let mut vectors = Vec::with_capacity(texts.len());
        for batch in texts.chunks(BATCH) {
            let made = self.ask(batch, self.settings.passage_type.as_deref(), purse).await?;
            vectors.extend(made.iter().map(|parts| Vector::of(parts)));
        }
        Ok(vectors)
    }

    /// The vector of a question, asked once for each process; `None` if it has no meaning.
    pub(crate) async fn question(&self, text: &str, purse: &dyn Purse) -> Result<Option<Vector>, EmbedError> {
        let known = self.questions.lock().unwrap_or_else(PoisonError::into_inner).get(text).cloned();
        if known.is_some() {
            return Ok(known);
        }
        let made = self.ask(&[text.to_owned()], self.settings.query_type.as_deref(), purse).await?;
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

    async fn ask(
        &self,
        texts: &[String],
        input_type: Option<&str>,
        purse: &dyn Purse,
    ) -> Result<Vec<Vec<f32>>, EmbedError> {
        let texts: Vec<String> = texts.iter().map(|text| shortened(text).to_owned()).collect();
        // No tokenizer makes more tokens of a text than it has bytes.
        let most = texts.iter().fold(0u64, |sum, text| sum.saturating_add(text.len() as u64));
        let call = async {
            match self.send(&texts, input_type).await {
                Ok(body) => self.read(&body, texts.len(), most),
                Err((error, billed)) => (Err(error), if billed { most } else { 0 }),
            }
        };
        paid(purse, &self.settings.tariff, most, call).await
    }

    /// Asks, again where it is told to come later. An error goes with whether the provider may bill what failed.
    async fn send(&self, texts: &[String], input_type: Option<&str>) -> Result<Bytes, (EmbedError, bool)> {
        let EmbedderSettings { base_url, dialect, model, dimensions, .. } = &self.settings;
        let body = dialect::body(*dialect, model, texts, *dimensions, input_type).to_string();
        let url = dialect::url(*dialect, base_url, model);
        let mut attempt = 1;
        loop {
            let mut request = Request::post(url.clone(), body.clone(), WITHIN, ANSWER_MAX);
            request.headers = self.headers.clone();
            let response = self.http.send(request).await.map_err(|error| {
                let billed = matches!(error, HttpError::Unknown { .. } | HttpError::TooLarge { .. });
                (self.unavailable(error.to_string()), billed)
            })?;
            let later = response.status == StatusCode::TOO_MANY_REQUESTS || response.status.is_server_error();
            if response.status.is_success() {
                return Ok(response.body);
            }
            if !later {
                let (provider, status) = (self.settings.provider.clone(), response.status.as_u16());
                return Err((EmbedError::Refused { provider, status }, false));
            }
            let wait = retry_after(&response.headers).unwrap_or(Duration::from_millis(250) * 2_u32.pow(attempt));
            if attempt >= ATTEMPTS || wait > PATIENCE {
                return Err((self.unavailable(format!("it answers {}", response.status.as_u16())), false));
            }
            attempt = attempt.saturating_add(1);
            tokio::time::sleep(wait).await;
        }
    }

    /// The vectors of so many texts, and the tokens they cost: all there can be if the provider does not say.
    fn read(&self, body: &[u8], texts: usize, most: u64) -> (Result<Vec<Vec<f32>>, EmbedError>, u64) {
        let Some(read) = dialect::read(self.settings.dialect, body) else {
            return (Err(self.unfit("something else".to_owned())), most);
        };
        let tokens = read.tokens.unwrap_or(most);
        let lengths: Vec<usize> = read.vectors.iter().map(Vec::len).collect();
        if lengths.len() != texts {
            return (Err(self.unfit(format!("{} vectors for {texts} texts", lengths.len()))), tokens);
        }
        if lengths.windows(2).any(|pair| pair.first() != pair.last()) || lengths.contains(&0) {
            return (Err(self.unfit("vectors of different dimensions".to_owned())), tokens);
        }
        (Ok(read.vectors), tokens)
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
