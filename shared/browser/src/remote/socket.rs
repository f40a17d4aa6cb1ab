//! The DevTools over a WebSocket.

use std::time::Duration;

use async_trait::async_trait;
use chela_http::Line;
use futures_util::{SinkExt, StreamExt};
use tokio_websockets::{Error, Message, WebSocketStream};

use crate::cdp::{CdpError, Wire};

/// How long a farewell may take. Whoever misses it sees the connection end.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

pub(crate) struct Socket(WebSocketStream<Box<dyn Line>>);

impl Socket {
    pub(crate) fn new(stream: WebSocketStream<Box<dyn Line>>) -> Self {
        Self(stream)
    }
}

fn lost(error: Error) -> CdpError {
    CdpError::Lost(match error {
        Error::PayloadTooLong { .. } => "it says too much at once".to_owned(),
        other => other.to_string(),
    })
}

#[async_trait]
impl Wire for Socket {
    async fn send(&mut self, message: String) -> Result<(), CdpError> {
        self.0.send(Message::text(message)).await.map_err(lost)
    }

    async fn receive(&mut self) -> Result<Vec<u8>, CdpError> {
        loop {
            let message = self.0.next().await.ok_or_else(|| CdpError::Lost("the connection has ended".to_owned()))?;
            let message = message.map_err(lost)?;
            if message.is_text() || message.is_binary() {
                return Ok(message.as_payload().to_vec());
            }
        }
    }

    fn complaint(&self) -> Option<String> {
        None
    }

    async fn end(mut self: Box<Self>) {
        // Either way the connection ends.
        let _ = tokio::time::timeout(CLOSE_WITHIN, self.0.close()).await;
    }
}
