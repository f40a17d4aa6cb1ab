//! How many tokens a text is, roughly: no tokenizer is carried along for dozens of models. Each kind of character counts
//! what it costs in the common ones, on the careful side; whoever decides by it adds a margin, or corrects it by what a
//! provider has counted ([`super::Measured`]).

use crate::model::{Block, ModelMessage, ToolSpec};

/// What a file that a model looks at counts, as a picture of a megapixel does.
const FILE: u64 = 1_500;

/// What stands around a block or a tool on the wire.
const FRAME: u64 = 4;

/// Thousandths of a token in a character.
fn thousandths(c: char) -> u64 {
    match c {
        // Prose: four letters or so to a token, its spaces included.
        'a'..='z' | 'A'..='Z' | ' ' => 250,
        // Code, JSON, numbers, identifiers.
        '\u{0}'..='\u{7f}' => 500,
        // Latin with marks, Greek, Cyrillic, Hebrew, Arabic, the scripts of India.
        '\u{80}'..='\u{2ff}' => 500,
        '\u{300}'..='\u{10ff}' => 700,
        // Chinese, Japanese, Korean: about one for each.
        '\u{1100}'..='\u{11ff}' | '\u{2e80}'..='\u{d7ff}' | '\u{f900}'..='\u{faff}' | '\u{ff00}'..='\u{ffef}' => 1_200,
        // Emoji and rare characters are spelled in bytes.
        '\u{1f000}'.. => 2_500,
        _ => 1_000,
    }
}

/// The tokens of a text; 0 only if it is empty.
pub fn tokens(text: &str) -> u64 {
    text.chars().fold(0u64, |sum, c| sum.saturating_add(thousandths(c))).div_ceil(1_000)
}

/// The tokens of messages.
pub fn tokens_of(messages: &[ModelMessage]) -> u64 {
    let blocks = messages.iter().flat_map(|message| &message.blocks);
    blocks.fold(0, |sum, block| sum.saturating_add(tokens_of_block(block)))
}

/// The tokens of one block.
pub fn tokens_of_block(block: &Block) -> u64 {
    let inside = match block {
        Block::Text { text } | Block::Thinking { text, .. } => tokens(text),
        // The call it answers is named beside it.
        Block::ToolResult { id, text, files, .. } => {
            let files = FILE.saturating_mul(u64::try_from(files.len()).unwrap_or(u64::MAX));
            tokens(text).saturating_add(tokens(id)).saturating_add(files)
        }
        Block::ToolUse { id, name, input } => {
            tokens(&input.to_string()).saturating_add(tokens(name)).saturating_add(tokens(id))
        }
        // Sealed bytes stand for thoughts that are shorter than their seal.
        Block::RedactedThinking { data } => tokens(data) / 2,
        Block::File { .. } => FILE,
    };
    inside.saturating_add(FRAME)
}

/// The tokens of the tools on offer.
pub fn tokens_of_tools(tools: &[ToolSpec]) -> u64 {
    let of_tool = |tool: &ToolSpec| {
        let schema = tokens(&tool.input_schema.to_string());
        tokens(&tool.name).saturating_add(tokens(&tool.description)).saturating_add(schema).saturating_add(FRAME)
    };
    tools.iter().fold(0, |sum, tool| sum.saturating_add(of_tool(tool)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Counted with the published tokenizers of two providers (cl100k and o200k); ours must not be far below either, nor
    /// many times above.
    #[test]
    fn each_kind_of_text_counts_about_what_it_costs() {
        let cases = [
            ("The quick brown fox jumps over the lazy dog. It was not amused, and said so at length.", 20, 20),
            (r#"{"id":"a1b2c3","path":"src/main.rs","lines":[1,2,3],"ok":true}"#, 24, 26),
            ("今日は天気がいいから散歩しましょう。", 13, 20),
            ("Привет, как у тебя дела сегодня?", 9, 15),
            ("🦀🎉🚀", 5, 8),
        ];
        for (text, fewest, most) in cases {
            let counted = tokens(text);
            assert!(counted >= fewest && counted <= most * 2, "{text}: {counted}, not {fewest} to {most}");
        }
    }

    proptest! {
        #[test]
        fn more_text_is_never_fewer_tokens_and_something_never_none(a in any::<String>(), b in any::<String>()) {
            let both = tokens(&format!("{a}{b}"));
            prop_assert!(both >= tokens(&a) && both >= tokens(&b));
            prop_assert!(both <= tokens(&a) + tokens(&b));
            prop_assert_eq!(tokens(&a) == 0, a.is_empty());
        }

        #[test]
        fn every_block_and_every_tool_counts(text in any::<String>()) {
            let block = Block::ToolResult { id: "a".into(), text: text.clone(), is_error: false, files: vec![] };
            prop_assert!(tokens_of_block(&block) > tokens(&text));
            let tool = ToolSpec { name: "look".into(), description: text.clone(), input_schema: serde_json::json!({}) };
            prop_assert!(tokens_of_tools(std::slice::from_ref(&tool)) > tokens(&text));
        }
    }
}
