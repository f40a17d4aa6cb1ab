//! The bodies of messages. <https://developers.facebook.com/docs/whatsapp/cloud-api/reference/messages>

use chela_core::channel::{Choice, OutboundFile};
use chela_meta::choices::{numbered, titles};
use serde_json::{Value, json};

use crate::dialect::{LONGEST, units, written};

/// Most rows of a list. <https://developers.facebook.com/docs/whatsapp/cloud-api/messages/interactive-list-messages>
pub(crate) const MOST_ROWS: usize = 10;

/// Most buttons, and most text above them; above a list there may be as much as in a text.
/// <https://developers.facebook.com/docs/whatsapp/cloud-api/messages/interactive-reply-buttons-messages>
const MOST_BUTTONS: usize = 3;
const MOST_BUTTON_BODY: usize = 1_024;

/// Most words on a button and in a row, and most of what comes back from them.
const MOST_BUTTON_TITLE: usize = 20;
const MOST_BUTTON_ID: usize = 256;
const MOST_ROW_TITLE: usize = 24;
const MOST_ROW_ID: usize = 200;

/// Most of a caption.
pub(crate) const MOST_CAPTION: usize = 1_024;

/// A message: its type, and what stands under that name.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Message {
    pub(crate) kind: &'static str,
    pub(crate) body: Value,
}

/// A text; with choices, buttons or a list where they fit.
pub(crate) fn text(markdown: &str, choices: &[Choice], list_button: &str) -> Message {
    let fits = |most: usize, most_id: usize| {
        let id = |choice: &Choice| !choice.value.is_empty() && choice.value.chars().count() <= most_id;
        !choices.is_empty() && choices.len() <= most && choices.iter().all(id)
    };
    let body = written(markdown, LONGEST);
    let (kind, action) = if fits(MOST_BUTTONS, MOST_BUTTON_ID) && units(&body) <= MOST_BUTTON_BODY {
        let buttons = titles(choices, MOST_BUTTON_TITLE).into_iter().zip(choices);
        let buttons: Vec<Value> = buttons
            .map(|(title, choice)| json!({ "type": "reply", "reply": { "id": choice.value, "title": title } }))
            .collect();
        ("button", json!({ "buttons": buttons }))
    } else if fits(MOST_ROWS, MOST_ROW_ID) {
        let rows = titles(choices, MOST_ROW_TITLE).into_iter().zip(choices);
        let rows: Vec<Value> = rows.map(|(title, choice)| json!({ "id": choice.value, "title": title })).collect();
        ("list", json!({ "button": list_button, "sections": [{ "rows": rows }] }))
    } else {
        let body = if choices.is_empty() { body } else { written(&numbered(markdown, choices), LONGEST) };
        return Message { kind: "text", body: json!({ "body": body, "preview_url": false }) };
    };
    Message { kind: "interactive", body: json!({ "type": kind, "body": { "text": body }, "action": action }) }
}

/// A file that was uploaded, by the kind that shows its type best. What is too large for its kind, and what has a caption
/// where its kind has none, goes as a document.
/// <https://developers.facebook.com/docs/whatsapp/cloud-api/reference/media#supported-media-types>
pub(crate) fn file(file: &OutboundFile<'_>, id: &str, caption: Option<&str>) -> Message {
    const MB: usize = 1024 * 1024;
    let bare = file.content_type.split(';').next().unwrap_or_default().trim();
    let kind = match bare {
        "image/jpeg" | "image/png" if file.bytes.len() <= 5 * MB => "image",
        "video/mp4" | "video/3gpp" if file.bytes.len() <= 16 * MB => "video",
        "audio/aac" | "audio/amr" | "audio/mpeg" | "audio/mp4" | "audio/ogg"
            if file.bytes.len() <= 16 * MB && caption.is_none() =>
        {
            "audio"
        }
        _ => "document",
    };
    let mut body = json!({ "id": id });
    if let Some(fields) = body.as_object_mut() {
        fields.extend(caption.map(|caption| ("caption".to_owned(), json!(caption))));
        if kind == "document" {
            fields.insert("filename".to_owned(), json!(file.name));
        }
    }
    Message { kind, body }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choices(count: usize, value: &str) -> Vec<Choice> {
        (0..count).map(|at| Choice { label: format!("Choice {at}"), value: format!("{value}{at}") }).collect()
    }

    #[test]
    fn few_choices_are_buttons_and_more_are_a_list() {
        let kind = |text_units: usize, count: usize, value: &str| {
            let message = text(&"x".repeat(text_units), &choices(count, value), "Choose");
            let kind = message.body["type"].as_str().unwrap_or("none").to_owned();
            (message.kind, kind, message)
        };
        assert_eq!(kind(1_024, 3, "v").1, "button");
        assert_eq!(kind(1_024, 3, &"v".repeat(255)).1, "button");
        assert_eq!(kind(1_025, 3, "v").1, "list");
        assert_eq!(kind(10, 4, "v").1, "list");
        assert_eq!(kind(10, 10, &"v".repeat(199)).1, "list");
        for (count, value) in [(11, "v".to_owned()), (4, "v".repeat(200)), (2, "v".repeat(256))] {
            let (kind, _, message) = kind(10, count, &value);
            assert_eq!(kind, "text");
            let body = message.body["body"].as_str().unwrap();
            assert!(body.contains("1. Choice 0") && body.contains(&format!("{count}. Choice {}", count - 1)), "{body}");
        }
        let list = text("Which?", &choices(4, "v"), "Pick one");
        assert_eq!(list.body["action"]["button"], "Pick one");
        assert_eq!(list.body["action"]["sections"][0]["rows"][3], json!({"id": "v3", "title": "Choice 3"}));
    }

    #[test]
    fn files_are_shown_as_what_they_are() {
        let sent = |content_type, size: usize, caption| {
            let bytes = vec![0; size].into();
            file(&OutboundFile { name: "n", content_type, bytes, url: None }, "1", caption)
        };
        assert_eq!(sent("image/png", 1, Some("c")).body, json!({"id": "1", "caption": "c"}));
        assert_eq!(sent("image/png", 1, None).kind, "image");
        assert_eq!(sent("image/png", 5 * 1024 * 1024 + 1, None).kind, "document");
        assert_eq!(sent("audio/ogg; codecs=opus", 1, None).kind, "audio");
        assert_eq!(sent("audio/ogg", 1, Some("c")).body, json!({"id": "1", "caption": "c", "filename": "n"}));
        assert_eq!((sent("video/mp4", 1, None).kind, sent("application/zip", 1, None).kind), ("video", "document"));
    }
}
