//! What a model can ask of a browser.

use chela_core::model::ToolSpec;
use serde::Deserialize;
use serde_json::{Value, json};

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Action {
    #[serde(alias = "open")]
    Navigate,
    Snapshot,
    Click,
    Type,
    Press,
    Select,
    Scroll,
    Wait,
    Back,
    Screenshot,
    Tabs,
    Close,
}

/// One call.
#[derive(Debug, Deserialize)]
pub(crate) struct Asked {
    pub(crate) action: Action,
    #[serde(default)]
    pub(crate) url: Option<String>,
    #[serde(rename = "ref", default)]
    pub(crate) element: Option<String>,
    #[serde(default)]
    pub(crate) text: Option<String>,
    #[serde(default)]
    pub(crate) submit: bool,
    #[serde(default)]
    pub(crate) tab: Option<usize>,
    #[serde(default)]
    pub(crate) part: Option<usize>,
}

impl Asked {
    /// What the model passed, or what is wrong with it in words for the model.
    pub(crate) fn read(input: &Value) -> Result<Self, String> {
        Self::deserialize(input).map_err(|error| format!("The arguments do not fit: {error}. See the tool's schema."))
    }
}

/// How the model sees the tool.
pub(crate) fn spec() -> ToolSpec {
    ToolSpec {
        name: "browser".into(),
        description: "Use a web browser: pages that need scripts, clicks or forms. Every action answers with the page as a \
                      tree in which elements have refs such as e3: click, type into, select and scroll to them by these. \
                      text: what to type, the option to select, the key to press (Enter, Tab, …), the words to wait for, or \
                      up for scroll. tabs lists pages; tab switches to one."
            .into(),
        input_schema: json!({
            "type": "object",
            "properties": {
                "action": { "type": "string", "enum": [
                    "navigate", "snapshot", "click", "type", "press", "select", "scroll", "wait", "back", "screenshot",
                    "tabs", "close"
                ] },
                "url": { "type": "string" },
                "ref": { "type": "string" },
                "text": { "type": "string" },
                "submit": { "type": "boolean", "description": "press Enter after typing" },
                "tab": { "type": "integer" },
                "part": { "type": "integer", "description": "which part of a long snapshot, from 1" },
            },
            "required": ["action"],
        }),
    }
}
