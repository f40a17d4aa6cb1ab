//! Names of things in Google Chat: `spaces/AAAA/messages/B.C`. <https://google.aip.dev/122>

/// Whether this is a name of so many words whose first is `collection`, such as `spaces/A` with two. What Google writes
/// into names has no sign that a URL would take for something else, and no word of them climbs.
pub(crate) fn is(name: &str, collection: &str, words: usize) -> bool {
    let known = |c: char| c.is_ascii_alphanumeric() || "-._~@".contains(c);
    let is_word = |word: &str| !word.is_empty() && word.chars().all(known) && !word.chars().all(|c| c == '.');
    let mut parts = name.split('/');
    parts.next() == Some(collection) && name.split('/').count() == words && parts.all(is_word)
}

/// Whether this is the name of a message.
pub(crate) fn is_message(name: &str) -> bool {
    is(name, "spaces", 4) && name.split('/').nth(2) == Some("messages")
}

/// Whether this is the name of a thread.
pub(crate) fn is_thread(name: &str) -> bool {
    is(name, "spaces", 4) && name.split('/').nth(2) == Some("threads")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_google_writes_and_never_climb() {
        assert!(is("spaces/AAQA_-b", "spaces", 2) && is("users/117", "users", 2));
        assert!(is_message("spaces/A/messages/K.K") && is_message("spaces/A/messages/client-0a"));
        assert!(is_thread("spaces/A/threads/K-_"));
        for odd in [
            "",
            "spaces",
            "spaces/",
            "spaces/..",
            "spaces/a b",
            "spaces/a?b",
            "spaces/A/members",
            "users/1",
            "spaces/é",
        ] {
            assert!(!is(odd, "spaces", 2), "{odd}");
        }
        for odd in
            ["spaces/A/threads/K", "spaces/../messages/K", "spaces/A/messages/", "spaces/A/messages/K/x", "messages/K"]
        {
            assert!(!is_message(odd), "{odd}");
        }
    }
}
