//! The way to a page: hop by hop, each vetted, none with anything but what a browser without memory would send.

use std::time::Duration;

use bytes::BytesMut;
use chela_http::{HttpClient, HttpError, Request, StreamingResponse};
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, LOCATION, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tokio::time::Instant;
use url::Url;

use crate::fetch::body::{Body, Kind};

/// Longest silence of a server.
const IDLE: Duration = Duration::from_secs(10);

/// A PDF is read whole or not at all.
const PDF_BYTES: usize = 10 * 1024 * 1024;

/// Markdown first: documentation that has it says more in less.
const WANTED: &str = "text/markdown, text/html;q=0.9, application/xhtml+xml;q=0.9, text/plain;q=0.8, */*;q=0.5";

/// What a download may take.
pub(crate) struct Limits<'a> {
    pub(crate) bytes: usize,
    pub(crate) redirects: u8,
    pub(crate) timeout: Duration,
    pub(crate) user_agent: Option<&'a str>,
}

/// What was found.
pub(crate) struct Download {
    /// Where, after all redirects.
    pub(crate) url: String,
    pub(crate) kind: Kind,
    pub(crate) body: Body,
    /// Whether there was more.
    pub(crate) cut: bool,
}

/// Fetches a page; errors are for the model.
pub(crate) async fn get(http: &HttpClient, url: &str, limits: &Limits<'_>) -> Result<Download, String> {
    let deadline = Instant::now() + limits.timeout;
    // The client judges the text as it was given: what a parser would repair is refused there.
    let (mut url, mut hops) = (url.trim().to_owned(), 0u8);
    loop {
        let answer = hop(http, &mut url, limits, deadline).await?;
        let Some(next) = moved(&url, &answer)? else { return arrived(url, hops > 0, answer, limits).await };
        if hops >= limits.redirects {
            return Err(format!("The page was still moved elsewhere after {hops} redirects."));
        }
        hops = hops.saturating_add(1);
        url = next;
    }
}

/// One request. Where plain http is forbidden, https is tried: most links that say http are older than the site's
/// certificate.
async fn hop(
    http: &HttpClient,
    url: &mut String,
    limits: &Limits<'_>,
    deadline: Instant,
) -> Result<StreamingResponse, String> {
    let first = http.stream(request(url, limits, deadline)?, IDLE).await;
    let (Err(HttpError::Blocked { .. }), Some(rest)) = (&first, url.strip_prefix("http://")) else {
        return first.map_err(|error| told(&error));
    };
    *url = format!("https://{rest}");
    http.stream(request(url, limits, deadline)?, IDLE).await.map_err(|error| told(&error))
}

fn request(url: &str, limits: &Limits<'_>, deadline: Instant) -> Result<Request, String> {
    let left = deadline.saturating_duration_since(Instant::now());
    // No limit of its own: reading ends at the limit below, and what came until then is kept.
    let mut request = Request::get(url, left, usize::MAX)
        .header(ACCEPT, HeaderValue::from_static(WANTED))
        .header(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    if let Some(name) = limits.user_agent {
        let name =
            HeaderValue::from_str(name).map_err(|_| "tools.web.fetch.userAgent is no header value.".to_owned())?;
        request = request.header(USER_AGENT, name);
    }
    Ok(request)
}

fn told(error: &HttpError) -> String {
    match error {
        HttpError::Blocked { .. } => format!("{error}. Only public addresses can be read.",),
        error => format!("{error}."),
    }
}

/// Where the answer sends us.
fn moved(from: &str, answer: &StreamingResponse) -> Result<Option<String>, String> {
    let status = answer.status();
    let moves = matches!(
        status,
        StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT
    );
    let Some(to) = header(answer.headers(), LOCATION).filter(|_| moves) else { return Ok(None) };
    let next = Url::parse(from).and_then(|base| base.join(to));
    next.map(|url| Some(url.to_string())).map_err(|_| "The page was moved to something that is no URL.".to_owned())
}

async fn arrived(url: String, moved: bool, answer: StreamingResponse, limits: &Limits<'_>) -> Result<Download, String> {
    let status = answer.status();
    if !status.is_success() {
        // An error stands in no quote, and where a page was moved to is in words of its own.
        let place = Url::parse(&url).map(|url| url.origin().ascii_serialization()).unwrap_or_default();
        let place = if moved { format!("It was moved to {place}, which") } else { url };
        return Err(format!("{place} answers with status {}: {}.", status.as_u16(), meaning(status)));
    }
    let content_type = header(answer.headers(), CONTENT_TYPE).unwrap_or_default().to_owned();
    let encoding = header(answer.headers(), CONTENT_ENCODING).unwrap_or_default().trim().to_ascii_lowercase();
    let kind = Kind::of(&content_type).ok_or_else(|| {
        let shown: String =
            content_type.chars().filter(|c| c.is_ascii_alphanumeric() || "/+.-".contains(*c)).take(60).collect();
        format!("It is no text but {shown}. Only pages, text, JSON and PDFs can be read.")
    })?;
    let most = if kind == Kind::Pdf { PDF_BYTES } else { limits.bytes };
    let (bytes, cut) = taken(answer, most).await?;
    let (body, unpacked_cut) = Body::unpack(bytes.freeze(), &encoding, most, content_type)?;
    let kind = kind.seen(&body);
    if kind == Kind::Pdf && (cut || unpacked_cut) {
        return Err(format!("The PDF is larger than {PDF_BYTES} bytes."));
    }
    Ok(Download { url, kind, body, cut: cut || unpacked_cut })
}

/// What came until `most` bytes, and whether more would have come.
async fn taken(mut answer: StreamingResponse, most: usize) -> Result<(BytesMut, bool), String> {
    let mut bytes = BytesMut::new();
    while let Some(piece) = answer.chunk().await.map_err(|error| told(&error))? {
        let room = most.saturating_sub(bytes.len());
        if piece.len() > room {
            bytes.extend_from_slice(piece.get(..room).unwrap_or_default());
            return Ok((bytes, true));
        }
        bytes.extend_from_slice(&piece);
    }
    Ok((bytes, false))
}

fn header(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn meaning(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 | 402 | 403 | 407 | 451 => "it is not shown to everybody",
        404 | 410 => "there is no such page",
        429 => "it was asked too often; try later or another source",
        500..=599 => "the site has a problem; try later or another source",
        _ => "there is nothing to read",
    }
}
