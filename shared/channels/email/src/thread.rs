//! Which conversation a message belongs to, and what an answer needs to join it.
//!
//! A conversation is named by a hash of its author and of the first message's `Message-ID`. Clients repeat that id at the
//! beginning of `References`; with `plusAddressing` its hash also comes back in the address we are answered at.

use mail_parser::{HeaderValue, Message};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::address::{plain, without_tag};

/// The length of a hash: 64 bits in hexadecimal digits.
const NAME_LENGTH: usize = 16;

/// Most ids in `References`: the first, which names the conversation, and the last ones.
const MOST_REFERENCES: usize = 10;

/// The longest id that is repeated. RFC 5322 allows lines of 998 characters.
const LONGEST_ID: usize = 250;

/// The longest subject that is repeated, in characters.
const LONGEST_SUBJECT: usize = 200;

/// What an answer needs to know of the message it answers: carried as `ReplyAddress::message`, in JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Conversation {
    /// Its subject.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) subject: String,
    /// The ids of the messages before the answer, from the first to the one that is answered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) references: Vec<String>,
}

impl Conversation {
    /// What `message` continues or begins.
    pub(crate) fn of(message: &Message<'_>) -> Self {
        let mut references = earlier(message);
        references.extend(own_id(message));
        if references.len() > MOST_REFERENCES {
            references.drain(1..=references.len().saturating_sub(MOST_REFERENCES));
        }
        let subject = message.subject().map(plain).unwrap_or_default();
        Self { subject: subject.chars().take(LONGEST_SUBJECT).collect(), references }
    }

    /// As it is carried.
    pub(crate) fn to_text(&self) -> Option<String> {
        serde_json::to_string(self).ok()
    }

    /// Reads what was carried; anything else is a new conversation.
    pub(crate) fn from_text(text: Option<&str>) -> Self {
        text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }

    /// The subject of an answer.
    pub(crate) fn reply_subject(&self) -> Option<String> {
        let subject = plain(&self.subject);
        let answered = subject.get(..3).is_some_and(|begin| begin.eq_ignore_ascii_case("re:"));
        match subject.as_str() {
            "" => None,
            _ if answered => Some(subject),
            _ => Some(format!("Re: {subject}")),
        }
    }
}

/// What the conversation's first message is known by: the tag of the address it was sent to, or made from the first
/// message's id. A message without any id has none: nothing could refer to it.
pub(crate) fn root(message: &Message<'_>, recipient: &str) -> Option<String> {
    if let (_, Some(tag)) = without_tag(recipient)
        && is_root(tag)
    {
        return Some(tag.to_owned());
    }
    let first = earlier(message).into_iter().next().or_else(|| own_id(message))?;
    Some(short(&[&first]))
}

/// The name of `author`'s conversation. The author is part of it: ids are known to everybody who got a copy, and a
/// conversation must not be joined by whoever knows how it began.
pub(crate) fn name(author: &str, root: &str) -> String {
    short(&[author, root])
}

/// Whether a word is what [`root`] makes.
pub(crate) fn is_root(word: &str) -> bool {
    word.len() == NAME_LENGTH && word.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

fn short(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let mut short = hex::encode(hash.finalize());
    short.truncate(NAME_LENGTH);
    short
}

/// Whether a message answers another.
pub(crate) fn is_reply(message: &Message<'_>) -> bool {
    !earlier(message).is_empty()
}

/// The message's own id.
pub(crate) fn own_id(message: &Message<'_>) -> Option<String> {
    ids(message.header("Message-ID")).into_iter().next()
}

/// The ids of the messages before this one, the first one first.
fn earlier(message: &Message<'_>) -> Vec<String> {
    let mut earlier = ids(Some(message.references()));
    for id in ids(Some(message.in_reply_to())).into_iter().take(MOST_REFERENCES) {
        if !earlier.contains(&id) {
            earlier.push(id);
        }
    }
    earlier
}

/// Ids without `<` and `>`; those that cannot be repeated in a header are left out.
fn ids(header: Option<&HeaderValue<'_>>) -> Vec<String> {
    let texts: Vec<&str> = match header {
        Some(HeaderValue::Text(text)) => vec![text],
        Some(HeaderValue::TextList(texts)) => texts.iter().map(AsRef::as_ref).collect(),
        _ => Vec::new(),
    };
    texts.into_iter().filter(|id| is_id(id)).map(str::to_owned).collect()
}

/// Whether an id can be written into a header as it is.
pub(crate) fn is_id(id: &str) -> bool {
    (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic() && b != b'<' && b != b'>')
}

#[cfg(test)]
mod tests {
    use mail_parser::MessageParser;

    use super::*;

    fn with<T>(headers: &str, read: impl FnOnce(&Message<'_>) -> T) -> T {
        let message = format!("From: a@b.c\r\n{headers}\r\n\r\nbody\r\n");
        read(&MessageParser::default().parse(message.as_bytes()).unwrap())
    }

    fn named(headers: &str) -> Option<String> {
        with(headers, |message| root(message, "bot@example.org"))
    }

    #[test]
    fn a_conversation_is_named_by_its_first_message() {
        let root = named("Message-ID: <1@x>");
        assert!(root.as_deref().is_some_and(is_root), "{root:?}");
        for later in [
            "Message-ID: <2@x>\r\nIn-Reply-To: <1@x>",
            "Message-ID: <3@x>\r\nReferences: <1@x> <2@x>\r\nIn-Reply-To: <2@x>",
            "Message-ID: <3@x>\r\nReferences: <1@x>\r\n\t<2@x>",
        ] {
            assert_eq!(named(later), root, "{later}");
        }
        assert_ne!(named("Message-ID: <2@x>"), root);
        assert_eq!((named("Subject: x"), named("Message-ID:")), (None, None));
    }

    #[test]
    fn nobody_joins_somebody_elses_conversation() {
        let of = |author: &str| name(author, "0123456789abcdef");
        assert_eq!(of("ada@example.com"), of("ada@example.com"));
        assert_ne!(of("ada@example.com"), of("eve@example.net"));
        assert_ne!(name("a", "bc"), name("ab", "c"));
    }

    #[test]
    fn the_tag_of_the_address_names_it_where_it_can() {
        let tagged = |recipient: &str| with("Message-ID: <1@x>", |message| root(message, recipient));
        assert_eq!(tagged("bot+0123456789abcdef@example.org").as_deref(), Some("0123456789abcdef"));
        for other in ["bot+news@example.org", "bot+0123456789ABCDEF@example.org", "bot+0123456789abcdef0@example.org"] {
            assert_eq!(tagged(other), named("Message-ID: <1@x>"), "{other}");
        }
    }

    #[test]
    fn references_are_cut_in_the_middle() {
        let ids: Vec<String> = (0..30).map(|n| format!("<{n}@x>")).collect();
        let headers = format!("Subject: S\r\nMessage-ID: <30@x>\r\nReferences: {}", ids.join("\r\n "));
        let conversation = with(&headers, Conversation::of);
        let wanted: Vec<String> = std::iter::once(0).chain(22..=30).map(|n| format!("{n}@x")).collect();
        assert_eq!(conversation, Conversation { subject: "S".to_owned(), references: wanted });
        assert_eq!(Conversation::from_text(conversation.to_text().as_deref()), conversation);
        assert_eq!(Conversation::from_text(Some("no json")), Conversation::default());
    }

    #[test]
    fn an_id_that_would_break_a_header_is_not_repeated() {
        let long = "x".repeat(251);
        for bad in ["a b", "a\r\nBcc: x", "", "é@x", long.as_str(), "a<b"] {
            assert!(!is_id(bad), "{bad:?}");
        }
        assert_eq!(
            with("Subject: a\r\n b\r\nMessage-ID: <\u{e9}@x>", Conversation::of).references,
            Vec::<String>::new()
        );
    }

    #[test]
    fn the_subject_says_that_it_is_an_answer_once() {
        let reply = |subject: &str| Conversation { subject: subject.to_owned(), references: vec![] }.reply_subject();
        assert_eq!(reply("Trip").as_deref(), Some("Re: Trip"));
        assert_eq!(reply("RE: Trip").as_deref(), Some("RE: Trip"));
        assert_eq!(reply("Réunion").as_deref(), Some("Re: Réunion"));
        assert_eq!(reply(" a\r\nBcc: x").as_deref(), Some("Re: a Bcc: x"));
        assert_eq!(reply(" "), None);
    }
}
