//! Function URL requests in and out.

use bytes::Bytes;
use chela_core::channel::{Ack, RawRequest};
use chela_core::clock::Clock;
use lambda_http::{Body, Request, Response, http};

/// The account (the last segment of the path, else `default`) and the request as it was signed.
pub(crate) fn read(channel: &str, request: Request, clock: &dyn Clock) -> (String, RawRequest) {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().trim_matches('/');
    let account = match path.rsplit('/').next() {
        None | Some("" | "webhook") => "default",
        Some(last) if last == channel => "default",
        Some(last) => last,
    };
    let body = match body {
        Body::Text(text) => Bytes::from(text),
        Body::Binary(bytes) => Bytes::from(bytes),
        _ => Bytes::new(),
    };
    let raw = RawRequest {
        method: parts.method,
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        body,
        received_at: clock.now(),
    };
    (account.to_owned(), raw)
}

/// The acknowledgement. Every channel's is text.
pub(crate) fn answer(ack: Ack) -> Result<Response<Body>, http::Error> {
    let body = Body::Text(String::from_utf8_lossy(&ack.body).into_owned());
    Response::builder().status(ack.status).header("content-type", ack.content_type).body(body)
}
