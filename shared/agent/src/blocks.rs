//! What a model says before its tools run, where the channel shows it as a message of its own.

use chela_core::model::Block;
use chela_core::reply::{Piece, pieces, visible, without_reasoning};
use chela_core::session::AssistantEntry;

/// What is shown of an answer, together with what was said before it in the turn and not yet shown.
pub(crate) fn unshown<'a>(
    before: impl Iterator<Item = &'a AssistantEntry>,
    blocks: &[Block],
    heartbeat: bool,
) -> String {
    let (mut held, mut sent_in_blocks) = (String::new(), false);
    for entry in before {
        if entry.is_block() {
            (sent_in_blocks, held) = (true, String::new());
        } else if entry.interim.is_empty() && !std::mem::take(&mut sent_in_blocks) {
            add(&mut held, &said(&entry.blocks, heartbeat));
        } else {
            // What was sent holds everything before it.
            held.clear();
            sent_in_blocks = false;
        }
    }
    add(&mut held, &said(blocks, heartbeat));
    held
}

/// What is left of an answer whose beginning was sent.
pub(crate) fn rest<'t>(text: &'t str, sent: &str) -> &'t str {
    let mut left = text.chars();
    // Blanks are not looked at: between the pieces of an answer others stand in the end than while it grew.
    for wanted in sent.chars().filter(|c| !c.is_whitespace()) {
        if left.find(|c| !c.is_whitespace()) != Some(wanted) {
            // It is not what was sent. Better twice than not at all.
            return text;
        }
    }
    left.as_str().trim_start()
}

/// The visible words of an answer; empty for silence.
pub(crate) fn said(blocks: &[Block], heartbeat: bool) -> String {
    let texts: Vec<&str> = blocks.iter().filter_map(text_of).collect();
    visible(&texts.join("\n\n"), heartbeat).unwrap_or_default()
}

/// The answer as it is stored: what a model thought aloud between tags is not told to it again. An answer with such
/// thoughts becomes one text, because a tag may be opened in one piece and closed in another.
pub(crate) fn without_thoughts(blocks: Vec<Block>) -> Vec<Block> {
    let texts: Vec<&str> = blocks.iter().filter_map(text_of).collect();
    let spoken = without_reasoning(&texts.join("\n\n"));
    if texts.iter().all(|text| without_reasoning(text) == text.trim()) {
        return blocks;
    }
    let mut whole = Some(spoken).filter(|spoken| !spoken.is_empty());
    let kept = |block: Block| match text_of(&block) {
        Some(_) => whole.take().map(|text| Block::Text { text }),
        None => Some(block),
    };
    blocks.into_iter().filter_map(kept).collect()
}

fn text_of(block: &Block) -> Option<&str> {
    match block {
        Block::Text { text } => Some(text),
        _ => None,
    }
}

/// Where tools put what they made to be sent: the one folder of a workspace whose files may go to guests.
const OUTBOX: &str = "outbox/";

/// Whether a file of the workspace was made to be sent, to whomever.
pub(crate) fn is_for_guests(path: &str) -> bool {
    path.starts_with(OUTBOX) && !path.contains("..")
}

/// The answer without files of the workspace that were not made to be sent: whoever can make an agent write `MEDIA:` and
/// the name of a file must not get the owner's notes by it.
pub(crate) fn without_private_files(text: &str) -> String {
    let shown = |piece: Piece| match piece {
        Piece::Text(text) => text,
        Piece::File(path) if is_for_guests(&path) => format!("MEDIA:{path}"),
        Piece::File(_) => "(A file that only the owner may have is not sent.)".to_owned(),
    };
    pieces(text).into_iter().map(shown).collect::<Vec<_>>().join("\n")
}

/// The answer without the owner's notes and exports as files, for a room: whoever writes there can make an agent write
/// `MEDIA:` and the name of a file when the owner speaks next.
pub(crate) fn without_notes(text: &str) -> String {
    let shown = |piece: Piece| match piece {
        Piece::File(path) if is_notes(&path) => "(My notes are sent to you alone, in our own chat.)".to_owned(),
        Piece::File(path) => format!("MEDIA:{path}"),
        Piece::Text(text) => text,
    };
    let pieces = pieces(text);
    if !pieces.iter().any(|piece| matches!(piece, Piece::File(path) if is_notes(path))) {
        return text.to_owned();
    }
    pieces.into_iter().map(shown).collect::<Vec<_>>().join("\n")
}

fn is_notes(path: &str) -> bool {
    let path = path.trim_start_matches(['.', '/']).to_ascii_lowercase();
    ["memory.md", "user.md"].contains(&path.as_str()) || path.starts_with("memory/") || path.starts_with("exports/")
}

fn add(held: &mut String, text: &str) {
    if !held.is_empty() && !text.is_empty() {
        held.push_str("\n\n");
    }
    held.push_str(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guests_get_no_file_that_was_not_made_to_be_sent() {
        let sent = without_private_files("Here:\nMEDIA:MEMORY.md\nMEDIA:outbox/a.png\nMEDIA:outbox/../USER.md\nDone.");
        assert!(sent.contains("MEDIA:outbox/a.png") && sent.contains("Here:") && sent.contains("Done."), "{sent}");
        assert!(!sent.contains("MEMORY.md") && !sent.contains("USER.md"), "{sent}");
        let parts = pieces(&sent).into_iter().filter(|piece| matches!(piece, Piece::File(_))).count();
        assert_eq!(parts, 1);
    }

    #[test]
    fn a_room_gets_no_notes_and_every_other_file() {
        let text = "Here:\nMEDIA:MEMORY.md\nMEDIA:./memory/2026-01-01.md\nMEDIA://user.MD\nMEDIA:exports/x.md";
        assert!(!pieces(&without_notes(text)).iter().any(|piece| matches!(piece, Piece::File(_))), "{text}");
        for kept in ["Look:\n\n\nMEDIA:report.pdf\nMEDIA:outbox/memory.png", "No file: MEDIA:MEMORY.md"] {
            assert_eq!(without_notes(kept), kept);
        }
    }

    #[test]
    fn thoughts_are_not_kept_wherever_their_tags_stand() {
        let text = |text: &str| Block::Text { text: text.into() };
        let call = Block::ToolUse { id: "a".into(), name: "lamp".into(), input: serde_json::json!({}) };
        let kept = |blocks: &[Block]| without_thoughts(blocks.to_vec());
        assert_eq!(kept(&[text("<think>why</think>Hi "), call.clone()]), [text("Hi"), call.clone()]);
        assert_eq!(kept(&[text("<think>a"), call.clone(), text("b</think>c")]), [text("c"), call.clone()]);
        assert_eq!(kept(&[text("<think>a</think>"), call.clone()]), std::slice::from_ref(&call));
        let plain = [text(" Hi\n"), call, text("`<think>` is a tag; 1 < 2")];
        assert_eq!(kept(&plain), plain, "all else is stored as it was said");
    }

    #[test]
    fn the_rest_of_an_answer_begins_where_the_blocks_end() {
        assert_eq!(rest("One two.\n\nThree.", "One\ntwo."), "Three.");
        assert_eq!((rest("One.", "One."), rest("One.", "")), ("", "One."));
        assert_eq!(rest("Another answer", "One"), "Another answer");
        let text = |text: &str| vec![Block::Text { text: text.into() }];
        let block = AssistantEntry::block(vec![], vec!["a".into()]);
        let tools = AssistantEntry { blocks: text("ab"), ..AssistantEntry::default() };
        assert_eq!(unshown([tools.clone(), block.clone(), tools.clone()].iter(), &text("c"), false), "c");
        assert_eq!(unshown([block, tools.clone(), tools].iter(), &text("c"), false), "ab\n\nc");
    }

    #[test]
    fn what_was_sent_is_not_said_again() {
        let text = |text: &str| vec![Block::Text { text: text.into() }];
        let entry = |said: &str, interim: &[&str]| AssistantEntry {
            blocks: text(said),
            interim: interim.iter().map(|part| (*part).to_owned()).collect(),
            ..AssistantEntry::default()
        };
        let answer = text("c");
        let before = [entry("a", &[]), entry("NO_REPLY", &[]), entry("b", &[])];
        assert_eq!(unshown(before.iter(), &answer, false), "a\n\nb\n\nc");
        let before = [entry("a", &[]), entry("b", &["a", "b"])];
        assert_eq!(unshown(before.iter(), &answer, false), "c");
    }
}
