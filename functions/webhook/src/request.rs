//! A Function URL's request as the platform signed it.

use chela_core::channel::RawRequest;
use chela_core::clock::Clock;
use lambda_http::Request;

/// The account (the last segment of the path, else `default`) and the request.
pub(crate) fn read(channel: &str, request: Request, clock: &dyn Clock) -> (String, RawRequest) {
    let (parts, body) = request.into_parts();
    let account = match parts.uri.path().trim_matches('/').rsplit('/').next() {
        None | Some("" | "webhook") => "default",
        Some(last) if last == channel => "default",
        Some(last) => last,
    };
    let account = account.to_owned();
    let raw = RawRequest {
        method: parts.method,
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        body: chela_lambda::body(body),
        received_at: clock.now(),
    };
    (account, raw)
}
