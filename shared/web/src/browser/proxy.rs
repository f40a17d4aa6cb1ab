//! The browser's only way out: a forward proxy on this machine's loopback that lets through what the house may reach.
//!
//! A browser that dialled by itself would have to be told each address as it asks, for pages, frames, workers, sockets,
//! prefetches and whatever a later version invents; and between the question and the connection a name could change its
//! mind. Behind a proxy there is one place: names are looked up and judged here, by the function that judges every request
//! of the house, and the address that was judged is the one that is dialled (CVE-2026-62212).

use std::net::SocketAddr;
use std::time::Duration;

use chela_http::{HttpClient, HttpError};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, copy, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// Largest head of a request.
const HEAD_BYTES: usize = 64 * 1024;

/// Longest wait for a head, and for a connection.
const WITHIN: Duration = Duration::from_secs(10);

/// Most connections at once.
const MOST: usize = 256;

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

async fn serve(mut browser: TcpStream, http: &HttpClient) -> std::io::Result<()> {
    let Ok(head) = tokio::time::timeout(WITHIN, read_head(&mut browser)).await else { return Ok(()) };
    let Some((head, rest)) = head? else { return refuse(&mut browser, "400 Bad Request", "no request").await };
    let mut line = head.lines().next().unwrap_or_default().split(' ');
    let (method, target) = (line.next().unwrap_or_default(), line.next().unwrap_or_default());
    if method == "CONNECT" {
        // Whatever runs inside, https or a socket, the address is judged as that of an https URL.
        let mut site = match dial(http, &format!("https://{target}/")).await {
            Ok(site) => site,
            Err(reason) => return refuse(&mut browser, "403 Forbidden", &reason.to_string()).await,
        };
        browser.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").await?;
        site.write_all(&rest).await?;
        copy_bidirectional(&mut browser, &mut site).await?;
        return Ok(());
    }
    match dial(http, target).await {
        Ok(site) => relay(browser, site, &head, &rest, target).await,
        Err(error) => match (&error, target.strip_prefix("http://")) {
            // Plain http is forbidden where https may not be; the browser tries that, and it is judged when it comes.
            (HttpError::Blocked { .. }, Some(rest)) if matches!(method, "GET" | "HEAD") => {
                let head = format!(
                    "HTTP/1.1 307 Https\r\nlocation: https://{rest}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                );
                browser.write_all(head.as_bytes()).await
            }
            _ => refuse(&mut browser, "403 Forbidden", &error.to_string()).await,
        },
    }
}

/// The head of a request, and what came behind it.
async fn read_head(from: &mut (impl AsyncRead + Unpin)) -> std::io::Result<Option<(String, Vec<u8>)>> {
    let mut taken = Vec::new();
    while taken.len() < HEAD_BYTES {
        if from.read_buf(&mut taken).await? == 0 {
            break;
        }
        if let Some(end) = taken.windows(4).position(|window| window == b"\r\n\r\n") {
            let rest = taken.split_off(end.saturating_add(4));
            return Ok(String::from_utf8(taken).ok().map(|head| (head, rest)));
        }
    }
    Ok(None)
}

/// A connection to the first address that answers, all of them judged.
async fn dial(http: &HttpClient, url: &str) -> Result<TcpStream, HttpError> {
    let mut last = String::new();
    for address in http.vet(url).await? {
        match tokio::time::timeout(WITHIN, TcpStream::connect(address)).await {
            Ok(Ok(site)) => return Ok(site),
            Ok(Err(error)) => last = error.to_string(),
            Err(_) => last = "it took too long".to_owned(),
        }
    }
    Err(HttpError::NotSent { origin: "the site".to_owned(), reason: last })
}

/// One request of plain http and its answer. The connection ends with it: the next request may be for another site.
async fn relay(browser: TcpStream, mut site: TcpStream, head: &str, rest: &[u8], target: &str) -> std::io::Result<()> {
    let path =
        target.split_once("://").and_then(|(_, rest)| rest.find('/').and_then(|at| rest.get(at..))).unwrap_or("/");
    let mut lines = head.split("\r\n");
    let method = lines.next().unwrap_or_default().split(' ').next().unwrap_or_default();
    let mut out = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
    let mut length = 0u64;
    for line in lines.filter(|line| !line.is_empty()) {
        let name = line.split(':').next().unwrap_or_default().to_ascii_lowercase();
        match name.as_str() {
            "connection" | "proxy-connection" | "keep-alive" | "upgrade" => continue,
            "content-length" => length = line.split(':').nth(1).and_then(|n| n.trim().parse().ok()).unwrap_or_default(),
            _ => {}
        }
        out.push_str(line);
        out.push_str("\r\n");
    }
    out.push_str("\r\n");
    site.write_all(out.as_bytes()).await?;
    site.write_all(rest).await?;
    let (from_browser, mut to_browser) = browser.into_split();
    let (mut from_site, mut to_site) = site.into_split();
    let left = length.saturating_sub(u64::try_from(rest.len()).unwrap_or(u64::MAX));
    let mut body = from_browser.take(left);
    let (sent, answered) = tokio::join!(copy(&mut body, &mut to_site), copy(&mut from_site, &mut to_browser));
    sent.and(answered)?;
    to_browser.shutdown().await
}

async fn refuse(browser: &mut TcpStream, status: &str, reason: &str) -> std::io::Result<()> {
    let length = reason.len();
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/plain\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    );
    browser.write_all(head.as_bytes()).await?;
    browser.write_all(reason.as_bytes()).await
}
