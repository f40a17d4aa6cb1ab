//! Addresses, compared by one spelling. Only what every mail system agrees on is an address here: an address that two
//! parsers may read differently must not decide who somebody is.

use std::borrow::Cow;

use mail_parser::Message;

/// What RFC 5321 allows: 64 for the part before `@`, 255 for the domain.
const LONGEST_LOCAL: usize = 64;
const LONGEST_DOMAIN: usize = 255;

/// An address in lower case; `None` if it is none, or one with quotes or letters beyond ASCII.
pub(crate) fn normal(text: &str) -> Option<String> {
    let text = text.trim().to_ascii_lowercase();
    let (local, domain) = text.split_once('@')?;
    let local_fits = !local.is_empty()
        && local.len() <= LONGEST_LOCAL
        && local.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&b));
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    let domain_fits = domain.len() <= LONGEST_DOMAIN && domain.split('.').all(label);
    (local_fits && domain_fits).then_some(text)
}

/// The part before and the part after `@`.
pub(crate) fn halves(address: &str) -> (&str, &str) {
    address.split_once('@').unwrap_or((address, ""))
}

/// The address without what follows `+`, and that.
pub(crate) fn without_tag(address: &str) -> (String, Option<&str>) {
    let (local, domain) = halves(address);
    match local.split_once('+') {
        Some((user, tag)) if !user.is_empty() => (format!("{user}@{domain}"), Some(tag)),
        _ => (address.to_owned(), None),
    }
}

/// Whether mail for `recipient` is mail for `address`: the same address, or one with a `+tag`.
pub(crate) fn is_for(recipient: &str, address: &str) -> bool {
    normal(recipient).is_some_and(|recipient| recipient == address || without_tag(&recipient).0 == address)
}

/// Who wrote a message, and what they call themselves. `None` unless there is exactly one author, written so that every
/// reader of the header sees the same one.
pub(crate) fn author(message: &Message<'_>) -> Option<(String, Option<String>)> {
    let mut headers = message.headers().iter().filter(|header| header.name.as_str().eq_ignore_ascii_case("from"));
    let (header, further) = (headers.next()?, headers.next());
    let mut addresses = header.value.as_address()?.iter();
    let (author, another) = (addresses.next()?, addresses.next());
    if further.is_some() || another.is_some() || header.value.as_address()?.as_group().is_some() {
        return None;
    }
    let written = author.address()?;
    let address = normal(written)?;
    let raw = message.raw_message.get(header.offset_start as usize..header.offset_end as usize)?;
    let raw = String::from_utf8_lossy(raw);
    let name = author.name().map(plain).filter(|name| !name.is_empty());
    one_reading(raw.trim(), written).then_some((address, name))
}

/// `address`, `… <address>` or `address (…)`. The receiving server judged one author of this header; a header that
/// shows another to a second parser must not be let in under the first one's name.
fn one_reading(raw: &str, address: &str) -> bool {
    if raw == address {
        return true;
    }
    if let Some(rest) = raw.strip_prefix(address) {
        return rest.trim_start().starts_with('(') && rest.ends_with(')') && !rest.contains(['@', '<', '>']);
    }
    let Some((before, inner)) = raw.strip_suffix('>').and_then(|raw| raw.rsplit_once('<')) else { return false };
    // A comma ends an address, unless it stands in quotes.
    let quoted = before.trim().starts_with('"') && before.trim().ends_with('"') && before.matches('"').count() == 2;
    inner == address && !before.contains(['<', '>']) && (quoted || !before.contains([',', ';', ':', '"', '@']))
}

/// The values of all headers of this name as they were written, also where they are not UTF-8.
pub(crate) fn written<'m>(message: &'m Message<'_>, name: &'m str) -> impl Iterator<Item = Cow<'m, str>> {
    let named = message.headers().iter().filter(move |header| header.name.as_str().eq_ignore_ascii_case(name));
    named.map(|header| {
        let raw = message.raw_message.get(header.offset_start as usize..header.offset_end as usize);
        String::from_utf8_lossy(raw.unwrap_or_default())
    })
}

/// Text of a header without what could begin another one.
pub(crate) fn plain(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use mail_parser::MessageParser;

    use super::*;

    fn from(header: &str) -> Option<(String, Option<String>)> {
        let message = format!("{header}\r\nSubject: x\r\n\r\nbody\r\n");
        author(&MessageParser::default().parse(message.as_bytes()).unwrap())
    }

    #[test]
    fn an_author_is_one_address_however_it_is_written() {
        let ada = |name: Option<&str>| Some(("ada@example.com".to_owned(), name.map(str::to_owned)));
        assert_eq!(from("From: Ada@Example.COM"), ada(None));
        assert_eq!(from("From: <ada@example.com>"), ada(None));
        assert_eq!(from("From: Ada Lovelace <ada@example.com>"), ada(Some("Ada Lovelace")));
        assert_eq!(from("From: \"Lovelace, Ada\" <ada@example.com>"), ada(Some("Lovelace, Ada")));
        assert_eq!(from("From: \"ada@work via List\" <ada@example.com>"), ada(Some("ada@work via List")));
        assert_eq!(from("From: =?utf-8?q?Ad=C3=A4?= <ada@example.com>"), ada(Some("Adä")));
        assert_eq!(from("From: Ada\r\n <ada@example.com>"), ada(Some("Ada")));
        assert_eq!(from("From: ada@example.com (Ada)"), ada(Some("Ada")));
    }

    #[test]
    fn an_author_that_two_parsers_may_read_differently_is_nobody() {
        for odd in [
            "From: ada@example.com, eve@example.net",
            "From: ada@example.com\r\nFrom: eve@example.net",
            "From: ada@example.com\r\nfrom: ada@example.com",
            "From: <ada@example.com> <eve@example.net>",
            "From: ada@example.com <eve@example.net>",
            "From: ada@example.com, <eve@example.net>",
            "From: \"Ada\" <ada@example.com> \"x\" <eve@example.net>",
            "From: eve@example.net (<ada@example.com>)",
            "From: friends: ada@example.com;",
            "From: friends: ada@example.com, eve@example.net;",
            "From: \"ada lovelace\"@example.com",
            "From: ada@example.com\u{0}@example.net",
            "From: äda@example.com",
            "From: ada@[192.0.2.1]",
            "From: ada",
            "From:",
            "To: ada@example.com",
        ] {
            assert_eq!(from(odd), None, "{odd}");
        }
    }

    #[test]
    fn addresses_have_one_spelling() {
        assert_eq!(normal(" Ada.L+x@Example.Com "), Some("ada.l+x@example.com".to_owned()));
        for bad in ["", "ada", "@x.org", "ada@", "a b@x.org", "a@b@c", "a@x..org", "a@-x.org", "a\n@x.org", "<a@x.org>"]
        {
            assert_eq!(normal(bad), None, "{bad:?}");
        }
        assert_eq!(normal(&format!("{}@x.org", "a".repeat(65))), None);
    }

    #[test]
    fn a_tag_does_not_change_whom_mail_is_for() {
        assert!(is_for("Bot@Example.org", "bot@example.org") && is_for("bot+1@example.org", "bot@example.org"));
        for other in ["bots@example.org", "bot@example.org.evil.net", "+bot@example.org", "bot+1@example.net", ""] {
            assert!(!is_for(other, "bot@example.org"), "{other}");
        }
        assert_eq!(without_tag("bot+a+b@x.org"), ("bot@x.org".to_owned(), Some("a+b")));
        assert_eq!(without_tag("+a@x.org"), ("+a@x.org".to_owned(), None));
    }
}
