//! What both providers insist on in the messages of a request, and how messages that break it are told in words instead.
//! A request that breaks a rule is refused with 400 again and again, and bricks the conversation.

use crate::model::{Block, ModelMessage, Role};
use crate::shown::in_words;

use super::transcript::push_message;

/// Stands where a side would have to speak and has nothing to say.
const SILENCE: &str = "…";

/// The rule that messages break, and where, counted from 0.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// There is nothing to ask.
    #[error("there is no message")]
    Empty,
    /// Somebody speaks out of turn.
    #[error("message {at} is not of the side whose turn it is: the user begins and ends, and the sides alternate")]
    OutOfTurn {
        /// The message.
        at: usize,
    },
    /// A message or one of its texts is blank, or the message consists of thoughts.
    #[error("message {at} has nothing to read in it, or a blank text")]
    Blank {
        /// The message.
        at: usize,
    },
    /// A user calls a tool or thinks, or a model answers a call.
    #[error("message {at} has a block that only the other side may send")]
    Misplaced {
        /// The message.
        at: usize,
    },
    /// Two calls of a message have the same id.
    #[error("message {at} has two calls with the id \"{id}\"")]
    SameId {
        /// The message.
        at: usize,
        /// The id.
        id: String,
    },
    /// A call has no result where it belongs: before everything else in the next message.
    #[error("message {at} does not begin with a result of the call \"{id}\" before it")]
    Unanswered {
        /// The message the result belongs into.
        at: usize,
        /// The id of the call.
        id: String,
    },
    /// A result without its call, or a second one, or one behind other blocks.
    #[error("message {at} has a result for \"{id}\" that no call before it waits for")]
    Orphan {
        /// The message.
        at: usize,
        /// The id it names.
        id: String,
    },
}

/// Whether a provider of either dialect takes these messages, as far as their order decides it:
/// <https://docs.claude.com/en/docs/agents-and-tools/tool-use/implement-tool-use>,
/// <https://platform.openai.com/docs/guides/function-calling>.
pub fn validate(messages: &[ModelMessage]) -> Result<(), Invalid> {
    let mut open = Vec::new();
    let mut turn = Role::User;
    for (at, message) in messages.iter().enumerate() {
        if message.role != turn {
            return Err(Invalid::OutOfTurn { at });
        }
        validate_text(at, message)?;
        (open, turn) = match turn {
            Role::User => {
                validate_results(at, message, &open)?;
                (Vec::new(), Role::Assistant)
            }
            Role::Assistant => (calls(at, message)?, Role::User),
        };
    }
    match (messages.len(), turn) {
        (0, _) => Err(Invalid::Empty),
        (length, Role::User) => Err(Invalid::OutOfTurn { at: length }),
        (_, Role::Assistant) => Ok(()),
    }
}

fn validate_text(at: usize, message: &ModelMessage) -> Result<(), Invalid> {
    let blank = |block: &Block| matches!(block, Block::Text { text } if text.trim().is_empty());
    let thought = |block: &Block| matches!(block, Block::Thinking { .. } | Block::RedactedThinking { .. });
    if message.blocks.iter().any(blank) || message.blocks.iter().all(thought) {
        return Err(Invalid::Blank { at });
    }
    Ok(())
}

/// The results of all open calls come first, each once; then the user's words.
fn validate_results(at: usize, message: &ModelMessage, open: &[&str]) -> Result<(), Invalid> {
    let mut answered: Vec<&str> = Vec::new();
    let mut words = false;
    for block in &message.blocks {
        match block {
            Block::Text { .. } | Block::File { .. } => words = true,
            Block::ToolResult { id, .. } => {
                let id = id.as_str();
                if words || answered.contains(&id) || !open.contains(&id) {
                    return Err(Invalid::Orphan { at, id: id.to_owned() });
                }
                answered.push(id);
            }
            Block::Thinking { .. } | Block::RedactedThinking { .. } | Block::ToolUse { .. } => {
                return Err(Invalid::Misplaced { at });
            }
        }
    }
    match open.iter().find(|id| !answered.contains(id)) {
        Some(id) => Err(Invalid::Unanswered { at, id: (*id).to_owned() }),
        None => Ok(()),
    }
}

fn calls(at: usize, message: &ModelMessage) -> Result<Vec<&str>, Invalid> {
    let mut calls: Vec<&str> = Vec::new();
    for block in &message.blocks {
        match block {
            Block::ToolUse { id, .. } if calls.contains(&id.as_str()) => {
                return Err(Invalid::SameId { at, id: id.clone() });
            }
            Block::ToolUse { id, .. } => calls.push(id),
            Block::ToolResult { .. } | Block::File { .. } => return Err(Invalid::Misplaced { at }),
            Block::Text { .. } | Block::Thinking { .. } | Block::RedactedThinking { .. } => {}
        }
    }
    Ok(calls)
}

/// The same messages in words alone, calls and results too, so that no rule about tools applies; always valid. Thoughts
/// are left out: nobody else may read them.
pub fn told(messages: &[ModelMessage]) -> Vec<ModelMessage> {
    let mut out = Vec::new();
    let silence = || vec![Block::Text { text: SILENCE.to_owned() }];
    for message in messages {
        push_message(&mut out, message.role, message.blocks.iter().filter_map(told_block).collect());
    }
    if out.first().is_some_and(|first| first.role == Role::Assistant) {
        out.insert(0, ModelMessage { role: Role::User, blocks: silence() });
    }
    if out.last().is_none_or(|last| last.role == Role::Assistant) {
        push_message(&mut out, Role::User, silence());
    }
    out
}

fn told_block(block: &Block) -> Option<Block> {
    let text = match block {
        Block::Text { text } => text.clone(),
        Block::ToolUse { name, input, .. } => format!("[Called the tool {name} with {input}.]"),
        Block::ToolResult { text, is_error: false, files, .. } => {
            format!("[The tool answered: {}]", in_words(text, files))
        }
        Block::ToolResult { text, is_error: true, .. } => format!("[The tool failed: {text}]"),
        // What it is stands in the words beside it.
        Block::Thinking { .. } | Block::RedactedThinking { .. } | Block::File { .. } => return None,
    };
    Some(Block::Text { text })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::model::Role::{Assistant, User};

    fn said(role: Role, blocks: Vec<Block>) -> ModelMessage {
        ModelMessage { role, blocks }
    }

    fn text(text: &str) -> Block {
        Block::Text { text: text.into() }
    }

    fn call(id: &str) -> Block {
        Block::ToolUse { id: id.into(), name: "look".into(), input: json!({"at": id}) }
    }

    fn result(id: &str) -> Block {
        Block::ToolResult { id: id.into(), text: format!("seen {id}"), is_error: false, files: vec![] }
    }

    fn thought() -> Block {
        Block::Thinking { text: "hm".into(), signature: None }
    }

    #[test]
    fn what_providers_take_is_valid() {
        let messages = [
            said(User, vec![text("a"), text("b")]),
            said(Assistant, vec![thought(), text("c"), call("1"), call("2")]),
            said(User, vec![result("2"), result("1"), text("d")]),
            said(Assistant, vec![call("1")]),
            said(User, vec![result("1")]),
        ];
        assert_eq!(validate(&messages), Ok(()));
    }

    #[test]
    fn each_rule_is_named_when_it_is_broken() {
        let ask = || said(User, vec![text("a")]);
        let calling = |ids: &[&str]| said(Assistant, ids.iter().map(|id| call(id)).collect());
        let orphan = |at: usize| Err(Invalid::Orphan { at, id: "1".into() });
        let cases = [
            (vec![], Err(Invalid::Empty)),
            (vec![said(Assistant, vec![text("a")])], Err(Invalid::OutOfTurn { at: 0 })),
            (vec![ask(), ask()], Err(Invalid::OutOfTurn { at: 1 })),
            (vec![ask(), said(Assistant, vec![text("b")])], Err(Invalid::OutOfTurn { at: 2 })),
            (vec![said(User, vec![])], Err(Invalid::Blank { at: 0 })),
            (vec![said(User, vec![text("a"), text(" \n")])], Err(Invalid::Blank { at: 0 })),
            (vec![ask(), said(Assistant, vec![thought()]), ask()], Err(Invalid::Blank { at: 1 })),
            (vec![said(User, vec![text("a"), call("1")])], Err(Invalid::Misplaced { at: 0 })),
            (vec![ask(), said(Assistant, vec![text("b"), result("1")]), ask()], Err(Invalid::Misplaced { at: 1 })),
            (vec![ask(), calling(&["1", "1"]), ask()], Err(Invalid::SameId { at: 1, id: "1".into() })),
            (vec![ask(), calling(&["1"]), ask()], Err(Invalid::Unanswered { at: 2, id: "1".into() })),
            (
                vec![ask(), calling(&["1", "2"]), said(User, vec![result("1")])],
                Err(Invalid::Unanswered { at: 2, id: "2".into() }),
            ),
            (vec![said(User, vec![result("1")])], orphan(0)),
            (vec![ask(), calling(&["1"]), said(User, vec![text("a"), result("1")])], orphan(2)),
            (vec![ask(), calling(&["1"]), said(User, vec![result("1"), result("1")])], orphan(2)),
        ];
        for (messages, expected) in cases {
            assert_eq!(validate(&messages), expected, "{messages:?}");
        }
    }

    fn any_block() -> impl Strategy<Value = Block> {
        prop_oneof![
            "[ab ]{0,2}".prop_map(|t| text(&t)),
            "[1-3]".prop_map(|id| call(&id)),
            "[1-3]".prop_map(|id| result(&id)),
            Just(thought()),
            Just(Block::RedactedThinking { data: "x".into() }),
        ]
    }

    proptest! {
        #[test]
        fn what_is_told_is_valid_and_nothing_said_is_missing(
            messages in prop::collection::vec((any::<bool>(), prop::collection::vec(any_block(), 0..4)), 0..8)
        ) {
            let messages: Vec<_> =
                messages.into_iter().map(|(user, blocks)| said(if user { User } else { Assistant }, blocks)).collect();
            let told = told(&messages);
            prop_assert_eq!(validate(&told), Ok(()));
            let words: Vec<_> = told.iter().flat_map(|message| &message.blocks).collect();
            for block in messages.iter().flat_map(|message| &message.blocks) {
                let text = match block {
                    Block::Text { text } if !text.trim().is_empty() => text.clone(),
                    Block::ToolUse { input, .. } => input.to_string(),
                    Block::ToolResult { text, .. } => text.clone(),
                    _ => continue,
                };
                let found = words.iter().any(|word| matches!(word, Block::Text { text: word } if word.contains(&text)));
                prop_assert!(found, "{} is missing in {:?}", text, told);
            }
        }
    }
}
