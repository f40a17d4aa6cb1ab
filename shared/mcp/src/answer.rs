//! The result of a call, as a model reads it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use chela_core::shown::{MOST_FILES, kind};
use serde_json::Value;

use crate::outside::line;

/// Longest name or address of something that is only pointed at.
const POINTER_BYTES: usize = 500;

/// A result.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Answer {
    /// Its text; each picture has a line in it.
    pub(crate) text: String,
    /// Whether the server calls it a failure.
    pub(crate) failed: bool,
    /// Pictures and documents that can be looked at, by their own bytes.
    pub(crate) pictures: Vec<Bytes>,
}

/// Reads a result.
pub(crate) fn read(result: &Value) -> Answer {
    let failed = result.get("isError").and_then(Value::as_bool).unwrap_or(false);
    match result.get("resultType").and_then(Value::as_str) {
        None | Some("complete") => {}
        Some(_) => {
            let text = "The server wants more input than a tool can give.".to_owned();
            return Answer { text, failed: true, ..Answer::default() };
        }
    }
    let blocks = result.get("content").and_then(Value::as_array);
    let mut pictures = Vec::new();
    let parts = blocks.into_iter().flatten().map(|block| part(block, &mut pictures));
    let mut parts: Vec<String> = parts.filter(|part| !part.is_empty()).collect();
    // Servers repeat what is structured as text; only those that do not are read here.
    if let (true, Some(structured)) = (parts.is_empty(), result.get("structuredContent")) {
        parts.push(structured.to_string());
    }
    if parts.is_empty() {
        parts.push("(no content)".to_owned());
    }
    Answer { text: parts.join("\n\n"), failed, pictures }
}

/// The text of one block; what can be looked at is put to the `pictures`.
fn part(block: &Value, pictures: &mut Vec<Bytes>) -> String {
    let text = |at: &str| block.pointer(at).and_then(Value::as_str).unwrap_or_default();
    match text("/type") {
        "text" => text("/text").to_owned(),
        kind @ ("image" | "audio") => {
            let bytes = text("/data").len().saturating_mul(3) / 4;
            match seen(text("/data"), pictures) {
                Some(number) => format!("(picture {number})"),
                None => format!("({kind}, {}, about {bytes} bytes, not shown)", line(text("/mimeType"), 80)),
            }
        }
        "resource_link" => {
            let (name, uri) = (line(text("/name"), POINTER_BYTES), line(text("/uri"), POINTER_BYTES));
            format!("(resource {name}: {uri})")
        }
        "resource" => {
            let uri = line(text("/resource/uri"), POINTER_BYTES);
            let content = block.pointer("/resource/text").and_then(Value::as_str);
            match content.map_or_else(|| Err(seen(text("/resource/blob"), pictures)), Ok) {
                Ok(content) => format!("(resource {uri})\n{content}"),
                Err(Some(number)) => format!("(resource {uri}, picture {number})"),
                Err(None) => format!("(resource {uri}, {}, not shown)", line(text("/resource/mimeType"), 80)),
            }
        }
        other => format!("(content of the kind \"{}\", not shown)", line(other, 40)),
    }
}

/// The number of a picture if it is one, by its own bytes and whatever the server calls it.
fn seen(data: &str, pictures: &mut Vec<Bytes>) -> Option<usize> {
    let bytes = STANDARD.decode(data).ok().filter(|bytes| kind(bytes).is_some() && pictures.len() < MOST_FILES)?;
    pictures.push(bytes.into());
    Some(pictures.len())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_kind_of_content_becomes_text() {
        let result = json!({"content": [
            {"type": "text", "text": "four"},
            {"type": "image", "mimeType": "image/png", "data": "AAAA"},
            {"type": "resource_link", "name": "a\nb", "uri": "file:///a"},
            {"type": "resource", "resource": {"uri": "note://1", "text": "words"}},
            {"type": "resource", "resource": {"uri": "note://2", "mimeType": "application/pdf", "blob": "AAAA"}},
            {"type": "hologram"},
        ]});
        let expected = "four\n\n(image, image/png, about 3 bytes, not shown)\n\n(resource a b: file:///a)\n\n(resource note://1)\n\
                        words\n\n(resource note://2, application/pdf, not shown)\n\n(content of the kind \"hologram\", not shown)";
        assert_eq!(read(&result), Answer { text: expected.to_owned(), ..Answer::default() });
    }

    #[test]
    fn what_can_be_looked_at_is_known_by_its_bytes_and_the_rest_is_named() {
        let (png, pdf) = (b"\x89PNG\r\n\x1a\n...", b"%PDF-1.7");
        let image = |kind: &str, data: &str| json!({"type": "image", "mimeType": kind, "data": data});
        let mut content = vec![
            image("text/html", &STANDARD.encode(png)),
            image("image/png", &STANDARD.encode("<svg onload=x>")),
            image("image/png", "not base64"),
            json!({"type": "resource", "resource": {"uri": "a", "mimeType": "x/y", "blob": STANDARD.encode(pdf)}}),
        ];
        let answer = read(&json!({"content": content}));
        let lines: Vec<&str> = answer.text.split("\n\n").collect();
        assert_eq!((lines[0], lines[3]), ("(picture 1)", "(resource a, picture 2)"));
        assert!(lines[1..3].iter().all(|line| line.contains("not shown")), "{lines:?}");
        assert_eq!(answer.pictures, [Bytes::from_static(png), Bytes::from_static(pdf)]);
        content.resize(40, image("image/png", &STANDARD.encode(png)));
        assert_eq!(read(&json!({"content": content})).pictures.len(), MOST_FILES);
    }

    #[test]
    fn what_is_structured_is_read_where_no_text_repeats_it() {
        assert_eq!(read(&json!({"content": [], "structuredContent": {"sum": 4}})).text, r#"{"sum":4}"#);
        let both = json!({"content": [{"type": "text", "text": "4"}], "structuredContent": {"sum": 4}});
        assert_eq!(read(&both).text, "4");
        let failed = Answer { text: "(no content)".to_owned(), failed: true, pictures: vec![] };
        assert_eq!(read(&json!({"isError": true})), failed);
        assert!(read(&json!({"resultType": "input_required", "content": []})).failed);
    }
}
