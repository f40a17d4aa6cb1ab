//! `POST /mcp`: conversations, memory and messages for clients of the Model Context Protocol, over streamable HTTP. Every
//! request stands for itself, in both eras of the protocol: there is no session to forget.

mod tools;

use bytes::Bytes;
use chela_core::channel::Ack;
use chela_mcp::protocol::{
    HANDSHAKE, HEADER_MISMATCH, INTERNAL_ERROR, INVALID_PARAMS, INVALID_REQUEST, METHOD_HEADER, METHOD_NOT_FOUND,
    MODERN, NAME_HEADER, PARSE_ERROR, UNSUPPORTED_VERSION, VERSION_HEADER, VERSION_KEY, header_value, implementation,
};
use http::{HeaderMap, Method, StatusCode};
use serde_json::{Map, Value, json};

use super::{Api, json_ack, problem};

pub(super) const PATH: &str = "/mcp";

const INSTRUCTIONS: &str = "Chela, an assistant that answers in messaging apps. Its conversations and notes can be read, and it can be written to.";

/// Why a request is not answered.
struct Fault {
    code: i64,
    message: String,
    data: Value,
}

impl Fault {
    fn new(code: i64, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: Value::Null }
    }

    /// The status that goes with it since 2026-07-28; before, what was wrong stood in the body alone.
    fn status(&self, modern: bool) -> StatusCode {
        match self.code {
            PARSE_ERROR | INVALID_REQUEST => StatusCode::BAD_REQUEST,
            INVALID_PARAMS | HEADER_MISMATCH | UNSUPPORTED_VERSION if modern => StatusCode::BAD_REQUEST,
            METHOD_NOT_FOUND if modern => StatusCode::NOT_FOUND,
            _ => StatusCode::OK,
        }
    }
}

impl Api {
    pub(super) async fn mcp(&self, method: &Method, headers: &HeaderMap, body: &Bytes) -> Ack {
        if method != Method::POST {
            return problem(StatusCode::METHOD_NOT_ALLOWED, "only POST is served here: there is no stream to wait on");
        }
        let request: Value = match serde_json::from_slice(body) {
            Ok(request) => request,
            Err(_) => return refusal(&Value::Null, &Fault::new(PARSE_ERROR, "the body is no JSON"), true),
        };
        let (Some(called), true) = (request.get("method").and_then(Value::as_str), request.is_object()) else {
            let fault = Fault::new(INVALID_REQUEST, "the body must be one request or notification");
            return refusal(&Value::Null, &fault, true);
        };
        let Some(id) = request.get("id").filter(|id| id.is_string() || id.is_number()) else {
            // A notification: nothing here waits for one.
            return Ack { status: StatusCode::ACCEPTED, ..Ack::empty() };
        };
        let params = request.get("params").and_then(Value::as_object).cloned().unwrap_or_default();
        let modern = match era(headers, called, &params) {
            Ok(modern) => modern,
            Err(fault) => return refusal(id, &fault, true),
        };
        match self.mcp_answer(called, &params, modern).await {
            Ok(mut result) => {
                if let (true, Some(fields)) = (modern, result.as_object_mut()) {
                    fields.insert("resultType".to_owned(), "complete".into());
                    if called != "tools/call" {
                        fields.insert("ttlMs".to_owned(), 0.into());
                        fields.insert("cacheScope".to_owned(), "private".into());
                    }
                }
                json_ack(StatusCode::OK, &json!({ "jsonrpc": "2.0", "id": id, "result": result }))
            }
            Err(fault) => refusal(id, &fault, modern),
        }
    }

    async fn mcp_answer(&self, method: &str, params: &Map<String, Value>, modern: bool) -> Result<Value, Fault> {
        let capabilities = json!({ "tools": {}, "resources": {} });
        match method {
            "initialize" if !modern => {
                let wanted = params.get("protocolVersion").and_then(Value::as_str).unwrap_or_default();
                let known = HANDSHAKE.iter().find(|version| **version == wanted).or(HANDSHAKE.first());
                Ok(json!({
                    "protocolVersion": known, "capabilities": capabilities, "serverInfo": implementation(),
                    "instructions": INSTRUCTIONS,
                }))
            }
            "server/discover" if modern => Ok(json!({
                "supportedVersions": [MODERN], "capabilities": capabilities, "instructions": INSTRUCTIONS,
                "_meta": { "io.modelcontextprotocol/serverInfo": implementation() },
            })),
            "ping" => Ok(json!({})),
            "tools/list" => Ok(json!({ "tools": tools::specs() })),
            "tools/call" => self.tool_called(params).await,
            "resources/list" => self.resources().await,
            "resources/templates/list" => Ok(json!({ "resourceTemplates": [{
                "uriTemplate": "chela://{agent}/{+path}", "name": "note", "description": "A note of an agent.",
                "mimeType": "text/markdown",
            }] })),
            "resources/read" => self.resource(params).await,
            other => Err(Fault::new(METHOD_NOT_FOUND, format!("there is no method \"{}\"", other.escape_default()))),
        }
    }
}

/// Whether a request is of the era in which each stands for itself. What its headers say must be what its body says, or
/// whoever routes by them sees another request than we do.
fn era(headers: &HeaderMap, method: &str, params: &Map<String, Value>) -> Result<bool, Fault> {
    let header = |name: &str| {
        let mut all = headers.get_all(name).iter();
        match (all.next(), all.next()) {
            (None, _) => Ok(None),
            (Some(one), None) => Ok(one.to_str().ok()),
            _ => Err(Fault::new(HEADER_MISMATCH, format!("{name} stands in the headers twice"))),
        }
    };
    let (in_header, in_body) = (header(VERSION_HEADER)?, params.get("_meta").and_then(|meta| meta.get(VERSION_KEY)));
    let Some(version) = in_body.and_then(Value::as_str) else {
        return match in_header {
            Some(version) if version == MODERN => {
                Err(Fault::new(INVALID_PARAMS, format!("params._meta misses \"{VERSION_KEY}\"")))
            }
            _ => Ok(false),
        };
    };
    if in_header.is_some_and(|header| header != version) {
        return Err(Fault::new(HEADER_MISMATCH, format!("{VERSION_HEADER} is not the version of the body")));
    }
    if version != MODERN {
        let data = json!({ "supported": [MODERN], "requested": version });
        return Err(Fault { code: UNSUPPORTED_VERSION, message: "that version is not spoken here".to_owned(), data });
    }
    let name = params.get("name").or_else(|| params.get("uri")).and_then(Value::as_str);
    let other = header(METHOD_HEADER)?.is_some_and(|header| header != method)
        || header(NAME_HEADER)?.is_some_and(|header| header_value(header).as_deref() != name);
    if other {
        return Err(Fault::new(HEADER_MISMATCH, "the headers name another method or tool than the body"));
    }
    Ok(true)
}

fn refusal(id: &Value, fault: &Fault, modern: bool) -> Ack {
    let mut error = json!({ "code": fault.code, "message": fault.message });
    if let (false, Some(fields)) = (fault.data.is_null(), error.as_object_mut()) {
        fields.insert("data".to_owned(), fault.data.clone());
    }
    json_ack(fault.status(modern), &json!({ "jsonrpc": "2.0", "id": id, "error": error }))
}

/// A store that fails.
fn broken(error: &impl std::fmt::Display) -> Fault {
    Fault::new(INTERNAL_ERROR, error.to_string())
}
