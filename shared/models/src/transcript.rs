//! The transcript as providers insist on it, whatever was stored. What breaks one of these rules is answered with 400,
//! again and again, and bricks the conversation.

use std::borrow::Cow;
use std::collections::BTreeSet;

use chela_core::model::{Block, ModelMessage, ModelRequest, Role, ToolSpec};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// Stands in for a tool result that is missing.
const NO_RESULT: &str = "No result of this call was recorded.";

/// One side's words until the other's.
#[derive(Debug, PartialEq)]
pub(crate) struct Said<'a> {
    pub(crate) role: Role,
    pub(crate) blocks: Vec<Cow<'a, Block>>,
}

/// The transcript in order: it begins with the user, roles alternate, every tool use is answered once at the very
/// beginning of the next message and in the order of the calls, no result is without its call, no text is blank, and
/// the model's last block of a message is no thought. Of its thoughts and the user's files only those are there that are
/// `shown`.
pub(crate) fn tidy(messages: &[ModelMessage], shown: impl Fn(&Block) -> bool) -> Vec<Said<'_>> {
    let mut merged = Vec::new();
    for message in messages {
        let fits = |block: &&Block| match (message.role, block) {
            (_, Block::Text { text }) => !text.trim().is_empty(),
            (Role::Assistant, thought) if is_thought(thought) => shown(thought),
            (Role::User, Block::ToolResult { .. }) => true,
            (Role::User, file @ Block::File { .. }) => shown(file),
            (Role::User, _) => false,
            (Role::Assistant, block) => !matches!(block, Block::ToolResult { .. } | Block::File { .. }),
        };
        push(&mut merged, message.role, message.blocks.iter().filter(fits).map(Cow::Borrowed).collect());
    }
    let mut out: Vec<Said<'_>> = Vec::new();
    for said in merged {
        match said.role {
            Role::Assistant if out.is_empty() => {}
            Role::Assistant => push(&mut out, Role::Assistant, callable(said.blocks)),
            Role::User => {
                let blocks = answered(&out, said.blocks);
                push(&mut out, Role::User, blocks);
            }
        }
    }
    let left_open = answered(&out, Vec::new());
    push(&mut out, Role::User, left_open);
    out
}

/// An id that the other side accepts: itself where it fits, else always the same substitute.
pub(crate) fn fit_id(id: &str, fits: fn(&str) -> bool, length: usize) -> Cow<'_, str> {
    if fits(id) {
        return Cow::Borrowed(id);
    }
    let mut hex = hex::encode(Sha256::digest(id.as_bytes()));
    hex.truncate(length);
    Cow::Owned(hex)
}

/// Letters, digits, `_` and `-` only.
pub(crate) fn is_plain_id(id: &str) -> bool {
    !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

/// The arguments of a call: an object, whatever was stored.
pub(crate) fn arguments(input: &Value) -> Cow<'_, Value> {
    if input.is_object() { Cow::Borrowed(input) } else { Cow::Owned(Value::Object(Map::new())) }
}

/// A tool as it is shown to the model.
pub(crate) struct Offer<'a> {
    pub(crate) name: &'a str,
    pub(crate) description: &'a str,
    pub(crate) schema: Cow<'a, Value>,
}

/// The tools on offer; where there are none, the names of those that were called, for providers that take a transcript
/// with calls only with tools.
pub(crate) fn offers<'a>(request: &'a ModelRequest, said: &'a [Said<'_>]) -> Vec<Offer<'a>> {
    if !request.tools.is_empty() {
        let offer = |tool: &'a ToolSpec| Offer {
            name: &tool.name,
            description: &tool.description,
            schema: Cow::Borrowed(&tool.input_schema),
        };
        return request.tools.iter().map(offer).collect();
    }
    let called = said.iter().flat_map(|said| &said.blocks).filter_map(|block| match block.as_ref() {
        Block::ToolUse { name, .. } => Some(name.as_str()),
        _ => None,
    });
    let called: BTreeSet<&str> = called.collect();
    let any = || Cow::Owned(json!({"type": "object"}));
    called.into_iter().map(|name| Offer { name, description: "No longer on offer.", schema: any() }).collect()
}

/// What a provider may find its memory of the conversation by.
pub(crate) fn cache_key(request: &ModelRequest) -> Option<&str> {
    Some(request.conversation.as_str()).filter(|key| !key.is_empty())
}

/// The texts of a message as one.
pub(crate) fn text_of<'a>(said: &'a Said<'_>) -> Option<Cow<'a, str>> {
    let texts = said.blocks.iter().filter_map(|block| match block.as_ref() {
        Block::Text { text } => Some(text.as_str()),
        _ => None,
    });
    texts.map(Cow::Borrowed).reduce(|all, next| Cow::Owned(format!("{all}\n\n{next}")))
}

fn push<'a>(out: &mut Vec<Said<'a>>, role: Role, blocks: Vec<Cow<'a, Block>>) {
    match out.last_mut() {
        _ if blocks.is_empty() => {}
        Some(last) if last.role == role => last.blocks.extend(blocks),
        _ => out.push(Said { role, blocks }),
    }
}

fn is_thought(block: &Block) -> bool {
    matches!(block, Block::Thinking { .. } | Block::RedactedThinking { .. })
}

/// The model's blocks without a second call of the same id, up to the last that is no thought.
fn callable(mut blocks: Vec<Cow<'_, Block>>) -> Vec<Cow<'_, Block>> {
    let mut known = BTreeSet::new();
    blocks.retain(|block| match block.as_ref() {
        Block::ToolUse { id, .. } => known.insert(id.clone()),
        _ => true,
    });
    let end = blocks.iter().rposition(|block| !is_thought(block)).map_or(0, |last| last.saturating_add(1));
    blocks.truncate(end);
    blocks
}

/// The user's blocks after what stands in `out`: one result for each open call, then everything but results.
fn answered<'a>(out: &[Said<'a>], blocks: Vec<Cow<'a, Block>>) -> Vec<Cow<'a, Block>> {
    let calls = out.last().filter(|last| last.role == Role::Assistant).map_or(&[][..], |last| &last.blocks);
    let (results, rest): (Vec<_>, Vec<_>) =
        blocks.into_iter().partition(|block| matches!(block.as_ref(), Block::ToolResult { .. }));
    let result_of = |call: &Cow<'a, Block>| {
        let Block::ToolUse { id: wanted, .. } = call.as_ref() else { return None };
        let found =
            results.iter().find(|result| matches!(result.as_ref(), Block::ToolResult { id, .. } if id == wanted));
        let missing =
            || Block::ToolResult { id: wanted.clone(), text: NO_RESULT.to_owned(), is_error: true, files: vec![] };
        Some(found.cloned().unwrap_or_else(|| Cow::Owned(missing())))
    };
    calls.iter().filter_map(result_of).chain(rest).collect()
}

#[cfg(test)]
mod tests {
    use chela_core::model::Role::{Assistant, User};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn text(text: &str) -> Block {
        Block::Text { text: text.into() }
    }

    fn call(id: &str) -> Block {
        Block::ToolUse { id: id.into(), name: "look".into(), input: json!({}) }
    }

    fn result(id: &str) -> Block {
        Block::ToolResult { id: id.into(), text: "seen".into(), is_error: false, files: vec![] }
    }

    fn missing(id: &str) -> Block {
        Block::ToolResult { id: id.into(), text: NO_RESULT.into(), is_error: true, files: vec![] }
    }

    fn tidied(messages: &[(Role, Vec<Block>)]) -> Vec<(Role, Vec<Block>)> {
        let messages: Vec<_> =
            messages.iter().map(|(role, blocks)| ModelMessage { role: *role, blocks: blocks.clone() }).collect();
        let own = |said: Said<'_>| (said.role, said.blocks.into_iter().map(Cow::into_owned).collect());
        tidy(&messages, |_| true).into_iter().map(own).collect()
    }

    #[test]
    fn a_transcript_in_order_stays_as_it_is() {
        let messages = [
            (User, vec![text("a")]),
            (Assistant, vec![text("b"), call("1"), call("2")]),
            (User, vec![result("1"), result("2"), text("c")]),
            (Assistant, vec![text("d")]),
            (User, vec![text("e")]),
        ];
        assert_eq!(tidied(&messages), messages);
    }

    #[test]
    fn same_roles_merge_and_blank_text_goes() {
        let messages = [(User, vec![text("a")]), (Assistant, vec![text(" \n")]), (User, vec![text(""), text("b")])];
        assert_eq!(tidied(&messages), [(User, vec![text("a"), text("b")])]);
    }

    #[test]
    fn results_stand_first_in_the_order_of_the_calls_and_once() {
        let messages = [
            (User, vec![text("a")]),
            (Assistant, vec![call("1"), call("2")]),
            (User, vec![text("b"), result("2"), result("1"), result("1")]),
        ];
        assert_eq!(tidied(&messages)[2].1, [result("1"), result("2"), text("b")]);
    }

    #[test]
    fn a_missing_result_is_filled_in_and_an_orphan_goes() {
        let messages = [
            (Assistant, vec![call("0")]),
            (User, vec![result("0"), text("a")]),
            (Assistant, vec![call("1"), call("2")]),
            (User, vec![result("2"), result("9")]),
            (Assistant, vec![call("3")]),
        ];
        let tidy = tidied(&messages);
        assert_eq!(tidy[0], (User, vec![text("a")]), "nothing before the first word of the user");
        assert_eq!(tidy[2], (User, vec![missing("1"), result("2")]));
        assert_eq!(tidy[4], (User, vec![missing("3")]));
    }

    #[test]
    fn an_id_that_fits_stays_and_another_gets_one_substitute() {
        assert_eq!(fit_id("toolu_01-A", is_plain_id, 24), "toolu_01-A");
        let odd = fit_id("functions.look:0", is_plain_id, 24);
        assert!(is_plain_id(&odd) && odd.len() == 24);
        assert_eq!(odd, fit_id("functions.look:0", is_plain_id, 24));
        assert_ne!(odd, fit_id("functions.look:1", is_plain_id, 24));
    }

    fn any_block() -> impl Strategy<Value = Block> {
        prop_oneof![
            "[ab ]{0,2}".prop_map(|t| text(&t)),
            "[1-3]".prop_map(|id| call(&id)),
            "[1-3]".prop_map(|id| result(&id)),
            Just(Block::RedactedThinking { data: "x".into() }),
        ]
    }

    proptest! {
        #[test]
        fn whatever_was_stored_the_rules_hold(
            messages in prop::collection::vec((any::<bool>(), prop::collection::vec(any_block(), 0..4)), 0..8)
        ) {
            let messages: Vec<_> = messages.into_iter().map(|(user, b)| (if user { User } else { Assistant }, b)).collect();
            let tidy = tidied(&messages);
            let mut open: Vec<String> = vec![];
            for (place, (role, blocks)) in tidy.iter().enumerate() {
                prop_assert_eq!(*role, if place % 2 == 0 { User } else { Assistant });
                prop_assert!(!blocks.is_empty());
                let results: Vec<String> =
                    blocks.iter().filter_map(|b| if let Block::ToolResult { id, .. } = b { Some(id.clone()) } else { None }).collect();
                prop_assert_eq!(&results, &open);
                let first = blocks.iter().take(open.len()).all(|b| matches!(b, Block::ToolResult { .. }));
                prop_assert!(first);
                open = blocks.iter().filter_map(|b| if let Block::ToolUse { id, .. } = b { Some(id.clone()) } else { None }).collect();
            }
            prop_assert!(open.is_empty());
        }
    }
}
