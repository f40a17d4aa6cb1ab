//! A Function URL's request as the platform signed it.

use chela_app::receive::{Destination, destination};
use chela_core::channel::RawRequest;
use chela_core::clock::Clock;
use lambda_http::Request;

/// The account and the request. The path is `/`, `/<account>[/…]` or `/webhook/<channel>[/<account>[/…]]`; an account
/// that is left out is `default`.
pub(crate) fn read(channel: &str, request: Request, clock: &dyn Clock) -> (String, RawRequest) {
    let (parts, body) = request.into_parts();
    let asked = parts.uri.path().trim_matches('/');
    let prefix = format!("webhook/{channel}");
    let within = asked.strip_prefix(&prefix).filter(|rest| rest.is_empty() || rest.starts_with('/'));
    let target = format!("{channel}/{}", within.unwrap_or(asked).trim_start_matches('/'));
    let Destination { account, path, .. } = destination(&target);
    let (account, path) = (account.to_owned(), path.to_owned());
    let raw = RawRequest {
        method: parts.method,
        path,
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        body: chela_lambda::body(body),
        received_at: clock.now(),
    };
    (account, raw)
}
