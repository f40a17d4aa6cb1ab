//! A server that does exactly what a test says, byte for byte.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chela_http::{HostPort, HttpClient, HttpOptions, Request};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;

/// What the server does with a request once it has read it.
pub(crate) enum Act {
    /// Writes these bytes and closes.
    Answer(String),
    /// Writes these bytes and then nothing more, without closing.
    AnswerAndStall(String),
    /// Writes the head, then `x` until the client has had enough.
    Endless(String),
}

/// A running server and what it was asked.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) seen: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Serves every connection with what `act` answers to its one request.
    pub(crate) async fn start(act: impl Fn(&str) -> Act + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (log, act) = (seen.clone(), Arc::new(act));
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(converse(socket, log.clone(), act.clone()));
            }
        });
        Self { address, seen }
    }

    /// A URL on this server.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The requests so far, heads and bodies.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

/// Reads one request and acts on it.
pub(crate) async fn converse<S>(
    mut socket: S,
    log: Arc<Mutex<Vec<String>>>,
    act: Arc<impl Fn(&str) -> Act + Send + Sync + 'static>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let Some(request) = read_request(&mut socket).await else { return };
    log.lock().unwrap().push(request.clone());
    match act(&request) {
        Act::Answer(bytes) => {
            socket.write_all(bytes.as_bytes()).await.ok();
            socket.shutdown().await.ok();
        }
        Act::AnswerAndStall(bytes) => {
            socket.write_all(bytes.as_bytes()).await.ok();
            std::future::pending::<()>().await;
        }
        Act::Endless(head) => {
            socket.write_all(head.as_bytes()).await.ok();
            while socket.write_all(&[b'x'; 4096]).await.is_ok() {}
        }
    }
}

async fn read_request(socket: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse::<usize>().ok());
            if body.len() >= length.unwrap_or(0) {
                return Some(text);
            }
        }
        let mut piece = [0; 4096];
        match socket.read(&mut piece).await {
            Ok(length) if length > 0 => bytes.extend_from_slice(&piece[..length]),
            _ => return None,
        }
    }
}

/// A 200 with this body.
pub(crate) fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

/// A redirect.
pub(crate) fn moved(status: u16, to: &str) -> String {
    format!("HTTP/1.1 {status} Moved\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
}

/// A client that may speak to `allowed` besides the public internet.
pub(crate) fn client(allowed: &[&str], extra_roots: Option<PathBuf>) -> HttpClient {
    let allow_hosts = allowed.iter().map(|url| HostPort::of_url(url).unwrap()).collect();
    HttpClient::new(HttpOptions { allow_hosts, user_agent: "chela-test".to_owned(), extra_roots }).unwrap()
}

/// A client that may speak to this server.
pub(crate) fn client_of(server: &Server) -> HttpClient {
    client(&[&server.url("/")], None)
}

/// A GET with room for a small answer.
pub(crate) fn get(url: impl Into<String>) -> Request {
    Request::get(url, Duration::from_secs(10), 1024)
}
