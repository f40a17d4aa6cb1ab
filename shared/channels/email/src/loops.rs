//! Mail that nobody wrote to us: answers of machines, newsletters, returned mail, our own. An answer to such mail may be
//! answered by a machine again, for ever (RFC 3834), so all of it is dropped.

use mail_parser::{Message, MimeHeaders as _};

use crate::address::{halves, is_for, written};

/// Says so in every message we send; each of our messages is known again by it.
pub(crate) const LOOP_HEADER: &str = "X-Loop";

/// Authors who are machines, by the part before `@`.
const MACHINES: &[&str] = &[
    "mailer-daemon",
    "postmaster",
    "no-reply",
    "noreply",
    "no_reply",
    "donotreply",
    "do-not-reply",
    "do_not_reply",
    "bounce",
    "bounces",
];

/// Why nobody should answer `message` of `author` to the address `own`; `None` if a person wrote it.
pub(crate) fn automatic(message: &Message<'_>, author: &str, own: &str) -> Option<&'static str> {
    let values = |name: &'static str| written(message, name).map(|value| value.trim().to_ascii_lowercase());
    let is_there = |name: &'static str| values(name).next().is_some();
    let word = |value: &str| value.split([';', ' ', '\t']).next().unwrap_or_default().to_owned();
    let local = halves(author).0;
    let user = local.split('+').next().unwrap_or(local);
    if author == own || is_for(author, own) || values(LOOP_HEADER).any(|value| value == own) {
        return Some("our own");
    }
    if MACHINES.contains(&user) {
        return Some("the address of a machine");
    }
    if values("auto-submitted").any(|value| word(&value) != "no") {
        return Some("Auto-Submitted");
    }
    if values("precedence").any(|value| ["bulk", "list", "junk", "auto_reply"].contains(&word(&value).as_str())) {
        return Some("Precedence");
    }
    if is_there("list-id") || is_there("list-unsubscribe") {
        return Some("a mailing list");
    }
    if values("x-auto-response-suppress").any(|value| value.split(',').any(|what| what.trim() == "all"))
        || is_there("x-autoreply")
        || is_there("x-autorespond")
    {
        return Some("an automatic answer");
    }
    let report = |kind: &mail_parser::ContentType<'_>| {
        kind.ctype().eq_ignore_ascii_case("multipart")
            && kind.subtype().is_some_and(|kind| kind.eq_ignore_ascii_case("report"))
    };
    if values("return-path").any(|value| value == "<>") || message.content_type().is_some_and(report) {
        return Some("returned mail");
    }
    None
}

#[cfg(test)]
mod tests {
    use mail_parser::MessageParser;

    use super::*;

    fn why(headers: &str, author: &str) -> Option<&'static str> {
        let message = format!("{headers}\r\nSubject: x\r\n\r\nbody\r\n");
        automatic(&MessageParser::default().parse(message.as_bytes()).unwrap(), author, "bot@example.org")
    }

    #[test]
    fn what_no_person_wrote_is_known() {
        for headers in [
            "Auto-Submitted: auto-replied",
            "Auto-Submitted: auto-generated; type=x",
            "auto-submitted: no\r\nAuto-Submitted: auto-notified",
            "Precedence: bulk",
            "Precedence: List",
            "Precedence: junk",
            "Precedence: auto_reply",
            "List-Id: News <news.example.net>",
            "List-Unsubscribe: <https://example.net/u>",
            "X-Auto-Response-Suppress: DR, All",
            "X-Autoreply: yes",
            "X-Autorespond: vacation",
            "Return-Path: <>",
            "X-Loop: Bot@example.org",
            "Content-Type: multipart/report; report-type=delivery-status; boundary=b",
        ] {
            assert!(why(headers, "ada@example.com").is_some(), "{headers}");
        }
        for author in [
            "mailer-daemon@example.com",
            "postmaster@example.com",
            "noreply@example.com",
            "no-reply+1@example.com",
            "bounces+ada=example.com@lists.example.com",
            "bot@example.org",
            "bot+0123456789abcdef@example.org",
        ] {
            assert!(why("To: bot@example.org", author).is_some(), "{author}");
        }
    }

    #[test]
    fn what_a_person_wrote_is_kept() {
        for headers in [
            "To: bot@example.org",
            "Auto-Submitted: no",
            "Precedence: first-class",
            "Return-Path: <ada@example.com>",
            "X-Loop: other@example.org",
            "X-Auto-Response-Suppress: DR, OOF",
            "Content-Type: multipart/mixed; boundary=b",
        ] {
            assert_eq!(why(headers, "ada@example.com"), None, "{headers}");
        }
        assert_eq!(why("To: x", "norah@example.com"), None);
    }
}
