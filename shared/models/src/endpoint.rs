//! One provider's URL and key, and the reading of its streams: what both dialects share.

use std::time::Duration;

use chela_core::model::{Delta, ModelError};
use chela_http::{HttpClient, Request, StreamingResponse};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};

use crate::failure::Witness;
use crate::sse::Events;

/// Most bytes of one answer on the wire. Providers spend 100 to 400 bytes on a token, and nothing of it is kept.
const MAX_STREAM: usize = 64 * 1024 * 1024;

/// Most bytes of an answer that is not streamed, or of an error.
const MAX_WHOLE: usize = 4 * 1024 * 1024;

/// How long the connection is given to end properly after the answer is complete, so that the next step can use it
/// again: a TLS handshake costs more than this on a small function.
const END_WITHIN: Duration = Duration::from_millis(100);

/// Where and as whom a provider is asked.
pub(crate) struct Endpoint {
    pub(crate) url: String,
    pub(crate) headers: HeaderMap,
    pub(crate) http: HttpClient,
    pub(crate) witness: Witness,
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
        body: Vec<u8>,
        timeout: Duration,
        assembly: &mut impl Assembly,
        on_delta: OnDelta<'_>,
    ) -> Result<(), ModelError> {
        let mut request = Request::post(&self.url, body, timeout, MAX_STREAM);
        request.headers = self.headers.clone();
        request.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        request.headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
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
        self.read(response, assembly, on_delta).await
    }

    async fn read(
        &self,
        mut response: StreamingResponse,
        assembly: &mut impl Assembly,
        on_delta: OnDelta<'_>,
    ) -> Result<(), ModelError> {
        let mut reader = Reader::new(&self.witness);
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
    events: Events,
    progress: Progress,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(witness: &'a Witness) -> Self {
        Self { witness, events: Events::default(), progress: Progress::Partial }
    }

    /// Takes the next bytes.
    pub(crate) fn feed(
        &mut self,
        bytes: &[u8],
        assembly: &mut impl Assembly,
        on_delta: OnDelta<'_>,
    ) -> Result<(), ModelError> {
        let events = self.events.push(bytes).map_err(|_| self.witness.broken("it sends an endless event"))?;
        events.iter().try_for_each(|data| self.event(data, assembly, on_delta))
    }

    /// The stream has ended: was that all?
    pub(crate) fn end(&mut self, assembly: &mut impl Assembly, on_delta: OnDelta<'_>) -> Result<(), ModelError> {
        if let Some(data) = self.events.finish() {
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
