//! Credentials in a text that leaves the house as a file: somebody pasted one, a page or a program printed one. They are
//! known by the forms their makers gave them so that they can be found. What has no such form is not found; it is better not
//! to have it in a conversation at all.

use std::borrow::Cow;

/// Stands where one was.
const REMOVED: &str = "[credential removed]";

/// How credentials begin, and how many characters they have at least, with their beginnings.
const BEGINNINGS: [(&str, usize); 24] = [
    ("sk-", 20),
    ("sk_live_", 20),
    ("sk_test_", 20),
    ("rk_live_", 20),
    ("xoxb-", 20),
    ("xoxp-", 20),
    ("xoxa-", 20),
    ("xoxs-", 20),
    ("xapp-", 20),
    ("ghp_", 20),
    ("gho_", 20),
    ("ghs_", 20),
    ("ghu_", 20),
    ("github_pat_", 20),
    ("glpat-", 20),
    ("AKIA", 20),
    ("ASIA", 20),
    ("AIza", 35),
    ("whsec_", 20),
    ("hf_", 20),
    ("npm_", 20),
    ("gsk_", 20),
    ("tvly-", 20),
    ("pplx-", 20),
];

/// What begins and ends a key in a file of its own.
const KEY_BEGINS: &str = "-----BEGIN ";
const KEY_ENDS: &str = "-----END ";

/// The text without credentials of a known form.
pub fn without_credentials(text: &str) -> Cow<'_, str> {
    let mut found = false;
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        if let Some(after) = private_key(rest) {
            (found, rest) = (true, after);
            out.push_str(REMOVED);
            continue;
        }
        let end = rest.find(|c| !is_of_word(c)).unwrap_or(rest.len());
        if end == 0 {
            let next = rest.char_indices().nth(1).map_or(rest.len(), |(at, _)| at);
            let (sign, after) = rest.split_at(next);
            out.push_str(sign);
            rest = after;
            continue;
        }
        let (word, after) = rest.split_at(end);
        // A key stands at its own beginning, or behind what it is the value of, as in `token=…`.
        let start = word.rfind('=').map_or(0, |at| at.saturating_add(1));
        let start = if word.len() == start { 0 } else { start };
        let (before, value) = word.split_at(start);
        out.push_str(before);
        if is_credential(value) {
            found = true;
            out.push_str(REMOVED);
        } else {
            out.push_str(value);
        }
        rest = after;
    }
    if found { Cow::Owned(out) } else { Cow::Borrowed(text) }
}

fn is_of_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':' | '=')
}

/// What follows a private key that the text begins with.
fn private_key(text: &str) -> Option<&str> {
    let inside = text.strip_prefix(KEY_BEGINS)?;
    let (kind, _) = inside.split_once("-----")?;
    if !kind.ends_with("PRIVATE KEY") || !kind.chars().all(|c| c.is_ascii_uppercase() || c == ' ') {
        return None;
    }
    let end = format!("{KEY_ENDS}{kind}-----");
    // One that was cut off is one all the same.
    Some(inside.split_once(&end).map_or("", |(_, after)| after))
}

fn is_credential(word: &str) -> bool {
    let word = word.trim_end_matches(['.', ':']);
    let word = word.split_once(':').filter(|(name, _)| name.chars().all(char::is_alphabetic)).map_or(word, |it| it.1);
    BEGINNINGS.iter().any(|(begin, least)| word.starts_with(begin) && word.len() >= *least && has_digits(word))
        || is_web_token(word)
        || is_bot_token(word)
}

/// Words have none, and keys have some.
fn has_digits(word: &str) -> bool {
    word.bytes().any(|b| b.is_ascii_digit())
}

/// `header.claims.signature`, each in base64.
fn is_web_token(word: &str) -> bool {
    let parts: Vec<&str> = word.split('.').collect();
    parts.len() == 3 && word.starts_with("eyJ") && parts.iter().all(|part| part.len() >= 10)
}

/// Telegram's: the bot's number, and about 35 characters.
fn is_bot_token(word: &str) -> bool {
    let word = word.strip_prefix("bot").unwrap_or(word);
    word.split_once(':').is_some_and(|(number, secret)| {
        (8..=10).contains(&number.len())
            && number.bytes().all(|b| b.is_ascii_digit())
            && (30..=40).contains(&secret.len())
            && secret.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn d07_credentials_of_known_forms_are_gone_and_words_stay() {
        let bot = format!("110201543:{}", "AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw");
        let token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U";
        for secret in [
            "sk-ant-api03-0123456789abcdefghij",
            "sk-proj-0123456789abcdefghij",
            "xoxb-123456789012-abcdefghijkl",
            "ghp_0123456789abcdefghijABCDEFGHIJ012345",
            "github_pat_11ABCDEFG0abcdefghijkl",
            "AKIAIOSFODNN7EXAMPLE",
            "AIzaSyA0123456789abcdefghijklmnopqrstuvw",
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            token,
            &bot,
        ] {
            for around in [
                ("", ""),
                ("the key is ", "."),
                ("\"token\":\"", "\"}"),
                ("KEY=", "\n"),
                ("https://x/?k=", "&a=b"),
                ("`", "`"),
                ("key:", ","),
            ] {
                let (before, after) = around;
                let text = format!("{before}{secret}{after}");
                let shown = without_credentials(&text);
                assert!(!shown.contains(secret) && shown.contains(REMOVED), "{text}: {shown}");
                assert!(shown.starts_with(before) || before == "key:", "{text}: {shown}");
            }
        }
        let key = format!("a {KEY_BEGINS}RSA PRIVATE KEY-----\nMIIE\n{KEY_ENDS}RSA PRIVATE KEY----- b");
        assert_eq!(without_credentials(&key), format!("a {REMOVED} b"));
        assert_eq!(without_credentials(key.get(..40).unwrap()), format!("a {REMOVED}"), "also one that was cut off");
        for words in [
            "sk-learn is a library of science and knowledge-based-systems",
            "a ghost_town at 12:30:45",
            "eyJ.a.b",
            "x=y==",
            "2026-01-01T00:00:00Z https://example.org/a-b_c?d=e#f",
            "-----BEGIN CERTIFICATE-----\nMIIE",
            "héllo — wörld 👋",
            "=",
            "",
        ] {
            assert_eq!(without_credentials(words), words);
        }
    }

    proptest! {
        #[test]
        fn nothing_is_found_twice(text in "([a-z0-9 =:._\\-\n\"é]{0,9}|sk-|ghp_|bot|[0-9]{9}:|[a-z0-9]{20,36}|-----BEGIN |PRIVATE KEY-----){0,9}") {
            let once = without_credentials(&text).into_owned();
            prop_assert_eq!(without_credentials(&once), once.as_str());
        }
    }
}
