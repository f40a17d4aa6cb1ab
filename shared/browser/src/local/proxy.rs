//! The browser's only way out: a forward proxy on this machine's loopback that lets through what the house may reach.
//!
//! A browser that dialled by itself would have to be told each address as it asks, for pages, frames, workers, sockets,
//! prefetches and whatever a later version invents; and between the question and the connection a name could change its
//! mind. Behind a proxy there is one place: requests leave through [`HttpClient`], and so do tunnels, judged and pinned like
//! every other connection of the house (CVE-2026-62212).

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use chela_http::{HttpClient, HttpError, Request, StreamingResponse};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// Largest head of a request, and most headers of one.
const HEAD_BYTES: usize = 64 * 1024;
const MOST_HEADERS: usize = 128;

/// Largest body of a request and of an answer that is not tunnelled. Tunnels have no limit: the page's own is the browser's
/// memory.
const SENT_BYTES: usize = 8 * 1024 * 1024;
const ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// Longest wait for a request, and longest time for an answer.
const ASKED_WITHIN: Duration = Duration::from_secs(10);
const ANSWERED_WITHIN: Duration = Duration::from_secs(60);

/// Most connections at once.
const MOST: usize = 256;

/// Headers that are about this connection and not about the request (RFC 9110 §7.6.1).
const OF_THE_CONNECTION: [&str; 9] = [
    "connection",
    "content-length",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// A proxy that ends with this value.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    serving: JoinHandle<()>,
}

impl Proxy {
    /// Listens on a port of its own.
    pub(crate) async fn open(http: HttpClient) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let serving = tokio::spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                while open.try_join_next().is_some() {}
                if open.len() < MOST {
                    let http = http.clone();
                    open.spawn(async move {
                        // A connection that breaks off is the browser's to notice.
                        let _ = serve(socket, &http).await;
                    });
                }
            }
        });
        Ok(Self { address, serving })
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// What is asked of the proxy.
struct Asked {
    method: Method,
    /// A URL, or the place of a tunnel.
    target: String,
    headers: HeaderMap,
    /// Announced bytes of body; `None` if they are not announced.
    length: Option<usize>,
    /// What came behind the head.
    rest: Vec<u8>,
}

/// One request, and no second one on the same connection: it might be for another site.
async fn serve(mut browser: TcpStream, http: &HttpClient) -> std::io::Result<()> {
    let Ok(asked) = tokio::time::timeout(ASKED_WITHIN, asked(&mut browser)).await else { return Ok(()) };
    let Some(mut asked) = asked? else { return refuse(&mut browser, "400 Bad Request", "no request").await };
    if asked.method == Method::CONNECT {
        // Whatever runs inside, https or a socket, the place is judged as that of an https URL.
        return match http.connect(&format!("https://{}/", asked.target)).await {
            Ok(mut site) => {
                browser.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").await?;
                site.write_all(&asked.rest).await?;
                copy_bidirectional(&mut browser, &mut site).await.map(drop)
            }
            Err(error) => refuse(&mut browser, "403 Forbidden", &error.to_string()).await,
        };
    }
    let Some(length) = asked.length.filter(|length| *length <= SENT_BYTES) else {
        return refuse(&mut browser, "413 Content Too Large", "too long to be passed on").await;
    };
    let mut body = std::mem::take(&mut asked.rest);
    while body.len() < length {
        match tokio::time::timeout(ASKED_WITHIN, browser.read_buf(&mut body)).await {
            Ok(Ok(1..)) => {}
            _ => return Ok(()),
        }
    }
    body.truncate(length);
    let request = Request {
        method: asked.method.clone(),
        url: asked.target.clone(),
        headers: asked.headers,
        body: Bytes::from(body),
        timeout: ANSWERED_WITHIN,
        max_bytes: ANSWER_BYTES,
        follow: 0,
    };
    match http.stream(request, ANSWERED_WITHIN).await {
        Ok(answer) => pass_on(&mut browser, answer).await,
        Err(error) => match (&error, asked.target.strip_prefix("http://")) {
            // Plain http is forbidden where https may not be; the browser tries that, and it is judged when it comes.
            (HttpError::Blocked { .. }, Some(rest)) if matches!(asked.method, Method::GET | Method::HEAD) => {
                let head = format!(
                    "HTTP/1.1 307 Https\r\nlocation: https://{rest}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                );
                browser.write_all(head.as_bytes()).await
            }
            _ => refuse(&mut browser, "403 Forbidden", &error.to_string()).await,
        },
    }
}

/// The head of a request, and what came behind it; `None` if it is none.
async fn asked(from: &mut TcpStream) -> std::io::Result<Option<Asked>> {
    let mut taken = Vec::new();
    while taken.len() < HEAD_BYTES {
        if from.read_buf(&mut taken).await? == 0 {
            return Ok(None);
        }
        let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
        let mut head = httparse::Request::new(&mut headers);
        match head.parse(&taken) {
            Ok(httparse::Status::Partial) => {}
            Ok(httparse::Status::Complete(end)) => {
                let read = read(&head);
                let rest = taken.split_off(end);
                return Ok(read.map(|read| Asked { rest, ..read }));
            }
            Err(_) => return Ok(None),
        }
    }
    Ok(None)
}

fn read(head: &httparse::Request<'_, '_>) -> Option<Asked> {
    let method = Method::from_bytes(head.method?.as_bytes()).ok()?;
    let mut headers = HeaderMap::new();
    let mut length = Some(0);
    for header in head.headers.iter() {
        let name = header.name.to_ascii_lowercase();
        match name.as_str() {
            "content-length" => length = std::str::from_utf8(header.value).ok()?.trim().parse().ok(),
            "transfer-encoding" => length = None,
            _ => {}
        }
        if !OF_THE_CONNECTION.contains(&name.as_str()) {
            let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
            headers.append(name, HeaderValue::from_bytes(header.value).ok()?);
        }
    }
    Some(Asked { method, target: head.path?.to_owned(), headers, length, rest: Vec::new() })
}

async fn pass_on(browser: &mut TcpStream, mut answer: StreamingResponse) -> std::io::Result<()> {
    let mut head = format!("HTTP/1.1 {} Answer\r\nconnection: close\r\n", answer.status().as_u16()).into_bytes();
    for (name, value) in answer.headers() {
        if name == http::header::CONTENT_LENGTH || !OF_THE_CONNECTION.contains(&name.as_str()) {
            head.extend_from_slice(name.as_str().as_bytes());
            head.extend_from_slice(b": ");
            head.extend_from_slice(value.as_bytes());
            head.extend_from_slice(b"\r\n");
        }
    }
    head.extend_from_slice(b"\r\n");
    browser.write_all(&head).await?;
    while let Ok(Some(piece)) = answer.chunk().await {
        browser.write_all(&piece).await?;
    }
    browser.shutdown().await
}

async fn refuse(browser: &mut TcpStream, status: &str, reason: &str) -> std::io::Result<()> {
    let length = reason.len();
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/plain\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{reason}"
    );
    browser.write_all(head.as_bytes()).await
}
