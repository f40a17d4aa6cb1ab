//! The URL that Plivo was told to post to. It is part of every signature, and only its owner knows it: behind a proxy the
//! request's own `Host` is somebody else's word.

use url::Url;

use crate::form::Form;

/// A public URL, and what of it is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PublicUrl {
    /// As it was configured.
    whole: String,
    /// Scheme, host, port and path, letter by letter.
    place: String,
}

impl PublicUrl {
    /// Reads a URL; `None` if Plivo could not post there.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Url::parse(text).ok().filter(|url| matches!(url.scheme(), "https" | "http") && url.has_host())?;
        // The text itself is signed, not what a parser makes of it. Plivo's libraries disagree about ";" in a path.
        let fit = |byte: u8| byte.is_ascii_graphic() && byte != b'\\';
        let place = text.split(['?', '#']).next().filter(|place| place.contains("://") && !place.contains(';'))?;
        text.bytes().all(fit).then(|| Self { whole: text.to_owned(), place: place.to_owned() })
    }

    /// What to tell Plivo.
    pub(crate) fn configured(&self) -> &str {
        &self.whole
    }

    /// The text that is signed before the nonce: place, the query's parameters, the body's. A `?` stands there if there is
    /// any of them, a dot if there are both.
    pub(crate) fn signed(&self, query: &Form, body: &Form) -> String {
        let mark = if query.is_empty() && body.is_empty() { "" } else { "?" };
        let dot = if query.is_empty() || body.is_empty() { "" } else { "." };
        format!("{}{mark}{}{dot}{}", self.place, query.as_query(), body.run_together())
    }

    /// The URL with one more parameter, for posts about a part.
    pub(crate) fn about(&self, name: &str, value: &str) -> Option<String> {
        let mut url = Url::parse(&self.whole).ok()?;
        url.query_pairs_mut().append_pair(name, value);
        Some(url.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn place_query_and_body_are_signed() {
        let url = PublicUrl::parse("https://a.org:443/x?y=1#z").unwrap();
        let signed = |query: &str, body: &str| url.signed(&Form::read(query.as_bytes()), &Form::read(body.as_bytes()));
        assert_eq!(signed("", ""), "https://a.org:443/x");
        assert_eq!(signed("", "b=2&a=1"), "https://a.org:443/x?a1b2");
        assert_eq!(signed("d=4&c=%33", ""), "https://a.org:443/x?c=3&d=4");
        assert_eq!(signed("d=4&c=3", "b=2&a=1"), "https://a.org:443/x?c=3&d=4.a1b2");
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for bad in [
            "",
            "a.org/x",
            "ftp://a.org",
            "https://",
            "https:a.org",
            "https://a.org/\u{e9}",
            "https://a.org/ x",
            "https://a.org/x;y",
        ] {
            assert_eq!(PublicUrl::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_parameter_is_put_before_the_fragment() {
        let about = |text: &str| PublicUrl::parse(text).unwrap().about("part", "a&b").unwrap();
        assert_eq!(about("https://a.org/x#z"), "https://a.org/x?part=a%26b#z");
        assert_eq!(about("https://a.org/x?y=1"), "https://a.org/x?y=1&part=a%26b");
    }
}
