//! JSON-RPC as the Model Context Protocol uses it: <https://modelcontextprotocol.io/specification>.
//!
//! There are two eras. Until 2025-11-25 a conversation begins with `initialize` and may have a session; since 2026-07-28
//! every request stands for itself and carries what the handshake used to agree on.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

/// The version whose requests stand for themselves.
pub const MODERN: &str = "2026-07-28";

/// Versions that begin with `initialize`, the newest first.
pub const HANDSHAKE: [&str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

/// The keys of `_meta` that every request of [`MODERN`] carries.
pub const VERSION_KEY: &str = "io.modelcontextprotocol/protocolVersion";
/// Who asks.
pub const CLIENT_KEY: &str = "io.modelcontextprotocol/clientInfo";
/// What it can do.
pub const CAPABILITIES_KEY: &str = "io.modelcontextprotocol/clientCapabilities";

/// Headers of streamable HTTP.
pub const VERSION_HEADER: &str = "mcp-protocol-version";
/// The session that the server began.
pub const SESSION_HEADER: &str = "mcp-session-id";
/// The method of the body, for whoever routes without reading it.
pub const METHOD_HEADER: &str = "mcp-method";
/// The tool or resource of the body.
pub const NAME_HEADER: &str = "mcp-name";

/// The body is no JSON.
pub const PARSE_ERROR: i64 = -32700;
/// The body is no request.
pub const INVALID_REQUEST: i64 = -32600;
/// There is no such method.
pub const METHOD_NOT_FOUND: i64 = -32601;
/// The parameters do not fit.
pub const INVALID_PARAMS: i64 = -32602;
/// Something broke inside.
pub const INTERNAL_ERROR: i64 = -32603;
/// Headers and body contradict each other.
pub const HEADER_MISMATCH: i64 = -32020;
/// The version is not spoken here.
pub const UNSUPPORTED_VERSION: i64 = -32022;

/// Who we are.
pub fn implementation() -> Value {
    json!({ "name": "chela", "version": env!("CARGO_PKG_VERSION") })
}

/// A request. `modern` adds what each request of that era carries.
pub(crate) fn request(id: u64, method: &str, mut params: Map<String, Value>, modern: bool) -> Value {
    if modern {
        let meta = json!({ VERSION_KEY: MODERN, CLIENT_KEY: implementation(), CAPABILITIES_KEY: {} });
        params.insert("_meta".to_owned(), meta);
    }
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
}

/// What a server says.
pub(crate) enum Message {
    /// The result of the request with this id.
    Result(u64, Value),
    /// Its error. Servers that could not read a request answer without its id.
    Error(Option<u64>, Refusal),
    /// It asks us.
    Request(Value, String),
    /// Anything else.
    Other,
}

/// An error a server answered with.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// Its number.
    pub code: i64,
    /// Its words.
    pub message: String,
    /// Versions it names as its own.
    pub supported: Vec<String>,
}

impl Message {
    pub(crate) fn read(value: Value) -> Self {
        let Value::Object(mut fields) = value else { return Self::Other };
        let id = fields.get("id").and_then(Value::as_u64);
        if let Some(Value::String(method)) = fields.get("method") {
            return match fields.get("id") {
                Some(id) => Self::Request(id.clone(), method.clone()),
                None => Self::Other,
            };
        }
        if let Some(error) = fields.get("error") {
            let supported = error.pointer("/data/supported").and_then(Value::as_array);
            let names = supported.into_iter().flatten().filter_map(|name| Some(name.as_str()?.to_owned()));
            return Self::Error(
                id,
                Refusal {
                    code: error.get("code").and_then(Value::as_i64).unwrap_or_default(),
                    message: error.get("message").and_then(Value::as_str).unwrap_or("no reason given").to_owned(),
                    supported: names.collect(),
                },
            );
        }
        match (id, fields.remove("result")) {
            (Some(id), Some(result)) => Self::Result(id, result),
            _ => Self::Other,
        }
    }
}

/// A value as a header may carry it: what is not plain is wrapped in base64 (SEP-2243).
pub fn header_text(value: &str) -> String {
    let plain = value.bytes().all(|byte| (0x20..=0x7e).contains(&byte)) && value.trim() == value;
    if plain && !(value.starts_with("=?base64?") && value.ends_with("?=")) {
        return value.to_owned();
    }
    format!("=?base64?{}?=", STANDARD.encode(value))
}

/// The opposite of [`header_text`]; `None` if it is damaged.
pub fn header_value(text: &str) -> Option<String> {
    match text.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?=")) {
        None => Some(text.to_owned()),
        Some(wrapped) => String::from_utf8(STANDARD.decode(wrapped).ok()?).ok(),
    }
}

/// `(header, value)` of every argument that the schema wants repeated in one (`x-mcp-header`).
pub(crate) fn param_headers(schema: &Value, arguments: &Value) -> Vec<(String, String)> {
    let mut headers = Vec::new();
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, property) in properties.into_iter().flatten() {
        let Some(value) = arguments.get(name) else { continue };
        if let Some(token) = property.get("x-mcp-header").and_then(Value::as_str) {
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Bool(_) | Value::Number(_) => value.to_string(),
                _ => continue,
            };
            headers.push((format!("mcp-param-{token}"), header_text(&text)));
        }
        headers.extend(param_headers(property, value));
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_header_carries_is_wrapped_and_comes_back() {
        for plain in ["add", "a b", ""] {
            assert_eq!(header_text(plain), plain);
        }
        for odd in ["größe", " x", "a\nb", "=?base64?YQ==?="] {
            assert!(header_text(odd).starts_with("=?base64?"), "{odd:?}");
            assert_eq!(header_value(&header_text(odd)).as_deref(), Some(odd));
        }
        assert_eq!(header_value("=?base64?!?="), None);
    }

    #[test]
    fn arguments_are_repeated_where_the_schema_wants_it() {
        let schema = json!({"properties": {
            "region": {"type": "string", "x-mcp-header": "Region"},
            "deep": {"properties": {"n": {"type": "integer", "x-mcp-header": "N"}}},
            "other": {"type": "string"},
        }});
        let found = param_headers(&schema, &json!({"region": "eu", "deep": {"n": 4}, "other": "x"}));
        assert_eq!(found, [("mcp-param-Region".into(), "eu".into()), ("mcp-param-N".into(), "4".into())]);
        assert!(param_headers(&schema, &json!({"region": null})).is_empty());
    }
}
