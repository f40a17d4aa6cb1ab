//! What of an answer is shown.

/// The reply that ends a turn without a word, as in OpenClaw.
const SILENT: &str = "NO_REPLY";

/// A heartbeat's answer that ends it without a word, as in OpenClaw: alone, or before or after at most this much.
const HEARTBEAT_OK: &str = "HEARTBEAT_OK";
const HEARTBEAT_OK_MAX_CHARS: usize = 300;

/// What is to be shown of an answer; `None` for silence.
pub(crate) fn visible(text: &str, heartbeat: bool) -> Option<String> {
    let text = text.trim();
    if text.is_empty() || text.trim_end_matches('.').eq_ignore_ascii_case(SILENT) {
        return None;
    }
    if heartbeat {
        let rest = text.strip_prefix(HEARTBEAT_OK).or_else(|| text.strip_suffix(HEARTBEAT_OK));
        if let Some(rest) = rest {
            let rest = rest.trim();
            return (rest.chars().count() > HEARTBEAT_OK_MAX_CHARS).then(|| rest.to_owned());
        }
    }
    Some(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_recognised_and_nothing_else_is_swallowed() {
        for silent in ["", "  ", "NO_REPLY", "no_reply.", " NO_REPLY \n"] {
            assert_eq!(visible(silent, false), None, "{silent:?}");
        }
        assert_eq!(visible("HEARTBEAT_OK", true), None);
        assert_eq!(visible("HEARTBEAT_OK nothing new", true), None);
        assert_eq!(visible("HEARTBEAT_OK", false).as_deref(), Some("HEARTBEAT_OK"));
        assert_eq!(visible("The dentist is at 9.", true).as_deref(), Some("The dentist is at 9."));
        let long = format!("HEARTBEAT_OK {}", "x".repeat(400));
        assert!(visible(&long, true).is_some());
    }
}
