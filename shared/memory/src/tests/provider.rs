//! A server of embeddings whose vectors are made of a few meanings, so that words of one meaning are near one another.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Words that mean the same, a dimension each.
const MEANINGS: &[&[&str]] = &[&["cat", "kitten"], &["coffee", "espresso"], &["invoice", "bill"], &["gate", "door"]];

pub(super) struct Server {
    pub(super) url: String,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// The status it fails with; 0 for none.
    status: AtomicUsize,
    retry_after: Option<&'static str>,
    /// How many failures are left.
    failures: AtomicUsize,
    requests: AtomicUsize,
    texts: AtomicUsize,
    wide: AtomicBool,
}

impl Server {
    pub(super) async fn start() -> Self {
        Self::with(State::default()).await
    }

    /// One that answers with this status, or, if it is 200, with something else than vectors.
    pub(super) async fn failing(status: u16, retry_after: Option<&'static str>) -> Self {
        let (status, failures) = (AtomicUsize::new(status.into()), AtomicUsize::new(usize::MAX));
        Self::with(State { status, failures, retry_after, ..State::default() }).await
    }

    pub(super) fn recover_after(&self, failures: usize) {
        self.state.failures.store(failures, Ordering::SeqCst);
    }

    /// From now on vectors have more dimensions.
    pub(super) fn widen(&self) {
        self.state.wide.store(true, Ordering::SeqCst);
    }

    pub(super) fn requests(&self) -> usize {
        self.state.requests.load(Ordering::SeqCst)
    }

    /// How many texts were embedded.
    pub(super) fn texts(&self) -> usize {
        self.state.texts.load(Ordering::SeqCst)
    }

    async fn with(state: State) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let state = Arc::new(state);
        let shared = state.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket, shared.clone()));
            }
        });
        Self { url, state }
    }
}

async fn serve(mut socket: TcpStream, state: Arc<State>) {
    let mut received = Vec::new();
    loop {
        let Some((head, length)) = head(&received) else {
            let mut piece = [0; 65_536];
            match socket.read(&mut piece).await {
                Ok(count) if count > 0 => received.extend_from_slice(&piece[..count]),
                _ => return,
            }
            continue;
        };
        if received.len() < head + length {
            let mut piece = [0; 65_536];
            match socket.read(&mut piece).await {
                Ok(count) if count > 0 => received.extend_from_slice(&piece[..count]),
                _ => return,
            }
            continue;
        }
        let text = String::from_utf8_lossy(&received[..head]).to_lowercase();
        assert!(text.starts_with("post /v1/embeddings ") && text.contains("authorization: bearer k3y"), "{text}");
        let (status, body) = answer(&received[head..head + length], &state);
        let wait = state.retry_after.map_or_else(String::new, |after| format!("retry-after: {after}\r\n"));
        let answer = format!("HTTP/1.1 {status} X\r\n{wait}content-length: {}\r\n\r\n{body}", body.len());
        socket.write_all(answer.as_bytes()).await.unwrap();
        received.drain(..head + length);
    }
}

/// Where the body begins, and how long it is.
fn head(received: &[u8]) -> Option<(usize, usize)> {
    let end = received.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&received[..end]).to_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    Some((end, length.unwrap_or(0)))
}

fn answer(body: &[u8], state: &State) -> (usize, String) {
    state.requests.fetch_add(1, Ordering::SeqCst);
    let status = state.status.load(Ordering::SeqCst);
    let fails = state.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
    if status != 0 && fails {
        return (status, "{}".to_owned());
    }
    let asked: Value = serde_json::from_slice(body).unwrap();
    let texts: Vec<&str> = asked["input"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
    state.texts.fetch_add(texts.len(), Ordering::SeqCst);
    let wide = state.wide.load(Ordering::SeqCst) || asked["model"] == "wide";
    let data: Vec<Value> = texts
        .iter()
        .enumerate()
        .map(|(index, text)| json!({ "index": index, "embedding": vector(text, wide) }))
        .rev()
        .collect();
    (200, json!({ "data": data, "usage": { "total_tokens": 7 } }).to_string())
}

/// A dimension for each meaning, and one for what means nothing here.
fn vector(text: &str, wide: bool) -> Vec<f32> {
    let text = text.to_lowercase();
    let mut parts: Vec<f32> =
        MEANINGS.iter().map(|words| if words.iter().any(|word| text.contains(word)) { 1.0 } else { 0.0 }).collect();
    // What means nothing is near no other such thing either.
    let nothing = parts.iter().all(|part| *part == 0.0);
    let seed = text.bytes().fold(7_usize, |seed, byte| seed.wrapping_mul(31).wrapping_add(byte.into()));
    parts.extend((0..64).map(|at| if nothing && at == seed % 64 { 1.0 } else { 0.0 }));
    if wide {
        parts.push(0.0);
    }
    parts
}
