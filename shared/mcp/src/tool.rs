//! A tool of a server as a tool of the house.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use chela_core::model::ToolSpec;
use chela_core::outside::{PICTURES, quoted};
use chela_core::queue::Authority;
use chela_core::shown::{add_line, store};
use chela_core::tool::{Caller, Consent, Effect, Tool, ToolAnswer, ToolCall};
use serde_json::Value;

use crate::answer;
use crate::catalog::Listed;
use crate::outside::{MOST_BYTES, plain};
use crate::protocol::param_headers;
use crate::server::Server;
use crate::settings::Risk;

/// Most bytes of arguments.
const ARGUMENT_BYTES: usize = 256 * 1024;

/// One tool.
pub(crate) struct McpTool {
    pub(crate) server: Arc<Server>,
    pub(crate) spec: ToolSpec,
    pub(crate) listed: Listed,
    pub(crate) risk: Risk,
    /// Whether it waits to be found.
    pub(crate) waits: bool,
}

#[async_trait]
impl Tool for McpTool {
    fn spec(&self) -> ToolSpec {
        self.spec.clone()
    }

    fn effect(&self) -> Effect {
        match self.risk {
            Risk::Read => Effect::None,
            // The protocol has no key by which a server could tell a repetition.
            Risk::Write | Risk::External => Effect::Unkeyed,
        }
    }

    /// Servers are asked in the owner's name, so that what they know is for the owner.
    fn offered(&self, caller: &Caller) -> bool {
        caller.authority == Authority::Owner
    }

    fn on_demand(&self) -> bool {
        self.waits
    }

    fn consent(&self, input: &Value, _: &Caller) -> Option<Consent> {
        let asks = match self.risk {
            Risk::Read => false,
            Risk::Write => self.server.settings.ask,
            Risk::External => true,
        };
        let shown = || {
            let (server, tool) = (&self.server.settings.name, &self.listed.name);
            // As JSON with everything beyond ASCII escaped, so that what is read is what is sent.
            format!("{} of the MCP server {server} with {}", escaped(tool), ascii(input))
        };
        asks.then(|| Consent { shown: shown(), programs: None, beside: String::new() })
    }

    async fn run(&self, call: ToolCall<'_>) -> ToolAnswer {
        if !call.input.is_object() {
            return ToolAnswer::error("The arguments must be an object. See the tool's schema.");
        }
        if call.input.to_string().len() > ARGUMENT_BYTES {
            return ToolAnswer::error(format!("The arguments have more than {ARGUMENT_BYTES} bytes: send less."));
        }
        let server = &self.server.settings.name;
        let schema = self.listed.schema.as_ref().unwrap_or(&Value::Null);
        match self.server.call(&self.listed.name, call.input, param_headers(schema, call.input)).await {
            Ok(result) => {
                let answer = answer::read(&result);
                let (source, text) = (format!("the MCP server {server}"), plain(&answer.text, MOST_BYTES));
                let text = quoted(&call.clock.unique(), &source, &text);
                let said = ToolAnswer { text, is_error: answer.failed, files: Vec::new() };
                if answer.failed { said } else { showing(&call, said, answer.pictures).await }
            }
            // Its words are from outside as well.
            Err(error) => {
                let (source, words) =
                    (format!("the MCP server {server}, which failed"), plain(&error.to_string(), 1_000));
                ToolAnswer::error(quoted(&call.clock.unique(), &source, &words))
            }
        }
    }
}

/// The answer with its pictures, or with why one is not shown.
async fn showing(call: &ToolCall<'_>, mut said: ToolAnswer, pictures: Vec<Bytes>) -> ToolAnswer {
    for (picture, number) in pictures.into_iter().zip(1u8..) {
        match store(call, picture).await {
            Ok(file) => said.files.push(file),
            Err(reason) => add_line(&mut said.text, &format!("[Picture {number}: {reason}]")),
        }
    }
    if !said.files.is_empty() {
        add_line(&mut said.text, PICTURES);
    }
    said
}

fn escaped(text: &str) -> String {
    ascii(&Value::from(text))
}

fn ascii(value: &Value) -> String {
    let mut out = String::new();
    for c in value.to_string().chars() {
        if c.is_ascii() && !c.is_ascii_control() {
            out.push(c);
        } else {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_agreed_to_hides_nothing() {
        let shown = ascii(&json!({"to": "a\u{202e}b", "crab": "🦀"}));
        assert_eq!(shown, r#"{"to":"a\u202eb","crab":"\ud83e\udd80"}"#);
        assert_eq!(serde_json::from_str::<Value>(&shown).unwrap(), json!({"to": "a\u{202e}b", "crab": "🦀"}));
    }
}
