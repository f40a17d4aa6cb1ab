//! Where a bridge takes orders: the HTTP side of the contract.

use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use chela_channel_kit::ProofKeys;
use chela_channel_kit::bridge::{self, BridgeAbout, BridgeOrder, BridgeSent};
use chela_core::channel::RawRequest;
use chela_core::clock::Clock;
use http::header::CONTENT_TYPE;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::connection::stopped;

/// An order with a file of one megabyte in Base64, and some room.
const MOST_BODY_BYTES: usize = 2 * 1024 * 1024;

/// Does what is ordered.
#[async_trait]
pub trait Voice: Send + Sync {
    /// What the bridge is and can.
    fn about(&self) -> BridgeAbout;

    /// Does it; a repetition of a key that is done answers as before. `None` where there is no id to tell.
    async fn obey(&self, order: BridgeOrder) -> Result<Option<BridgeSent>, Refusal>;
}

/// Why an order was not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Not now: the same order again, later.
    NotNow(String),
    /// Never.
    Never(String),
    /// The platform has no such thing.
    Unknown,
}

/// What stands behind the port.
pub struct Door {
    /// Proves who orders.
    pub keys: ProofKeys,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Does it.
    pub voice: Arc<dyn Voice>,
}

impl Door {
    /// Takes orders until `stopping` becomes true.
    pub async fn serve(self, listener: TcpListener, mut stopping: watch::Receiver<bool>) -> std::io::Result<()> {
        let router = Router::new().fallback(handle).with_state(Arc::new(self));
        axum::serve(listener, router).with_graceful_shutdown(async move { stopped(&mut stopping).await }).await
    }

    async fn answer(&self, request: RawRequest) -> (StatusCode, Value) {
        // Whatever stands before it: a reverse proxy may keep or cut the path of bridgeUrl.
        let wanted = request.path.rsplit('/').next().unwrap_or_default().to_owned();
        let method = request.method.clone();
        let verified = match bridge::verify(request, &self.keys) {
            Ok(verified) => verified,
            Err(rejected) => {
                tracing::warn!(%rejected, "an order was turned away");
                return (StatusCode::UNAUTHORIZED, json!({"error": "not proven: check secret and clock"}));
            }
        };
        if method == Method::GET && wanted == "about" {
            return (StatusCode::OK, json!(self.voice.about()));
        }
        if method != Method::POST {
            return (StatusCode::NOT_FOUND, json!({"error": "only orders and /about are here"}));
        }
        let order: BridgeOrder = match serde_json::from_slice(&verified.request().body) {
            Ok(order) => order,
            Err(_) => return (StatusCode::BAD_REQUEST, json!({"error": "the body is no order of the contract"})),
        };
        if order.op() != wanted {
            return (StatusCode::BAD_REQUEST, json!({"error": "the order's op is not its path"}));
        }
        match self.voice.obey(order).await {
            Ok(Some(sent)) => (StatusCode::OK, json!(sent)),
            Ok(None) => (StatusCode::OK, json!({})),
            Err(Refusal::NotNow(why)) => (StatusCode::SERVICE_UNAVAILABLE, json!({"error": why})),
            Err(Refusal::Never(why)) => (StatusCode::UNPROCESSABLE_ENTITY, json!({"error": why})),
            Err(Refusal::Unknown) => (StatusCode::NOT_FOUND, json!({"error": "this bridge does not know that order"})),
        }
    }
}

async fn handle(State(door): State<Arc<Door>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let (status, answer) = match to_bytes(body, MOST_BODY_BYTES).await {
        Ok(body) => {
            let (path, query) = (parts.uri.path().to_owned(), parts.uri.query().unwrap_or_default().to_owned());
            let (headers, received_at) = (parts.headers, door.clock.now());
            door.answer(RawRequest { method: parts.method, path, query, headers, body, received_at }).await
        }
        Err(_) => (StatusCode::PAYLOAD_TOO_LARGE, json!({"error": "the order is too large"})),
    };
    let mut response = Response::new(Body::from(answer.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use chela_core::clock::Millis;
    use chela_core::secret::Secret;
    use chela_testkit::clock::ManualClock;

    use super::*;

    struct Parrot;

    #[async_trait]
    impl Voice for Parrot {
        fn about(&self) -> BridgeAbout {
            BridgeAbout { name: "x".to_owned(), connected: true, features: vec![], limits: Default::default() }
        }

        async fn obey(&self, order: BridgeOrder) -> Result<Option<BridgeSent>, Refusal> {
            match order {
                BridgeOrder::Send(text) => match text.text.as_str() {
                    "later" => Err(Refusal::NotNow("away".to_owned())),
                    "never" => Err(Refusal::Never("banned".to_owned())),
                    _ => Ok(Some(BridgeSent { id: "1".to_owned() })),
                },
                BridgeOrder::Typing { .. } => Ok(None),
                _ => Err(Refusal::Unknown),
            }
        }
    }

    async fn asked(method: Method, path: &str, body: &str, secret: &str) -> (u16, String) {
        let keys = |word: &str| ProofKeys::words(&Secret::new(word)).unwrap();
        let now = Millis(1_767_225_600_000);
        let door = Door { keys: keys("right"), clock: Arc::new(ManualClock::at(now)), voice: Arc::new(Parrot) };
        let request = RawRequest {
            method,
            path: path.to_owned(),
            query: String::new(),
            headers: bridge::sign(body.as_bytes(), &keys(secret), now),
            body: Bytes::copy_from_slice(body.as_bytes()),
            received_at: now,
        };
        let (status, answer) = door.answer(request).await;
        (status.as_u16(), answer.to_string())
    }

    #[tokio::test]
    async fn only_signed_orders_at_their_own_path_are_obeyed() {
        let order = |text: &str| json!({"op": "send", "key": "k", "chat": "c", "text": text}).to_string();
        let post = |path: &'static str, body: String| async move { asked(Method::POST, path, &body, "right").await };
        assert_eq!(post("/libera/send", order("hi")).await, (200, "{\"id\":\"1\"}".to_owned()));
        assert_eq!(asked(Method::POST, "/send", &order("hi"), "wrong").await.0, 401);
        assert_eq!(asked(Method::GET, "/about", "", "wrong").await.0, 401);
        assert_eq!(asked(Method::GET, "/about", "", "right").await.0, 200);
        assert_eq!(asked(Method::GET, "/send", "", "right").await.0, 404);
        assert_eq!(post("/edit", order("hi")).await.0, 400);
        assert_eq!(post("/send", "{}".to_owned()).await.0, 400);
        assert_eq!(post("/send", order("later")).await, (503, "{\"error\":\"away\"}".to_owned()));
        assert_eq!(post("/send", order("never")).await, (422, "{\"error\":\"banned\"}".to_owned()));
        assert_eq!(post("/typing", json!({"op": "typing", "chat": "c"}).to_string()).await.0, 200);
        let react = json!({"op": "react", "chat": "c", "id": "1", "emoji": "x"});
        assert_eq!(post("/react", react.to_string()).await.0, 404);
    }
}
