//! What is written on buttons.

use chela_core::channel::Choice;
use unicode_segmentation::UnicodeSegmentation as _;

/// The labels, cut to `most` UTF-16 units and told apart: Meta refuses two buttons with the same words.
pub fn titles(choices: &[Choice], most: usize) -> Vec<String> {
    let mut titles: Vec<String> = Vec::with_capacity(choices.len());
    for choice in choices {
        let label = choice.label.split_whitespace().collect::<Vec<_>>().join(" ");
        // A button must say something.
        let label = if label.is_empty() { "…" } else { label.as_str() };
        let mut title = cut(label, most);
        let mut number = 1_usize;
        while titles.contains(&title) {
            number += 1;
            let tail = format!(" {number}");
            title = format!("{}{tail}", cut(label, most.saturating_sub(tail.len())));
        }
        titles.push(title);
    }
    titles
}

/// A text with its choices as a list, where they cannot be buttons.
pub fn numbered(markdown: &str, choices: &[Choice]) -> String {
    let lines = (1..).zip(choices).map(|(number, choice)| format!("\n{number}. {}", choice.label));
    format!("{markdown}\n{}", lines.collect::<String>())
}

/// At most so many UTF-16 units, never within a visible character.
pub fn cut(text: &str, most: usize) -> String {
    if units(text) <= most {
        return text.to_owned();
    }
    let mut room = most.saturating_sub(1);
    let mut kept = String::new();
    for visible in text.graphemes(true) {
        let Some(left) = room.checked_sub(units(visible)) else { break };
        room = left;
        kept.push_str(visible);
    }
    format!("{}…", kept.trim_end())
}

fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(label: &str) -> Choice {
        Choice { label: label.to_owned(), value: "v".to_owned() }
    }

    #[test]
    fn titles_are_short_and_differ() {
        let long = "Approve the deployment to production";
        let choices = [long, long, long, "Deny", "Deny", " \n", "👩‍👩‍👧‍👦👩‍👩‍👧‍👦"].map(choice);
        let titles = titles(&choices, 20);
        assert_eq!(titles[..2], ["Approve the deploym…", "Approve the deplo… 2"]);
        assert_eq!(titles[3..], ["Deny", "Deny 2", "…", "👩‍👩‍👧‍👦…"]);
        assert!(titles.iter().all(|title| units(title) <= 20), "{titles:?}");
        assert_eq!(titles.iter().collect::<std::collections::BTreeSet<_>>().len(), titles.len());
    }

    #[test]
    fn what_is_no_button_is_a_list() {
        assert_eq!(numbered("May I?", &["Yes", "No"].map(choice)), "May I?\n\n1. Yes\n2. No");
    }
}
