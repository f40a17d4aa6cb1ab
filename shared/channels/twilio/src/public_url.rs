//! The URL that Twilio was told to post to. It is part of every signature, and only its owner knows it: behind a proxy
//! the request's own `Host` is somebody else's word.

use url::Url;

/// A public URL, taken apart so that Twilio's spellings of it can be put together again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PublicUrl {
    /// As it was configured, with its fragment: there Twilio reads how often and how patiently to post.
    /// <https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides>
    whole: String,
    /// Scheme, host and path, with a port.
    with_port: String,
    /// The same without one.
    without_port: String,
}

impl PublicUrl {
    /// Reads a URL; `None` if Twilio could not post there.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "https" | "http") && url.has_host())?;
        // The text itself is signed, not what a parser makes of it.
        let fit = |byte: u8| byte.is_ascii_graphic() && byte != b'\\';
        let (scheme, rest) = text.split_once("://").filter(|_| text.bytes().all(fit))?;
        let rest = rest.split('#').next()?.split('?').next()?;
        let (authority, path) = rest.find('/').and_then(|at| rest.split_at_checked(at)).unwrap_or((rest, ""));
        let (host, port) = match authority.rsplit_once(':') {
            // A colon within brackets is part of an IPv6 address, and one before an @ of a password.
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => (host, Some(port)),
            _ => (authority, None),
        };
        let port = port.unwrap_or(if url.scheme() == "https" { "443" } else { "80" });
        Some(Self {
            whole: text.to_owned(),
            with_port: format!("{scheme}://{host}:{port}{path}"),
            without_port: format!("{scheme}://{host}{path}"),
        })
    }

    /// What to tell Twilio.
    pub(crate) fn configured(&self) -> &str {
        &self.whole
    }

    /// The URL as Twilio may have signed it: it is not consistent about the port, and its own SDKs try both.
    pub(crate) fn signed(&self, path: &str, query: &str) -> [String; 2] {
        let tail = |base: &str| {
            let slash = if path.is_empty() { "" } else { "/" };
            let mark = if query.is_empty() { "" } else { "?" };
            format!("{base}{slash}{path}{mark}{query}")
        };
        [tail(&self.without_port), tail(&self.with_port)]
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
    fn both_spellings_of_the_port_are_signed() {
        let cases = [
            ("https://a.org/x?y=1#rc=2", "https://a.org/x", "https://a.org:443/x"),
            ("http://a.org", "http://a.org", "http://a.org:80"),
            ("https://a.org:8443/x", "https://a.org/x", "https://a.org:8443/x"),
            ("https://[::1]/x:1", "https://[::1]/x:1", "https://[::1]:443/x:1"),
            ("https://[::1]:9/", "https://[::1]/", "https://[::1]:9/"),
            ("https://u:p@a.org/x", "https://u:p@a.org/x", "https://u:p@a.org:443/x"),
        ];
        for (text, without, with) in cases {
            assert_eq!(PublicUrl::parse(text).unwrap().signed("", ""), [without, with], "{text}");
        }
        let url = PublicUrl::parse("https://a.org/x").unwrap();
        assert_eq!(url.signed("p", "q=%41&r")[0], "https://a.org/x/p?q=%41&r");
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for bad in ["", "a.org/x", "ftp://a.org", "https://", "https:a.org", "https://a.org/\u{e9}", "https://a.org/ x"]
        {
            assert_eq!(PublicUrl::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_parameter_is_put_before_the_fragment() {
        let about = |text: &str| PublicUrl::parse(text).unwrap().about("part", "a&b").unwrap();
        assert_eq!(about("https://a.org/x#rc=2"), "https://a.org/x?part=a%26b#rc=2");
        assert_eq!(about("https://a.org/x?y=1"), "https://a.org/x?y=1&part=a%26b");
    }
}
