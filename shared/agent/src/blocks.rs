//! What a model says before its tools run, where the channel shows it as a message of its own.

use chela_core::model::Block;
use chela_core::reply::visible;
use chela_core::session::AssistantEntry;

/// What is shown of an answer, together with what was said before it in the turn and not yet shown.
pub(crate) fn unshown<'a>(
    before: impl Iterator<Item = &'a AssistantEntry>,
    blocks: &[Block],
    heartbeat: bool,
) -> String {
    let mut held = String::new();
    for entry in before {
        if entry.interim.is_empty() {
            add(&mut held, &said(&entry.blocks, heartbeat));
        } else {
            // What was sent holds everything before it.
            held.clear();
        }
    }
    add(&mut held, &said(blocks, heartbeat));
    held
}

/// The visible words of an answer; empty for silence.
pub(crate) fn said(blocks: &[Block], heartbeat: bool) -> String {
    let texts: Vec<&str> = blocks
        .iter()
        .filter_map(|block| match block {
            Block::Text { text } => Some(text.as_str()),
            _ => None,
        })
        .collect();
    visible(&texts.join("\n\n"), heartbeat).unwrap_or_default()
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
