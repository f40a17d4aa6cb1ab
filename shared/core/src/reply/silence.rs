//! Silence, as OpenClaw's agents ask for it.

/// The reply that ends a turn without a word.
const SILENT: &str = "NO_REPLY";

/// Whether an answer is the word that means silence, alone or as `{"action":"NO_REPLY"}`. Agrees with OpenClaw's
/// `isSilentReplyPayloadText`.
pub fn is_silent(text: &str) -> bool {
    let text = text.trim();
    if text.trim_end_matches('.').eq_ignore_ascii_case(SILENT) {
        return true;
    }
    if !text.starts_with('{') {
        return false;
    }
    let Ok(serde_json::Value::Object(fields)) = serde_json::from_str(text) else { return false };
    let action = fields.get("action").and_then(serde_json::Value::as_str);
    fields.len() == 1 && action.is_some_and(|action| action.trim().eq_ignore_ascii_case(SILENT))
}

/// Whether what is still to come could make it silence.
pub(super) fn may_become_silent(text: &str) -> bool {
    let text = text.trim();
    let begun = |whole: &str| {
        text.len() <= whole.len() && whole.get(..text.len()).is_some_and(|w| w.eq_ignore_ascii_case(text))
    };
    text.is_empty() || begun(SILENT) || begun("NO_REPLY.") || text.starts_with('{') && text.len() < 40
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_openclaw() {
        let fixtures = include_str!("../../../../tests/fixtures/openclaw/silent.jsonl");
        let mut read = 0;
        for line in fixtures.lines().filter(|line| !line.is_empty()) {
            let case: serde_json::Value = serde_json::from_str(line).unwrap();
            let input = case["input"].as_str().unwrap();
            assert_eq!(is_silent(input), case["output"]["payload"], "{input:?}");
            read += 1;
        }
        assert_eq!(read, 7);
    }
}
