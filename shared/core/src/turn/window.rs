//! How much of the past fits.

use super::transcript::{PastTurn, join};
use crate::model::{Block, ModelMessage};

/// The newest turns whose `cost` fits into `budget` together, as messages. A summary of what was before them is kept
/// first: it is the only word of all that. Whole turns, so that no tool result loses its call.
pub fn recent_enough<'a>(
    past: impl DoubleEndedIterator<Item = &'a PastTurn> + Clone,
    budget: u64,
    cost: impl Fn(&PastTurn) -> u64,
) -> Vec<ModelMessage> {
    let pinned = past.clone().find(|turn| turn.summary);
    let mut left = budget.saturating_sub(pinned.map_or(0, &cost));
    let fits = |turn: &&PastTurn| {
        let rest = left.checked_sub(cost(turn));
        left = rest.unwrap_or(left);
        rest.is_some()
    };
    let mut newest: Vec<&PastTurn> = past.filter(|turn| !turn.summary).rev().take_while(fits).collect();
    newest.extend(pinned);
    let mut messages = Vec::new();
    newest.iter().rev().for_each(|turn| join(&mut messages, turn.messages.iter().cloned()));
    messages
}

/// Bytes of the texts and arguments of messages.
pub fn bytes_of(messages: &[ModelMessage]) -> usize {
    messages.iter().map(|message| bytes_of_blocks(&message.blocks)).sum()
}

/// Bytes of the texts and arguments of blocks.
pub fn bytes_of_blocks(blocks: &[Block]) -> usize {
    let of_block = |block: &Block| match block {
        Block::Text { text } | Block::Thinking { text, .. } | Block::ToolResult { text, .. } => text.len(),
        Block::RedactedThinking { data } => data.len(),
        Block::ToolUse { input, .. } => input.to_string().len(),
        Block::File { key, .. } => key.len(),
    };
    blocks.iter().map(of_block).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Role;

    fn turn(number: u64, summary: bool, tokens: u64) -> PastTurn {
        let said = |role, text: String| ModelMessage { role, blocks: vec![Block::Text { text }] };
        let mut messages = vec![said(Role::User, format!("question {number}"))];
        if !summary {
            messages.push(said(Role::Assistant, format!("answer {number}")));
        }
        PastTurn { number, summary, messages, tokens, ..PastTurn::default() }
    }

    fn kept(past: &[PastTurn], budget: u64) -> String {
        format!("{:?}", recent_enough(past.iter(), budget, |turn| turn.tokens))
    }

    #[test]
    fn the_newest_turns_are_kept_whole_and_the_summary_before_them() {
        let past = [turn(3, true, 10), turn(4, false, 50), turn(5, false, 5), turn(6, false, 50)];
        let all = kept(&past, 1_000);
        assert!((3..=6).all(|n| all.contains(&format!("question {n}"))), "{all}");
        let short = kept(&past, 70);
        assert!(short.contains("question 3") && short.contains("question 5") && short.contains("answer 6"), "{short}");
        // A turn that is small enough but older than one that is not would leave a hole.
        assert!(!short.contains("question 4"), "{short}");
        let none = kept(&past, 20);
        assert!(none.contains("question 3") && !none.contains("question 5") && !none.contains("question 6"), "{none}");
    }
}
