//! The two ways to a server.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

use crate::error::McpError;

/// One message on its way.
pub struct Outgoing<'a> {
    /// JSON-RPC.
    pub body: &'a Value,
    /// The id of the request; `None` for what gets no answer.
    pub id: Option<u64>,
    /// The version that was agreed on.
    pub version: Option<&'a str>,
    /// The session that the server began.
    pub session: Option<&'a str>,
    /// Further headers, where there are any.
    pub headers: &'a [(String, String)],
    /// Longest wait for the whole answer.
    pub timeout: Duration,
}

/// What came back.
#[derive(Debug, Default)]
pub struct Reply {
    /// The result; `Null` for what gets no answer.
    pub result: Value,
    /// The session that the server began with it.
    pub session: Option<String>,
}

/// Takes a message to a server and its answer back.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Sends one message. Sending twice asks twice. A future that is dropped leaves the transport usable.
    async fn send(&self, message: Outgoing<'_>) -> Result<Reply, McpError>;
}
