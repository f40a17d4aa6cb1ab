//! An answer that arrives piece by piece.

use std::fmt;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode};

use crate::error::HttpError;
use crate::request::Response;

/// An answer whose head has arrived and whose body is still coming. Its `Debug` shows status and origin only.
pub struct StreamingResponse {
    pub(crate) inner: reqwest::Response,
    pub(crate) origin: String,
    pub(crate) idle: Duration,
    pub(crate) limit: usize,
    pub(crate) taken: usize,
}

impl StreamingResponse {
    /// The status.
    pub fn status(&self) -> StatusCode {
        self.inner.status()
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        self.inner.headers()
    }

    /// The next piece, as it came off the wire; `None` at the end. Fails when nothing comes for the idle time, when
    /// the request's timeout has passed, and when the body grows beyond `max_bytes`. After an error the rest is lost.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, HttpError> {
        let Ok(next) = tokio::time::timeout(self.idle, self.inner.chunk()).await else {
            let reason = format!("nothing came for {} s", self.idle.as_secs_f32());
            return Err(HttpError::Unknown { origin: self.origin.clone(), reason });
        };
        let next = next.map_err(|error| HttpError::during_answer(&self.origin, &error))?;
        self.taken = self.taken.saturating_add(next.as_ref().map_or(0, Bytes::len));
        if self.taken > self.limit { Err(self.too_large()) } else { Ok(next) }
    }

    /// The rest of the body, whole.
    pub async fn collect(mut self) -> Result<Response, HttpError> {
        // An announced length beyond the limit is refused before the first byte of it.
        let announced = self.inner.content_length().and_then(|length| usize::try_from(length).ok());
        if announced.is_some_and(|length| length > self.limit) {
            return Err(self.too_large());
        }
        let Some(first) = self.chunk().await? else { return Ok(self.response(Bytes::new())) };
        let Some(second) = self.chunk().await? else { return Ok(self.response(first)) };
        let mut body = BytesMut::with_capacity(announced.unwrap_or(first.len() + second.len()));
        body.extend_from_slice(&first);
        body.extend_from_slice(&second);
        while let Some(piece) = self.chunk().await? {
            body.extend_from_slice(&piece);
        }
        Ok(self.response(body.freeze()))
    }

    fn response(mut self, body: Bytes) -> Response {
        Response { status: self.inner.status(), headers: std::mem::take(self.inner.headers_mut()), body }
    }

    fn too_large(&self) -> HttpError {
        HttpError::TooLarge { origin: self.origin.clone(), limit: self.limit }
    }
}

impl fmt::Debug for StreamingResponse {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "StreamingResponse({} from {})", self.inner.status().as_u16(), self.origin)
    }
}
