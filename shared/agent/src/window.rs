//! How much a model is told of the past.

use chela_core::model::{Block, ModelMessage, Role};

use crate::settings::ModelChoice;

/// Rough characters of JSON and text per token, on the careful side for all dialects.
const CHARS_PER_TOKEN: usize = 3;

/// Messages a summary repeats, the newest ones.
const SUMMARY_MESSAGES: usize = 8;

/// Characters it repeats of each.
const SUMMARY_CHARS: usize = 600;

/// Characters of past and present that a model takes, with a fifth to spare.
pub(crate) fn context_budget(choice: &ModelChoice) -> usize {
    let tokens = choice.context_window.saturating_sub(choice.max_tokens) as usize;
    (tokens.saturating_mul(CHARS_PER_TOKEN) / 10).saturating_mul(8)
}

/// The newest of what was said, shortened, as one text; `None` if nothing was.
pub(crate) fn summary(past: &[ModelMessage]) -> Option<String> {
    let newest = past.get(past.len().saturating_sub(SUMMARY_MESSAGES)..).unwrap_or_default();
    let lines = newest.iter().filter_map(|message| {
        let texts: Vec<&str> = message
            .blocks
            .iter()
            .filter_map(|block| match block {
                Block::Text { text } => Some(text.trim()),
                _ => None,
            })
            .collect();
        let who = match message.role {
            Role::User => "The user",
            Role::Assistant => "You",
        };
        let words = texts.join(" ");
        let more = if words.chars().nth(SUMMARY_CHARS).is_some() { " […]" } else { "" };
        let words: String = words.chars().take(SUMMARY_CHARS).collect();
        (!words.is_empty()).then(|| format!("\n{who}: {words}{more}"))
    });
    let lines: String = lines.collect();
    (!lines.is_empty())
        .then(|| format!("[What was said before this message, shortened:{lines}\nEnd of what was said before.]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_short_and_keeps_the_newest() {
        let said = |role, text: String| ModelMessage { role, blocks: vec![Block::Text { text }] };
        let past: Vec<_> = (0..40)
            .flat_map(|n| {
                [said(Role::User, format!("q{n} {}", "é".repeat(5000))), said(Role::Assistant, format!("a{n}"))]
            })
            .collect();
        let summary = summary(&past).unwrap();
        assert!(summary.chars().count() < (SUMMARY_MESSAGES + 1) * (SUMMARY_CHARS + 20), "{}", summary.len());
        assert!(summary.contains("You: a39") && summary.contains("The user: q36 é") && !summary.contains("q35"));
        assert_eq!(super::summary(&[]), None);
    }
}
