//! The result of a call, as a model reads it.

use serde_json::Value;

use crate::outside::line;

/// Longest name or address of something that is only pointed at.
const POINTER_BYTES: usize = 500;

/// The text of a result, and whether the server calls it a failure.
pub(crate) fn read(result: &Value) -> (String, bool) {
    let failed = result.get("isError").and_then(Value::as_bool).unwrap_or(false);
    match result.get("resultType").and_then(Value::as_str) {
        None | Some("complete") => {}
        Some(_) => return ("The server wants more input than a tool can give.".to_owned(), true),
    }
    let blocks = result.get("content").and_then(Value::as_array);
    let mut parts: Vec<String> = blocks.into_iter().flatten().map(part).filter(|part| !part.is_empty()).collect();
    // Servers repeat what is structured as text; only those that do not are read here.
    if let (true, Some(structured)) = (parts.is_empty(), result.get("structuredContent")) {
        parts.push(structured.to_string());
    }
    if parts.is_empty() {
        parts.push("(no content)".to_owned());
    }
    (parts.join("\n\n"), failed)
}

fn part(block: &Value) -> String {
    let text = |at: &str| block.pointer(at).and_then(Value::as_str).unwrap_or_default();
    match text("/type") {
        "text" => text("/text").to_owned(),
        kind @ ("image" | "audio") => {
            let bytes = text("/data").len().saturating_mul(3) / 4;
            format!("({kind}, {}, about {bytes} bytes, not shown)", line(text("/mimeType"), 80))
        }
        "resource_link" => {
            let (name, uri) = (line(text("/name"), POINTER_BYTES), line(text("/uri"), POINTER_BYTES));
            format!("(resource {name}: {uri})")
        }
        "resource" => {
            let uri = line(text("/resource/uri"), POINTER_BYTES);
            match block.pointer("/resource/text").and_then(Value::as_str) {
                Some(content) => format!("(resource {uri})\n{content}"),
                None => format!("(resource {uri}, {}, not shown)", line(text("/resource/mimeType"), 80)),
            }
        }
        other => format!("(content of the kind \"{}\", not shown)", line(other, 40)),
    }
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
        assert_eq!(read(&result), (expected.to_owned(), false));
    }

    #[test]
    fn what_is_structured_is_read_where_no_text_repeats_it() {
        assert_eq!(read(&json!({"content": [], "structuredContent": {"sum": 4}})), (r#"{"sum":4}"#.to_owned(), false));
        let both = json!({"content": [{"type": "text", "text": "4"}], "structuredContent": {"sum": 4}});
        assert_eq!(read(&both).0, "4");
        assert_eq!(read(&json!({"isError": true})), ("(no content)".to_owned(), true));
        assert!(read(&json!({"resultType": "input_required", "content": []})).1);
    }
}
