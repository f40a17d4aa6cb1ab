//! The HTTP server: every function's handler on one port.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use chela_app::api::Api;
use chela_app::receive::{Destination, MAX_BODY, Receiver, destination};
use chela_core::channel::{Ack, RawRequest};
use chela_core::clock::Clock;
use http::StatusCode;
use tokio::net::TcpListener;

/// How long a request may take to arrive: whoever has proved nothing yet holds no connection for longer.
const BODY_WITHIN: Duration = Duration::from_secs(20);

/// What the server serves.
pub(crate) struct Doors {
    pub(crate) receiver: Receiver,
    pub(crate) api: Api,
    pub(crate) clock: Arc<dyn Clock>,
}

/// Takes the port.
pub(crate) async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}: choose another with --listen, or stop what uses it"))
}

/// Serves until `stopped` resolves.
pub(crate) async fn serve(
    listener: TcpListener,
    doors: Arc<Doors>,
    stopped: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    let router = Router::new().fallback(handle).with_state(doors);
    axum::serve(listener, router).with_graceful_shutdown(stopped).await.context("the server failed")
}

async fn handle(State(doors): State<Arc<Doors>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    // One byte over the cap is enough to know; the rest is not read.
    let body = match whole(body, BODY_WITHIN).await {
        Ok(body) => body,
        Err(status) => return empty(status),
    };
    let path = parts.uri.path();
    let query = parts.uri.query().unwrap_or_default();
    let Some(target) = path.strip_prefix("/webhook/") else {
        if !doors.api.host_allowed(&parts.headers).await {
            let what = "the API is not served under this name: set gateway.publicOrigin if it is ours";
            return text(StatusCode::FORBIDDEN, what);
        }
        return answer(doors.api.handle(&parts.method, path, query, &parts.headers, &body).await);
    };
    let Destination { channel, account, path } = destination(target);
    let received_at = doors.clock.now();
    let query = query.to_owned();
    let raw =
        RawRequest { method: parts.method, path: path.to_owned(), query, headers: parts.headers, body, received_at };
    let (ack, received) = doors.receiver.receive(channel, account, raw).await;
    if let Some(reason) = &received.rejected {
        tracing::warn!(channel, account, status = ack.status.as_u16(), reason, "webhook turned away");
    } else {
        tracing::debug!(channel, account, accepted = received.accepted, ignored = ?received.ignored, "webhook");
    }
    answer(ack)
}

/// The body, unless it is too large or does not come to its end in time.
async fn whole(body: Body, within: Duration) -> Result<Bytes, StatusCode> {
    let read = tokio::time::timeout(within, to_bytes(body, MAX_BODY)).await;
    read.map_err(|_| StatusCode::REQUEST_TIMEOUT)?.map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)
}

fn answer(ack: Ack) -> Response {
    Response::builder()
        .status(ack.status)
        .header(http::header::CONTENT_TYPE, ack.content_type)
        // Handshakes give back words of the request: no browser is to take them for a page.
        .header(http::header::X_CONTENT_TYPE_OPTIONS, "nosniff")
        .body(Body::from(ack.body))
        .unwrap_or_else(|_| empty(StatusCode::INTERNAL_SERVER_ERROR))
}

fn empty(status: StatusCode) -> Response {
    text(status, "")
}

fn text(status: StatusCode, what: &'static str) -> Response {
    let mut response = Response::new(Body::from(what));
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nobody_is_waited_for_and_nobody_says_more_than_there_is_room_for() {
        let endless = || Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>());
        let soon = Duration::from_millis(20);
        assert_eq!(whole(endless(), soon).await, Err(StatusCode::REQUEST_TIMEOUT));
        let chunk = || Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; MAX_BODY / 2]));
        let chunked = |count: usize| Body::from_stream(futures_util::stream::iter((0..count).map(move |_| chunk())));
        assert_eq!(whole(chunked(3), Duration::from_secs(60)).await, Err(StatusCode::PAYLOAD_TOO_LARGE));
        assert_eq!(whole(chunked(2), Duration::from_secs(60)).await.map(|body| body.len()), Ok(MAX_BODY));
    }

    #[test]
    fn no_browser_takes_an_answer_for_a_page() {
        let said = Ack { body: Bytes::from_static(b"<script>alert(1)</script>"), ..Ack::empty() };
        let answer = answer(said);
        let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok());
        assert_eq!((header("content-type"), header("x-content-type-options")), (Some("text/plain"), Some("nosniff")));
    }
}
