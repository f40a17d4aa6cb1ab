//! Credentials in a text that leaves the house as a file: somebody pasted one, a page or a program printed one. They are
//! known by the forms their makers gave them so that they can be found. What has no such form is not found; it is better not
//! to have it in a conversation at all.

use std::borrow::Cow;

/// Stands where one was.
const REMOVED: &str = "[credential removed]";

/// How credentials begin, and how many characters they have at least, with their beginnings.
const BEGINNINGS: [(&str, usize); 44] = [
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
    ("rk_test_", 20),
    ("xoxe", 20),
    ("xoxr-", 20),
    ("ghr_", 20),
    ("glptt-", 20),
    ("gldt-", 20),
    ("glrt-", 20),
    ("ya29.", 20),
    ("GOCSPX-", 20),
    ("SG.", 40),
    ("xai-", 20),
    ("r8_", 20),
    ("dop_v1_", 20),
    ("shpat_", 20),
    ("pypi-", 20),
    ("dckr_pat_", 20),
    ("lin_api_", 20),
    ("ntn_", 20),
    ("AGE-SECRET-KEY-1", 40),
    ("EAA", 60),
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
        let at_word = !out.ends_with(is_of_word);
        if let Some((before, after)) = of_a_url(rest).or_else(|| named(rest)).filter(|_| at_word) {
            (found, rest) = (true, after);
            // The name may end in a key itself.
            out.push_str(&without_credentials(before));
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
    // PGP's ends in another word.
    if !kind.trim_end_matches(" BLOCK").ends_with("PRIVATE KEY")
        || !kind.chars().all(|c| c.is_ascii_uppercase() || c == ' ')
    {
        return None;
    }
    let end = format!("{KEY_ENDS}{kind}-----");
    // One that was cut off is one all the same.
    Some(inside.split_once(&end).map_or("", |(_, after)| after))
}

/// What things are called that have no form of their own: the word before `=` or `:` ends so.
const NAMES: [&str; 12] = [
    "secret_access_key",
    "secretaccesskey",
    "session_token",
    "sessiontoken",
    "password",
    "passwd",
    "client_secret",
    "api_key",
    "apikey",
    "access_token",
    "refresh_token",
    "private_token",
];

/// Most bytes of a value: a text that is all of one piece is not read to its end at each of its words.
const MOST_VALUE: usize = 4096;

/// Where a value ends that the text begins with.
fn end_of_value(text: &str, ends: impl Fn(char) -> bool) -> usize {
    let near = text.get(..text.floor_char_boundary(MOST_VALUE)).unwrap_or(text);
    near.find(ends).unwrap_or(near.len())
}

/// Where the value begins of a name that the text begins with, and what follows it.
fn named(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-')).unwrap_or(text.len());
    let (name, rest) = text.split_at_checked(end)?;
    let name = name.to_ascii_lowercase().replace('-', "_");
    let value = if ["bearer", "basic"].contains(&name.as_str()) {
        rest.strip_prefix(' ').filter(|value| end_of_value(value, is_of_no_value) >= 16)?
    } else if NAMES.iter().any(|ends| name.ends_with(ends)) {
        let rest = rest.trim_start_matches(['"', '\'', ' ']);
        rest.strip_prefix(['=', ':'])?.trim_start_matches(['"', '\'', ' '])
    } else {
        return None;
    };
    let (value, after) = value.split_at_checked(end_of_value(value, is_of_no_value))?;
    let before = text.get(..text.len().checked_sub(value.len())?.checked_sub(after.len())?)?;
    (value.len() >= 6 && has_digits(value)).then_some((before, after))
}

fn is_of_no_value(c: char) -> bool {
    c.is_whitespace() || "\"'`,;&(){}<>[]".contains(c)
}

/// Where the password begins of a URL that the text begins with, and what follows it.
fn of_a_url(text: &str) -> Option<(&str, &str)> {
    let scheme = text.find(|c| !is_of_word(c))?;
    let rest =
        text.get(scheme..)?.strip_prefix("//").filter(|_| text.get(..scheme).is_some_and(|it| it.ends_with(':')))?;
    let end = end_of_value(rest, |c| is_of_no_value(c) || "/?#".contains(c));
    let at = rest.get(..end)?.rfind('@')?;
    let colon = rest.get(..at)?.find(':')?;
    let after = rest.get(at..)?;
    let password = at.checked_sub(colon)?.checked_sub(1).filter(|length| *length > 0)?;
    let before = text.get(..text.len().checked_sub(after.len())?.checked_sub(password)?)?;
    Some((before, after))
}

fn is_credential(word: &str) -> bool {
    let word = word.trim_end_matches(['.', ':']);
    let word = word.split_once(':').filter(|(name, _)| name.chars().all(char::is_alphabetic)).map_or(word, |it| it.1);
    BEGINNINGS.iter().any(|(begin, least)| word.starts_with(begin) && word.len() >= *least && has_digits(word))
        || is_web_token(word)
        || is_discord_token(word)
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

/// Discord's: the bot's number in base64, an instant, and 38 characters or a few less.
fn is_discord_token(word: &str) -> bool {
    let parts: Vec<&str> = word.split('.').collect();
    let [number, instant, secret] = parts.as_slice() else { return false };
    number.starts_with(['M', 'N', 'O'])
        && (23..=28).contains(&number.len())
        && instant.len() == 6
        && (27..=38).contains(&secret.len())
        && has_digits(number)
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
            "xoxe.xoxp-1-Mi0yLTEyMzQ1Njc4OTAxMi0x",
            "ya29.a0AfH6SMBx0123456789abcdef",
            "GOCSPX-0123456789abcdefghijklmn",
            "SG.0123456789abcdefghijkl.0123456789abcdefghijklmnopqrstuvwxyz",
            "xai-0123456789abcdefghijklmnop",
            "MTE5MzQ1Njc4OTAxMjM0NTY3OA.GaBcDe.0123456789abcdefghijklmnopqrstuvwxyzAB",
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
        for (text, expected) in [
            ("AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYKEY x", "AWS_SECRET_ACCESS_KEY={} x"),
            (r#"{"SecretAccessKey": "wJalrXUtnFEMI/K7MDENG/b+x"}"#, r#"{"SecretAccessKey": "{}"}"#),
            ("db_password: hunter22", "db_password: {}"),
            ("Authorization: Bearer 0123456789abcdef/+==", "Authorization: Bearer {}"),
            ("x-api-key: 0123456789abc\n", "x-api-key: {}\n"),
            ("postgres://ada:s3cret@db.example/x", "postgres://ada:{}@db.example/x"),
            ("sk-0123456789abcdef0123password=hunter22", "{}{}"),
        ] {
            assert_eq!(without_credentials(text), expected.replace("{}", REMOVED));
        }
        let pgp = format!("{KEY_BEGINS}PGP PRIVATE KEY BLOCK-----\nlQdG\n{KEY_ENDS}PGP PRIVATE KEY BLOCK-----");
        assert_eq!(without_credentials(&pgp), REMOVED);
        assert_eq!(without_credentials(key.get(..40).unwrap()), format!("a {REMOVED}"), "also one that was cut off");
        for words in [
            "sk-learn is a library of science and knowledge-based-systems",
            "a ghost_town at 12:30:45",
            "eyJ.a.b",
            "x=y==",
            "the password: ask Ada, the bearer of the ring, basic arithmetic, api_key: none",
            "https://example.org:8080/a@b and mailto:ada@example.org",
            "2026-01-01T00:00:00Z https://example.org/a-b_c?d=e#f",
            "-----BEGIN CERTIFICATE-----\nMIIE",
            "héllo — wörld 👋",
            "=",
            "",
        ] {
            assert_eq!(without_credentials(words), words);
        }
    }

    /// Somebody may write a text for which each word leads to the end: half a minute and more where nothing bounds it.
    #[test]
    fn a_long_text_of_one_piece_is_read_once() {
        let began = std::time::Instant::now();
        for piece in ["password=\u{e9}", "a://\u{e9}", "Bearer \u{e9}"] {
            assert_eq!(without_credentials(&piece.repeat(40_000)).len(), piece.len() * 40_000);
        }
        assert!(began.elapsed().as_secs() < 30, "{:?}", began.elapsed());
    }

    proptest! {
        #[test]
        fn nothing_is_found_twice(text in "([a-z0-9 =:._\\-\n\"é]{0,9}|sk-|ghp_|bot|[0-9]{9}:|password[=:]|Bearer |://|@|[a-z0-9]{20,36}|-----BEGIN |PRIVATE KEY-----){0,9}") {
            let once = without_credentials(&text).into_owned();
            prop_assert_eq!(without_credentials(&once), once.as_str());
        }
    }
}
