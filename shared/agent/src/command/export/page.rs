//! The conversation as a page that needs nothing else: no script, nothing from anywhere, and whatever was said is text.

use std::fmt::Write as _;

use chela_core::redact::without_credentials;
use chela_core::session_key::SessionKey;

use super::{Item, time};

/// Nothing is loaded and nothing runs, even if something got through the escaping.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

const STYLE: &str = "body{max-width:48rem;margin:2rem auto;padding:0 1rem;font:1rem/1.5 system-ui,sans-serif}\
    h2{font-size:1rem;margin-top:2rem;border-top:1px solid;padding-top:.5rem}h3{font-size:.9rem;margin:1rem 0 0}\
    p{white-space:pre-wrap;margin:.2rem 0}pre{overflow:auto;padding:.5rem;border:1px solid;white-space:pre-wrap}\
    p,pre{overflow-wrap:anywhere}:root{color-scheme:light dark}";

pub(super) fn page(session: &SessionKey, items: &[Item<'_>]) -> String {
    let title = escaped(session.as_str());
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n<style>{STYLE}</style>\n\
         </head>\n<body>\n<h1>Conversation {title}</h1>\n"
    );
    for item in items {
        let _ = match item {
            Item::Turn(turn, at) => writeln!(out, "<h2>Turn {turn}, {}</h2>", time(*at)),
            Item::Words(who, text) => write!(out, "<h3>{}</h3>\n<p>{}</p>\n", escaped(who), escaped(text)),
            Item::Code(what, text) => write!(out, "<h3>{}</h3>\n<pre>{}</pre>\n", escaped(what), escaped(text)),
        };
    }
    out.push_str("</body>\n</html>\n");
    out
}

/// As text of a page, without credentials, which escaping would hide from whoever looks for them. Characters that reorder what is read, and those no page may hold, are shown as what they are.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in without_credentials(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') => {
                let _ = write!(out, "[U+{:04X}]", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
#[allow(clippy::string_slice, reason = "tests")]
mod tests {
    use chela_core::clock::Millis;

    use super::*;

    #[test]
    fn whatever_was_said_is_text() {
        let hostile = "</p><script>alert(1)</script><img src=x onerror='a'> &lt; \"q\" \u{202e}evil\u{0}";
        let items = [
            Item::Turn(1, Millis(0)),
            Item::Words(hostile, hostile),
            Item::Code(hostile.to_owned(), format!("</pre>{hostile}")),
        ];
        let page = page(&SessionKey::from_stored(format!("agent:{hostile}")), &items);
        let body = page.split_once("<body>").unwrap().1;
        let tags: Vec<&str> =
            body.match_indices('<').map(|(at, _)| &body[at..=at + body[at..].find('>').unwrap()]).collect();
        let known =
            ["<h1>", "</h1>", "<h2>", "</h2>", "<h3>", "</h3>", "<p>", "</p>", "<pre>", "</pre>", "</body>", "</html>"];
        assert!(tags.iter().all(|tag| known.contains(tag)), "{tags:?}");
        assert!(body.contains("&amp;lt; &quot;q&quot; [U+202E]evil[U+0000]"), "{body}");
        assert!(!page.contains("<script") && page.contains("default-src 'none'"));
    }
}
