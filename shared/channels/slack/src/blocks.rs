//! Blocks: texts that are too long to be one, and buttons. <https://docs.slack.dev/reference/block-kit/blocks>

use chela_core::channel::{Choice, OutboundPart};
use chela_core::chunk::{ChunkMode, chunk_markdown};
use serde_json::{Value, json};

use crate::mrkdwn::mrkdwn;
use crate::outbound::utf16;

/// The text of a section block. <https://docs.slack.dev/reference/block-kit/blocks/section-block>
const MOST_SECTION_TEXT: usize = 3000;

/// Sizes tried, in markdown, for the sections of a text.
const SECTION_SIZES: [usize; 3] = [2400, 1200, 600];

/// The size that always fits: `&` becomes five characters, and each line of six nested quotes in bold, italics and
/// strikethrough gets eighteen more, so that two characters can become twenty-four.
const SMALLEST_SECTION: usize = MOST_SECTION_TEXT / 12;

/// Most buttons of one block. <https://docs.slack.dev/reference/block-kit/blocks/actions-block>
pub(crate) const MOST_CHOICES: usize = 25;

/// Most characters on a button, and of its value.
/// <https://docs.slack.dev/reference/block-kit/block-elements/button-element>
const LONGEST_LABEL: usize = 75;
const LONGEST_VALUE: usize = 2000;

/// Begins the `action_id` of a button whose value is too long for one: its label is read instead, which Slack posts along.
pub(crate) const LABELLED: &str = "label#";

/// The text in sections, as many as it needs.
pub(crate) fn sections(markdown: &str) -> Vec<Value> {
    let written = |size| -> Vec<String> {
        chunk_markdown(markdown, size, ChunkMode::Length).iter().map(|chunk| mrkdwn(chunk)).collect()
    };
    let fits = |texts: &Vec<String>| texts.iter().all(|text| utf16(text) <= MOST_SECTION_TEXT);
    let texts = SECTION_SIZES.into_iter().map(written).find(fits).unwrap_or_else(|| written(SMALLEST_SECTION));
    let section = |text: String| json!({ "type": "section", "text": { "type": "mrkdwn", "text": text } });
    texts.into_iter().map(section).collect()
}

/// The part's text, and its choices as buttons under it.
pub(crate) fn choices(part: &OutboundPart<'_>) -> Value {
    let mut blocks = sections(part.markdown);
    let buttons: Vec<Value> = part.choices.iter().enumerate().map(button).collect();
    blocks.push(json!({ "type": "actions", "elements": buttons }));
    Value::Array(blocks)
}

fn button((nth, choice): (usize, &Choice)) -> Value {
    let mut left = LONGEST_LABEL;
    let fits = |c: &char| {
        let rest = left.checked_sub(c.len_utf16());
        left = rest.unwrap_or(0);
        rest.is_some()
    };
    let label: String = choice.label.chars().take_while(fits).collect();
    let text = json!({ "type": "plain_text", "text": label });
    if choice.value.is_empty() || utf16(&choice.value) > LONGEST_VALUE {
        return json!({ "type": "button", "action_id": format!("{LABELLED}{nth}"), "text": text });
    }
    json!({ "type": "button", "action_id": format!("choice#{nth}"), "text": text, "value": choice.value })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(markdown: &str) -> Vec<String> {
        sections(markdown).iter().map(|block| block["text"]["text"].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn the_longest_parts_fit_however_much_they_grow() {
        let limit = crate::LIMITS.text;
        let parts = [
            "&".repeat(limit),
            "1. &\n".repeat(limit / 5),
            format!(">>>>>>***~~{}~~***", "&\n".repeat(limit / 2 - 10)),
            format!("```\n{}\n```", "<>\n".repeat(limit / 3 - 3)),
        ];
        for part in parts {
            let texts = texts(&part);
            assert!(texts.len() <= 50, "Slack takes 50 blocks, not {}", texts.len());
            let longest = texts.iter().map(|text| utf16(text)).max().unwrap();
            assert!(longest <= MOST_SECTION_TEXT, "{longest} of {part:.40}");
        }
    }

    proptest! {
        #[test]
        fn any_part_fits(pieces in prop::collection::vec("[&<>a*_~` \n|1.\\-#\\[\\]()]{1,12}", 1..300)) {
            let markdown: String = pieces.concat().chars().take(crate::LIMITS.text).collect();
            let texts = texts(&markdown);
            prop_assert!(texts.len() <= 50);
            prop_assert!(texts.iter().all(|text| utf16(text) <= MOST_SECTION_TEXT));
        }
    }
}
