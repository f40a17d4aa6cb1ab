//! Cards: what we say is shown as one, because only cards show markdown, have buttons, and can be changed as often as an
//! answer grows. (Other messages can be edited 20 times.)
//! <https://open.feishu.cn/document/feishu-cards/card-json-v2-structure>

use chela_core::channel::Choice;
use chela_core::message::ReplyAddress;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::markdown::markdown;

/// Feishu takes cards of 30 KB. <https://open.feishu.cn/document/server-docs/im-v1/message/create>
const MOST_BYTES: usize = 30_000;

/// What our buttons bring back: the choice, and the place they are for, because the event of a button does not tell what
/// kind of chat it was in. Cards can be forwarded; pressed elsewhere, a button means nothing.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Pressed {
    #[serde(rename = "chela")]
    pub(crate) value: String,
    pub(crate) to: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) thread: Option<String>,
}

impl Pressed {
    /// Reads the value of a button; `None` if the button is not ours.
    pub(crate) fn read(value: &Value) -> Option<Self> {
        Self::deserialize(value).ok()
    }
}

/// The card for a text, a picture above it, and buttons below.
pub(crate) fn card(to: &ReplyAddress, text: &str, image_key: Option<&str>, choices: &[Choice]) -> String {
    let written = json!({ "tag": "markdown", "content": markdown(text) });
    let card = assemble(to, written, image_key, choices);
    if card.len() <= MOST_BYTES {
        return card;
    }
    // Marks around every letter: shown as it was written, it always fits.
    assemble(to, json!({ "tag": "div", "text": { "tag": "plain_text", "content": text } }), image_key, choices)
}

fn assemble(to: &ReplyAddress, text: Value, image_key: Option<&str>, choices: &[Choice]) -> String {
    let mut elements = Vec::new();
    if let Some(key) = image_key {
        elements.push(json!({ "tag": "img", "img_key": key, "alt": { "tag": "plain_text", "content": "" } }));
    }
    elements.push(text);
    for choice in choices {
        let pressed = Pressed { value: choice.value.clone(), to: to.to.clone(), thread: to.thread.clone() };
        elements.push(json!({
            "tag": "button",
            "type": "default",
            "text": { "tag": "plain_text", "content": choice.label },
            "behaviors": [{ "type": "callback", "value": pressed }],
        }));
    }
    // Without `update_multi` a card could not be changed for everybody who sees it.
    json!({ "schema": "2.0", "config": { "update_multi": true }, "body": { "elements": elements } }).to_string()
}
