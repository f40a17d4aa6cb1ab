//! The two pipes of a Chromium that we started. No port is open for them, and whoever holds them is the only one who can use
//! it.

use async_trait::async_trait;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{ChildStdin, ChildStdout};

use super::launch::Chromium;
use super::proxy::Proxy;
use crate::cdp::{CdpError, MESSAGE_BYTES, Wire};

/// Dropped in this order: the pipes, whose end Chromium notices; Chromium; its way out.
pub(crate) struct Pipes {
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    /// The message that is being read.
    half: Vec<u8>,
    /// Whether a message is being written. One that was given up in the middle leaves the pipe of no use.
    writing: bool,
    chromium: Chromium,
    proxy: Proxy,
}

impl Pipes {
    pub(crate) fn new(to: ChildStdin, from: ChildStdout, chromium: Chromium, proxy: Proxy) -> Self {
        let from = BufReader::with_capacity(64 * 1024, from);
        Self { to, from, half: Vec::new(), writing: false, chromium, proxy }
    }
}

#[async_trait]
impl Wire for Pipes {
    async fn send(&mut self, message: String) -> Result<(), CdpError> {
        if self.writing {
            return Err(CdpError::Lost("it did not listen".to_owned()));
        }
        let mut bytes = message.into_bytes();
        bytes.push(0);
        self.writing = true;
        self.to.write_all(&bytes).await.map_err(|error| CdpError::Lost(error.to_string()))?;
        self.writing = false;
        Ok(())
    }

    async fn receive(&mut self) -> Result<Vec<u8>, CdpError> {
        loop {
            let lost = |error: std::io::Error| CdpError::Lost(error.to_string());
            let piece = self.from.fill_buf().await.map_err(lost)?;
            if piece.is_empty() {
                return Err(CdpError::Lost("it has ended".to_owned()));
            }
            let end = piece.iter().position(|byte| *byte == 0);
            self.half.extend_from_slice(piece.get(..end.unwrap_or(piece.len())).unwrap_or_default());
            let taken = end.map_or(piece.len(), |end| end.saturating_add(1));
            self.from.consume(taken);
            if self.half.len() > MESSAGE_BYTES {
                return Err(CdpError::Lost("it says too much at once".to_owned()));
            }
            if end.is_some() {
                return Ok(std::mem::take(&mut self.half));
            }
        }
    }

    fn complaint(&self) -> Option<String> {
        Some(self.chromium.complaint())
    }

    async fn end(self: Box<Self>) {
        let Self { to, from, chromium, proxy, .. } = *self;
        drop((to, from));
        chromium.end().await;
        drop(proxy);
    }
}
