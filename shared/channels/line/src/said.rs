//! The message objects we send: <https://developers.line.biz/en/reference/messaging-api/#message-objects>.

use chela_core::channel::{Choice, OutboundFile, OutboundPart};
use serde_json::{Value, json};

use crate::address::Means;
use crate::plain;

/// A template with buttons: its longest text, most buttons, and the longest text of a client that cannot show it.
/// <https://developers.line.biz/en/reference/messaging-api/#buttons>
const MOST_TEMPLATE_TEXT: usize = 160;
const MOST_TEMPLATE_ACTIONS: usize = 4;

/// The longest label, value and shown text of a postback action.
/// <https://developers.line.biz/en/reference/messaging-api/#postback-action>
const MOST_LABEL: usize = 20;
const MOST_DATA: usize = 300;

/// What an image message may point to: https, at most 2000 characters, JPEG or PNG; the preview, which is the same
/// file, holds 1 MB. <https://developers.line.biz/en/reference/messaging-api/#image-message>
const MOST_URL: usize = 2_000;
const MOST_PREVIEW_BYTES: usize = 1_000_000;

/// A part as message objects; or why it cannot be one.
pub(crate) fn text(part: &OutboundPart<'_>) -> Result<Vec<Value>, &'static str> {
    let text = plain::text(part.markdown);
    let actions = actions(part.choices)?;
    if actions.is_empty() {
        return Ok(vec![plain_text(&text, part)]);
    }
    if actions.len() <= MOST_TEMPLATE_ACTIONS && units(&text) <= MOST_TEMPLATE_TEXT && !text.trim().is_empty() {
        let template = json!({ "type": "buttons", "text": text, "actions": actions });
        return Ok(vec![json!({ "type": "template", "altText": text, "template": template })]);
    }
    // Gone with the next message, and not shown by LINE on computers, but the only form with room for so much.
    let mut message = plain_text(&text, part);
    let items: Vec<Value> = actions.into_iter().map(|action| json!({ "type": "action", "action": action })).collect();
    if let Some(fields) = message.as_object_mut() {
        fields.insert("quickReply".to_owned(), json!({ "items": items }));
    }
    Ok(vec![message])
}

/// A file as message objects: a picture where LINE shows it, else where it can be loaded.
pub(crate) fn file(file: &OutboundFile<'_>, part: &OutboundPart<'_>) -> Result<Vec<Value>, &'static str> {
    let url = file.url.ok_or("LINE loads files from a URL, and there is no place that has one for it")?;
    let picture = matches!(file.content_type, "image/jpeg" | "image/png")
        && url.starts_with("https://")
        && units(url) <= MOST_URL
        && file.bytes.len() <= MOST_PREVIEW_BYTES;
    let mut messages = if part.markdown.trim().is_empty() { Vec::new() } else { text(part)? };
    if picture {
        let image = json!({ "type": "image", "originalContentUrl": url, "previewImageUrl": url });
        // The caption below the picture, where other platforms show it.
        messages.insert(0, image);
    } else {
        messages.push(json!({ "type": "text", "text": format!("{}\n{url}", file.name) }));
    }
    Ok(messages)
}

/// A text; the first part of an answer quotes what it answers.
fn plain_text(text: &str, part: &OutboundPart<'_>) -> Value {
    match Means::of(part.to).quote.filter(|_| part.number == 0) {
        Some(quote) => json!({ "type": "text", "text": text, "quoteToken": quote }),
        None => json!({ "type": "text", "text": text }),
    }
}

fn actions(choices: &[Choice]) -> Result<Vec<Value>, &'static str> {
    let action = |choice: &Choice| {
        // A shortened value would be another choice.
        if units(&choice.value) > MOST_DATA {
            return Err("a choice has a value of more than 300 characters");
        }
        let label = cut(&choice.label, MOST_LABEL);
        let shown = cut(&choice.label, MOST_DATA);
        Ok(json!({ "type": "postback", "label": label, "data": choice.value, "displayText": shown }))
    };
    choices.iter().map(action).collect()
}

fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

/// At most `most` UTF-16 units, with a sign of what is missing.
fn cut(text: &str, most: usize) -> String {
    if units(text) <= most {
        return text.to_owned();
    }
    let mut left = most.saturating_sub(1);
    let fits = |character: &char| {
        let enough = character.len_utf16() <= left;
        left = left.saturating_sub(character.len_utf16());
        enough
    };
    text.chars().take_while(fits).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_cut_between_characters() {
        assert_eq!(cut("12345678901234567890", 20), "12345678901234567890");
        assert_eq!(cut("123456789012345678901", 20), "1234567890123456789…");
        assert_eq!(cut("123456789012345678👋x", 20), "123456789012345678…");
    }
}
