//! The text of PDFs.

use std::panic::catch_unwind;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use chela_core::media::{Documents, MediaError};
use lopdf::{Document, LoadOptions};
use tokio::sync::oneshot;

/// Largest file that is read.
const MOST_BYTES: usize = 20 * 1024 * 1024;

/// Most bytes that one stream of objects may unpack to, and the content or a font's table of one page: what is parsed takes
/// many times the room of what is unpacked.
const MOST_UNPACKED: usize = 4 * 1024 * 1024;
const MOST_OF_A_PAGE: usize = 2 * 1024 * 1024;

/// Most pages that are read.
const MOST_PAGES: usize = 500;

/// Longest time for one file.
const TIME: Duration = Duration::from_secs(8);

/// Files nest, and what reads them calls itself.
const STACK_BYTES: usize = 16 * 1024 * 1024;

/// Reads PDFs on a thread of their own.
pub struct Pdfs;

#[async_trait]
impl Documents for Pdfs {
    async fn text(&self, pdf: Bytes, most: usize) -> Result<String, MediaError> {
        let unfit = |reason: &str| MediaError::Unfit(reason.to_owned());
        if pdf.len() > MOST_BYTES {
            return Err(unfit("the PDF is too large to be read"));
        }
        let (done, result) = oneshot::channel();
        // A thread and not `spawn_blocking`, whose threads have small stacks.
        let thread = std::thread::Builder::new().name("pdf".to_owned()).stack_size(STACK_BYTES).spawn(move || {
            let read = catch_unwind(|| read(&pdf, most)).unwrap_or_else(|_| Err("it is damaged".to_owned()));
            let _ = done.send(read); // Nobody may wait any more.
        });
        thread.map_err(|error| MediaError::Unfit(format!("there is no room to read the PDF: {error}")))?;
        match tokio::time::timeout(TIME, result).await {
            Ok(Ok(Ok(text))) => Ok(text),
            Ok(Ok(Err(reason))) => Err(MediaError::Unfit(format!("the PDF cannot be read: {reason}"))),
            Ok(Err(_)) => Err(unfit("the PDF cannot be read")),
            Err(_) => Err(unfit("reading the PDF takes too long")),
        }
    }
}

fn read(pdf: &[u8], most: usize) -> Result<String, String> {
    let began = Instant::now();
    let options = LoadOptions::with_max_decompressed_size(MOST_UNPACKED);
    let document = Document::load_mem_with_options(pdf, options).map_err(|error| short(&error.to_string()))?;
    if document.is_encrypted() {
        return Err("it is encrypted".to_owned());
    }
    let mut text = String::new();
    let mut chars: usize = 0;
    for number in document.get_pages().into_keys().take(MOST_PAGES) {
        if chars >= most || began.elapsed() > TIME {
            break;
        }
        // What one page does not say, another may.
        let pieces = document.extract_text_chunks_with_limit(&[number], MOST_OF_A_PAGE);
        let page: String = pieces.into_iter().filter_map(Result::ok).collect();
        let page = tidy(&page);
        if !page.is_empty() {
            chars = chars.saturating_add(page.chars().count()).saturating_add(2);
            text.push_str(&page);
            text.push_str("\n\n");
        }
    }
    let text: String = text.trim_end().chars().take(most).collect();
    if text.is_empty() { Err("it holds no text; it may be a scan".to_owned()) } else { Ok(text) }
}

/// Lines without trailing blanks, no control characters, never two empty lines in a row.
fn tidy(page: &str) -> String {
    let mut out = String::new();
    let mut empty = true;
    for line in page.lines() {
        let line: String = line.chars().filter(|c| !c.is_control() || *c == '\t').collect();
        let line = line.trim_end();
        if !(line.is_empty() && empty) {
            out.push_str(line);
            out.push('\n');
        }
        empty = line.is_empty();
    }
    out.trim_end().to_owned()
}

/// The parser's words, which may quote the file.
fn short(reason: &str) -> String {
    reason.chars().filter(|c| !c.is_control()).take(100).collect()
}
