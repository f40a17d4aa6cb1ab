//! One provider's URL and key, and the reading of its streams: what all dialects share.

use std::time::Duration;

use chela_clock::SystemClock;
use chela_core::clock::Clock as _;
use chela_core::model::{Delta, ModelError};
use chela_http::{HttpClient, Request, StreamingResponse};
use chela_sigv4::{Signer, Unsigned};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};

use crate::failure::Witness;
use crate::framing::Framing;

/// Most bytes of one answer on the wire. Providers spend 100 to 400 bytes on a token, and nothing of it is kept.
const MAX_STREAM: usize = 64 * 1024 * 1024;

/// Most bytes of an answer that is not streamed, or of an error.
const MAX_WHOLE: usize = 4 * 1024 * 1024;

/// How long the connection is given to end properly after the answer is complete, so that the next step can use it
/// again: a TLS handshake costs more than this on a small function.
const END_WITHIN: Duration = Duration::from_millis(100);

/// Where and as whom a provider is asked.
pub(crate) struct Endpoint {
    /// What every URL begins with, without a slash at its end.
    pub(crate) base: String,
    /// What every URL ends with: `api-version=…` at Azure.
    pub(crate) query: Option<String>,
    pub(crate) headers: HeaderMap,
    pub(crate) signer: Option<Signer>,
    /// Longest a call may take, if the provider's configuration says so.
    pub(crate) timeout: Option<Duration>,
    pub(crate) http: HttpClient,
    pub(crate) witness: Witness,
}

/// One request.
pub(crate) struct Question {
    /// What comes after the base URL, with a query of its own or none.
    pub(crate) path: String,
    pub(crate) body: Vec<u8>,
    pub(crate) framing: Framing,
    pub(crate) timeout: Duration,
}

/// Puts an answer together from the events of a stream.
pub(crate) trait Assembly: Send {
    /// Takes the `data` of one event.
    fn event(&mut self, data: &str, on_delta: OnDelta<'_>) -> Result<Progress, ModelError>;

    /// Takes an answer that came in one piece although a stream was asked for.
    fn whole(&mut self, body: &[u8], on_delta: OnDelta<'_>) -> Result<(), ModelError>;
}

/// As in [`chela_core::model::Model::call`].
pub(crate) type OnDelta<'a> = &'a mut (dyn for<'d> FnMut(&'d Delta) + Send);

/// How far an answer has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Something is missing; a stream that ends here broke off.
    Partial,
    /// Everything was said; what may follow is the bill.
    Said,
    /// Nothing follows.
    Ended,
}

impl Endpoint {
    /// Asks, and reads the answer into `assembly`.
    pub(crate) async fn ask(
        &self,
        question: Question,
        assembly: &mut impl Assembly,
        on_delta: OnDelta<'_>,
    ) -> Result<(), ModelError> {
        let Question { path, body, framing, timeout } = question;
        let timeout = self.timeout.map_or(timeout, |longest| longest.min(timeout));
        let url = self.url(&path);
        let content_type = Some("application/json");
        let unsigned = Unsigned { method: &Method::POST, url: &url, content_type, body: &body };
        let signed = self.signer.as_ref().map(|signer| signer.headers(&unsigned, SystemClock.now()));
        let mut request = Request::post(url, body, timeout, MAX_STREAM);
        request.headers = self.headers.clone();
        request.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        request.headers.insert(ACCEPT, HeaderValue::from_static(framing.accepts()));
        if let Some(signed) = signed {
            request.headers.extend(signed.ok_or_else(|| self.witness.rejected("the request cannot be signed"))?);
        }
        // A model that reasons may be silent for as long as the whole call may take.
        let mut response = self.http.stream(request, timeout).await.map_err(|error| self.witness.no_answer(&error))?;
        let (status, headers) = (response.status(), response.headers().clone());
        if !status.is_success() {
            // The status counts even where its explanation breaks off.
            let body = whole(&mut response).await.unwrap_or_default();
            return Err(self.witness.status(status, &headers, &body));
        }
        let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if media_type.starts_with("application/json") {
            let body = whole(&mut response).await.map_err(|error| self.witness.no_answer(&error))?;
            return assembly.whole(&body, on_delta);
        }
        self.read(response, framing, assembly, on_delta).await
    }

    fn url(&self, path: &str) -> String {
        let joint = if path.contains('?') { '&' } else { '?' };
        let query = self.query.as_ref().map(|query| format!("{joint}{query}")).unwrap_or_default();
        format!("{}{path}{query}", self.base)
    }

    async fn read(
        &self,
        mut response: StreamingResponse,
        framing: Framing,
        assembly: &mut impl Assembly,
        on_delta: OnDelta<'_>,
    ) -> Result<(), ModelError> {
        let mut reader = Reader::new(&self.witness, framing);
        loop {
            match response.chunk().await {
                Ok(Some(bytes)) => reader.feed(&bytes, assembly, on_delta)?,
                Ok(None) => return reader.end(assembly, on_delta),
                Err(_) if reader.progress == Progress::Said => return Ok(()),
                Err(error) => return Err(self.witness.no_answer(&error)),
            }
            if reader.progress == Progress::Ended {
                let rest = async { while let Ok(Some(_)) = response.chunk().await {} };
                tokio::time::timeout(END_WITHIN, rest).await.ok();
                return Ok(());
            }
        }
    }
}

/// Reads a stream, wherever the network cuts it.
pub(crate) struct Reader<'a> {
    witness: &'a Witness,
    framing: Framing,
    progress: Progress,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(witness: &'a Witness, framing: Framing) -> Self {
        Self { witness, framing, progress: Progress::Partial }
    }

    /// Takes the next bytes.
    pub(crate) fn feed(
        &mut self,
        bytes: &[u8],
        assembly: &mut impl Assembly,
        on_delta: OnDelta<'_>,
    ) -> Result<(), ModelError> {
        let events = self.framing.push(bytes).map_err(|garbled| self.witness.broken(garbled.0));
        let events = match events {
            // The answer is whole, only its bill is torn.
            Err(_) if self.progress != Progress::Partial => return Ok(()),
            events => events?,
        };
        events.iter().try_for_each(|data| self.event(data, assembly, on_delta))
    }

    /// The stream has ended: was that all?
    pub(crate) fn end(&mut self, assembly: &mut impl Assembly, on_delta: OnDelta<'_>) -> Result<(), ModelError> {
        if let Some(data) = self.framing.finish() {
            self.event(&data, assembly, on_delta)?;
        }
        match self.progress {
            Progress::Partial => Err(self.witness.broken("its answer broke off")),
            Progress::Said | Progress::Ended => Ok(()),
        }
    }

    fn event(&mut self, data: &str, assembly: &mut impl Assembly, on_delta: OnDelta<'_>) -> Result<(), ModelError> {
        self.progress = match (self.progress, assembly.event(data, on_delta)) {
            (Progress::Ended, _) => Progress::Ended,
            (_, Ok(next)) => next,
            // The answer is whole, only its bill is torn.
            (Progress::Said, Err(_)) => Progress::Said,
            (Progress::Partial, Err(error)) => return Err(error),
        };
        Ok(())
    }
}

async fn whole(response: &mut StreamingResponse) -> Result<Vec<u8>, chela_http::HttpError> {
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await? {
        body.extend_from_slice(&piece);
        if body.len() > MAX_WHOLE {
            break;
        }
    }
    Ok(body)
}

/// A name as one segment of a path.
pub(crate) fn in_path(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    name.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
